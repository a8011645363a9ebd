"""Answers as byte strings under the hash of their content: in files, or in a database that machines share."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from sqlalchemy import Engine, select

from harness.digests import of_bytes
from harness.errors import StoreError
from harness.instances import Answer
from harness.machine import processes
from harness.store.durable import flush_folder, make_folder, write_durably
from harness.store.schema import ARTEFACTS


class Blobs(Protocol):
    """Byte strings under the hash of their content, wherever they lie."""

    def keep(self, content: bytes) -> str:
        """Keeps `content` and returns its digest."""
        ...

    def read(self, digest: str) -> bytes:
        """The content with this digest; raises StoreError where it is gone or is another."""
        ...

    def sweep(self) -> None:
        """Removes what writers that died left half written."""
        ...


class FileBlobs:
    """Byte strings under the hash of their content, in one folder.

    A writer that finds the file already there flushes its folder too, since the process that wrote it may have
    died just before.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def place(self, digest: str) -> Path:
        """Where the content with this digest is kept."""
        return self.folder / "artefacts" / digest[:2] / digest

    def keep(self, content: bytes) -> str:
        """Keeps `content` and returns its digest; raises OSError."""
        digest = of_bytes(content)
        path = self.place(digest)
        make_folder(path.parent)
        if _holds(path, digest):
            flush_folder(path.parent)
        else:
            write_durably(path, content)
        return digest

    def read(self, digest: str) -> bytes:
        """The content with this digest; raises StoreError where it is gone or is another."""
        path = self.place(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"the answers {digest[:12]} are gone from {path.parent}: {error.strerror}"
            ) from error
        if of_bytes(content) != digest:
            raise StoreError(f"the answers {digest[:12]} in {path} are damaged")
        return content

    def sweep(self) -> None:
        """Removes what writers that died left half written."""
        for part in self.folder.glob("artefacts/*/.part-*"):
            name = part.name.removeprefix(".part-").rpartition("-")[0]
            if processes.is_gone_by_name(name):
                with contextlib.suppress(OSError):
                    part.unlink()


def _holds(path: Path, digest: str) -> bool:
    try:
        return of_bytes(path.read_bytes()) == digest
    except OSError:
        return False


class DatabaseBlobs:
    """The same in a table that machines share. Every call may raise SQLAlchemyError."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def keep(self, content: bytes) -> str:
        """Keeps `content` and returns its digest; nobody waits for it, since the same bytes are the same row."""
        from sqlalchemy.dialects.postgresql import insert  # only where there is a server

        digest = of_bytes(content)
        row = insert(ARTEFACTS).values(digest=digest, content=content).on_conflict_do_nothing()
        with self.engine.connect().execution_options(freely=True) as connection:
            connection.execute(row)
            connection.commit()
        return digest

    def read(self, digest: str) -> bytes:
        """The content with this digest; raises StoreError where it is gone or is another."""
        query = select(ARTEFACTS.c.content).where(ARTEFACTS.c.digest == digest)
        with self.engine.connect().execution_options(reads=True) as connection:
            content = connection.execute(query).scalar()
        if content is None:
            raise StoreError(f"the answers {digest[:12]} are gone from the database")
        if of_bytes(content) != digest:
            raise StoreError(f"the answers {digest[:12]} in the database are damaged")
        return bytes(content)

    def sweep(self) -> None:
        """A transaction leaves nothing half written."""


def packed(answers: Mapping[str, Answer]) -> bytes:
    """A JSON index, a zero byte, then the raw answers, compressed: our own bytes, read only by us."""
    index, buffers = {}, []
    for item, answer in answers.items():
        raw = answer if isinstance(answer, bytes) else answer.tobytes()
        form = None if isinstance(answer, bytes) else [answer.dtype.str, list(answer.shape)]
        index[item] = [len(raw), form]
        buffers.append(raw)
    return zlib.compress(json.dumps(index).encode() + b"\0" + b"".join(buffers), 6)


def unpacked(content: bytes) -> dict[str, Answer]:
    """The answers that `packed` made these bytes of."""
    head, _, body = zlib.decompress(content).partition(b"\0")
    answers: dict[str, Answer] = {}
    offset = 0
    for item, (size, form) in json.loads(head).items():
        raw = body[offset : offset + size]
        answers[item] = np.frombuffer(raw, dtype=form[0]).reshape(form[1]) if form else raw
        offset += size
    return answers
