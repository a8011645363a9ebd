"""The only writer of results: SQLite in WAL mode with synchronous=FULL, artefacts by content hash.

A run's raw record is committed before anything is scored, so a crash costs at most the trial that
was under way, and scoring can be done again from what is stored. Under WAL with synchronous=FULL a
commit that was acknowledged survives a power cut.
"""

from __future__ import annotations

import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import (
    Column,
    Engine,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.exc import SQLAlchemyError

from harness.digests import of_bytes
from harness.errors import StoreError, UsageError
from harness.instances import Answer
from harness.records import Assessed, Run, RunHead, Trial, in_order

_META = MetaData()
RUNS = Table(
    "runs", _META,
    Column("run_id", String, primary_key=True), Column("started_at", String, index=True),
    Column("task", String, index=True), Column("state", String), Column("head", Text),
    Column("call", Text), Column("scored", Text),
)  # fmt: skip
TRIALS = Table(
    "trials", _META,
    Column("run_id", String, primary_key=True), Column("key", String, primary_key=True), Column("trial", Text),
)  # fmt: skip
QUALITY = Table(
    "quality", _META,
    Column("key", String, primary_key=True), Column("run_id", String), Column("assessed", Text),
)  # fmt: skip


def home() -> Path:
    """Where results are kept: $HARNESS_HOME, or the user's data folder."""
    chosen = os.environ.get("HARNESS_HOME")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_data_dir("ml-skills-harness"))


