"""Users without a name; each box has one to itself, because what is in a box must not be root.

A user's number is reserved by an abstract socket of that name, which the kernel releases when its holder
ends.

What it does not stop: another program on the machine that runs with one of these numbers by chance; they lie
between those of systemd's homes and of its dynamic users.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxFailed

_FIRST, _COUNT = 60_600, 128


@dataclass
class PoolUser:
    """A user number that no other box uses now; the group has the same number."""

    uid: int
    _held: socket.socket

    def give_back(self) -> None:
        """Releases the number for another box."""
        self._held.close()


def take() -> PoolUser:
    """Reserves a free number; raises SandboxFailed if all are taken."""
    for uid in range(_FIRST, _FIRST + _COUNT):
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(f"\0harness-pool-{uid}")
        except OSError:
            held.close()
            continue
        if not _used(uid):
            return PoolUser(uid, held)
        held.close()
    raise SandboxFailed(f"all {_COUNT} pool users of the boxes are in use; end other runs first")


def _used(uid: int) -> bool:
    """Whether a process of that user is alive."""
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and process.stat().st_uid == uid:
                return True
        except OSError:
            continue
    return False


def require_readable(paths: Sequence[str]) -> None:
    """Raises SandboxFailed for the first path that other users may not read, since a pool user has no other rights.

    The folders above do not matter: each path is mounted by itself.
    """
    for path in paths:
        mode = os.stat(path).st_mode
        wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
        if mode & wanted != wanted:
            what = "rX" if stat.S_ISDIR(mode) else "r"
            raise SandboxFailed(
                f"{path} cannot be read by other users, which the boxes of level bubblewrap run as; "
                f"allow it with chmod -R o+{what} {path}"
            )
