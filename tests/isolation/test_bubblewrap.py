"""Level `bubblewrap`: which box a worker gets, how a box is entered and ended; no box is made here."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import cgroups, selftest
from harness.isolation.base import Checked, Inherited, Launch
from harness.isolation.box import bubblewrap, guard, poolusers
from harness.isolation.box.boxes import Box, worker_environment
from harness.isolation.box.bubblewrap import BubblewrapLevel
from harness.isolation.zygotes import ZygoteLost
from tests.isolation.doubles import FakeProcess, order


@pytest.mark.parametrize(
    ("platform", "forks", "known", "bwrap", "landlock", "refused"),
    [
        ("linux", True, True, "/usr/bin/bwrap", 1, ""),
        ("darwin", True, True, "/usr/bin/bwrap", 1, "needs Linux on x86_64 or aarch64"),
        ("linux", False, True, "/usr/bin/bwrap", 1, "needs Linux on"),
        ("linux", True, False, "/usr/bin/bwrap", 1, "needs Linux on"),
        ("linux", True, True, None, 1, "needs the program bwrap"),
        ("linux", True, True, "/usr/bin/bwrap", 0, "needs Landlock"),
    ],
)
def test_it_starts_only_where_its_walls_can_be_built(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    forks: bool,
    known: bool,
    bwrap: str | None,
    landlock: int,
    refused: str,
) -> None:
    monkeypatch.setattr(bubblewrap, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(bubblewrap, "possible", lambda: forks)
    monkeypatch.setattr(bubblewrap, "syscalls", SimpleNamespace(known=lambda: known))
    monkeypatch.setattr(bubblewrap, "shutil", SimpleNamespace(which={"bwrap": bwrap}.get))
    monkeypatch.setattr(bubblewrap, "version", lambda: landlock)
    if refused:
        with pytest.raises(SandboxFailed, match=f"level bubblewrap {refused}"):
            BubblewrapLevel().insist()
    else:
        BubblewrapLevel().insist()


def test_it_is_the_official_level_and_promises_every_probe() -> None:
    level: Any = BubblewrapLevel("because")
    checked = level.promises(None)
    assert (level.official, level.note) == (True, "because")
    assert checked.promised == tuple(sorted(selftest.every()))
    assert checked.residual == bubblewrap.RESIDUAL


class FakeZygote:
    """A box's zygote: it is ready, or not for a reason, and forks workers that live until they are ended."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.clean, self.closed, self.pid = True, 0, 9
        self.inherited = Inherited(1, 2, "pid 8")
        self.process = FakeProcess(pid=8)
        self.orders: list[tuple[Launch, Any]] = []

    def ready(self) -> None:
        if self.fault:
            raise ZygoteLost(self.fault)

    def fork(self, order: Launch, words: Any, take: Callable[[int], None]) -> Any:
        if self.fault:
            raise ZygoteLost(self.fault)
        take(77)
        self.orders.append((order, words))
        return SimpleNamespace(process=FakeProcess(pid=77), sock=None)

    def close(self) -> None:
        self.closed += 1


class Bubble:
    """A level whose boxes are entered by nobody; those for a stack in `faults` are not ready, for this reason."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.top = top
        self.given = (top / "given",)
        self.given[0].mkdir()
        self.made: list[Any] = []
        self.faults: dict[tuple[str, ...], str] = {}
        self.level = BubblewrapLevel()
        self.level.weaken = lambda rules: None  # there is no process to ask the kernel about
        monkeypatch.setattr(bubblewrap, "_enter", self._enter)
        monkeypatch.setattr(bubblewrap, "descendants", lambda pid: [pid])
        wardens = {77: 76}
        monkeypatch.setattr(bubblewrap, "_warden", wardens.__getitem__)

    def _enter(self, order: Launch, stack: tuple[str, ...], weaken: Any) -> Any:
        errors = self.top / f"box-{len(self.made)}.errors"
        errors.write_text("bwrap: first\nbwrap: no such file\n")
        zygote: Any = FakeZygote(self.faults.get(stack, ""))
        box = Box(places={order.readable[0]: "/given/0/given"} if order.readable else {})
        self.made.append(bubblewrap._Boxed(zygote=zygote, box=box, pool=None, stack=stack, errors=errors))
        return self.made[-1]

    def order(self, **more: Any) -> Launch:
        return order(self.top, **{"readable": self.given, "stack": ("numpy",), **more})

    def start(self, **more: Any) -> Any:
        return self.level.launch(self.order(**more))

    def zygotes(self) -> list[Any]:
        return [boxed.zygote for boxed in self.made]


@pytest.fixture
def bubble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bubble]:
    monkeypatch.setattr(selftest, "run", lambda start, promises: Checked())
    monkeypatch.setattr(BubblewrapLevel, "insist", lambda self: None)
    monkeypatch.setattr(cgroups, "make", lambda: (None, "none today"))
    for name in ("raise_guard", "lower_guard"):
        monkeypatch.setattr(guard, name, lambda: None)
    made = Bubble(tmp_path, monkeypatch)
    yield made
    made.level.close()


class Group:
    """A control group that keeps its workers on their cores."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def confine(self, cores: list[int]) -> bool:
        return True

    def take(self, pid: int) -> None:
        self.taken.append(pid)

    def remove(self) -> None: ...


