"""A worker confines itself, before it gets any byte of a submission; this cannot be undone.

In this order: it offers itself to the kernel's memory killer first; gets mounts of its own if the kernel
allows it (all read-only but its own folder; a /dev/shm and a /proc that show nobody else's); gives up every
capability and the right to gain one, then every file but those named (Landlock), then the system calls of
`worker.syscalls`. If any step fails, that is an error and ends the worker: a partial sandbox would be taken
for a complete one.

What it does not stop: connecting to a unix socket that has a path, filling the disk, file locks; without
mounts of its own also changing the modes and times of its user's files, and without root reading the command
lines of other processes. The levels list these (`residual`) and probe everything else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.worker import syscalls
from harness.worker.landlock import LIST, OWN, READ, USE, Rules, Unconfined, version

_GET_DUMPABLE, _SET_DUMPABLE, _SET_SECCOMP = 3, 4, 22
_BOUNDING_DROP, _SET_NO_NEW_PRIVILEGES, _AMBIENT = 24, 38, 47
_AMBIENT_CLEAR, _SECCOMP_FILTER = 4, 2
_CAPABILITY_VERSION = 0x20080522
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_NO_SETUID, _NO_DEVICES, _RECURSIVE, _SLAVE = 2, 4, 16384, 1 << 19
_NO_PROGRAMS, _BIND = 8, 4096
SHM, PTS, PTMX = "/dev/shm", "/dev/pts", "/dev/ptmx"
# mount_setattr(2), whose number is the same on every processor; its struct: set, clear, propagation, user.
_SET_ATTRIBUTES, _HERE, _BELOW_TOO, _READ_ONLY = 442, -100, 0x8000, 1
# Ended before the harness and other programs when memory runs out.
_KILLED_FIRST = "500"
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Confinement:
    """How a worker confined itself.

    `landlock` is the version of Landlock's interface, `shm` says whose /dev/shm it has ("private", "shared", or
    the "box"'s). `sealed`: files outside are read-only; `hidden`: it sees no other processes.
    """

    landlock: int
    shm: str
    sealed: bool
    hidden: bool


def confine(rules: Mapping[str, Any]) -> Confinement:
    """Confines this process, which must have one thread, and returns how. Raises Unconfined.

    `rules`: `readable`, `listed` and `own` are paths that must exist, `readable_if` and `use_if` may be missing;
    `affinity` as in `syscalls.program`; `shm`: mounts of its own are wanted; `seccomp`: false if a filter is
    in force already.
    """
    be_killed_first()
    shm = _private_shm(rules["own"]) if rules["shm"] else "box"
    private = shm == "private"
    sealed = private and _is_read_only("/")
    hidden = private and _private_processes()
    terminals = private and _private_terminals()
    give_up_capabilities()
    insist("no_new_privs", _libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    landlock = Rules()
    landlock.allow(rules["readable"], READ)
    landlock.allow(rules["listed"], LIST)
    landlock.allow(filter(os.path.exists, rules["readable_if"]), READ)
    landlock.allow(rules["own"], OWN)
    landlock.allow([SHM] if os.path.isdir(SHM) else [], OWN)
    # Only where they are its own: the machine's terminals belong to whoever sits at them.
    landlock.allow((PTS, PTMX) if terminals else (), USE)
    landlock.allow(filter(os.path.exists, rules["use_if"]), USE)
    if rules["cuda"]:
        landlock.allow(["/proc/self"], USE | READ)
    landlock.restrict()
    if rules["seccomp"]:
        _filter_calls(syscalls.program(bool(rules["affinity"])))
    return Confinement(version(), shm, sealed, hidden)


def be_killed_first() -> None:
    """Offers this process to the kernel's memory killer."""
    # What a fork of the zygote has in /proc is root's, and not its own to write, until it may be looked into.
    before = _libc.prctl(_GET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_KILLED_FIRST)
    _libc.prctl(_SET_DUMPABLE, int(before == 1), 0, 0, 0)


