"""What a worker left in shared memory is taken away, and nothing that is anybody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.isolation.box import sharedmemory


@pytest.fixture
def shm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for shared memory, on a machine without processes."""
    folder, proc = tmp_path / "shm", tmp_path / "proc"
    folder.mkdir()
    proc.mkdir()
    monkeypatch.setattr(sharedmemory, "FOLDER", folder)
    monkeypatch.setattr(sharedmemory, "Path", {"/proc": proc}.__getitem__)
    return folder


def process(shm: Path, name: str, *, mapped: str = "/usr/lib/libc.so", opened: str = "/dev/null") -> None:
    """A process (any other name than a number is none) that has mapped and opened a file."""
    folder = shm.parent / "proc" / name
    (folder / "fd").mkdir(parents=True)
    lines = ("7f00-7f01 r--p 00000000 00:1a 11    /bin/sh", f"7f02-7f03 rw-s 00000000 00:1a 12    {mapped}")
    (folder / "maps").write_text("".join(f"{line}\n" for line in lines) + "7f04-7f05 rw-p 00000000 00:00 0\n")
    (folder / "fd" / "3").symlink_to(opened)


def test_all_that_is_new_is_taken_away_and_named_in_order(shm: Path) -> None:
    (shm / "earlier").touch()
    before = sharedmemory.entries()
    names = ["zoo", "yak", "emu", "cat", "bee", "ant", "owl", "fox", "hen", "dog"]
    for name in names:
        (shm / name).touch()
    (shm / "zoo").unlink()
    (shm / "zoo" / "deep" / "deeper").mkdir(parents=True)
    (shm / "zoo" / "deep" / "deeper" / "file").touch()
    process(shm, "1")
    assert sharedmemory.sweep(before) == sorted(names)
    assert [path.name for path in shm.iterdir()] == ["earlier"]


def test_a_link_is_taken_away_and_what_it_points_at_is_not(shm: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    (shm / "link").symlink_to(kept)
    (shm / "folder").mkdir()
    (shm / "folder" / "link").symlink_to(kept)
    assert sharedmemory.sweep(set()) == ["folder", "link"]
    assert (kept / "file").exists()
    assert not list(shm.iterdir())


@pytest.mark.parametrize(
    ("number", "held", "how", "swept"),
    [
        ("5", "left over", "mapped", False),
        ("5", "left over", "opened", False),
        ("5", "left over/inner", "mapped", False),
        ("5", "left over/inner", "opened", False),
        ("5", "left over too", "opened", True),
        ("5", "left", "mapped", True),
        ("self", "left over", "opened", True),  # whoever it is has a number as well
    ],
)
def test_what_a_living_process_holds_stays(shm: Path, number: str, held: str, how: str, swept: bool) -> None:
    (shm / "left over").mkdir()
    (shm / "left over" / "inner").touch()
    process(shm, "3")
    process(shm, number, **{how: str(shm / held)})
    process(shm, "7")
    assert sharedmemory.sweep(set()) == (["left over"] if swept else [])
    assert (shm / "left over").exists() is not swept


@pytest.mark.parametrize("whose", ["another user's", "another file's name by now"])
def test_what_is_not_the_workers_stays(shm: Path, whose: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (shm / "file").touch()
    there = (shm / "file").stat()
    if whose == "another user's":
        monkeypatch.setattr(os, "geteuid", lambda: there.st_uid + 1)
    else:
        monkeypatch.setattr(sharedmemory, "entries", lambda: {("file", there.st_ino + 1)})
    assert sharedmemory.sweep(set()) == []
    assert (shm / "file").exists()


def test_without_a_folder_for_shared_memory_nothing_is_left(shm: Path) -> None:
    shm.rmdir()
    assert sharedmemory.entries() == set()
    assert sharedmemory.sweep(set()) == []
