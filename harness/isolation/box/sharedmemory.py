"""What a worker left in /dev/shm, where the kernel gave it none of its own: found and taken away.

A file's maker is not on record. Taken for a worker's is what was not there when it was started, belongs
to its user, and is neither open nor mapped in any living process now that all of the worker's are dead.

What it does not stop: while it lives, a worker can read what others of its user keep there. A file that
another program of the same user made meanwhile and holds open nowhere is taken for a leftover, too, and
so is one that only a process holds which may not be asked; it keeps what it has open, but not the name.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

FOLDER = Path("/dev/shm")


def entries() -> set[tuple[str, int]]:
    """What is there now: names, and which file each is."""
    found: set[tuple[str, int]] = set()
    with contextlib.suppress(OSError), os.scandir(FOLDER) as listing:
        found = {(entry.name, entry.inode()) for entry in listing}
    return found


def sweep(before: set[tuple[str, int]]) -> list[str]:
    """Removes what a dead worker left since `before`; the names."""
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
    """Whether a living process has it, or anything below it, open or mapped, of those that may be asked."""
    return any(process.name.isdigit() and _holds(process, str(path)) for process in Path("/proc").iterdir())


def _holds(process: Path, path: str) -> bool:
    held: list[str] = []
    with contextlib.suppress(OSError):
        held += [line.split(maxsplit=5)[-1].strip() for line in (process / "maps").read_text().splitlines()]
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                held.append(os.readlink(link))
    return any(one == path or one.startswith(f"{path}/") for one in held)