def insist(what: str, result: int) -> None:
    """Raises Unconfined with the kernel's words where the result of a call of the C library is an error."""
    if result < 0:
        raise Unconfined(f"{what} was refused: {os.strerror(ctypes.get_errno())}")


def _private_shm(own: Sequence[str]) -> str:
    """Mounts a /dev/shm that ends with this worker: "private"; "shared" if the kernel does not allow it.

    If it does, all files but those below `own` become read-only, including their modes and times, for which
    Landlock has no right.
    """
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_NEW_MOUNTS) < 0:
        if _libc.unshare(_NEW_USER | _NEW_MOUNTS) < 0:
            return "shared"
        # It may not look into itself after that, until it is told that it may.
        _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)
        for name, words in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            try:
                with open(f"/proc/self/{name}", "w") as file:
                    file.write(words)
            except OSError:
                return "shared"
    if mount(None, "/", None, _RECURSIVE | _SLAVE) < 0:
        return "shared"
    _seal(own)
    if mount("tmpfs", SHM, "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=1777") < 0:
        return "shared"
    return "private"


def _seal(own: Sequence[str]) -> None:
    """Read-only mounts everywhere but at `own`; changes nothing before Linux 5.12, or if it is refused."""
    here = os.getcwd()
    if any(mount(path, path, None, _BIND | _RECURSIVE) < 0 for path in own):
        return
    if make_read_only("/") < 0:
        return
    for path in own:
        if _attributes(path, 0, _READ_ONLY) < 0:
            raise Unconfined(f"{path} could not be made writable again: {os.strerror(ctypes.get_errno())}")
    os.chdir(here)  # by its new mount: the old one can no longer be written


def _attributes(path: str, wanted: int, unwanted: int) -> int:
    words = struct.pack("<4Q", wanted, unwanted, 0, 0)
    number, here, below = (ctypes.c_long(n) for n in (_SET_ATTRIBUTES, _HERE, _BELOW_TOO))
    return int(_libc.syscall(number, here, path.encode(), below, words, ctypes.c_long(len(words))))


def make_read_only(path: str) -> int:
    """Makes the mount at `path`, and those below it, read-only; negative where it is refused, or none is there."""
    return _attributes(path, _READ_ONLY, 0)


def _is_read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _private_processes() -> bool:
    """A /proc that shows only processes this worker may trace, so none outside; False without root (Linux 5.8)."""
    flags = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    return mount("proc", "/proc", "proc", flags, "hidepid=ptraceable") >= 0


def _private_terminals() -> bool:
    """Its own pseudo-terminals, in the mount namespace of `_private_shm`; False if the kernel refuses."""
    how = "newinstance,ptmxmode=0666,mode=0600"
    if mount("devpts", PTS, "devpts", _NO_SETUID | _NO_PROGRAMS, how) < 0:
        return False
    return mount(f"{PTS}/ptmx", PTMX, None, _BIND) >= 0


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> int:
    """mount(2); negative where it is refused."""
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    return int(_libc.mount(*words, ctypes.c_ulong(flags), None if data is None else data.encode()))


def give_up_capabilities() -> None:
    """Gives up every capability, and the right to gain one by the bounding or the ambient set; raises Unconfined."""
    for number in range(64):
        if _libc.prctl(_BOUNDING_DROP, number, 0, 0, 0) < 0:
            break  # none is left, or it has none to drop any with; looked at below
    _libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    head = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    insist("giving up capabilities", _libc.capset(head, struct.pack("<6I", 0, 0, 0, 0, 0, 0)))


def _filter_calls(program: bytes) -> None:
    if not syscalls.known():
        raise Unconfined("there is no table of system calls for this processor")
    code = ctypes.create_string_buffer(program)
    words = struct.pack("HL", len(program) // 8, ctypes.addressof(code))
    insist("the filter of system calls", _libc.prctl(_SET_SECCOMP, _SECCOMP_FILTER, words, 0, 0))
