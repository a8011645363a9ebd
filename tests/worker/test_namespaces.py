"""A worker in a box begins with nothing of another, and ends with everything it started."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.worker import confine, namespaces
from harness.worker.landlock import Unconfined
from tests.worker.forked import fork, forked, until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="outside a box only root may make them; level bubblewrap's tests do so as anybody",
)
FOR_EVER = 300.0  # of a process that is to be killed
IPC_CREATE = 0o1000
Work = Callable[[], Any]


def wardens(copies: Path) -> namespaces.Wardens:
    """A zygote's, in a namespace of its own."""
    copies.mkdir()
    namespaces._COPIES = str(copies)
    namespaces.begin()
    return namespaces.Wardens()


def each(tmp_path: Path, *works: Work) -> list[list[Any]]:
    """What each of some workers of one zygote, one after the other, returns; and how it ended."""

    def run() -> list[list[Any]]:
        theirs, ended = wardens(tmp_path / "copies"), []
        (tmp_path / "disk").mkdir()
        for work in works:
            here, there = os.pipe()
            warden = theirs.fork([(str(tmp_path / "disk"), 1 << 20)])
            if warden == 0:
                os.write(there, json.dumps(work()).encode())
                os._exit(0)
            os.close(there)
            words = until_gone(here)  # only when the worker and all that it started are gone
            ended.append([json.loads(words or b"null"), theirs.wait(warden)])
        return ended

    found: list[list[Any]] = forked(run)
    return found


@as_root
def test_two_workers_share_no_file_number_terminal_or_process(tmp_path: Path) -> None:
    disk = tmp_path / "disk"

    def seen() -> list[Any]:
        before = sorted(os.listdir(disk)), disk.stat().st_mode & 0o777, disk.stat().st_mtime > 1e9
        (disk / "file").touch()
        for _ in range(40):
            if (child := os.fork()) == 0:
                os._exit(0)
            os.waitpid(child, 0)
        inode = (disk / "file").stat().st_ino
        disk.chmod(0o700)
        os.utime(disk, (5, 5))
        terminals = [name for name in os.listdir("/dev/pts") if name.isdigit()]
        os.openpty()
        processes = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        return [before, inode, os.getpid(), os.getppid(), terminals, processes]

    first, second = each(tmp_path, seen, seen)
    assert first == second
    assert first == [[[[], 0o755, True], first[0][1], 2, 1, [], [1, 2]], 0]


def shared_memory(flags: int) -> int:
    """The number of a piece of System V memory that everybody asks for by the same key; -1 if there is none."""
    return ctypes.CDLL(None).shmget(0x5EED, 4096, flags | 0o666)


@as_root
def test_nothing_is_left_that_outlives_a_process_or_belongs_to_all(tmp_path: Path) -> None:
    disk = tmp_path / "disk"

    def seen() -> list[Any]:
        found = [socket.gethostname() == "left", shared_memory(0) >= 0, os.listxattr(disk)]
        found.append(Path("/proc/sysvipc/shm").read_text().count("\n"))
        socket.sethostname("left")
        with contextlib.suppress(OSError):  # a kernel may have no attributes on memory disks
            os.setxattr(disk, "trusted.left", b"x")
        return [*found, shared_memory(IPC_CREATE) >= 0, socket.gethostname()]

    assert each(tmp_path, seen, seen) == [[[False, False, [], 1, True, "left"], 0]] * 2
    assert socket.gethostname() != "left"


