"""Each probe of what a worker inherits and may do with itself: what it takes for reached, and what for refused."""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker import confine
from harness.worker.probes import kernel
from harness.worker.probes.table import PROBES, Refused
from tests.worker.forked import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probes are of Linux")
MARKER = "harness-probe-0123"


def reached(name: str, **targets: Any) -> str:
    """What a probe reached; "refused" if it was."""
    try:
        return PROBES[name](targets)
    except Refused:
        return "refused"


def holding(opens: Callable[[], object]) -> Any:
    """What is inherited, according to the probe, by a process that holds the standard files and what is opened."""
    before = set(os.listdir("/proc/self/fd"))

    def probed() -> str:
        (pipe,) = (int(fd) for fd in set(os.listdir("/proc/self/fd")) - before if "pipe" in link(int(fd)))
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(nothing, fd)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and int(name) != pipe:
                close(int(name))
        opens()
        return reached("inherit descriptors", socket=pipe, marker=MARKER)

    return forked(probed)


def link(fd: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""


def close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        return


def test_only_descriptors_that_leaked_in_are_told(tmp_path: Path) -> None:
    marked = tmp_path / MARKER
    marked.write_text("")
    assert holding(lambda: None) == "refused"
    assert "/dev/zero" in holding(lambda: os.open("/dev/zero", os.O_RDONLY))
    assert holding(lambda: (close(0), os.open(marked, os.O_RDONLY))) != "refused"  # as a standard file


def test_the_harnesss_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reached("see the harness's variables", marker=MARKER) == "refused"
    monkeypatch.setenv("OTHER", f"-{MARKER}-")
    assert reached("see the harness's variables", marker=MARKER) == "the variable is there"
    monkeypatch.setenv("OTHER", "")
    monkeypatch.setenv(MARKER, "")
    assert reached("see the harness's variables", marker=MARKER) == "the variable is there"


@pytest.mark.parametrize(
    ("allowed", "told"), [((), "refused"), ((0x10000000,), "it was made"), ((0x20000,), "it was made")]
)
def test_a_namespace_of_users_or_of_mounts_is_told(allowed: tuple[int, ...], told: str) -> None:
    def probed() -> str:
        kernel.libc = SimpleNamespace(unshare=lambda flags: 0 if flags in allowed else -1)
        return reached("make a user namespace")

    assert forked(probed) == told


class Cores:
    """Stands for a machine of four cores that lets a process choose some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, allows: set[int], known: int | None = 4) -> None:
        self.chosen = {1}
        self.allows = allows
        monkeypatch.setattr(os, "cpu_count", lambda: known)
        monkeypatch.setattr(os, "sched_getaffinity", self.get)
        monkeypatch.setattr(os, "sched_setaffinity", self.set)

    def get(self, pid: int) -> set[int]:
        assert pid == 0
        return set(self.chosen)

    def set(self, pid: int, cores: Any) -> None:
        assert pid == 0
        if not set(cores) & self.allows:
            raise OSError(errno.EINVAL, "none of these")
        self.chosen = set(cores) & self.allows


def test_more_cores_are_told_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Cores(monkeypatch, {0, 1, 2, 3})
    assert reached("take more cores") == "4 instead of 1"
    assert machine.chosen == {1}
    Cores(monkeypatch, {1})
    assert reached("take more cores") == "refused"
    Cores(monkeypatch, {0, 1, 2, 3}, known=None)
    assert reached("take more cores") == "1 instead of 1"


def test_a_priority_one_step_higher_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "getpriority", lambda which, who: {(os.PRIO_PROCESS, 0): 5}[which, who])
    monkeypatch.setattr(os, "setpriority", lambda *words: steps.append(words))
    assert reached("raise its priority") == "it was raised"
    assert steps == [(os.PRIO_PROCESS, 0, 4)]


def test_capabilities_are_held_until_they_are_given_up_for_good() -> None:
    def probed() -> list[str]:
        confine.give_up_capabilities()
        before = reached("hold capabilities")
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        return [before, reached("hold capabilities")]

    assert forked(probed) == ["0000000000000000, no_new_privs 0", "refused"]


class Calls:
    """Stands for the kernel's answers to calls by number: notes them, and answers with a value or an error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: int | OSError) -> None:
        self.made: list[tuple[Any, ...]] = []
        self.answers = answers
        monkeypatch.setattr(kernel, "call", self.call)

    def call(self, name: str, *arguments: Any) -> int:
        # A buffer is noted by its size: what is in it is the kernel's to fill.
        self.made.append((name, *(len(a) if isinstance(a, ctypes.Array) else a for a in arguments)))
        answer = self.answers.get(name, 0)
        if isinstance(answer, OSError):
            raise answer
        return answer


def test_shared_memory_that_is_kept_is_ones_own_and_taken_away_again(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(monkeypatch, shmget=23)
    assert reached("keep shared memory") == "it was kept"
    private, remove = 0, 0  # IPC_PRIVATE and IPC_RMID
    assert calls.made == [("shmget", private, 4096, 0o1600), ("shmctl", 23, remove, None)]


# Calls in which faults are often found, as a kernel that has them would take them.
RISKY = [
    ("io_uring_setup", 1, 256),
    ("bpf", 0, 256, 8),
    ("perf_event_open", 256, 0, -1, -1, 0),
    ("userfaultfd", 0),
    ("open_by_handle_at", -1, 256, 0),
    ("syslog", 10, 0, 0),  # how large the kernel's log is
]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS])
def test_risky_calls_are_refused_when_each_is(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = Calls(monkeypatch, **{name: OSError(number, "no") for name, *_ in RISKY})
    assert reached("use risky calls of the kernel") == "refused"
    assert calls.made == RISKY


@pytest.mark.parametrize("name", [name for name, *_ in RISKY])
@pytest.mark.parametrize("answer", [3, OSError(errno.EINVAL, "what?")])
def test_one_risky_call_that_the_kernel_looks_at_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, answer: int | OSError
) -> None:
    Calls(monkeypatch, **{**{n: OSError(errno.EPERM, "no") for n, *_ in RISKY}, name: answer})
    assert reached("use risky calls of the kernel") == name


