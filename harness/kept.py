"""Answers in the database itself, under the hash of their content, so that any machine can score them again."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Engine, select

from harness.database import ARTEFACTS
from harness.digests import of_bytes
from harness.errors import StoreError


class Kept(Protocol):
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


class InDatabase:
    """In a table that machines share. Every call may raise SQLAlchemyError."""

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
            found = connection.execute(query).scalar()
        if found is None:
            raise StoreError(f"the answers {digest[:12]} are gone from the database")
        if of_bytes(found) != digest:
            raise StoreError(f"the answers {digest[:12]} in the database are damaged")
        return bytes(found)

    def sweep(self) -> None:
        """A transaction leaves nothing half written."""