def test_a_worker_is_forked_in_its_box_and_confines_itself_there(
    bubble: Bubble, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = Group()
    monkeypatch.setattr(cgroups, "make", lambda: (group, ""))
    launched = bubble.start()
    assert (launched.pid, launched.cgroup, group.taken) == (77, group, [77])
    assert launched.boxed
    assert (launched.keeper, launched.inherited) == (76, Inherited(1, 2, "pid 8"))
    names = [
        launched.inside(path) for path in (bubble.given[0] / "a", bubble.top / "scratch", bubble.top / "home")
    ]
    assert names == ["/given/0/given/a", "/box/scratch", "/box"]
    ((wanted, words),) = bubble.zygotes()[0].orders
    assert wanted == bubble.order()
    assert words["environment"] == worker_environment(wanted)
    assert (words["scratch"], words["disks"]) == ("/box/scratch", bubblewrap.boxes.DISKS)
    rules = words["confine"]
    assert rules["own"] == ["/box", "/tmp"]
    assert (rules["seccomp"], rules["shm"], rules["affinity"], rules["cuda"]) == (True, False, True, False)
    assert not [path for path in rules["use_if"] if "nvidia" in path]


def test_a_worker_with_a_gpu_may_use_its_devices(bubble: Bubble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap.boxes, "cuda_devices", lambda: ["/dev/nvidia0"])
    bubble.start(device="cuda")
    rules = bubble.zygotes()[0].orders[0][1]["confine"]
    assert rules["cuda"] is True
    assert rules["use_if"][-1] == "/dev/nvidia0"
    assert "/dev/null" in rules["use_if"]


def test_a_worker_that_no_control_group_holds_may_choose_fewer_cores_only_by_leave(bubble: Bubble) -> None:
    bubble.start()
    assert bubble.zygotes()[0].orders[0][1]["confine"]["affinity"] is False


def test_a_worker_that_has_ended_already_has_no_warden(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bubblewrap._warden(1 << 23) == 0
    assert bubblewrap._warden(os.getpid()) == os.getppid()


def test_one_box_serves_all_workers_of_a_submission_until_its_zygote_is_lost(bubble: Bubble) -> None:
    first, second = bubble.start(), bubble.start()  # one beside the other
    assert len(bubble.made) == 1
    first.process.status, second.process.status = 0, -9
    other = bubble.start(home=bubble.top / "other", scratch=bubble.top / "other" / "scratch")
    assert len(bubble.made) == 1
    assert other.inside(bubble.top / "other" / "scratch" / "a") == "/box/scratch/a"
    assert first.inside(bubble.top / "other" / "scratch") == str(bubble.top / "other" / "scratch")
    bubble.made[0].zygote.clean = False
    bubble.start()
    assert [zygote.closed for zygote in bubble.zygotes()] == [1, 0]
    bubble.level.close()
    assert [zygote.closed for zygote in bubble.zygotes()] == [1, 1]
    bubble.level.close()
    assert [zygote.closed for zygote in bubble.zygotes()] == [1, 1]


def test_another_submission_stack_or_device_gets_another_box_and_a_box_ends_with_its_submission(
    bubble: Bubble,
) -> None:
    bubble.start().process.status = 0
    another = bubble.top / "another"
    another.mkdir()
    for more in ({"readable": (another,)}, {"stack": ()}, {"threads": 65}, {"device": "cuda"}):
        bubble.start(**more).process.status = 0
    assert len(bubble.made) == 5
    assert [zygote.closed for zygote in bubble.zygotes()] == [0] * 5
    another.rmdir()
    bubble.start()
    assert len(bubble.made) == 5
    assert [zygote.closed for zygote in bubble.zygotes()] == [0, 1, 0, 0, 0]


def test_a_stack_that_starts_threads_is_left_to_the_submission_to_import(bubble: Bubble) -> None:
    bubble.faults[("numpy",)] = "its imports started 2 threads"
    bubble.start()
    assert [boxed.stack for boxed in bubble.made] == [("numpy",), ()]
    assert [zygote.closed for zygote in bubble.zygotes()] == [1, 0]


@pytest.mark.parametrize(
    ("stack", "fault"), [(("numpy",), "it does not answer"), ((), "its imports started 2 threads")]
)
def test_a_box_that_is_not_ready_is_closed_and_told_with_the_words_of_bwrap(
    bubble: Bubble, stack: tuple[str, ...], fault: str
) -> None:
    bubble.faults[stack] = fault
    with pytest.raises(SandboxFailed) as caught:
        bubble.start(stack=stack)
    assert str(caught.value) == f"bubblewrap could not make a box: bwrap: no such file ({fault})"
    assert [zygote.closed for zygote in bubble.zygotes()] == [1]


def test_a_box_whose_zygote_is_lost_is_not_used_again(bubble: Bubble) -> None:
    bubble.start().process.status = 0
    zygote = bubble.zygotes()[0]
    zygote.fault = "it does not answer"
    with pytest.raises(SandboxFailed) as caught:
        bubble.start()
    words = "a worker could not be started in its box: it does not answer (bwrap: no such file)"
    assert str(caught.value) == words
    bubble.made[0].errors.write_text(" \n")
    assert bubble.made[0].words() == "nothing was said"
    bubble.start()
    assert [one.closed for one in bubble.zygotes()] == [1, 0]


@pytest.mark.parametrize(
    ("ready", "patience"), [([True, True, True], [2000, 2000, 2000]), ([True, False, False], [2000, 2000, 0])]
)
def test_a_box_is_closed_when_all_in_it_have_ended_or_two_seconds_are_over(
    bubble: Bubble, monkeypatch: pytest.MonkeyPatch, ready: list[bool], patience: list[float]
) -> None:
    opened: list[int] = []
    polled: list[float] = []

    def pidfd_open(pid: int) -> int:
        if pid == 13:
            raise ProcessLookupError(3, "No such process")
        opened.append(os.open(os.devnull, os.O_RDONLY))
        return opened[-1]

    class Poll:
        def register(self, descriptor: int, events: int) -> None:
            assert descriptor == opened[len(polled)]
            assert events == select.POLLIN

        def poll(self, milliseconds: float) -> Any:
            assert bubble.made[0].zygote.closed == 1
            polled.append(milliseconds)
            return [(1, select.POLLIN)] if ready[len(polled) - 1] else []

    given_back: list[int] = []
    bubble.start()
    bubble.made[0].pool = SimpleNamespace(give_back=lambda: given_back.append(1))
    monkeypatch.setattr(bubblewrap, "descendants", lambda pid: [pid, 11, 12, 13, 14])
    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    monkeypatch.setattr(bubblewrap, "select", SimpleNamespace(poll=Poll, POLLIN=select.POLLIN))
    bubble.level.close()
    assert polled == patience
    assert given_back == [1]
    for descriptor in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


class Popen:
    """Reads what a program would be given when it is started, and starts none."""

    def __init__(self, fault: OSError | None = None) -> None:
        self.fault = fault

    def __call__(self, argv: list[str], **more: Any) -> FakeProcess:
        self.argv, self.more = argv, more
        self.words: dict[str, Any] = {}
        if "enter.py" in argv[3]:
            self.words = json.loads(self.given(argv[4]))
            self.mode = Path(self.words["under"]).stat().st_mode & 0o777
        bwrap = self.words.get("argv", argv)
        self.options = self.given(bwrap[bwrap.index("--args") + 1]).decode().split("\0")
        data = [i for i, word in enumerate(self.options) if word == "--ro-bind-data"]
        self.data = {self.options[i + 2]: self.given(self.options[i + 1]) for i in data}
        self.command = bwrap
        if self.fault:
            raise self.fault
        with socket.socket(fileno=os.dup(more["pass_fds"][0])) as theirs:
            theirs.sendall(b'{"threads": 1, "memory": {}}\n')
        return FakeProcess()

    def given(self, fd: str) -> bytes:
        assert int(fd) in self.more["pass_fds"]
        return os.read(int(fd), 1 << 20)


@pytest.fixture
def entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A box that shows one folder and holds one file; who asks for a pool user gets 60,600."""
    box = Box(python="/venv/bin/python", contents=[(b"box:x:1000", "/etc/passwd")])
    (tmp_path / "given").mkdir(mode=0o755)
    box.show(tmp_path / "given", "/given/0")
    given_back: list[int] = []
    user = SimpleNamespace(uid=60_600, give_back=lambda: given_back.append(1))
    monkeypatch.setattr(bubblewrap.boxes, "box_for", lambda order: box)
    monkeypatch.setattr(bubblewrap.shutil, "which", {"bwrap": "/usr/bin/bwrap"}.get)
    monkeypatch.setattr(poolusers, "take", lambda: user)
    monkeypatch.setattr(bubblewrap, "private_folder", lambda kind: _made(tmp_path / f"harness-{kind}-x"))
    return {"box": box, "user": user, "given_back": given_back, "home": tmp_path / "harness-box-x"}


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def enter(tmp_path: Path, popen: Popen, weaken: Any = None, **more: Any) -> Any:
    return bubblewrap._enter(order(tmp_path, **more), ("numpy",), weaken)


@pytest.mark.parametrize("root", [True, False])
def test_a_box_is_entered_by_bwrap_or_by_root_through_a_pool_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entered: dict[str, Any], root: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(subprocess, "Popen", popen := Popen())
    boxed = enter(tmp_path, popen)
    fd = str(popen.more["pass_fds"][0])
    assert popen.command[:2] == ["/usr/bin/bwrap", "--args"]
    assert popen.command[3] == "--"
    assert popen.command[4] == "/venv/bin/python"
    assert popen.command[-2:] == [fd, "numpy"]
    shown = [popen.options[i + 1 : i + 3] for i, word in enumerate(popen.options) if word == "--ro-bind"]
    if root:
        assert popen.argv[:3] == [sys.executable, "-I", "-S"]
        assert popen.words["binds"] == [[str(tmp_path / "given"), "0"]]
        assert (popen.words["under"], popen.words["pool"], popen.mode) == (
            str(entered["home"]),
            60_600,
            0o711,
        )
        assert shown == [[f"{entered['home']}/0", "/given/0"]]
    else:
        assert shown == [[str(tmp_path / "given"), "/given/0"]]
    assert boxed.pool is (entered["user"] if root else None)
    assert popen.data == {"/etc/passwd": b"box:x:1000"}
    assert (popen.more["cwd"], popen.more["env"], popen.more["start_new_session"]) == ("/", {}, True)
    boxed.zygote.ready()
    for descriptor in popen.more["pass_fds"]:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    boxed.close()
    assert entered["given_back"] == ([1] if root else [])
    assert not entered["home"].exists()
    assert not boxed.errors.exists()


@pytest.mark.parametrize("root", [True, False])
def test_a_box_that_cannot_be_entered_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entered: dict[str, Any], root: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(subprocess, "Popen", popen := Popen(OSError(12, "Cannot allocate memory")))
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(
        SandboxFailed, match=r"a box could not be made: .*Cannot allocate memory; check free memory"
    ):
        enter(tmp_path, popen)
    assert set(os.listdir("/proc/self/fd")) == before
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith("harness-box")]
    assert entered["given_back"] == ([1] if root else [])


def test_a_folder_that_the_pool_user_cannot_read_is_told_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entered: dict[str, Any]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(subprocess, "Popen", popen := Popen())
    (tmp_path / "given").chmod(0o700)
    with pytest.raises(SandboxFailed, match="cannot be read by other users"):
        enter(tmp_path, popen)
    assert not hasattr(popen, "argv")
    assert entered["given_back"] == [1]


def test_a_weakened_box_is_entered_as_weakened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entered: dict[str, Any]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(subprocess, "Popen", popen := Popen())
    enter(tmp_path, popen, lambda rules: rules["options"].remove("--unshare-all")).close()
    assert "--unshare-all" not in popen.options
    assert "--unshare-user" in popen.options
