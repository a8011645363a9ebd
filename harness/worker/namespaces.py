"""In a box each worker has namespaces of its own, and so nothing that another worker could have changed.

The box is made once for a submission, because importing the stack takes seconds; its workers share the zygote's
memory as it was when the imports ended, and nothing else. Each is forked into a process namespace of its own,
whose first process (the *warden*) mounts new memory disks, a /proc and terminals that show nobody else's, and waits.
When the worker ends so does the warden, and the kernel ends whatever is left in the namespace and forgets its
disks: there is nothing to clean up, hence nothing that could be left.

What it does not stop: what all processes of a machine see alike (the page cache, numbers of inodes, its load), locks
of files that are shared, and how long things take; docs/security.md says what can be told by each.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import stat
import struct
import tempfile
from collections.abc import Sequence

from harness.worker.confine import be_killed_first, give_up_capabilities, insist, make_read_only, mount

_NEW_MOUNTS, _NEW_CGROUP, _NEW_UTS, _NEW_IPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
_NEW_PID, _NEW_NET = 0x20000000, 0x40000000
_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS, _BIND = 2, 4, 8, 4096
_RECURSIVE, _PRIVATE = 16384, 1 << 18
_REMOUNT, _READ_ONLY = 32, 1
_SET_PARENT_DEATH = 1
_COPIES, _LONGEST = "/box", 1 << 20
_STATUS = struct.Struct("i")
# As bwrap shows it: nobody in a box writes there.
_SETTINGS = "/proc/sys"
# Counters of the whole machine there: what one worker does moves them, and the next would read it.
_MOVING = (
    "fs/aio-nr",
    "fs/dentry-state",
    "fs/file-nr",
    "fs/inode-nr",
    "fs/inode-state",
    "kernel/pty/nr",
    "kernel/random/entropy_avail",
)
# Of /proc, what is each process's own, or moves by itself; the driver's is needed by CUDA.
_AS_IT_IS = {"driver", "self", "thread-self", "sys", "sysvipc", "net", "mounts"}
# Of the copies, those that only count since the machine was started: what ran before the box was made moved them.
_ZEROED = {
    "stat",
    "loadavg",
    "vmstat",
    "interrupts",
    "softirqs",
    "schedstat",
    "diskstats",
    "buddyinfo",
    "zoneinfo",
}
_COUNT = re.compile(rb"(?<![\w.])[0-9][0-9.]*(?![\w.:])")
# Of /sys, what libraries ask for the machine's cores and memory; without what the kernel counts there.
_TREES = ("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage")
_COUNTED = {"cpuidle", "power", "stats", "thermal_throttle", "uevent"}
# The kernel has room for some thousand terminals of all processes together.
_TERMINALS = 64
_libc = ctypes.CDLL(None, use_errno=True)


def begin() -> None:
    """Forks; returns in the child, the first process of a namespace that it may leave and come back to.

    A namespace can be entered again only by who may do anything in the user namespace that it was made in, and
    bwrap makes its own before it gives up the one of the box. This process waits, and ends as the child ends.
    """
    insist("a process namespace", _libc.unshare(_NEW_PID))
    child = os.fork()
    if child == 0:
        _libc.prctl(_SET_PARENT_DEATH, signal.SIGKILL)
        return
    os.closerange(0, 1 << 16)
    give_up_capabilities()
    os.waitpid(child, 0)
    os._exit(1)


class Wardens:
    """The wardens of a zygote's workers, by process id, each with the pipe by which it tells the worker's end."""

    def __init__(self) -> None:
        self._pipes: dict[int, int] = {}
        self._still = _standing_still()
        self._sealed = _devices()
        self._home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def fork(self, disks: Sequence[tuple[str, int]]) -> int:
        """Forks a worker: its warden's process id here, 0 in the worker; raises Unconfined in the warden."""
        reading, writing = os.pipe()
        insist("a process namespace", _libc.unshare(_NEW_PID))
        warden = -1
        try:
            warden = os.fork()
        finally:
            if warden:
                insist("the zygote's process namespace", _libc.setns(self._home, _NEW_PID))
        if warden:
            os.close(writing)
            self._pipes[warden] = reading
            return warden
        self._pipes.clear()  # the worker is not to know how many others there are
        _watch(writing, self._still, disks, self._sealed)
        return 0

    def wait(self, warden: int) -> int:
        """The exit status of a worker that has ended, negative for a signal; all that it started has ended, too."""
        words = b""
        if (pipe := self._pipes.pop(warden, None)) is not None:
            words = os.read(pipe, _STATUS.size)  # empty where the warden was killed before it could tell
            os.close(pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(warden, 0)
        return os.waitstatus_to_exitcode(_STATUS.unpack(words)[0]) if words else -int(signal.SIGKILL)


def _watch(
    tell: int, still: Sequence[tuple[str, str]], disks: Sequence[tuple[str, int]], sealed: Sequence[str]
) -> None:
    """As the first process of a new namespace: sets it up and forks; returns in the worker, and only there."""
    _libc.prctl(_SET_PARENT_DEATH, signal.SIGKILL)
    _set_up(still, disks, sealed)
    # None is for the warden, and a worker may send them from its first moment on: what Python does at an interrupt
    # would end the warden, and nobody could tell how its worker ended.
    heeded = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    worker = os.fork()
    if worker == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, heeded)
        return
    os.closerange(0, tell)
    os.closerange(tell + 1, 1 << 16)
    give_up_capabilities()
    while True:  # orphans of the worker become its children, and must not stay as zombies
        pid, status = os.waitpid(-1, 0)
        if pid == worker:
            os.write(tell, _STATUS.pack(status))
            os._exit(0)


