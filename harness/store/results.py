"""The only writer of results: in SQLite or on a PostgreSQL server, with artefacts by content hash.

A run passes three states, each kept in one transaction before the next is begun: claimed (nothing was
measured yet), measured (raw trials and the hashes of their answers), scored. Its instances pass the same
ones, one after the other. So a crash costs at most the instance that was under way, and scoring is a pure
function of what is stored. A claim names its owner, a process: a run whose owner is gone can be taken up
again, and a process that lost its run to another can write to it no more. Under WAL with
synchronous=FULL a commit that was acknowledged survives a power cut.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import weakref
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, delete, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from harness.errors import StoreError, UsageError
from harness.instances import Answer
from harness.machine.temporary import named_folder
from harness.records import Assessed, Run, RunHead, Trial, in_order
from harness.store import connections, ownership
from harness.store.blobs import Blobs, DatabaseBlobs, FileBlobs, packed, unpacked
from harness.store.durable import (
    BALLAST_BYTES,
    FLOOR_BYTES,
    drop_ballast,
    make_folder,
    mend,
    number_of,
    require_room,
    set_ballast,
)
from harness.store.rows import trial_row
from harness.store.schema import CLAIMS, INSTANCES, QUALITY, RUNS, TRIALS, VERIFYING
from harness.store.upgrade import bring_up

T = TypeVar("T")
_LEAST_FREE = 2**20  # with less, an error of the disk is put down to its being full


@dataclass(frozen=True)
class KnownInstance:
    """Of an instance that is measured: what was remembered of references, and the seconds it took."""

    references: tuple[Assessed, ...]
    seconds: float


def home() -> Path:
    """Where results are kept: $HARNESS_HOME, or the user's data folder."""
    if (chosen := named_folder("HARNESS_HOME")) is not None:
        return chosen
    import platformdirs

    return Path(platformdirs.user_data_dir("ml-skills-harness"))


