"""Private temporary folders that say whose they are, and the sweep of those whose owner is dead.

A run that is ended by kill -9 or a power cut removes nothing. The next start takes away what is
provably ours and dead: a folder of this user, named by us, whose process has ended; and any process
whose HOME is such a folder, for only a worker is given one. What a submission put elsewhere (another
folder, named shared memory) bears no such name, and stays; a stronger isolation level does not let it
be made.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from harness.errors import UsageError
from harness.machine import processes

# Levels of folders that are taken away at once: each costs a tenth of a millisecond.
_MOST_LEVELS = 20_000
_NAMED = re.compile(r"harness-[a-z]+-([0-9a-f]{16}-[0-9a-f]+-[0-9a-f]+)-[^-]+")


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, if any; raises UsageError where it cannot be one."""
    named = os.environ.get(variable)
    if not named:
        return None
    folder = Path(named)
    lowest = next(place for place in (folder, *folder.parents, Path()) if place.exists())
    if not lowest.is_dir():
        raise UsageError(f"{variable} is {folder}, and {lowest} is no folder; set it to one that can be made")
    return folder


def private_folder(kind: str) -> Path:
    """A new folder that only this user may enter, named by its kind and by this process.

    Names are short: below a worker's, libraries make unix sockets, whose paths end at 107 bytes. An interrupt
    can come before its maker has written the name down: what is still there when this process ends goes then.
    """
    atexit.unregister(remove_own)
    atexit.register(remove_own)
    return Path(tempfile.mkdtemp(prefix=f"harness-{kind}-{processes.me().short()}-"))


def sweep() -> list[Path]:
    """Takes away what dead runs of this user left, and says which folders it found."""
    return _taken_away(sorted(_named(processes.is_gone_by_name)))


def remove_own() -> list[Path]:
    """Takes away what this process has made and not removed, and says which folders it found."""
    mine = processes.me().short()
    return _taken_away(sorted(_named(lambda short: short == mine)))


def _taken_away(folders: list[Path]) -> list[Path]:
    if folders:
        _end_processes({str(folder) for folder in folders})
    for folder in folders:
        remove(folder)
    return folders


def remove(folder: Path) -> None:
    """Removes a folder that may hold others without leave to write; never what a link in it points at.

    However deep it is: what lies deeper than Python may call or a path may name is moved up first, a level at a time.
    What is left after _MOST_LEVELS, or since somebody goes on making folders in it, is for the next sweep.
    """
    if not _is_folder(folder):
        return
    for number in range(_MOST_LEVELS):
        inner = _folders_in(folder)
        if not inner:
            break
        for child in inner:
            for place, deeper in enumerate(_folders_in(child)):
                with contextlib.suppress(OSError):
                    os.rename(deeper, folder / f"{number}-{child.name[:20]}-{place}-{secrets.token_hex(4)}")
            if not _folders_in(child):
                shutil.rmtree(child, ignore_errors=True)
        if _folders_in(folder) == inner:
            break  # nothing can be moved or removed
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)


def _is_folder(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return stat.S_ISDIR(os.lstat(path).st_mode)
    return False


def _folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, which it makes ours to write; no links."""
    with contextlib.suppress(OSError):
        os.chmod(folder, 0o700)
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    return []


def _named(belongs: Callable[[str], bool]) -> Iterator[Path]:
    """This user's private folders whose owner's short name is one that belongs."""
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            named = _NAMED.fullmatch(entry.name)
            if named and _is_ours(entry.path) and belongs(named.group(1)):
                yield Path(entry.path)


def _is_ours(path: str) -> bool:
    """Whether it is a folder, not a link to one, and belongs to this user."""
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "getuid") or status.st_uid == os.getuid())
    return False


def _end_processes(homes: set[str]) -> None:
    """Ends every process that was given one of these folders as its HOME."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("HOME") in homes:
                process.kill()
