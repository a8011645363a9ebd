"""A worker confines itself, before a byte of a submission reaches it: from here on there is no way back.

In this order: it offers itself to the kernel's memory killer first, gets a /dev/shm of its own where the
kernel lets it, gives up every capability and the right to gain one, then every file but those named
(Landlock), then the calls of `worker.syscalls`. Whatever of it fails is an error and ends the worker: a
sandbox that is partly there passes for a whole one.

What it does not stop: connecting to a unix socket that has a path, filling the disk, file locks, changing
the modes and times of files of its user, and reading the command lines of other processes. The levels say
so (`residual`), and probe the rest.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Mapping
from typing import Any

from harness.worker import syscalls
from harness.worker.landlock import OWN, READ, USE, Rules, Unconfined, version

_SET_DUMPABLE, _SET_SECCOMP, _BOUNDING_DROP, _SET_NO_NEW_PRIVILEGES, _AMBIENT = 4, 22, 24, 38, 47
_AMBIENT_CLEAR, _SECCOMP_FILTER = 4, 2
_CAPABILITY_VERSION = 0x20080522
_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x00020000
_NO_SETUID, _NO_DEVICES, _RECURSIVE, _SLAVE = 2, 4, 16384, 1 << 19
_NO_PROGRAMS, _BIND = 8, 4096
SHM, PTS, PTMX = "/dev/shm", "/dev/pts", "/dev/ptmx"
# Ended before the harness and other programs when memory runs out.
_KILLED_FIRST = "500"
_libc = ctypes.CDLL(None, use_errno=True)


def confine(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Confines this process, which must have one thread; says how. Raises Unconfined.

    `rules`: `readable` and `own` are paths that must be there, `readable_if` and `use_if` may be
    missing; `affinity` as in `syscalls.program`; `shm`: a private /dev/shm is wanted; `seccomp`: false
    where a filter is in force already.
    """
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(_KILLED_FIRST)
    shm = _private_shm() if rules["shm"] else "box"
    terminals = shm == "private" and _private_terminals()
    _give_up_capabilities()
    _call("no_new_privs", _libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    landlock = Rules()
    landlock.allow(rules["readable"], READ)
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
    return {"landlock": version(), "shm": shm}


def _call(what: str, result: int) -> None:
    if result < 0:
        raise Unconfined(f"{what} was refused: {os.strerror(ctypes.get_errno())}")


def _private_shm() -> str:
    """A /dev/shm that ends with this worker: "private"; "shared" where the kernel does not let us."""
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
    if _mount(None, "/", None, _RECURSIVE | _SLAVE) < 0:
        return "shared"
    if _mount("tmpfs", SHM, "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=1777") < 0:
        return "shared"
    return "private"


def _private_terminals() -> bool:
    """Pseudo-terminals of its own, in the mount namespace of `_private_shm`; False where the kernel does not let us."""
    how = "newinstance,ptmxmode=0666,mode=0600"
    if _mount("devpts", PTS, "devpts", _NO_SETUID | _NO_PROGRAMS, how) < 0:
        return False
    return _mount(f"{PTS}/ptmx", PTMX, None, _BIND) >= 0


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> int:
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    return int(_libc.mount(*words, ctypes.c_ulong(flags), None if data is None else data.encode()))


def _give_up_capabilities() -> None:
    for number in range(64):
        if _libc.prctl(_BOUNDING_DROP, number, 0, 0, 0) < 0:
            break  # none is left, or it has none to drop any with; looked at below
    _libc.prctl(_AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    head = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    _call("giving up capabilities", _libc.capset(head, struct.pack("<6I", 0, 0, 0, 0, 0, 0)))


def _filter_calls(program: bytes) -> None:
    if not syscalls.known():
        raise Unconfined("there is no table of system calls for this processor")
    code = ctypes.create_string_buffer(program)
    words = struct.pack("HL", len(program) // 8, ctypes.addressof(code))
    _call("the filter of system calls", _libc.prctl(_SET_SECCOMP, _SECCOMP_FILTER, words, 0, 0))
