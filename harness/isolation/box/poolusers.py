"""Users without a name, of whom each box has one to itself: what root must not be inside.

A user's number is held by an abstract socket of that name, which the kernel lets go when its holder ends.

What it does not stop: another program of the machine that runs as one of these numbers by chance; they lie
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
    """A number that nobody else of us uses now; the group has the same."""

    uid: int
    _held: socket.socket

    def give_back(self) -> None:
        """Lets another box have it."""
        self._held.close()


def take() -> PoolUser:
    """A free one; raises SandboxFailed when all are taken."""
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


def insist_readable(paths: Sequence[str]) -> None:
    """Raises SandboxFailed for the first that a stranger may not read: a pool user is nobody's friend.

    The folders above do not matter: each path is shown by itself.
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