@pytest.mark.parametrize("number", [errno.EPERM, errno.EIO])
def test_a_terminal_that_takes_no_words_is_refused(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    Calls(monkeypatch, ioctl=OSError(number, "no"))
    monkeypatch.setattr(os, "openpty", lambda: (7, 8))
    with pytest.raises(OSError, match="no") as caught:
        reached("type into a terminal")
    assert caught.value.errno == number


@pytest.mark.parametrize(("terminals", "slave"), [(True, 8), (False, 0)])
@pytest.mark.parametrize("answer", [0, OSError(errno.ENOTTY, "no terminal")])
def test_a_terminal_that_might_take_words_is_told(
    monkeypatch: pytest.MonkeyPatch, terminals: bool, slave: int, answer: int | OSError
) -> None:
    calls = Calls(monkeypatch, ioctl=answer)
    monkeypatch.setattr(os, "openpty", lambda: (7, 8))
    monkeypatch.setattr(os.path, "exists", lambda path: terminals)
    assert reached("type into a terminal") == "it was let"
    assert calls.made == [("ioctl", slave, 0x5412, b"x")]  # TIOCSTI


@pytest.mark.parametrize(
    ("machine", "ends", "told"),
    [
        ("x86_64", signal.SIGSYS, "refused"),
        ("x86_64", signal.SIGKILL, "it was let"),
        ("x86_64", None, "it was let"),
        ("aarch64", None, "refused"),  # which has no other numbers
    ],
)
def test_other_numbers_of_calls_are_refused_only_if_they_kill(
    machine: str, ends: int | None, told: str
) -> None:
    def called(number: Any) -> None:
        assert number.value == 0x40000000 + 39
        time.sleep(0.05)
        if ends:
            os.kill(os.getpid(), ends)

    def probed() -> str:
        kernel.libc = SimpleNamespace(syscall=called)
        kernel.platform = SimpleNamespace(machine=lambda: machine)
        return reached("call by other numbers")

    assert forked(probed) == told


def test_the_mark_of_peak_memory_can_be_taken_back_where_proc_may_be_written() -> None:
    assert reached("take back the mark of its peak memory") == "it can be written"


def test_the_machines_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel.socket, "gethostname", lambda: "workshop")
    assert reached("know the machine's name", host="workshop") == "workshop"
    assert reached("know the machine's name", host="another") == "refused"


@pytest.mark.parametrize(
    ("name", "told"), [("ada", "ada"), ("root", "refused"), ("box", "refused"), ("nobody", "refused")]
)
def test_only_a_persons_name_is_told(monkeypatch: pytest.MonkeyPatch, name: str, told: str) -> None:
    monkeypatch.setattr(pwd, "getpwuid", {1000: SimpleNamespace(pw_name=name)}.__getitem__)
    assert reached("know the user's name", uid=1000) == told
    assert reached("know the user's name", uid=1001) == "refused"
