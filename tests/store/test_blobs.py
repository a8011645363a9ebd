"""Byte strings under the hash of their content: where they lie, kept once, checked as they are read."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, update

from harness.errors import StoreError
from harness.machine import processes
from harness.store import blobs, connections
from harness.store.schema import ARTEFACTS, META

TEXT = b"forty-two answers"
DIGEST = hashlib.sha256(TEXT).hexdigest()


def test_a_file_lies_under_the_first_two_digits_of_its_digest(tmp_path: Path) -> None:
    kept = blobs.FileBlobs(tmp_path)
    assert kept.keep(TEXT) == DIGEST
    file = tmp_path / "artefacts" / DIGEST[:2] / DIGEST
    assert kept.place(DIGEST) == file
    assert file.read_bytes() == kept.read(DIGEST) == TEXT


def test_what_is_there_already_is_not_written_again_but_held_by_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = blobs.FileBlobs(tmp_path)
    kept.keep(TEXT)
    file, flushed = kept.place(DIGEST), list[Path]()
    inode = file.stat().st_ino
    monkeypatch.setattr(blobs, "flush_folder", flushed.append)
    assert kept.keep(TEXT) == DIGEST
    assert file.stat().st_ino == inode
    assert flushed == [file.parent]
    file.write_bytes(TEXT[:-1])
    kept.keep(TEXT)
    assert kept.read(DIGEST) == TEXT, "what is damaged is written anew"


def test_a_file_that_is_gone_or_damaged_is_one_sentence(tmp_path: Path) -> None:
    kept = blobs.FileBlobs(tmp_path)
    kept.keep(TEXT)
    kept.place(DIGEST).write_bytes(TEXT + b"!")
    with pytest.raises(StoreError, match=f"the answers {DIGEST[:12]} in .* are damaged"):
        kept.read(DIGEST)
    kept.place(DIGEST).unlink()
    with pytest.raises(StoreError, match=f"the answers {DIGEST[:12]} are gone from .*: No such file"):
        kept.read(DIGEST)


def test_what_the_dead_left_half_written_is_swept_and_nobody_elses(tmp_path: Path) -> None:
    kept, me = blobs.FileBlobs(tmp_path), processes.me()
    kept.keep(TEXT)
    folder = kept.place(DIGEST).parent
    dead = replace(me, boot="an earlier one").short()
    for name in (f".part-{dead}-x_1", f".part-{me.short()}-x_1", f".part-{dead}", "notes"):
        (folder / name).touch()
    kept.sweep()
    assert {file.name for file in folder.iterdir()} == {
        DIGEST,
        f".part-{me.short()}-x_1",
        f".part-{dead}",
        "notes",
    }


@pytest.fixture
def shared(postgres_url: str) -> Generator[blobs.DatabaseBlobs]:
    """In a database of their own, with the table that they need."""
    engine = connections.postgres(connections.address(postgres_url))
    with engine.begin() as connection:
        META.create_all(connection, [ARTEFACTS])
    yield blobs.DatabaseBlobs(engine)
    engine.dispose()


def test_in_a_database_they_are_the_same_and_no_writer_takes_a_turn(shared: blobs.DatabaseBlobs) -> None:
    statements: list[str] = []
    event.listen(shared.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert [shared.keep(TEXT), shared.keep(TEXT)] == [DIGEST, DIGEST]
    other = shared.keep(b"another")
    assert (shared.read(DIGEST), shared.read(other)) == (TEXT, b"another")
    assert [words.split()[0] for words in statements] == ["INSERT"] * 3 + ["SELECT"] * 2
    assert not any("lock" in words for words in statements)
    with shared.engine.begin() as connection:
        connection.execute(update(ARTEFACTS).where(ARTEFACTS.c.digest == DIGEST).values(content=b"torn"))
        connection.execute(ARTEFACTS.delete().where(ARTEFACTS.c.digest == other))
    with pytest.raises(StoreError, match=f"the answers {DIGEST[:12]} in the database are damaged"):
        shared.read(DIGEST)
    with pytest.raises(StoreError, match=f"the answers {other[:12]} are gone from the database"):
        shared.read(other)


def test_answers_are_packed_as_an_index_and_what_it_points_at() -> None:
    table = np.arange(6, dtype="<i2").reshape(2, 3)
    plain = b'{"raw": [3, null], "table": [12, ["<i2", [2, 3]]], "empty": [0, null], "one": [8, ["<f8", []]]}'
    given = {"raw": b"a\0b", "table": table, "empty": b"", "one": np.array(0.5)}
    content = blobs.packed(given)
    assert zlib.decompress(content) == plain + b"\0" + b"a\0b" + table.tobytes() + np.float64(0.5).tobytes()
    back = blobs.unpacked(content)
    assert list(back) == list(given)
    assert (back["raw"], back["empty"], float(back["one"])) == (b"a\0b", b"", 0.5)
    assert isinstance(back["table"], np.ndarray)
    assert (back["table"].dtype, back["table"].tolist()) == (np.dtype("<i2"), [[0, 1, 2], [3, 4, 5]])
