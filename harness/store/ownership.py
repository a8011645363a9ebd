"""Which process works on which run: it claims it, resumes one that was cut short, and shows that it is alive.

On one machine the kernel is asked whether an owner lives. Of a process elsewhere nobody here can tell, so
where machines share a database every owner says at short intervals that it lives, by the database's clock;
one that has said nothing for LEASE_SECONDS is taken to be gone. It may only have been cut off: what makes that
safe is that every write of results is refused once the run is another's.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, extract, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from harness.errors import StoreError
from harness.machine import processes
from harness.machine.processes import Owner
from harness.records import RunHead
from harness.store.schema import CLAIMS, RUNS

LEASE_SECONDS = 300.0
BEAT_SECONDS = 30.0


class Beat:
    """Says that this process lives and works on a run, until it is stopped or the process ends."""

    def __init__(self, engine: Engine, run_id: str, every: float = BEAT_SECONDS) -> None:
        self.engine = engine
        self.run_id = run_id
        self.every = every
        self._over = threading.Event()
        threading.Thread(target=self._beat, daemon=True, name=f"alive {run_id}").start()

    def stop(self) -> None:
        """Stops saying so; from then on the claim's row alone says who works on the run."""
        self._over.set()

    def _beat(self) -> None:
        mine = (CLAIMS.c.run_id == self.run_id, CLAIMS.c.owner == processes.me().text())
        while not self._over.wait(self.every):
            # A server that cannot be reached now may be in a minute: the lease is as long as ten of these.
            with (
                contextlib.suppress(SQLAlchemyError),
                self.engine.connect().execution_options(freely=True) as connection,
            ):
                # Closed with the beat: one handed back to a pool that was disposed of meanwhile would stay open.
                connection.detach()
                connection.execute(update(CLAIMS).where(*mine).values(seen=_clock(connection)))
                connection.commit()


def cut_short(connection: Connection, key: str) -> list[Any]:
    """Runs of the same key, newest first, that nobody works on, down to the newest one that came to its end.

    A run has come to its end when it is scored and released: a process that died in between has not shown it.
    """
    query = (
        select(CLAIMS.c.run_id, CLAIMS.c.owner, CLAIMS.c.seen, RUNS.c.state)
        .join(RUNS, RUNS.c.run_id == CLAIMS.c.run_id)
        .where(CLAIMS.c.key == key)
        .order_by(CLAIMS.c.attempt.desc())
    )
    rows, now = [], _clock(connection)
    for row in connection.execute(query):
        owner = processes.parsed(row.owner)
        gone = owner is not None and _is_gone(owner, row.seen, now)
        if row.state == "scored" and not gone:
            break
        if owner is None or gone:
            rows.append(row)
    return rows


def taken_up(connection: Connection, run_id: str, owner: str) -> RunHead | None:
    """Makes a run that was cut short this process's, and notes when in its head; None where another was quicker."""
    claim = update(CLAIMS).where(CLAIMS.c.run_id == run_id, CLAIMS.c.owner == owner)
    values = {"owner": processes.me().text(), "seen": _clock(connection)}
    if connection.execute(claim.values(values)).rowcount != 1:
        return None
    (row,) = connection.execute(select(RUNS.c.head).where(RUNS.c.run_id == run_id))
    head = RunHead.model_validate_json(row.head)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    head = head.model_copy(update={"taken_up": (*head.taken_up, now)})
    connection.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(head=head.model_dump_json()))
    return head


def begun(connection: Connection, head: RunHead, call: str, key: str) -> None:
    before = connection.execute(select(func.max(CLAIMS.c.attempt)).where(CLAIMS.c.key == key)).scalar()
    row = {
        "run_id": head.run_id,
        "started_at": head.started_at,
        "task": head.task,
        "state": "claimed",
        "head": head.model_dump_json(),
        "call": call,
        "scored": None,
    }
    connection.execute(insert(RUNS), row)
    claim = {
        "run_id": head.run_id,
        "key": key,
        "attempt": (before or 0) + 1,
        "owner": processes.me().text(),
        "seen": _clock(connection),
    }
    connection.execute(insert(CLAIMS), claim)


def require_ours(connection: Connection, run_id: str) -> None:
    """Raises StoreError where another process has taken the run up: it thought that we were gone."""
    rows = list(connection.execute(select(CLAIMS.c.owner).where(CLAIMS.c.run_id == run_id)))
    if not rows or rows[0].owner != processes.me().text():
        raise StoreError(
            f"run {run_id} is not this process's any more: another one has taken it up; leave it to it"
        )


def _is_gone(owner: Owner, seen: float | None, now: float | None) -> bool:
    """Whether an owner has ended, as far as can be known; elsewhere, whether its lease has run out."""
    if seen is None or now is None:
        return processes.is_gone(owner)
    return processes.is_gone(owner) if processes.is_here(owner) else now - seen > LEASE_SECONDS


def _clock(connection: Connection) -> float | None:
    """Seconds by the clock of a database that machines share; None where one machine has it to itself."""
    if connection.dialect.name != "postgresql":
        return None
    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())