class Store:
    """Results under one folder; or, where $HARNESS_DATABASE_URL names a server, all of them there.

    `where` says which, for people, without a password.
    """

    def __init__(self, folder: Path, engine: Engine, blobs: Blobs, server: URL | None = None) -> None:
        self.folder = folder
        self.engine = engine
        self.blobs = blobs
        self.shared = server is not None
        self.where = str(folder) if server is None else server.render_as_string(hide_password=True)
        self._password = "" if server is None else str(server.password or "")
        self._beats: dict[str, ownership.Beat] = {}
        if self.shared:
            # A store that is no longer used closes its connections to the server.
            weakref.finalize(self, engine.dispose)

    @classmethod
    def open(cls, folder: Path, url: str | None = None) -> Self:
        """The results in `folder`, or on the server that `url` names (None: as $HARNESS_DATABASE_URL says).

        Makes what is missing and brings older tables up to date. Raises UsageError where the URL cannot be
        read, StoreError where results cannot be kept there.
        """
        named = os.environ.get(connections.VARIABLE, "") if url is None else url
        if named:
            server = connections.address(named)
            engine = connections.postgres(server)
            store = cls(folder, engine, DatabaseBlobs(engine), server)
            advice = f"look at {connections.VARIABLE} and whether the server runs"
        else:
            store = cls(folder, connections.sqlite(folder / "results.sqlite"), FileBlobs(folder))
            advice = "set HARNESS_HOME to a local folder"
        try:
            store._bring_up()
        except (OSError, SQLAlchemyError, sqlite3.Error) as error:
            reason = store._said(error)
            raise StoreError(f"results cannot be kept in {store.where}: {reason}; {advice}") from error
        return store

    def _bring_up(self) -> None:
        if not self.shared:
            make_folder(self.folder)
        try:
            bring_up(self.engine, self.where)
        except (SQLAlchemyError, sqlite3.Error):
            if not self._can_retry():  # even to be read, a database wants some room beside it
                raise
            bring_up(self.engine, self.where)

    def make_room(self, answers_bytes: int) -> None:
        """Raises StoreError unless the disk has room for an instance's answers, and ballast on top."""
        if self.shared:
            return  # the server's disk is its own affair
        has_ballast = (self.folder / "ballast").is_file()
        needed = FLOOR_BYTES + answers_bytes + (0 if has_ballast else BALLAST_BYTES)
        require_room(self.folder, needed, "results")
        self.blobs.sweep()
        try:
            set_ballast(self.folder)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}; {mend(error.errno)}"
            ) from error

    def claim(self, head: RunHead, call: str, key: str = "", anew: bool = False) -> RunHead:
        """Begins a run, or resumes the newest of the same key that was cut short; returns its head.

        `call` is the stored call, with the root of its seeds, as JSON. A run that somebody still
        works on is left alone, and so is one that a later run of the same key has overtaken by being
        scored; with `anew`, every other.
        """

        def work(connection: Connection) -> RunHead:
            for row in [] if anew or not key else ownership.cut_short(connection, key):
                if (taken := ownership.taken_up(connection, row.run_id, row.owner)) is not None:
                    return taken
            ownership.begun(connection, head, call, key or head.run_id)
            return head

        kept = self.write(work)
        if self.shared:
            self._beats[kept.run_id] = ownership.Beat(self.engine, kept.run_id)
        return kept

    def concluded(self, key: str) -> Run | None:
        """The newest run of this key whose score is final, or None."""
        query = (
            select(RUNS.c.run_id)
            .join(CLAIMS, RUNS.c.run_id == CLAIMS.c.run_id)
            .where(CLAIMS.c.key == key, RUNS.c.state == "scored")
            .order_by(CLAIMS.c.attempt.desc())
        )
        rows = self.read(query)
        return self.run(rows[0].run_id) if rows else None

    def release(self, run_id: str) -> None:
        """Says that nobody works on a run any more; without this call, it is free once its owner has ended."""
        if (beat := self._beats.pop(run_id, None)) is not None:
            beat.stop()
        self.write(lambda c: c.execute(update(CLAIMS).where(CLAIMS.c.run_id == run_id).values(owner="")))

    def begin(self, run_id: str, number: int) -> None:
        """Says that an instance is under way; what an earlier try left of it is no part of it."""
        row = {"run_id": run_id, "number": number, "state": "claimed", "known": "[]", "seconds": 0.0}

        def work(connection: Connection) -> None:
            ownership.require_ours(connection, run_id)
            connection.execute(delete(INSTANCES).where(*_is(run_id, number)))
            connection.execute(insert(INSTANCES), row)

        self.write(work)

    def keep(
        self,
        run_id: str,
        number: int,
        trials: Sequence[Trial],
        known: Iterable[Assessed] = (),
        seconds: float = 0.0,
    ) -> None:
        """Keeps all raw trials of an instance at once, and what was remembered of references: it is measured."""
        known_json = json.dumps([json.loads(reference.model_dump_json()) for reference in known])
        row = {
            "run_id": run_id,
            "number": number,
            "state": "measured",
            "known": known_json,
            "seconds": seconds,
        }
        rows = [trial_row(run_id, trial) for trial in trials]

        def work(connection: Connection) -> None:
            ownership.require_ours(connection, run_id)
            connection.execute(delete(INSTANCES).where(*_is(run_id, number)))
            connection.execute(insert(INSTANCES), row)
            earlier = TRIALS.c.key.startswith(f"{number}/", autoescape=True)
            connection.execute(delete(TRIALS).where(TRIALS.c.run_id == run_id, earlier))
            connection.execute(insert(TRIALS), rows)

        self.write(work)

    def void(self, run_id: str, number: int) -> None:
        """Takes an instance's state back, where nothing can be judged by it; its trials stay to be looked at."""
        query = update(INSTANCES).where(*_is(run_id, number)).values(state="claimed")
        self.write(lambda connection: connection.execute(query))

    def measured(self, head: RunHead) -> None:
        """Says that all raw trials of a run are kept."""
        query = update(RUNS).where(RUNS.c.run_id == head.run_id).values(state="measured")
        self.write(lambda connection: connection.execute(query))

    def scored(self, run: Run, final: bool = True) -> None:
        """Keeps the derived part of a run; earlier derived parts stay in its history.

        Not `final`: the fault was ours, so the run can be taken up again where it stopped.
        """
        derived = json.loads(run.model_dump_json(exclude={"trials"}))
        run_id = run.head.run_id

        def work(connection: Connection) -> None:
            rows = list(
                connection.execute(select(RUNS.c.scored, RUNS.c.state).where(RUNS.c.run_id == run_id))
            )
            old = json.loads(rows[0].scored) if rows and rows[0].scored else None
            history = [*old["history"], old["run"]] if old else []
            values = {"scored": json.dumps({"run": derived, "history": history})}
            if final:
                values["state"] = "scored"
                measured = (INSTANCES.c.run_id == run_id, INSTANCES.c.state == "measured")
                connection.execute(update(INSTANCES).where(*measured).values(state="scored"))
            connection.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(values))

        self.write(work)

    def known(self, run_id: str, number: int) -> KnownInstance | None:
        """What is kept of an instance that is measured; None where it is not."""
        query = select(INSTANCES.c.known, INSTANCES.c.seconds).where(
            *_is(run_id, number), INSTANCES.c.state.in_(("measured", "scored"))
        )
        rows = self.read(query)
        if not rows:
            return None
        references = tuple(Assessed.model_validate(one) for one in json.loads(rows[0].known))
        return KnownInstance(references, float(rows[0].seconds))

    def trials(self, run_id: str, number: int | None = None) -> list[Trial]:
        """A run's raw trials, or those of one instance of it, in the order of every record."""
        rows = self.read(select(TRIALS.c.trial, TRIALS.c.packed).where(TRIALS.c.run_id == run_id))
        trials = in_order(
            Trial.model_validate_json(zlib.decompress(row.packed) if row.packed is not None else row.trial)
            for row in rows
        )
        return [trial for trial in trials if number in (None, trial.number)]

    def run(self, name: str) -> Run:
        """The run whose id starts with `name`, or for "last" the newest, those of `verify` aside; scored or not."""
        row = self._row(name)
        raw = tuple(self.trials(row.run_id))
        if row.scored:
            content = json.loads(row.scored)["run"]
            return Run.model_validate_json(
                json.dumps({**content, "trials": [json.loads(t.model_dump_json()) for t in raw]})
            )
        return Run(head=RunHead.model_validate_json(row.head), trials=raw)

    def heads(self, names: Collection[str] | None = None) -> list[RunHead]:
        """What runs were, the oldest first: those of these ids, or all."""
        query = select(RUNS.c.run_id, RUNS.c.head).order_by(RUNS.c.started_at, RUNS.c.run_id)
        rows = (row for row in self.read(query) if names is None or row.run_id in names)
        return [RunHead.model_validate_json(row.head) for row in rows]

    def trials_kept(self) -> int:
        """How many raw trials are kept, over all runs."""
        return int(self.read(select(func.count()).select_from(TRIALS))[0][0])

    def call(self, name: str) -> str:
        """The settings with which a run was begun, as JSON: enough to prepare its instances again."""
        return str(self._row(name).call)

    def keep_answers(self, answers: Mapping[str, Answer]) -> str:
        """Keeps a submission's answers as one artefact and returns its digest."""
        content = packed(answers)
        try:
            try:
                return self.blobs.keep(content)
            except OSError:
                if not self._can_retry():
                    raise
                return self.blobs.keep(content)
        except OSError as error:
            raise StoreError(
                f"answers could not be written to {self.folder}: {error.strerror}; {mend(error.errno)}"
            ) from error
        except SQLAlchemyError as error:
            raise StoreError(
                f"answers could not be written to {self.where}: {self._said(error)}; {self._mend(error)}"
            ) from error

    def answers(self, digest: str) -> dict[str, Answer]:
        """The answers kept under `digest`, as they were."""
        try:
            return unpacked(self.blobs.read(digest))
        except SQLAlchemyError as error:
            raise StoreError(f"answers could not be read from {self.where}: {self._said(error)}") from error

    def keep_quality(self, key: str, run_id: str, assessed: Assessed) -> None:
        """Remembers a reference's quality on one instance and machine."""
        row = {"key": key, "run_id": run_id, "assessed": assessed.model_dump_json()}

        def work(connection: Connection) -> None:
            connection.execute(delete(QUALITY).where(QUALITY.c.key == key))
            connection.execute(insert(QUALITY), row)

        self.write(work)

    def quality(self, key: str) -> Assessed | None:
        """A reference's remembered quality, or None."""
        rows = self.read(select(QUALITY.c.assessed, QUALITY.c.run_id).where(QUALITY.c.key == key))
        if not rows:
            return None
        return Assessed.model_validate_json(rows[0].assessed).model_copy(
            update={"reused_from": rows[0].run_id}
        )

    def _row(self, name: str) -> Any:
        verifying, newest = RUNS.c.call.like(VERIFYING), RUNS.c.started_at.desc()
        rows = self.read(
            select(RUNS).order_by(verifying, newest).limit(1)
            if name == "last"
            else select(RUNS).where(RUNS.c.run_id.startswith(name, autoescape=True)).order_by(newest)
        )
        if not rows:
            raise UsageError(
                f"there is no run {name!r} in {self.where}; `harness report last` shows the newest"
            )
        if len(rows) > 1:
            raise UsageError(f"{len(rows)} runs start with {name!r}; give more of the id")
        return rows[0]

    def write(self, work: Callable[[Connection], T]) -> T:
        """Does `work` in one transaction. On a full disk once more, when the ballast is thrown off."""
        try:
            try:
                with self.engine.begin() as connection:
                    return work(connection)
            except SQLAlchemyError:
                self.engine.dispose()  # what the next connection finds is what the disk holds
                if not self._can_retry():
                    raise
                with self.engine.begin() as connection:
                    return work(connection)
        except SQLAlchemyError as error:
            raise StoreError(
                f"a result could not be written to {self.where}: {self._said(error)}; {self._mend(error)}"
            ) from error

    def _mend(self, error: SQLAlchemyError) -> str:
        if self.shared:
            return "look whether the server runs and has room, then type the same command again"
        return mend(number_of(error))

    def _said(self, error: BaseException) -> str:
        """The first line of what the database or the system says, without the password."""
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        reason = re.sub(r"^\(\S+Error\) ", "", reason)  # the driver's own name for it
        return reason.replace(self._password, "***") if self._password else reason

    def _can_retry(self) -> bool:
        """Whether the disk was full and there was ballast to throw off. Anything else is never tried again:
        a flush that failed once says nothing by succeeding the second time.
        """
        if self.shared:
            return False
        try:
            return shutil.disk_usage(self.folder).free < _LEAST_FREE and drop_ballast(self.folder)
        except OSError:
            return False

    def read(self, query: Any) -> list[Any]:
        """The rows of a query; raises StoreError."""
        try:
            with self.engine.connect().execution_options(reads=True) as connection:
                return list(connection.execute(query))
        except SQLAlchemyError as error:
            raise StoreError(f"results could not be read from {self.where}: {self._said(error)}") from error


def _is(run_id: str, number: int) -> tuple[Any, Any]:
    return INSTANCES.c.run_id == run_id, INSTANCES.c.number == number
