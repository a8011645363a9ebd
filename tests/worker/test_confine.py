"""What a worker gives up, and in which order, with a kernel that is played: each part fails by itself."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker import confine, probes, probing
from harness.worker.landlock import OWN, READ, USE, Unconfined

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="confinement is Linux's")
TERMINALS = {"/dev/pts", "/dev/ptmx"}


class Kernel:
    """Stands for the kernel: notes what it is asked for, and refuses what it is told to refuse."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.allowed: list[tuple[str, int]] = []
        self.scores: list[tuple[str, str]] = []
        self.refuses: set[str] = set()
        self.dumpable = 0
        kernel = self

        class Rules:
            def allow(self, paths: Iterable[str], rights: int) -> None:
                kernel.allowed += [(path, rights) for path in paths]

            def restrict(self) -> None:
                kernel.calls.append("landlock")

        class Score(StringIO):
            def close(self) -> None:
                kernel.scores.append(("/proc/self/oom_score_adj", self.getvalue()))
                super().close()

        def opened(path: str, mode: str) -> Score:
            if not kernel.dumpable:
                raise PermissionError(path)  # it is root's
            assert (path, mode) == ("/proc/self/oom_score_adj", "w")
            return Score()

        monkeypatch.setattr(confine, "open", opened, raising=False)
        monkeypatch.setattr(confine, "Rules", Rules)
        monkeypatch.setattr(confine, "_libc", SimpleNamespace(prctl=self.prctl))
        monkeypatch.setattr(confine, "_give_up_capabilities", lambda: self.does("capabilities"))
        monkeypatch.setattr(confine, "_filter_calls", lambda program: self.does("filter"))
        monkeypatch.setattr(confine, "_private_shm", lambda own: ("private", "shared")[-self.does("mounts")])
        monkeypatch.setattr(confine, "_is_read_only", lambda path: self.does("sealed") == 0)
        monkeypatch.setattr(confine, "_private_processes", lambda: self.does("processes") == 0)
        monkeypatch.setattr(confine, "_private_terminals", lambda: self.does("terminals") == 0)

    def prctl(self, option: int, value: int, *_: int) -> int:
        if option == 38:  # PR_SET_NO_NEW_PRIVS
            return self.does("no_new_privs")
        if option == 4:  # PR_SET_DUMPABLE
            self.dumpable = value
        return self.dumpable

    def does(self, what: str) -> int:
        self.calls.append(what)
        return -1 if what in self.refuses else 0

    def rights(self, path: str) -> list[int]:
        return [rights for name, rights in self.allowed if name == path]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def rules(**changes: Any) -> dict[str, Any]:
    return {
        "readable": ["/usr"],
        "readable_if": ["/proc", "/no/such/place"],
        "own": ["/tmp"],
        "use_if": ["/dev/null", "/no/such/device"],
        "affinity": True,
        "shm": True,
        "seccomp": True,
        "cuda": False,
    } | changes


def test_a_worker_offers_itself_to_the_memory_killer_first(kernel: Kernel) -> None:
    confine.confine(rules())
    assert kernel.scores == [("/proc/self/oom_score_adj", "500")]
    assert kernel.dumpable == 0  # nobody may look into it for longer than that


def test_one_that_may_be_looked_into_stays_so(kernel: Kernel) -> None:
    kernel.dumpable = 1
    confine.confine(rules())
    assert kernel.dumpable == 1


def test_mounts_are_made_before_the_right_to_make_them_is_given_up(kernel: Kernel) -> None:
    told = confine.confine(rules())
    made = ["mounts", "sealed", "processes", "terminals"]
    assert kernel.calls == [*made, "capabilities", "no_new_privs", "landlock", "filter"]
    assert (told.shm, told.sealed, told.hidden) == ("private", True, True)


def test_each_path_has_the_rights_of_its_kind_and_no_others(kernel: Kernel) -> None:
    confine.confine(rules())
    assert kernel.rights("/usr") == kernel.rights("/proc") == [READ]
    assert kernel.rights("/tmp") == kernel.rights("/dev/shm") == [OWN]
    assert kernel.rights("/dev/null") == [USE]
    assert {path for path, _ in kernel.allowed} == {
        "/usr",
        "/proc",
        "/tmp",
        "/dev/shm",
        "/dev/null",
    } | TERMINALS


def test_terminals_are_allowed_only_where_they_are_its_own(kernel: Kernel) -> None:
    confine.confine(rules())
    assert [kernel.rights(path) for path in sorted(TERMINALS)] == [[USE], [USE]]


@pytest.mark.parametrize("refused", ["terminals", "mounts"])
def test_the_machines_terminals_are_not_allowed(kernel: Kernel, refused: str) -> None:
    kernel.refuses = {refused}
    confine.confine(rules())
    assert not TERMINALS & {path for path, _ in kernel.allowed}


def test_what_could_not_be_made_private_is_told(kernel: Kernel) -> None:
    kernel.refuses = {"sealed"}
    assert confine.confine(rules()).sealed is False
    kernel.refuses = {"processes"}
    assert confine.confine(rules()).hidden is False
    kernel.refuses = {"mounts"}
    told = confine.confine(rules())
    assert (told.shm, told.sealed, told.hidden) == ("shared", False, False)


