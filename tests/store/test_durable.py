"""Files that are whole or absent after a power cut, room for them, and what a person is told of a bad disk."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.errors import StoreError
from harness.store import durable


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In order: what the disk was asked to hold, by name, and what was renamed."""
    seen: list[str] = []

    def flushed(fd: int) -> None:
        seen.append(Path(f"/proc/self/fd/{fd}").readlink().name)

    def renamed(before: str, after: Path) -> None:
        os.rename(before, after)
        seen.append(f"renamed {after.name}")

    monkeypatch.setattr(durable.os, "fsync", flushed)
    monkeypatch.setattr(durable.os, "replace", renamed)
    return seen


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files are read from /proc")
def test_the_content_is_held_before_the_name_and_the_name_after(tmp_path: Path, held: list[str]) -> None:
    durable.write_durably(tmp_path / "kept", b"all of it")
    first, *others = held
    assert first.startswith(".part-")
    assert others == ["renamed kept", tmp_path.name]
    assert (tmp_path / "kept").read_bytes() == b"all of it"


def test_no_file_is_left_open(tmp_path: Path) -> None:
    process = psutil.Process()
    before = process.num_fds()
    for number in range(3):
        durable.write_durably(tmp_path / f"{number}", b"x")
        durable.set_ballast(tmp_path, 10 + number)
    assert process.num_fds() == before


def test_an_interrupt_just_after_the_renaming_is_still_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(before: str, after: Path) -> None:
        os.rename(before, after)
        raise KeyboardInterrupt

    monkeypatch.setattr(durable.os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        durable.write_durably(tmp_path / "kept", b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


def test_on_macos_the_disk_itself_is_asked_to_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    calls: list[tuple[object, ...]] = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda *given: calls.append(given))
    monkeypatch.setattr(durable, "sys", SimpleNamespace(platform="darwin"))
    durable.flush(7)
    assert calls == [(7, 51)]


def test_where_folders_cannot_be_opened_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "os", SimpleNamespace(name="nt"))
    durable.flush_folder(Path("anywhere"))


@pytest.mark.parametrize("above", [True, False])
def test_each_folder_that_is_made_is_held_by_the_one_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, above: bool
) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "flush_folder", flushed.append)
    monkeypatch.setattr(
        durable.os, "access", lambda path, mode: mode == os.W_OK and (above or path != tmp_path.parent)
    )
    durable.make_folder(tmp_path / "one" / "two")
    assert (tmp_path / "one" / "two").is_dir()
    assert flushed == [*([tmp_path.parent] if above else []), tmp_path, tmp_path / "one"]
    durable.make_folder(tmp_path / "one" / "two")
    assert flushed[-1] == tmp_path / "one", "another process may have made it and died before it was held"


def test_the_topmost_folder_has_none_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(durable, "flush_folder", flushed.append)
    durable.make_folder(Path("/"))
    assert flushed == []


def test_ballast_is_of_eight_mib_for_its_owner_alone_and_laid_once(tmp_path: Path) -> None:
    file = tmp_path / "ballast"
    durable.set_ballast(tmp_path)
    assert (file.stat().st_size, file.stat().st_mode & 0o777) == (8_388_608, 0o600)
    file.write_bytes(b"x" * 50)
    durable.set_ballast(tmp_path, 50)
    assert file.read_bytes() == b"x" * 50, "what is of the right size stays"


def test_room_that_is_just_enough_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(durable.shutil, "disk_usage", lambda folder: usage._replace(free=2**20))
    durable.require_room(tmp_path, 2**20, "results")
    with pytest.raises(StoreError, match="has 1 MiB free"):
        durable.require_room(tmp_path, 2**20 + 1, "results")


def test_ballast_of_another_size_is_laid_anew_and_dropped_once(tmp_path: Path) -> None:
    for size in (100, 50, 50):
        durable.set_ballast(tmp_path, size)
        assert (tmp_path / "ballast").read_bytes() == bytes(size)
    assert durable.drop_ballast(tmp_path)
    assert not durable.drop_ballast(tmp_path)


def test_ballast_that_finds_no_room_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "write_all", full)
    with pytest.raises(OSError, match="No space left"):
        durable.set_ballast(tmp_path, 10)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "number", "advice"),
    [
        ("database is locked", errno.EBUSY, "another program holds the database: end it"),
        ("database or disk is full", errno.ENOSPC, "free some space and run again"),
        ("disk I/O error", errno.EIO, "the disk or its file system fails: look at the system's log"),
    ],
)
def test_what_a_database_says_of_the_disk_becomes_advice(words: str, number: int, advice: str) -> None:
    assert durable.number_of(Exception(words)) == number
    assert durable.mend(number).startswith(advice)


def test_a_disk_that_was_turned_read_only_fails_and_what_has_no_number_is_taken_for_a_full_one() -> None:
    assert durable.mend(errno.EROFS) == durable.mend(errno.EIO)
    assert durable.mend(None) == durable.mend(errno.ENOSPC)
