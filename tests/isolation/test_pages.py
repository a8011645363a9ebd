"""What one submission has read is not in memory for the next to find."""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path

import pytest

from harness.isolation import memory, pages
from harness.isolation.pages import drop_pages

linux = pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system cannot drop pages")
SIZE = 4 << 20


def in_memory(file: Path) -> int:
    """Pages of a file that are in memory: those that a mapping without any access shows to be there, by mincore."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    with open(file, "r+b") as opened, mmap.mmap(opened.fileno(), 0) as mapped:
        count = -(-len(mapped) // mmap.PAGESIZE)
        told = (ctypes.c_ubyte * count)()
        first = ctypes.c_char.from_buffer(mapped)
        assert libc.mincore(ctypes.byref(first), ctypes.c_size_t(len(mapped)), told) == 0
        del first
        return sum(one & 1 for one in told)


def on_a_disk(folder: Path) -> Path:
    """A file whose pages can be dropped: written, and on its disk."""
    file = folder / "deep" / "file"
    file.parent.mkdir(parents=True)
    file.write_bytes(os.urandom(SIZE))
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
    return file


def dropped_by_hand(file: Path) -> bool:
    """Whether this file system lets go of a file's pages at all."""
    with open(file, "rb") as opened:
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return in_memory(file) < SIZE // mmap.PAGESIZE // 4


@linux
def test_what_was_read_is_in_memory_no_more(tmp_path: Path) -> None:
    file, kept, other = (on_a_disk(tmp_path / name) for name in ("a", "b", "c"))
    if not dropped_by_hand(other):
        pytest.skip("this file system keeps its files in memory")
    assert len(file.read_bytes()) == len(kept.read_bytes()) == SIZE
    assert in_memory(file) == in_memory(kept) == SIZE // mmap.PAGESIZE
    os.mkfifo(tmp_path / "pipe")  # that nobody writes to: to open it would wait
    (tmp_path / "link").symlink_to(file)
    assert drop_pages([tmp_path, tmp_path / "missing"], [kept.parent]) == 2
    assert in_memory(file) < SIZE // mmap.PAGESIZE // 4
    assert in_memory(kept) == SIZE // mmap.PAGESIZE
    assert len(file.read_bytes()) == SIZE


@linux
@pytest.mark.parametrize("fits", [True, False])
def test_packages_are_read_whole_and_all_else_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fits: bool
) -> None:
    package, other = on_a_disk(tmp_path / "lib"), on_a_disk(tmp_path / "share")
    if not dropped_by_hand(package):
        pytest.skip("this file system keeps its files in memory")
    assert len(other.read_bytes()) == SIZE
    monkeypatch.setattr(pages, "package_folders", lambda: [tmp_path / "lib"])
    monkeypatch.setattr(pages, "shared_folders", lambda: [tmp_path])
    monkeypatch.setattr(memory, "_free_bytes", lambda: 2 * SIZE if fits else SIZE)
    assert pages.settle_pages() == (1 if fits else 2)
    assert in_memory(package) == (SIZE // mmap.PAGESIZE if fits else 0)
    assert in_memory(other) < SIZE // mmap.PAGESIZE // 4


@linux
def test_all_that_every_worker_may_read_is_meant() -> None:
    shared, packages = pages.shared_folders(), pages.package_folders()
    for folder in (Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), Path(np_folder())):
        assert lies_in(folder.resolve(), shared), folder
    for folder in (Path(np_folder()), Path(os.__file__).parent):
        assert lies_in(folder.resolve(), packages), folder
    for folders in (shared, packages):
        assert not [one for one in folders if set(folders) & set(one.parents)]


def lies_in(place: Path, folders: list[Path]) -> bool:
    return any(place == one or one in place.parents for one in folders)


def np_folder() -> str:
    """Where a package lies."""
    import numpy as np

    return os.path.dirname(np.__file__)


def test_where_there_is_no_such_call_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fadvise", raising=False)
    assert pages.settle_pages() == 0
