"""A whole run as bytes, and such bytes taken into another store: rows of every table and answers by content.

What is taken in is checked before a row is written: that the packet is whole, that every row is of this run
and reads as what it should be, and that the answers are those which its trials name, by their digests. That
a run was measured as it says is not checked here and cannot be: packets come from the user's own machines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from sqlalchemy import Connection, Row, delete, func, insert, select

from harness.digests import of_bytes, of_value
from harness.errors import HarnessError, StoreError
from harness.readings import Record
from harness.records import SCHEMA_VERSION, Assessed, Run, RunHead, Trial
from harness.store.packets import opened, sealed
from harness.store.results import Store
from harness.store.rows import trial_key, trial_row
from harness.store.schema import CLAIMS, INSTANCES, QUALITY, RUNS, TRIALS

_KIND = "run"
_STATES = ("claimed", "measured", "scored")


class _Instance(Record):
    """A row of an instance."""

    number: int = Field(ge=0)
    state: str
    known: tuple[Assessed, ...] = ()
    seconds: float = Field(ge=0)


class _Quality(Record):
    """What is remembered of a reference's quality."""

    key: str
    assessed: Assessed


class _Moved(Record):
    """All that is kept of one run, but for the answers themselves.

    `key` is what makes two commands the same one; `scored` the derived part and its history, as stored.
    """

    head: RunHead
    state: str
    call: dict[str, Any]
    key: str
    scored: dict[str, Any] | None
    instances: tuple[_Instance, ...]
    trials: tuple[Trial, ...]
    quality: tuple[_Quality, ...]

    def answers(self) -> list[str]:
        """The digests of all answers that the trials name, each once."""
        return sorted({digest for trial in self.trials for digest in trial.answers.values()})


def packed(store: Store, run_id: str) -> bytes:
    """The run whose id is `run_id`, with everything it was scored from; raises UsageError, StoreError.

    Nobody may be working on it meanwhile.
    """
    run = store.run(run_id)
    (row,) = store.read(select(RUNS).where(RUNS.c.run_id == run.head.run_id))
    (claim,) = store.read(select(CLAIMS.c.key).where(CLAIMS.c.run_id == run.head.run_id))
    ours = select(INSTANCES).where(INSTANCES.c.run_id == row.run_id).order_by(INSTANCES.c.number)
    remembered = select(QUALITY).where(QUALITY.c.run_id == row.run_id).order_by(QUALITY.c.key)
    moved = _Moved(
        head=RunHead.model_validate_json(row.head),
        state=row.state,
        call=json.loads(row.call),
        key=claim.key,
        scored=json.loads(row.scored) if row.scored else None,
        instances=tuple(_instance(instance) for instance in store.read(ours)),
        trials=tuple(store.trials(row.run_id)),
        quality=tuple(
            _Quality(key=q.key, assessed=Assessed.model_validate_json(q.assessed))
            for q in store.read(remembered)
        ),
    )
    parts = [store.blobs.read(digest) for digest in moved.answers()]
    return sealed(_KIND, json.loads(moved.model_dump_json()), parts)


def adopt(store: Store, content: bytes, task_folder: Path | None = None) -> str:
    """Takes a packed run into `store` and returns its id; doing so twice changes nothing.

    `task_folder` is where its task lies on this machine. A run that is there already and was not brought to its
    end is replaced; one that was scored stays. Answers are kept first, then all rows in one transaction. Raises
    HarnessError where the packet is not sound, StoreError where another run of the same id is kept.
    """
    head, parts = opened(_KIND, content)
    moved = _checked(head, parts)
    if task_folder is not None:
        moved = moved.model_copy(update={"call": {**moved.call, "task_folder": str(task_folder)}})
    for part in parts:
        try:
            store.blobs.keep(part)
        except OSError as error:
            raise StoreError(f"answers could not be written to {store.where}: {error.strerror}") from error
    kept = store.read(select(RUNS.c.state).where(RUNS.c.run_id == moved.head.run_id))
    if kept and kept[0].state == "scored":
        _require_the_same(store, moved)
        return moved.head.run_id
    store.write(lambda connection: _written(connection, moved))
    return moved.head.run_id


def _instance(row: Row[Any]) -> _Instance:
    known = tuple(Assessed.model_validate(assessed) for assessed in json.loads(row.known))
    return _Instance(number=row.number, state=row.state, known=known, seconds=row.seconds)


