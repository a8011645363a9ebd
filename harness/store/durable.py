"""Files that are whole or absent after a power cut, and room on the disk for them.

A file is written under another name, flushed, renamed, and then its folder is flushed, and the folder
above wherever one was made: without that the file has its content and no name.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from pathlib import Path

from harness.errors import StoreError
from harness.machine import processes

# Given back to the disk when it is full, so that the instance that has just been measured is still kept.
BALLAST_BYTES = 8 * 2**20
# Below this no instance is begun: workers' folders, reports and other programs need some too.
FLOOR_BYTES = 128 * 2**20
_FAILING = (errno.EIO, errno.EROFS)


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file that is whole or absent after a power cut; raises OSError and leaves nothing behind."""
    fd, temporary = tempfile.mkstemp(prefix=f".part-{processes.me().short()}-", dir=path.parent)
    try:
        try:
            write_all(fd, content)
            flush(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def write_all(fd: int, content: bytes) -> None:
    """Writes all of it: one call may take a part only and call that success."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def flush(fd: int) -> None:
    """Has the disk itself hold what was written; on macOS fsync alone asks for less."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def flush_folder(folder: Path) -> None:
    """Has the disk hold the names in a folder; where a folder cannot be opened (Windows) there is no such call."""
    if os.name != "posix":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, each of them held by the disk; raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
    if folder != folder.parent and os.access(folder.parent, os.W_OK):
        flush_folder(folder.parent)


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raises StoreError where fewer than `needed` bytes are free in `folder`."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"{folder}, where {what} go, has {free / 2**20:,.0f} MiB free and {needed / 2**20:,.0f} MiB are needed; "
            "free some space and type the same command again"
        )


def set_ballast(folder: Path, size: int = BALLAST_BYTES) -> None:
    """Has a file of so many bytes lie in `folder`, really taken from the disk; raises OSError."""
    path = folder / "ballast"
    if path.is_file() and path.stat().st_size == size:
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(fd, bytes(size))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def drop_ballast(folder: Path) -> bool:
    """Gives the ballast back to the disk; False where there was none."""
    try:
        (folder / "ballast").unlink()
    except OSError:
        return False
    return True


def number_of(error: Exception) -> int:
    """The system's number for what a database says of the disk, as errno has it."""
    text = str(error)
    return errno.EBUSY if "locked" in text else errno.ENOSPC if "full" in text else errno.EIO


def mend(error_number: int | None) -> str:
    """What a person can do about an error of the disk."""
    if error_number == errno.EBUSY:
        return "another program holds the database: end it, then type the same command again"
    if error_number in _FAILING:
        return "the disk or its file system fails: look at the system's log, then type the same command again"
    return "free some space and run again: the same command goes on where this one stopped"