def _devices(mounts: str = "/proc/self/mountinfo") -> list[str]:
    """The devices that are shown here, each by a mount of its own."""
    with open(mounts) as file:
        points = [line.split()[4] for line in file]
    return [point for point in points if point.startswith("/dev/") and stat.S_ISCHR(os.stat(point).st_mode)]


def _standing_still(proc: str = "/proc", trees: Sequence[str] = _TREES) -> list[tuple[str, str]]:
    """Copies of what the kernel tells of the whole machine, each with the path that it is to be shown at.

    A copy is of now; of what cannot be read it is empty, and so is a folder's.
    """
    top = tempfile.mkdtemp(prefix="still-", dir=_COPIES)
    paths = [f"{proc}/{name}" for name in os.listdir(proc) if not name.isdigit() and name not in _AS_IT_IS]
    paths += [f"{proc}/sys/{name}" for name in _MOVING]
    copies = []
    for number, path in enumerate(paths):
        copy = f"{top}/{number}"
        if os.path.islink(path) or not os.path.exists(path):
            continue
        if os.path.isdir(path):
            os.mkdir(copy, 0o555)
        else:
            with open(copy, "wb") as file, contextlib.suppress(OSError):
                words = _beginning(path)
                file.write(_without_counts(words) if os.path.basename(path) in _ZEROED else words)
        copies.append((copy, path))
    return [*copies, *((_copied(path), path) for path in trees if os.path.isdir(path))]


def _without_counts(words: bytes) -> bytes:
    """The same text with 0 for every number, but when the machine was started; numbers of a name stay."""
    lines = words.splitlines(keepends=True)
    return b"".join(line if line.startswith(b"btime") else _COUNT.sub(b"0", line) for line in lines)


def _copied(path: str) -> str:
    """A copy of a tree of files, less what only counts."""
    copy = tempfile.mkdtemp(prefix="tree-", dir=_COPIES)
    os.chmod(copy, 0o755)
    due = [(path, copy)]
    while due:
        folder, there = due.pop()
        for entry in os.scandir(folder):
            if entry.name in _COUNTED:
                continue
            target = f"{there}/{entry.name}"
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), target)
            elif entry.is_dir():
                os.mkdir(target, 0o755)
                due.append((entry.path, target))
            else:
                with open(target, "wb", 0) as file, contextlib.suppress(OSError):
                    file.write(_beginning(entry.path))
    return copy


def _beginning(path: str) -> bytes:
    """What can be read of a file without waiting, up to a MiB; some of the kernel's never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        words = b""
        while len(words) < _LONGEST and (more := os.read(descriptor, 1 << 16)):
            words += more
        return words
    finally:
        os.close(descriptor)


def _set_up(
    still: Sequence[tuple[str, str]], disks: Sequence[tuple[str, int]], sealed: Sequence[str]
) -> None:
    """Mounts, messages, network and names of its own; a /proc, terminals and memory disks (folder, bytes).

    The devices `sealed` can be used as before, and their inodes not be changed.
    """
    insist("namespaces", _libc.unshare(_NEW_MOUNTS | _NEW_IPC | _NEW_UTS | _NEW_NET))
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    _mount("proc", "/proc", "proc", _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS)
    be_killed_first()  # what is forked from here on has it from here
    # Nothing in it is to be written: a process could take back what the kernel knows of its peak (clear_refs).
    _mount(None, "/proc", None, _BIND | _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS)
    for copy, path in [(_SETTINGS, _SETTINGS), *still]:
        _mount(copy, path, None, _BIND)
        _mount(None, path, None, _BIND | _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS)
    for path, size in disks:
        _mount("tmpfs", path, "tmpfs", _NO_SETUID | _NO_DEVICES, f"size={size},mode=0755")
    how = f"newinstance,ptmxmode=0666,mode=0620,max={_TERMINALS}"
    _mount("devpts", "/dev/pts", "devpts", _NO_SETUID | _NO_PROGRAMS, how)
    # A device is the machine's own, and whoever may write to it may set its times to now.
    for device in sealed:
        insist(f"a read-only {device}", make_read_only(device))


def hide_control_groups() -> None:
    """Makes this process's control groups, whichever it was moved into, look like the top ones."""
    insist("a control-group namespace", _libc.unshare(_NEW_CGROUP))


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    insist(f"a mount at {target}", mount(source, target, kind, flags, data))