def _checked(head: dict[str, Any], parts: Sequence[bytes]) -> _Moved:
    """The packet's rows, once all of them are known to be sound."""
    try:
        moved = _Moved.model_validate_json(json.dumps(head, allow_nan=False))
        derived = _derived(moved)
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"a run that was moved does not read as one: {_first(error)}") from error
    run_id, numbers = moved.head.run_id, {instance.number for instance in moved.instances}
    wrong = (
        "it was made by a newer harness"
        if moved.head.schema_version > SCHEMA_VERSION
        else "it has no id"
        if not run_id or not moved.key
        else "its state is unknown"
        if {moved.state, *(i.state for i in moved.instances)} - {*_STATES}
        else "its instances are not told apart"
        if len(numbers) != len(moved.instances)
        else "its trials are not told apart"
        if len({trial_key(t) for t in moved.trials}) != len(moved.trials)
        else "a trial is of no instance of it"
        if {t.number for t in moved.trials} - numbers
        else "its score is another run's"
        if derived is not None and derived.head.run_id != run_id
        else "it is said to be scored and is not"
        if moved.state == "scored" and derived is None
        else "its answers are not those that its trials name"
        if [of_bytes(part) for part in parts] != moved.answers()
        else ""
    )
    if wrong:
        raise HarnessError(f"the run {run_id!r} that was moved was refused: {wrong}")
    return moved


def _derived(moved: _Moved) -> Run | None:
    """The scored part as a run, which it must read as, each of its history too; None where there is none."""
    if moved.scored is None:
        return None
    if set(moved.scored) != {"run", "history"}:
        raise ValueError("its score is not as the store keeps it")
    whole, *_ = [
        Run.model_validate_json(json.dumps({**one, "trials": []}))
        for one in (moved.scored["run"], *moved.scored["history"])
    ]
    return whole


def _require_the_same(store: Store, moved: _Moved) -> None:
    """Raises StoreError where what is kept under this id was not measured as the packet says."""
    kept = store.trials(moved.head.run_id)
    if _measured(kept) != _measured(moved.trials):
        raise StoreError(
            f"{store.where} holds a run {moved.head.run_id} already, measured otherwise; keep the two in stores "
            "of their own"
        )


def _measured(trials: Sequence[Trial]) -> str:
    return of_value(sorted(trial.model_dump_json() for trial in trials))


def _written(connection: Connection, moved: _Moved) -> None:
    """All rows of the run, in place of what an earlier, unfinished copy of it left."""
    run_id = moved.head.run_id
    query = select(RUNS.c.state).where(RUNS.c.run_id == run_id)
    if connection.execute(query).scalar() == "scored":
        return  # another process was quicker
    if connection.execute(select(CLAIMS.c.owner).where(CLAIMS.c.run_id == run_id)).scalar():
        raise StoreError(
            f"somebody works on run {run_id} here; it is not replaced by what another machine has"
        )
    for table in (RUNS, CLAIMS, INSTANCES, TRIALS):
        connection.execute(delete(table).where(table.c.run_id == run_id))
    scored = json.dumps(moved.scored) if moved.scored else None
    row = {
        "run_id": run_id,
        "started_at": moved.head.started_at,
        "task": moved.head.task,
        "state": moved.state,
        "head": moved.head.model_dump_json(),
        "call": json.dumps(moved.call),
        "scored": scored,
    }
    connection.execute(insert(RUNS), row)
    before = connection.execute(select(func.max(CLAIMS.c.attempt)).where(CLAIMS.c.key == moved.key)).scalar()
    claim = {"run_id": run_id, "key": moved.key, "attempt": (before or 0) + 1, "owner": ""}
    connection.execute(insert(CLAIMS), claim)
    for table, rows in (
        (INSTANCES, _instances(moved)),
        (TRIALS, [trial_row(run_id, t) for t in moved.trials]),
    ):
        if rows:
            connection.execute(insert(table), rows)
    for quality in moved.quality:
        _remembered(connection, quality, run_id)


def _instances(moved: _Moved) -> list[dict[str, Any]]:
    return [
        {
            "run_id": moved.head.run_id,
            "number": instance.number,
            "state": instance.state,
            "seconds": instance.seconds,
            "known": json.dumps([json.loads(known.model_dump_json()) for known in instance.known]),
        }
        for instance in moved.instances
    ]


def _remembered(connection: Connection, quality: _Quality, run_id: str) -> None:
    """A reference's quality, unless this store remembers it already."""
    run_there = connection.execute(select(QUALITY.c.run_id).where(QUALITY.c.key == quality.key)).scalar()
    if run_there is None:
        row = {"key": quality.key, "run_id": run_id, "assessed": quality.assessed.model_dump_json()}
        connection.execute(insert(QUALITY), row)


def _first(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
