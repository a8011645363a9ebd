"""Finds and removes what a worker left in /dev/shm, for kernels that cannot give it a /dev/shm of its own.

The system does not record which process made a file. A file is taken for the worker's if it was not there
when the worker was started, belongs to its user, and is neither open nor mapped in any living process, now
that all of the worker's processes are dead.

What it does not stop: while it lives, a worker can read what others of its user keep there. A file that
another program of the same user made in the meantime and does not hold open is taken for a leftover, too, and
so is one that is held only by a process that may not be inspected; such a process keeps the open file, but
the name is gone.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from harness.machine.processes import TooMuch, lines_of

FOLDER = Path("/dev/shm")


def entries() -> set[tuple[str, int]]:
    """The names that are there now, and which file each one is."""
    present: set[tuple[str, int]] = set()
    with contextlib.suppress(OSError), os.scandir(FOLDER) as listing:
        present = {(entry.name, entry.inode()) for entry in listing}
    return present


def sweep(before: set[tuple[str, int]]) -> list[str]:
    """Removes what a dead worker left since `before`; returns the names."""
    swept = []
    for name, inode in sorted(entries() - before):
        path = FOLDER / name
        with contextlib.suppress(OSError):
            status = path.lstat()
            if status.st_ino == inode and status.st_uid == os.geteuid() and not _in_use(path):
                _remove(path)
                swept.append(name)
    return swept


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink()


def _in_use(path: Path) -> bool:
    """Whether a living process that may be inspected has it, or anything below it, open or mapped."""
    return any(process.name.isdigit() and _holds(process, str(path)) for process in Path("/proc").iterdir())


def _holds(process: Path, path: str) -> bool:
    held: list[str] = []
    with contextlib.suppress(OSError, TooMuch):
        held += [line.split(maxsplit=5)[-1] for line in lines_of(process / "maps")]
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                held.append(os.readlink(link))
    return any(one == path or one.startswith(f"{path}/") for one in held)
