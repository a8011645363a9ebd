"""Connections to the database of results: SQLite that survives a power cut, or a PostgreSQL server.

On both a writer takes its turn before it looks, so that what it read still holds when it writes: by BEGIN
IMMEDIATE, or by a lock that all writers share and that ends with the transaction. A connection that only reads says so
by the option `reads`, one that writes what cannot collide by `freely`.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from harness.errors import StoreError, UsageError

VARIABLE = "HARNESS_DATABASE_URL"
# How long a writer waits for the others, and for a server to answer at all.
TURN_SECONDS = 30
_CONNECT_SECONDS = 10
_TURN = 0x6861726E657373  # "harness": the number of the lock that writers share
_PATIENCE = 0.02


def is_begun(folder: Path) -> bool:
    """Whether results were kept in `folder` before, or are on a server; nothing is opened or made."""
    return bool(os.environ.get(VARIABLE)) or (folder / "results.sqlite").exists()


def address(text: str) -> URL:
    """The server that $HARNESS_DATABASE_URL names; raises UsageError, which never says the password."""
    example = f"give {VARIABLE} as postgresql://USER@HOST/DATABASE"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise UsageError(f"{VARIABLE} cannot be read as a URL; {example}") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise UsageError(
            f"{VARIABLE} names {url.get_backend_name()!r}, which is not known; {example}, "
            "or unset it: results are then kept in SQLite under HARNESS_HOME"
        )
    return url.set(drivername="postgresql+psycopg")


def postgres(url: URL) -> Engine:
    """Connections to a PostgreSQL server; nothing is connected yet. Raises StoreError where psycopg is missing.

    So does connecting, where the database's encoding cannot hold every text.
    """
    given = url.query.get("options", "")
    given = given if isinstance(given, str) else " ".join(given)
    options = f"{given} -c synchronous_commit=on -c lock_timeout={TURN_SECONDS}s".strip()
    arguments = {"options": options, "connect_timeout": _CONNECT_SECONDS}
    try:
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=True)
    except ImportError as error:
        raise StoreError(
            f"{VARIABLE} names PostgreSQL, and psycopg is not installed; "
            "pip install 'ml-skills-harness[postgres]'"
        ) from error

    # Before SQLAlchemy's own first look at the server, which ends in a TypeError where texts come as bytes.
    @event.listens_for(engine, "connect", insert=True)
    def _utf8(connection: Any, _record: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            name = connection.info.dbname
            connection.close()
            raise StoreError(
                f"the database {name!r} has the encoding {encoding}, and results need UTF8; make one with "
                f"`createdb --encoding=UTF8 --template=template0 --locale=C NAME` and name it in {VARIABLE}"
            )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        chosen = connection.get_execution_options()
        if not chosen.get("reads", False) and not chosen.get("freely", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_TURN})")

    return engine


def sqlite(file: Path) -> Engine:
    """Connections to the database in `file`."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": TURN_SECONDS})

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
