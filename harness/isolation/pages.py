"""The page cache as a letter box between submissions: what one has read is in memory for the next to find.

A worker reads chosen pages of a large file that nobody else reads; the next one's time to read them, or the kernel's
count of what it had to fetch from the disk, tells which they were: 35,000 bits a second arrived, none wrong.
So before a submission is measured that others are compared with, what is in memory of the files that all submissions
may read is made the same, whoever ran before. Pages that a living process has mapped stay, and a file system may
decline: then nothing changes.
"""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable
from pathlib import Path

from harness.isolation.confined import path_files
from harness.isolation.memory import prewarm

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc")


def settle_pages() -> int:
    """Reads Python and its packages into memory whole and drops all else; the number of files that were dropped.

    So a page more of a package tells nothing, and what runs beside finds its packages in memory as before: dropped
    ones made a neighbour's start 47 s long. Where they would fill over half of the free memory they are dropped, too.
    0 where the system has no such call. Takes seconds: some 20 us a file, and once what the disk needs.
    """
    if not hasattr(os, "posix_fadvise"):
        return 0
    packages = package_folders()
    return drop_pages(shared_folders(), packages if prewarm(packages) else ())


def package_folders() -> list[Path]:
    """Where Python imports from, for every worker."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return _outermost([*map(sysconfig.get_path, names), *_added()])


def shared_folders() -> list[Path]:
    """What every worker may read: the system's programs and libraries, Python and its packages."""
    return _outermost([*_SYSTEM, sys.base_prefix, sys.prefix, *_added()])


def _added() -> list[Path]:
    return [folder for folders in path_files().values() for folder in folders]


def _outermost(places: Iterable[str | Path]) -> list[Path]:
    """The real folders among these, without those that lie in another."""
    real = {Path(os.path.realpath(one)) for one in places}
    return sorted(one for one in real if one.is_dir() and not real.intersection(one.parents))


def drop_pages(folders: Iterable[Path], but: Collection[Path] = ()) -> int:
    """Drops what is in memory of the files below `folders` and not below `but`; how many files it was asked for."""
    left_out = {str(one) for one in but}
    return sum(_drop_below(str(top), left_out) for top in folders if str(top) not in left_out)


def _drop_below(top: str, left_out: Collection[str]) -> int:
    dropped, due = 0, [top]
    while due:
        with contextlib.suppress(OSError), os.scandir(due.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        due += [entry.path] if entry.path not in left_out else []
                    elif entry.is_file(follow_symlinks=False):
                        dropped += _drop(entry.path)
    return dropped


def _drop(file: str) -> int:
    # Nothing else may happen by being opened: no wait for a pipe's other end, no time of reading that changes.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return 1
