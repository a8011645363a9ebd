"""`python -I -S enter.py FD`: run by root, shows a pool user some folders, becomes that user, and runs bwrap.

If bwrap ran as root, user 0 inside would be the outside's, and could use root's files in /proc/sys. A pool
user, however, cannot see root's files: a staged submission, a model's cache or an interpreter below a closed
home. So these are bind-mounted, in a mount namespace of this process alone, below a folder that only this
process ever has. Uses the standard library only, and runs no code of a submission.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from typing import Any

_NEW_MOUNTS = 0x00020000
_NO_SETUID, _NO_DEVICES, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_SET_PARENT_DEATH = 1


def main(order: dict[str, Any]) -> None:
    """Mounts `binds`, (source, name) pairs, below `under`, then runs `argv` as user and group `pool`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        _give_up("a mount namespace", ctypes.get_errno())
    _mount(libc, None, "/", None, _RECURSIVE | _PRIVATE)
    _mount(libc, "tmpfs", order["under"], "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=0711")
    for source, name in order["binds"]:
        target = os.path.join(order["under"], name)
        if os.path.isdir(source):
            os.mkdir(target, 0o711)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
        _mount(libc, source, target, None, _BIND | _RECURSIVE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setgroups([])
    os.setresgid(*[order["pool"]] * 3)
    os.setresuid(*[order["pool"]] * 3)
    libc.prctl(_SET_PARENT_DEATH, signal.SIGKILL)
    os.chdir("/")
    os.execv(order["argv"][0], order["argv"])


def _mount(
    libc: ctypes.CDLL, source: str | None, target: str, kind: str | None, flags: int, data: str | None = None
) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), None if data is None else data.encode()):
        _give_up(source or target, ctypes.get_errno())


def _give_up(what: str, number: int) -> None:
    raise OSError(number, "it could not be mounted", what)


if __name__ == "__main__":
    with open(int(sys.argv[1]), "rb") as file:
        _order = json.load(file)
    main(_order)  # with the file closed: bwrap closes nothing that it inherits
