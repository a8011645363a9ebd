"""Connections: who takes a turn, how long one waits, and what a commit that was acknowledged survives."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from harness.errors import StoreError, UsageError
from harness.store import connections
from harness.store.results import Store
from tests.fixtures.postgres import Server


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_a_server_is_reached_by_the_driver_that_we_ship(scheme: str) -> None:
    url = connections.address(f"{scheme}://ann:word@host:5433/results?sslmode=require")
    assert url == URL.create(
        "postgresql+psycopg", "ann", "word", "host", 5433, "results", {"sslmode": "require"}
    )


@pytest.mark.parametrize(
    ("address", "words"),
    [("hunter2", "cannot be read as a URL"), ("mysql://u:hunter2@h/d", "names 'mysql', which is not known")],
)
def test_another_address_is_refused_with_an_example(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"{words}.*give HARNESS_DATABASE_URL as postgresql://") as caught:
        connections.address(address)
    assert "hunter2" not in str(caught.value)


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'ml-skills-harness\[postgres\]'"):
        connections.postgres(connections.address("postgresql://u@h/d"))


@pytest.mark.parametrize(
    ("query", "given"),
    [
        ("", ""),
        ("?options=-c%20statement_timeout=9s", "-c statement_timeout=9s "),
        ("?options=-c%20a=1&options=-c%20b=2", "-c a=1 -c b=2 "),
    ],
)
def test_a_server_gets_our_options_after_its_own(query: str, given: str) -> None:
    engine = connections.postgres(connections.address(f"postgresql://u@h/d{query}"))
    arguments: dict[str, Any] = {}

    def stop(dialect: object, record: object, positional: object, named: dict[str, Any]) -> None:
        arguments.update(named)
        raise ConnectionError("far enough")

    event.listen(engine, "do_connect", stop)
    with pytest.raises(ConnectionError):
        engine.connect()
    assert arguments["options"] == f"{given}-c synchronous_commit=on -c lock_timeout=30s"
    assert arguments["connect_timeout"] == 10


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_text_is_refused_with_the_way_to_make_one_that_can(
    postgres_server: Server, tmp_path: Path, encoding: str
) -> None:
    url = postgres_server.new(encoding)
    for _ in range(2):
        with pytest.raises(
            StoreError, match=rf"^the database 'results_\d+' has the encoding {encoding}, and"
        ):
            Store.open(tmp_path, url)


def test_on_a_server_only_those_take_a_turn_that_read_before_they_write(postgres_url: str) -> None:
    engine = connections.postgres(connections.address(postgres_url))
    turns = {}
    for option in ("reads", "freely", "isolation_level"):
        value = "READ COMMITTED" if option == "isolation_level" else True
        with engine.connect().execution_options(**{option: value}) as connection:
            held = "SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
            turns[option] = connection.execute(text(held)).scalars().all()
    engine.dispose()
    assert turns == {"reads": [], "freely": [], "isolation_level": [int.from_bytes(b"harness", "big")]}


def opened(file: Path, kind: type[sqlite3.Connection] = sqlite3.Connection) -> tuple[Engine, list[str]]:
    """An engine on a database whose build makes little durable by itself, and the statements that it is sent."""
    engine, statements = connections.sqlite(file), list[str]()

    @event.listens_for(engine, "do_connect")
    def _connected(dialect: object, record: object, given: Any, named: Any) -> sqlite3.Connection:
        connection = sqlite3.connect(*given, **named, factory=kind)
        connection.execute("PRAGMA synchronous=OFF")
        connection.set_trace_callback(statements.append)
        return connection

    return engine, statements


def test_a_commit_is_on_the_disk_whatever_the_builds_own_settings_are(tmp_path: Path) -> None:
    engine, _ = opened(tmp_path / "results.sqlite")
    names = ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync", "busy_timeout")
    with engine.connect() as connection:
        settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}
    engine.dispose()
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "busy_timeout": 30_000,
    }


@pytest.mark.parametrize(("reads", "begun"), [(False, "BEGIN IMMEDIATE"), (True, "BEGIN")])
def test_a_writer_takes_its_turn_at_once_and_a_reader_none(tmp_path: Path, reads: bool, begun: str) -> None:
    engine, statements = opened(tmp_path / "results.sqlite")
    options = {"reads": True} if reads else {}
    with engine.connect().execution_options(**options) as connection:
        statements.clear()
        connection.execute(text("SELECT 1"))
        assert statements == [begun, "SELECT 1"]
    engine.dispose()


class Occupied(sqlite3.Connection):
    """A database that another process makes at this moment: `refusals` times it cannot be turned to WAL."""

    refusals = 0
    code = sqlite3.SQLITE_BUSY
    tries = 0

    def execute(self, statement: str, *more: Any) -> sqlite3.Cursor:
        if "journal_mode" in statement:
            Occupied.tries += 1
            if Occupied.tries <= Occupied.refusals:
                error = sqlite3.OperationalError("it is occupied")
                error.sqlite_errorcode = Occupied.code
                raise error
        return super().execute(statement, *more)


@pytest.mark.parametrize(
    ("code", "refusals", "tries"),
    [
        (sqlite3.SQLITE_BUSY, 3, 4),
        (sqlite3.SQLITE_LOCKED, 99, 100),
        (sqlite3.SQLITE_BUSY, 1000, 100),
        (sqlite3.SQLITE_READONLY, 1000, 1),
    ],
)
def test_two_that_open_a_new_store_at_once_wait_for_each_other_and_for_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, refusals: int, tries: int
) -> None:
    monkeypatch.setattr(connections, "_PATIENCE", 0.0)
    for name, value in (("code", code), ("refusals", refusals), ("tries", 0)):
        monkeypatch.setattr(Occupied, name, value)
    engine, _ = opened(tmp_path / "results.sqlite", Occupied)
    if refusals < 100:
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    else:
        with pytest.raises((sqlite3.OperationalError, SQLAlchemyError), match="it is occupied"):
            engine.connect()
    engine.dispose()
    assert Occupied.tries == tries
