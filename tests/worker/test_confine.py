"""What a worker gives up, and in which order, with a kernel that is played: each part fails by itself."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker import confine
from harness.worker.landlock import LIST, OWN, READ, USE, Unconfined

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
        monkeypatch.setattr(confine, "give_up_capabilities", lambda: self.does("capabilities"))
        monkeypatch.setattr(confine, "_filter_calls", lambda program: self.does("filter"))
        monkeypatch.setattr(confine, "_private_shm", lambda own: ("private", "shared")[-self.does("mounts")])
        monkeypatch.setattr(confine, "_is_read_only", lambda path: self.does("sealed") == 0)
        monkeypatch.setattr(confine, "_private_processes", lambda: self.does("processes") == 0)
        monkeypatch.setattr(confine, "_private_terminals", lambda: self.does("terminals") == 0)

    def prctl(self, option: int, value: int, *unused: int) -> int:
        assert not any(unused)  # what the kernel does not use yet must be zero
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
        "listed": ["/srv"],
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
    assert kernel.rights("/srv") == [LIST]
    assert {path for path, _ in kernel.allowed} == {
        "/usr",
        "/srv",
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


def test_a_worker_with_a_gpu_reads_and_uses_what_is_its_own_in_proc(kernel: Kernel) -> None:
    confine.confine(rules())
    assert kernel.rights("/proc/self") == []
    confine.confine(rules(cuda=True))
    assert kernel.rights("/proc/self") == [USE | READ]


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
            "mount",
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


class Libc:
    """Stands for the C library: notes each call and the flags that the kernel would see, refuses some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refuses: tuple[Any, ...]) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refuses = refuses
        monkeypatch.setattr(confine, "_libc", self)
        monkeypatch.setattr(confine.os, "chdir", lambda path: None)

    def _does(self, *call: Any) -> int:
        self.calls.append(call)
        return -1 if any(call[: len(refused)] == refused for refused in self.refuses) else 0

    def unshare(self, flags: int) -> int:
        return self._does("unshare", flags)

    def prctl(self, option: int, *values: Any) -> int:
        return self._does("prctl", option, *values)

    def capset(self, head: bytes, sets: bytes) -> int:
        return self._does("capset", head, sets)

    def mount(self, source: Any, target: bytes, kind: Any, flags: Any, data: Any) -> int:
        return self._does("mount", target, source, kind, flags.value, data)

    def syscall(self, number: Any, place: Any, path: bytes, flags: Any, words: bytes, size: Any) -> int:
        wanted, unwanted, *others = struct.unpack("<4Q", words)
        assert (number.value, place.value, flags.value, size.value) == (442, -100, 0x8000, 32)
        assert others == [0, 0]
        return self._does("mount_setattr", path, wanted, unwanted)


# As linux/mount.h and linux/sched.h have them.
NO_SETUID, NO_DEVICES, NO_PROGRAMS, BIND, RECURSIVE, SLAVE = 2, 4, 8, 0x1000, 0x4000, 0x80000
NEW_MOUNTS, NEW_USER = 0x20000, 0x10000000


def test_mounts_of_its_own_are_slaves_sealed_and_without_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch)
    assert confine._private_shm(["/a"]) == "private"
    assert confine._private_processes() is True
    assert confine._private_terminals() is True
    assert libc.calls == [
        ("unshare", NEW_MOUNTS),
        ("mount", b"/", None, None, RECURSIVE | SLAVE, None),
        ("mount", b"/a", b"/a", None, BIND | RECURSIVE, None),
        ("mount_setattr", b"/", 1, 0),  # MOUNT_ATTR_RDONLY
        ("mount_setattr", b"/a", 0, 1),
        ("mount", b"/dev/shm", b"tmpfs", b"tmpfs", NO_SETUID | NO_DEVICES, b"mode=1777"),
        ("mount", b"/proc", b"proc", b"proc", NO_SETUID | NO_DEVICES | NO_PROGRAMS, b"hidepid=ptraceable"),
        (
            "mount",
            b"/dev/pts",
            b"devpts",
            b"devpts",
            NO_SETUID | NO_PROGRAMS,
            b"newinstance,ptmxmode=0666,mode=0600",
        ),
        ("mount", b"/dev/ptmx", b"/dev/pts/ptmx", None, BIND, None),
    ]


