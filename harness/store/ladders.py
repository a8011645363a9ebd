"""How far references stood apart on an evaluator's data, as it was asked once: kept by what it depends on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from harness.ladders import LadderOn
from harness.store.results import Store
from harness.store.schema import LADDERS

_LADDER = TypeAdapter(tuple[LadderOn, ...])


def kept_ladder(store: Store, key: str) -> tuple[LadderOn, ...] | None:
    """What was asked under this key, an instance each; None where nobody asked. Raises StoreError."""
    rows = store.read(select(LADDERS.c.ladder).where(LADDERS.c.key == key))
    return _LADDER.validate_json(rows[0].ladder) if rows else None


def keep_ladder(store: Store, key: str, task: str, ladder: Sequence[LadderOn]) -> None:
    """Keeps what was asked. Raises StoreError."""
    row = {
        "key": key,
        "task": task,
        "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "ladder": _LADDER.dump_json(tuple(ladder)).decode(),
    }

    def work(connection: Connection) -> None:
        connection.execute(delete(LADDERS).where(LADDERS.c.key == key))
        connection.execute(insert(LADDERS), row)

    store.write(work)