class Store:
    """Results on disk, under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.engine = _engine(folder / "results.sqlite")
            _META.create_all(self.engine)
        except (OSError, SQLAlchemyError) as error:
            why = _first_line(error)
            raise StoreError(
                f"results cannot be kept in {folder}: {why}; set HARNESS_HOME to a local folder"
            ) from error

    def claim(self, head: RunHead, call: str) -> None:
        """Says that a run was begun. `call` is what was asked for, with the root of its seeds, as JSON."""
        row = {
            "run_id": head.run_id, "started_at": head.started_at, "task": head.task, "state": "claimed",
            "head": head.model_dump_json(), "call": call, "scored": None,
        }  # fmt: skip
        self._write(insert(RUNS), row)

    def add_trial(self, run_id: str, trial: Trial) -> None:
        """Keeps one raw trial; the same trial again replaces itself."""
        key = f"{trial.number}/{trial.role}/{trial.label}"
        row = {"run_id": run_id, "key": key, "trial": trial.model_dump_json()}
        self._write(
            delete(TRIALS).where(TRIALS.c.run_id == run_id, TRIALS.c.key == key), None, insert(TRIALS), row
        )

    def measured(self, head: RunHead) -> None:
        """Says that all raw trials of a run are kept; `head` may have learnt facts since `claim`."""
        values = {"state": "measured", "head": head.model_dump_json()}
        self._write(update(RUNS).where(RUNS.c.run_id == head.run_id).values(values), None)

    def scored(self, run: Run) -> None:
        """Keeps the derived part of a run; earlier derived parts stay in its history."""
        derived = run.model_dump_json(exclude={"trials"})
        rows = self._read(select(RUNS.c.scored).where(RUNS.c.run_id == run.head.run_id))
        old = rows[0].scored if rows else None
        history = json.loads(old)["history"] + [json.loads(old)["run"]] if old else []
        text = json.dumps({"run": json.loads(derived), "history": history})
        query = update(RUNS).where(RUNS.c.run_id == run.head.run_id).values(state="scored", scored=text)
        self._write(query, None)

    def run(self, name: str) -> Run:
        """The run whose id starts with `name`, or the newest for "last"; scored or not."""
        row = self._row(name)
        trials = self._read(select(TRIALS.c.trial).where(TRIALS.c.run_id == row.run_id))
        raw = tuple(in_order(Trial.model_validate_json(t.trial) for t in trials))
        if row.scored:
            content = json.loads(row.scored)["run"]
            return Run.model_validate_json(
                json.dumps({**content, "trials": [json.loads(t.model_dump_json()) for t in raw]})
            )
        return Run(head=RunHead.model_validate_json(row.head), trials=raw)

    def call(self, name: str) -> dict[str, Any]:
        """What was asked for when a run was begun: enough to prepare its instances again."""
        found: dict[str, Any] = json.loads(self._row(name).call)
        return found

    def keep_answers(self, answers: Mapping[str, Answer]) -> str:
        """Keeps a submission's answers as one artefact and returns its digest."""
        return self._keep(_packed(answers))

    def answers(self, digest: str) -> dict[str, Answer]:
        """The answers kept under `digest`, as they were."""
        path = self._artefact(digest)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"the answers {digest[:12]} are gone from {path.parent}: {error.strerror}"
            ) from error
        if of_bytes(content) != digest:
            raise StoreError(f"the answers {digest[:12]} in {path} are damaged")
        return _unpacked(content)

    def keep_quality(self, key: str, run_id: str, assessed: Assessed) -> None:
        """Remembers a reference's quality on one instance and machine."""
        row = {"key": key, "run_id": run_id, "assessed": assessed.model_dump_json()}
        self._write(delete(QUALITY).where(QUALITY.c.key == key), None, insert(QUALITY), row)

    def quality(self, key: str) -> Assessed | None:
        """A reference's remembered quality, or None."""
        rows = self._read(select(QUALITY.c.assessed, QUALITY.c.run_id).where(QUALITY.c.key == key))
        if not rows:
            return None
        return Assessed.model_validate_json(rows[0].assessed).model_copy(
            update={"reused_from": rows[0].run_id}
        )

    def _row(self, name: str) -> Any:
        query = select(RUNS).order_by(RUNS.c.started_at.desc())
        rows = self._read(
            query.limit(1) if name == "last" else query.where(RUNS.c.run_id.startswith(name, autoescape=True))
        )
        if not rows:
            raise UsageError(
                f"there is no run {name!r} in {self.folder}; `harness report last` shows the newest"
            )
        if len(rows) > 1:
            raise UsageError(f"{len(rows)} runs start with {name!r}; give more of the id")
        return rows[0]

    def _write(self, *steps: Any) -> None:
        try:
            with self.engine.begin() as connection:
                for query, row in zip(steps[::2], steps[1::2], strict=True):
                    connection.execute(query, row) if row is not None else connection.execute(query)
        except SQLAlchemyError as error:
            raise StoreError(
                f"a result could not be written to {self.folder}: {_first_line(error)}; free some space and run again"
            ) from error

    def _read(self, query: Any) -> list[Any]:
        try:
            with self.engine.connect() as connection:
                return list(connection.execute(query))
        except SQLAlchemyError as error:
            raise StoreError(f"results could not be read from {self.folder}: {_first_line(error)}") from error

    def _artefact(self, digest: str) -> Path:
        return self.folder / "artefacts" / digest[:2] / digest

    def _keep(self, content: bytes) -> str:
        digest = of_bytes(content)
        path = self._artefact(digest)
        if path.exists():
            return digest
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_durably(path, content)
        except OSError as error:
            raise StoreError(
                f"answers could not be written to {path.parent}: {error.strerror}; free some space and run again"
            ) from error
        return digest


def write_durably(path: Path, content: bytes) -> None:
    """Writes a file that is whole or absent after a power cut: temp, fsync, rename, fsync of the folder."""
    fd, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _engine(file: Path) -> Engine:
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    return engine


def _packed(answers: Mapping[str, Answer]) -> bytes:
    """A JSON index, a zero byte, then the raw answers, compressed: our own bytes, read only by us."""
    index, buffers = {}, []
    for item, answer in answers.items():
        raw = answer if isinstance(answer, bytes) else answer.tobytes()
        form = None if isinstance(answer, bytes) else [answer.dtype.str, list(answer.shape)]
        index[item] = [len(raw), form]
        buffers.append(raw)
    return zlib.compress(json.dumps(index).encode() + b"\0" + b"".join(buffers), 6)


def _unpacked(content: bytes) -> dict[str, Answer]:
    head, _, body = zlib.decompress(content).partition(b"\0")
    found: dict[str, Answer] = {}
    offset = 0
    for item, (size, form) in json.loads(head).items():
        raw = body[offset : offset + size]
        found[item] = np.frombuffer(raw, dtype=form[0]).reshape(form[1]) if form else raw
        offset += size
    return found


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0]