def test_in_a_box_no_mounts_are_made_and_its_filter_is_kept(kernel: Kernel) -> None:
    told = confine.confine(rules(shm=False, seccomp=False))
    assert kernel.calls == ["capabilities", "no_new_privs", "landlock"]
    assert told.shm == "box"


def test_without_no_new_privs_it_is_not_confined(kernel: Kernel) -> None:
    kernel.refuses = {"no_new_privs"}
    with pytest.raises(Unconfined, match="no_new_privs was refused"):
        confine.confine(rules())
    assert "landlock" not in kernel.calls


class Mounts:
    """Stands for the kernel's mounts: what was bound and changed, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refuses: tuple[str, ...] = ()) -> None:
        self.calls: list[tuple[Any, ...]] = []

        def noted(*call: Any) -> int:
            self.calls.append(call)
            return -1 if call[0] in refuses else 0

        monkeypatch.setattr(
            confine,
            "_mount",
            lambda source, target, *_: noted("bind" if source == target else "mount", target),
        )
        monkeypatch.setattr(
            confine,
            "_attributes",
            lambda path, wanted, unwanted: noted("seal" if wanted else "open", path, wanted or unwanted),
        )
        monkeypatch.setattr(confine.os, "chdir", lambda path: noted("chdir", path))
        monkeypatch.setattr(confine, "_libc", SimpleNamespace(unshare=lambda flags: noted("unshare", flags)))


def test_all_is_sealed_but_its_own_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = Mounts(monkeypatch)
    here = os.getcwd()
    confine._seal(["/a", "/b"])
    assert mounts.calls == [
        ("bind", "/a"),
        ("bind", "/b"),
        ("seal", "/", 1),
        ("open", "/a", 1),
        ("open", "/b", 1),
        ("chdir", here),
    ]


@pytest.mark.parametrize(("refused", "last"), [("bind", ("bind", "/a")), ("seal", ("seal", "/", 1))])
def test_what_cannot_be_sealed_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, refused: str, last: tuple[Any, ...]
) -> None:
    mounts = Mounts(monkeypatch, (refused,))
    confine._seal(["/a"])
    assert mounts.calls[-1] == last


def test_its_own_folder_that_stays_read_only_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Mounts(monkeypatch, ("open",))
    with pytest.raises(Unconfined, match="/a could not be made writable again"):
        confine._seal(["/a"])


def test_files_are_sealed_before_its_own_shared_memory_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = Mounts(monkeypatch)
    assert confine._private_shm(["/a"]) == "private"
    kinds = [call[0] for call in mounts.calls]
    assert kinds == ["unshare", "mount", "bind", "seal", "open", "chdir", "mount"]
    assert mounts.calls[-1] == ("mount", "/dev/shm")


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Callable[..., bool]:
    """Whether the probe about a signal gets through to this process, said to be born at a time."""
    monkeypatch.setattr(os, "kill", lambda pid, number: None)

    def tried(born: int | None) -> bool:
        targets = {"target": os.getpid(), "born": {"target": born, "parent": born}}
        try:
            return bool(probing.PROBES["signal the harness"](targets))
        except probing.Refused:
            return False

    return tried


def born() -> int:
    with open("/proc/self/stat") as file:
        return int(file.read().rpartition(")")[2].split()[19])


def test_a_probe_counts_only_the_harness_itself(reached: Callable[..., bool]) -> None:
    assert reached(born())
    assert not reached(born() + 1)  # another process has that number in here


def test_whoever_cannot_be_told_apart_counts_as_the_harness(
    reached: Callable[..., bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert reached(None)

    def hidden(path: str) -> None:
        raise PermissionError(errno.EACCES, "hidden", path)

    with monkeypatch.context() as patch:
        patch.setattr(probing, "open", hidden, raising=False)
        assert reached(born() + 1)
    with monkeypatch.context() as patch:  # a /proc that shows the processes of other numbers
        patch.setattr(probing.os, "readlink", lambda path: "1234567")
        assert reached(born() + 1)
    with monkeypatch.context() as patch:
        patch.setattr(probing.os, "readlink", hidden)
        assert reached(born() + 1)


ABOUT_THE_HARNESS = {
    "read the harness's memory",
    "read the harness's environment",
    "reopen the harness's files",
    "enter the harness's root",
    "see the harness",
    "trace the harness",
    "copy from the harness's memory",
    "signal the harness",
    "hold the harness by a descriptor",
    "limit the harness",
    "move the harness to other cores",
    "renice the harness",
    "have the harness killed for memory",
}


def test_no_probe_touches_another_process_that_has_the_harnesss_number() -> None:
    later = born() + 1
    targets = {"target": os.getpid(), "parent": os.getpid(), "born": {"target": later, "parent": later}}
    mine = os.sched_getaffinity(0)
    for name in ABOUT_THE_HARNESS:
        with pytest.raises(probing.Refused):  # by itself: the targets lack what the attack would need
            probes.PROBES[name](targets)
    assert os.sched_getaffinity(0) == mine
