"""The tables of results and the connections to them: SQLite that survives a power cut.

`store` alone uses it. Everything but the pragmas is SQLAlchemy's own, so that another database can be
named by its URL.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    inspect,
)  # fmt: skip
from sqlalchemy.schema import CreateIndex, CreateTable

_META = MetaData()
RUNS = Table(
    "runs", _META,
    Column("run_id", String, primary_key=True), Column("started_at", String, index=True),
    Column("task", String, index=True), Column("state", String), Column("head", Text),
    Column("call", Text), Column("scored", Text),
)  # fmt: skip
# `key` is what makes two commands the same one, `attempt` tells deliberate repetitions apart.
CLAIMS = Table(
    "claims", _META,
    Column("run_id", String, primary_key=True), Column("key", String), Column("attempt", Integer),
    Column("owner", Text), UniqueConstraint("key", "attempt"),
)  # fmt: skip
INSTANCES = Table(
    "instances", _META,
    Column("run_id", String, primary_key=True), Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String), Column("known", Text), Column("seconds", Float),
)  # fmt: skip
TRIALS = Table(
    "trials", _META,
    Column("run_id", String, primary_key=True), Column("key", String, primary_key=True), Column("trial", Text),
)  # fmt: skip
QUALITY = Table(
    "quality", _META,
    Column("key", String, primary_key=True), Column("run_id", String), Column("assessed", Text),
)  # fmt: skip
ASSESSMENTS = Table(
    "assessments", _META,
    Column("id", String, primary_key=True), Column("suite", String, index=True), Column("begun_at", String),
    Column("assessment", Text),
)  # fmt: skip
CANDIDATES = Table(
    "candidates", _META,
    Column("assessment", String, primary_key=True), Column("alias", String, primary_key=True),
    Column("number", Integer),
)  # fmt: skip
# `unit` is what was asked of a cell: while it is the same, the cell need not be measured again.
CELLS = Table(
    "cells", _META,
    Column("assessment", String, primary_key=True), Column("candidate", String, primary_key=True),
    Column("task", String, primary_key=True), Column("unit", String), Column("run_id", String, index=True),
    Column("kept_at", String), Column("cell", Text),
)  # fmt: skip
REPLACED = Table(
    "replaced_cells", _META,
    Column("id", Integer, primary_key=True), Column("assessment", String, index=True), Column("candidate", String),
    Column("task", String), Column("replaced_at", String), Column("by", String), Column("why", Text),
    Column("cell", Text),
)  # fmt: skip
_PATIENCE = 0.02


def make_tables(engine: Engine) -> None:
    """Makes what tables are missing. Tables are only ever added: an older store stays readable."""
    if set(_META.tables) <= set(inspect(engine).get_table_names()):
        return
    with engine.begin() as connection:
        for table in _META.sorted_tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))


def engine_of(file: Path) -> Engine:
    """Connections to the database in `file`; whoever only reads says so by the option `reads`."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver's guess
        _in_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # macOS: the disk's own cache too
        connection.execute("PRAGMA checkpoint_fullfsync=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its turn at once: one that first reads could find that it may not write.
        reads = connection.get_execution_options().get("reads", False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _in_wal(connection: Any) -> None:
    """WAL mode; two processes that open a new store at once stand in each other's way for a moment."""
    for attempt in range(100):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) or attempt == 99:
                raise
            threading.Event().wait(_PATIENCE)