@pytest.mark.parametrize("refused", [("mount", b"/", None), ("mount", b"/dev/shm")])
def test_without_a_mount_of_its_own_shared_memory_is_shared(
    monkeypatch: pytest.MonkeyPatch, refused: tuple[Any, ...]
) -> None:
    Libc(monkeypatch, refused)
    assert confine._private_shm(["/a"]) == "shared"


@pytest.mark.parametrize("refused", [b"/dev/pts", b"/dev/ptmx"])
def test_terminals_are_its_own_only_where_both_mounts_are(
    monkeypatch: pytest.MonkeyPatch, refused: bytes
) -> None:
    libc = Libc(monkeypatch, ("mount", refused))
    assert confine._private_terminals() is False
    assert libc.calls[-1][1] == refused
    Libc(monkeypatch, ("mount", b"/proc"))
    assert confine._private_processes() is False


def test_without_root_its_mounts_are_in_a_user_namespace_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch, ("unshare", NEW_MOUNTS))
    written: dict[str, str] = {}

    class Words(StringIO):
        def __init__(self, path: str, mode: str) -> None:
            super().__init__()
            self.path = path

        def close(self) -> None:
            written[self.path] = self.getvalue()
            super().close()

    monkeypatch.setattr(confine, "open", Words, raising=False)
    monkeypatch.setattr(confine.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(confine.os, "getegid", lambda: 100)
    assert confine._private_shm(["/a"]) == "private"
    assert libc.calls[:3] == [
        ("unshare", NEW_MOUNTS),
        ("unshare", NEW_USER | NEW_MOUNTS),
        ("prctl", 4, 1, 0, 0, 0),  # PR_SET_DUMPABLE
    ]
    assert list(written.items()) == [
        ("/proc/self/setgroups", "deny"),
        ("/proc/self/uid_map", "1000 1000 1"),
        ("/proc/self/gid_map", "100 100 1"),
    ]


def test_where_no_namespace_is_allowed_nothing_is_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch, ("unshare",))
    assert confine._private_shm(["/a"]) == "shared"
    assert libc.calls == [("unshare", NEW_MOUNTS), ("unshare", NEW_USER | NEW_MOUNTS)]


def test_every_capability_is_given_up_and_the_right_to_any(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch, ("prctl", 24, 41))  # the kernel knows 41 of them, and no more
    confine.give_up_capabilities()
    assert libc.calls == [
        *[("prctl", 24, number, 0, 0, 0) for number in range(42)],  # PR_CAPBSET_DROP
        ("prctl", 47, 4, 0, 0, 0),  # PR_CAP_AMBIENT, to clear all
        ("capset", struct.pack("<Ii", 0x20080522, 0), bytes(24)),
    ]


def test_whoever_keeps_a_capability_is_not_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    Libc(monkeypatch, ("capset",))
    with pytest.raises(Unconfined, match="giving up capabilities was refused"):
        confine.give_up_capabilities()


def test_the_filter_reaches_the_kernel_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    filters: list[bytes] = []

    def prctl(option: int, kind: int, words: bytes, *unused: int) -> int:
        assert (option, kind, *unused) == (22, 2, 0, 0)  # PR_SET_SECCOMP, a filter
        lines, address = struct.unpack("HL", words)
        assert lines == 3
        filters.append(ctypes.string_at(address, 8 * lines))
        return 0

    monkeypatch.setattr(confine, "_libc", SimpleNamespace(prctl=prctl))
    monkeypatch.setattr(confine.syscalls, "known", lambda: True)
    confine._filter_calls(bytes(range(24)))
    assert filters == [bytes(range(24))]


def test_the_kernels_own_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confine.syscalls, "known", lambda: True)
    ctypes.set_errno(0)
    # A program that does not end in an answer; without any right to a filter it is not even looked at.
    with pytest.raises(Unconfined, match=r"(Invalid argument|Permission denied)$"):
        confine._filter_calls(bytes(8))


def test_a_processor_without_a_table_of_calls_confines_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch)
    monkeypatch.setattr(confine.syscalls, "known", lambda: False)
    with pytest.raises(Unconfined, match="no table of system calls"):
        confine._filter_calls(bytes(8))
    assert libc.calls == []