@as_root
def test_of_two_workers_at_the_same_time_neither_sees_the_other(tmp_path: Path) -> None:
    def begun(theirs: namespaces.Wardens, work: Work) -> int:
        here, there = os.pipe()
        if theirs.fork([(str(tmp_path / "disk"), 1 << 20)]) == 0:
            os.write(there, json.dumps(work()).encode())
            time.sleep(FOR_EVER)
        os.close(there)
        return here

    kept: list[socket.socket] = []  # as long as the worker lives

    def looks() -> list[Any]:
        sock = socket.socket(socket.AF_UNIX)
        taken = sock.connect_ex("\0left")
        sock.close()
        processes = sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
        terminals = [name for name in os.listdir("/dev/pts") if name.isdigit()]
        disk = os.listdir(tmp_path / "disk")
        return [errno.errorcode.get(taken), processes, terminals, disk, shared_memory(0) >= 0]

    def leaves() -> list[Any]:
        kept.append(socket.socket(socket.AF_UNIX))
        kept[-1].bind("\0left")
        kept[-1].listen(1)
        (tmp_path / "disk" / "left").touch()
        shared_memory(IPC_CREATE)
        os.openpty()
        if os.fork() == 0:
            time.sleep(FOR_EVER)
        return looks()

    def run() -> list[Any]:
        theirs = wardens(tmp_path / "copies")
        (tmp_path / "disk").mkdir()
        pipes = [begun(theirs, work) for work in (leaves, looks, leaves)]
        return [json.loads(os.read(here, 1 << 16)) for here in pipes]

    first, between, last = forked(run)
    assert between == ["ECONNREFUSED", [1, 2], [], [], False]
    assert first == last == [None, [1, 2, 3], ["0"], ["left"], True]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def status(pid: int) -> dict[str, int]:
    """What of a process's status is a mask."""
    lines = [line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return {name: int(mask, 16) for name, mask in lines if name.startswith(("Cap", "SigB"))}


@as_root
def test_who_only_waits_has_no_rights_and_holds_nothing_open(tmp_path: Path) -> None:
    def run() -> list[Any]:
        outer = os.getpid()
        theirs = wardens(tmp_path / "copies")
        if theirs.fork([]) == 0:
            time.sleep(FOR_EVER)
        (zygote,) = children(outer)
        (warden,) = children(zygote)
        ends = time.monotonic() + 10

        def waiting(pid: int) -> bool:
            rights = status(pid)
            return not any(rights[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"))

        while not (waiting(outer) and waiting(warden)):
            assert time.monotonic() < ends
            time.sleep(0.01)
        opened = [
            [os.readlink(file).split(":")[0] for file in Path(f"/proc/{pid}/fd").iterdir()]
            for pid in (outer, warden)
        ]
        return [*opened, bool(status(warden)["SigBlk"] & 1 << (signal.SIGINT - 1))]

    assert forked(run) == [[], ["pipe"], True]


@as_root
def test_an_orphan_of_a_worker_is_buried_while_the_worker_lives(tmp_path: Path) -> None:
    def waits() -> bool:
        here, there = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                os.write(there, str(os.getpid()).encode())
            os._exit(0)
        os.wait()
        orphan, ends = os.read(here, 9).decode(), time.monotonic() + 10
        while os.path.exists(f"/proc/{orphan}") and time.monotonic() < ends:
            time.sleep(0.01)
        time.sleep(0.2)  # in which its warden would end it, took it the orphan's end for the worker's
        return os.path.exists(f"/proc/{orphan}")

    assert each(tmp_path, waits) == [[False, 0]]


@as_root
def test_a_disk_holds_what_it_was_made_for_and_no_more(tmp_path: Path) -> None:
    def filled() -> list[int]:
        written = 0
        with (tmp_path / "disk" / "file").open("wb", buffering=0) as file:
            try:
                while written < 1 << 22:
                    written += file.write(bytes(1 << 16))
            except OSError as error:
                return [written, error.errno or 0]
        return [written, 0]

    assert each(tmp_path, filled) == [[[1 << 20, 28], 0]]


@as_root
def test_it_has_no_network_and_names_messages_and_memory_of_its_own(tmp_path: Path) -> None:
    kinds = ("mnt", "pid", "ipc", "uts", "net")

    def own() -> list[str]:
        return [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]

    def interfaces() -> list[str]:
        return Path("/proc/net/dev").read_text().split(":")[0].split()[-1:]

    (one, _), (two, _), (seen, _) = each(tmp_path, own, own, interfaces)
    here = own()
    # Not of one another: the second may be given the numbers of the first, which has ended.
    assert all(b not in (a, c) for a, b, c in zip(one, here, two, strict=True) if "pid" not in a)
    assert seen == ["lo"]


@as_root
def test_how_a_worker_ended_is_told_and_its_orphans_end_with_it(tmp_path: Path) -> None:
    def orphaned() -> None:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(FOR_EVER)
            os._exit(0)
        time.sleep(0.05)

    def left() -> None:
        orphaned()
        os._exit(7)

    def killed() -> None:
        orphaned()
        os.kill(os.getpid(), signal.SIGKILL)

    def ended() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(FOR_EVER)

    def broken_off() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            os.kill(1, number)  # its warden, which does not heed it
        os._exit(3)

    found = each(tmp_path, left, killed, ended, *[broken_off] * 20)  # 20: at once, it may hit what sets up
    assert [status for _, status in found] == [7, -9, -15, *[3] * 20]


@as_root
def test_a_warden_that_is_killed_takes_its_worker_along_and_cannot_say_how_it_ended(tmp_path: Path) -> None:
    def run() -> list[Any]:
        theirs = wardens(tmp_path / "copies")
        here, there = os.pipe()
        warden = theirs.fork([])
        if warden == 0:
            time.sleep(FOR_EVER)
        os.close(there)
        os.kill(warden, signal.SIGKILL)
        until_gone(here)
        return [theirs.wait(warden), theirs.wait(warden)]

    assert forked(run) == [-9, -9]


@as_root
def test_all_workers_end_with_their_zygote(tmp_path: Path) -> None:
    here, there = os.pipe()

    def run() -> bool:
        theirs = wardens(tmp_path / "copies")
        for _ in range(2):
            if theirs.fork([]) == 0:
                time.sleep(FOR_EVER)
        return True

    assert forked(run) is True
    os.close(there)
    until_gone(here)


@as_root
def test_a_zygote_and_its_workers_end_with_the_process_that_waits_for_it(tmp_path: Path) -> None:
    here, there = os.pipe()
    outer = fork()
    if outer == 0:
        try:
            if wardens(tmp_path / "copies").fork([]) == 0:
                os.write(there, b"x")
            time.sleep(FOR_EVER)
        finally:
            os._exit(99)
    os.close(there)
    assert os.read(here, 1) == b"x"
    os.kill(outer, signal.SIGKILL)
    os.waitpid(outer, 0)
    until_gone(here)


@as_root
def test_who_waits_for_a_zygote_ends_with_it(tmp_path: Path) -> None:
    outer = fork()
    if outer == 0:
        try:
            wardens(tmp_path / "copies")
        finally:
            os._exit(7)  # as the zygote
    assert os.waitstatus_to_exitcode(os.waitpid(outer, 0)[1]) == 1


@as_root
def test_its_own_control_groups_look_like_the_top_ones() -> None:
    def hidden() -> list[str]:
        namespaces.hide_control_groups()
        return [line.split(":", 2)[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]

    assert set(forked(hidden)) == {"/"}


@as_root
def test_a_mount_that_is_refused_is_named(tmp_path: Path) -> None:
    def run() -> str:
        theirs = wardens(tmp_path / "copies")
        try:
            warden = theirs.fork([("/no/such/folder", 1)])
        except Unconfined as error:
            return str(error)
        theirs.wait(warden)  # it is the warden that tells
        os._exit(0)

    assert forked(run) == "a mount at /no/such/folder was refused: No such file or directory"


@as_root
def test_the_machines_counters_stand_still(tmp_path: Path) -> None:
    def counters() -> list[Any]:
        return [
            Path("/proc/stat").read_text(),
            Path("/proc/sys/fs/file-nr").read_text(),
            os.listdir("/proc/pressure") if os.path.isdir("/proc/pressure") else [],
            os.access("/proc/sys/kernel/hostname", os.W_OK),
        ]

    (first, _), (second, _) = each(tmp_path, counters, counters)
    assert first == second
    assert first[0].startswith("cpu ")
    assert first[2:] == [[], False]


def test_a_copy_of_what_stands_still_is_of_now_and_empty_where_nothing_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc = tmp_path / "proc"
    (proc / "pressure").mkdir(parents=True)
    (proc / "pressure" / "cpu").write_text("moves")
    for name in ("17", "self", "sys/fs", "driver"):
        (proc / name).mkdir(parents=True)
    for name in ("stat", "uptime", "sys/fs/file-nr", "sys/fs/other"):
        (proc / name).write_text(name)
    (proc / "long").write_bytes(b"x" * 50)
    (proc / "link").symlink_to("stat")
    monkeypatch.setattr(namespaces, "_COPIES", str(tmp_path))
    monkeypatch.setattr(namespaces, "_LONGEST", 20)
    monkeypatch.setattr(namespaces.os, "read", lambda fd, size, read=os.read: read(fd, 8))
    found = {
        path.removeprefix(f"{proc}/"): Path(copy)
        for copy, path in namespaces._standing_still(str(proc), (str(tmp_path / "none"),))
    }
    assert set(found) == {"stat", "uptime", "pressure", "long", "sys/fs/file-nr"}
    assert (found["stat"].read_text(), found["sys/fs/file-nr"].read_text()) == ("stat", "sys/fs/file-nr")
    assert found["long"].read_bytes() == b"x" * 24
    assert list(found["pressure"].iterdir()) == []


def test_a_tree_is_copied_without_what_only_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, counted = tmp_path / "cpu", ("cpuidle", "power", "stats", "thermal_throttle")
    for folder in ("cpu0/topology", *(f"cpu0/{name}" for name in counted)):
        (tree / folder).mkdir(parents=True)
        (tree / folder / "file").write_text(folder)
    for name in ("online", "uevent"):
        (tree / name).write_text("0-1\n")
    (tree / "cpu0" / "subsystem").symlink_to("../../bus")
    (tree / "cpu0" / "other").symlink_to("topology")
    monkeypatch.setattr(namespaces, "_COPIES", str(tmp_path))
    none = tmp_path / "proc"
    (none / "sys").mkdir(parents=True)
    ((copy, path),) = namespaces._standing_still(str(none), (str(tree), str(tmp_path / "none")))
    assert (path, Path(copy).stat().st_mode & 0o777) == (str(tree), 0o755)
    there = {str(file.relative_to(copy)) for file in Path(copy).rglob("*")}
    assert there == {"online", "cpu0", "cpu0/topology", "cpu0/topology/file", "cpu0/subsystem", "cpu0/other"}
    assert Path(copy, "cpu0/topology/file").read_text() == "cpu0/topology"
    assert os.readlink(f"{copy}/cpu0/subsystem") == "../../bus"


def test_what_only_counts_is_shown_as_zero_with_its_names() -> None:
    stat = b"cpu  10 2.5 3\ncpu0 7 8\nintr 99 1 2\nbtime 1764000000\nprocesses 4711\n"
    assert (
        namespaces._without_counts(stat)
        == b"cpu  0 0 0\ncpu0 0 0\nintr 0 0 0\nbtime 1764000000\nprocesses 0\n"
    )
    assert namespaces._without_counts(b"0.52 1.58 12.5 1/123 4567\n") == b"0 0 0 0/0 0\n"
    assert (
        namespaces._without_counts(b"      CPU0\n 24:   17 PCI-MSI 3-edge x\n")
        == b"      CPU0\n 24:   0 PCI-MSI 0-edge x\n"
    )
    assert namespaces._without_counts(b" 253  0 vda1 5 6\n") == b" 0  0 vda1 0 0\n"


def test_devices_are_those_that_are_mounted_one_by_one(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    points = ("/dev", "/dev/null", "/proc", "/dev/shm", "/dev/zero")
    mounts.write_text("".join(f"1 2 0:3 / {point} rw - tmpfs tmpfs rw\n" for point in points))
    assert namespaces._devices(str(mounts)) == ["/dev/null", "/dev/zero"]


class Libc:
    """Stands for the C library: notes each call, refuses those that begin like one of `refuses`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *refuses: tuple[Any, ...]) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refuses = refuses
        for module in (namespaces, confine):
            monkeypatch.setattr(module, "_libc", self)
        # This process's own score is not to be touched.
        monkeypatch.setattr(namespaces, "be_killed_first", lambda: self.calls.append(("killed first",)))

    def _does(self, *call: Any) -> int:
        self.calls.append(call)
        refused = any(call[: len(words)] == words for words in self.refuses)
        ctypes.set_errno(errno.EPERM if refused else 0)
        return -int(refused)

    def unshare(self, flags: int) -> int:
        return self._does("unshare", flags)

    def setns(self, descriptor: int, kind: int) -> int:
        return self._does("setns", descriptor, kind)

    def mount(self, source: Any, target: bytes, kind: Any, flags: Any, data: Any) -> int:
        return self._does("mount", target, source, kind, flags.value, data)

    def syscall(self, number: Any, folder: Any, path: bytes, flags: Any, words: bytes, size: Any) -> int:
        set_, cleared = struct.unpack("<4Q", words)[:2]
        return self._does("syscall", path, number.value, set_, cleared)


# As linux/mount.h and linux/sched.h have them.
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS, REMOUNT, BIND = 1, 2, 4, 8, 0x20, 0x1000
RECURSIVE, PRIVATE = 0x4000, 0x40000
NEW_MOUNTS, NEW_CGROUP, NEW_UTS, NEW_IPC = 0x20000, 0x2000000, 0x4000000, 0x8000000
NEW_PID, NEW_NET = 0x20000000, 0x40000000
SET_ATTRIBUTES = 442
STILL = [("/box/still-1/0", "/proc/stat")]
SEALED = ["/dev/null", "/dev/zero"]
DISKS = [("/dev/shm", 4), ("/tmp", 5), ("/box", 6)]


def test_all_of_a_workers_own_is_mounted_before_it_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch)
    namespaces._set_up(STILL, DISKS, SEALED)
    fixed = BIND | REMOUNT | READ_ONLY | NO_SETUID | NO_DEVICES | NO_PROGRAMS
    assert libc.calls == [
        ("unshare", NEW_MOUNTS | NEW_IPC | NEW_UTS | NEW_NET),
        ("mount", b"/", None, None, RECURSIVE | PRIVATE, None),
        ("mount", b"/proc", b"proc", b"proc", NO_SETUID | NO_DEVICES | NO_PROGRAMS, None),
        ("killed first",),  # while it can be written
        ("mount", b"/proc", None, None, fixed, None),
        ("mount", b"/proc/sys", b"/proc/sys", None, BIND, None),
        ("mount", b"/proc/sys", None, None, fixed, None),
        ("mount", b"/proc/stat", b"/box/still-1/0", None, BIND, None),
        ("mount", b"/proc/stat", None, None, fixed, None),
        ("mount", b"/dev/shm", b"tmpfs", b"tmpfs", NO_SETUID | NO_DEVICES, b"size=4,mode=0755"),
        ("mount", b"/tmp", b"tmpfs", b"tmpfs", NO_SETUID | NO_DEVICES, b"size=5,mode=0755"),
        ("mount", b"/box", b"tmpfs", b"tmpfs", NO_SETUID | NO_DEVICES, b"size=6,mode=0755"),
        (
            "mount",
            b"/dev/pts",
            b"devpts",
            b"devpts",
            NO_SETUID | NO_PROGRAMS,
            b"newinstance,ptmxmode=0666,mode=0620,max=64",
        ),
        ("syscall", b"/dev/null", SET_ATTRIBUTES, READ_ONLY, 0),
        ("syscall", b"/dev/zero", SET_ATTRIBUTES, READ_ONLY, 0),
    ]


@pytest.mark.parametrize(
    ("refused", "what"),
    [
        (("unshare",), "namespaces"),
        (("mount", b"/"), "a mount at /"),
        (("mount", b"/proc", b"proc"), "a mount at /proc"),
        (("mount", b"/proc", None), "a mount at /proc"),
        (("mount", b"/proc/sys", b"/proc/sys"), "a mount at /proc/sys"),
        (("mount", b"/proc/sys", None), "a mount at /proc/sys"),
        (("mount", b"/proc/stat", b"/box/still-1/0"), "a mount at /proc/stat"),
        (("mount", b"/proc/stat", None), "a mount at /proc/stat"),
        (("mount", b"/tmp"), "a mount at /tmp"),
        (("mount", b"/box"), "a mount at /box"),
        (("mount", b"/dev/pts"), "a mount at /dev/pts"),
        (("syscall", b"/dev/zero"), "a read-only /dev/zero"),
    ],
)
def test_whatever_is_refused_ends_it_and_is_named(
    monkeypatch: pytest.MonkeyPatch, refused: tuple[Any, ...], what: str
) -> None:
    libc = Libc(monkeypatch, refused)
    with pytest.raises(Unconfined, match=f"^{what} was refused: Operation not permitted$"):
        namespaces._set_up(STILL, DISKS, SEALED)
    assert libc.calls[-1][: len(refused)] == refused  # and nothing is tried after it


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Iterator[namespaces.Wardens]:
    """The wardens of this process; none of them is forked for real: all have the number 4711."""
    monkeypatch.setattr(namespaces, "_standing_still", lambda: STILL)
    monkeypatch.setattr(namespaces, "_devices", lambda: SEALED)
    monkeypatch.setattr(namespaces.os, "fork", lambda: 4711)
    made = namespaces.Wardens()
    yield made
    for descriptor in (made._home, *made._pipes.values()):
        os.close(descriptor)


def test_a_zygote_comes_back_to_its_own_processes_after_each_fork(
    monkeypatch: pytest.MonkeyPatch, own: namespaces.Wardens
) -> None:
    libc = Libc(monkeypatch)
    assert own.fork(DISKS) == 4711
    assert libc.calls == [("unshare", NEW_PID), ("setns", own._home, NEW_PID)]
    assert os.path.samestat(os.fstat(own._home), os.stat("/proc/self/ns/pid"))
    assert not os.get_inheritable(own._home)


def test_a_zygote_that_cannot_fork_comes_back_too(
    monkeypatch: pytest.MonkeyPatch, own: namespaces.Wardens
) -> None:
    libc = Libc(monkeypatch)

    def none() -> int:
        raise BlockingIOError(errno.EAGAIN, "no more processes")

    monkeypatch.setattr(namespaces.os, "fork", none)
    with pytest.raises(BlockingIOError, match="no more processes"):
        own.fork(DISKS)
    assert libc.calls[-1] == ("setns", own._home, NEW_PID)


@pytest.mark.parametrize(
    ("refused", "what", "forks"),
    [("unshare", "a process namespace", 0), ("setns", "the zygote's process namespace", 1)],
)
def test_a_namespace_that_is_refused_to_a_zygote_is_named(
    monkeypatch: pytest.MonkeyPatch, own: namespaces.Wardens, refused: str, what: str, forks: int
) -> None:
    Libc(monkeypatch, (refused,))
    forked_here: list[int] = []
    monkeypatch.setattr(namespaces.os, "fork", lambda: forked_here.append(1) or 4711)
    with pytest.raises(Unconfined, match=f"^{what} was refused: Operation not permitted$"):
        own.fork(DISKS)
    assert len(forked_here) == forks


def test_a_warden_watches_with_what_its_worker_is_to_have(
    monkeypatch: pytest.MonkeyPatch, own: namespaces.Wardens
) -> None:
    libc = Libc(monkeypatch)
    watched: list[Any] = []
    monkeypatch.setattr(namespaces.os, "fork", lambda: 0)
    monkeypatch.setattr(namespaces, "_watch", lambda *words: watched.append(words))
    assert own.fork(DISKS) == 0
    ((tell, still, disks, sealed),) = watched
    assert (still, disks, sealed) == (STILL, DISKS, SEALED)
    assert os.write(tell, b"x") == 1  # it is the pipe's writing end
    os.close(tell)
    assert libc.calls == [("unshare", NEW_PID)]  # and stays where it is


def test_a_zygote_that_may_make_no_namespace_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = Libc(monkeypatch, ("unshare",))
    monkeypatch.setattr(namespaces, "os", SimpleNamespace(strerror=os.strerror))  # it does not fork
    with pytest.raises(Unconfined, match=r"^a process namespace was refused: Operation not permitted$"):
        namespaces.begin()
    with pytest.raises(Unconfined, match=r"^a control-group namespace was refused: Operation not permitted$"):
        namespaces.hide_control_groups()
    assert libc.calls == [("unshare", NEW_PID), ("unshare", NEW_CGROUP)]


@pytest.mark.parametrize("ends", [0, 7, -signal.SIGKILL, -signal.SIGTERM])
def test_a_status_is_told_once_as_the_kernel_gave_it(own: namespaces.Wardens, ends: int) -> None:
    reading, writing = os.pipe()
    own._pipes[1 << 22] = reading
    os.write(writing, namespaces._STATUS.pack(ends << 8 if ends >= 0 else -ends))
    os.close(writing)
    assert own.wait(1 << 22) == ends
    assert own.wait(1 << 22) == -signal.SIGKILL  # nobody knows it any more
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)
