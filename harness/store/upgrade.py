"""Brings a database of results to the newest revision of its tables, in the first process that opens it.

All of it is one transaction that has taken its turn: two processes that open a store at once do it one after
the other, and after a power cut the tables are as they were or as they should be. Alembic, which takes a
tenth of a second to load, is needed only where an older store is opened.
"""

from __future__ import annotations

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, inspect, select
from sqlalchemy.schema import CreateIndex, CreateTable

from harness.errors import StoreError
from harness.store.schema import META, REVISIONS, VERSION

SCRIPTS = Path(__file__).parent / "migrations"
# Columns that a revision added to a table that was there.
_ADDED = {("claims", "seen"), ("trials", "packed")}
_ONE_AT_A_TIME = threading.Lock()  # Alembic keeps what it works on in its modules


def bring_up(engine: Engine, where: str) -> None:
    """Makes or upgrades the tables, if need be; raises StoreError where a newer harness or something else made them."""
    with engine.connect().execution_options(reads=True) as connection:
        if _revision(connection, where) == REVISIONS[-1]:
            return
    with engine.begin() as connection:
        revision = _revision(connection, where)
        if revision == REVISIONS[-1]:
            return  # another process was quicker
        if set(inspect(connection).get_table_names()) & {VERSION.name, *META.tables}:
            if not revision:
                _require_ours(connection, where)
            upgrade(connection)
        else:
            _make(connection)


def upgrade(connection: Connection) -> None:
    """Runs the revisions that a database lacks; one without any has them all run, over what tables it has."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


def _require_ours(connection: Connection, where: str) -> None:
    """Raises StoreError where tables that bore no revision lack what ours have: they are of another program."""
    found = inspect(connection)
    there = set(found.get_table_names())
    for table in (table for table in META.sorted_tables if table.name in there):
        known = {column["name"] for column in found.get_columns(table.name)}
        for name in (column.name for column in table.columns):
            if name not in known and (table.name, name) not in _ADDED:
                raise StoreError(
                    f"{where} holds a table {table.name!r} that is not the harness's: it has no column {name!r}; "
                    "give results a database or folder of their own"
                )


def _make(connection: Connection) -> None:
    """All tables at once, in an empty database: the same that the revisions make."""
    for table in (*META.sorted_tables, VERSION):
        connection.execute(CreateTable(table))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
    connection.execute(insert(VERSION), {"version_num": REVISIONS[-1]})


def _revision(connection: Connection, where: str) -> str:
    """The revision that a database is at; "" where it has none."""
    if not inspect(connection).has_table(VERSION.name):
        return ""
    revisions = [str(row.version_num) for row in connection.execute(select(VERSION))]
    unknown = [revision for revision in revisions if revision not in REVISIONS]
    if unknown:
        raise StoreError(
            f"the results in {where} were written by a newer harness (revision {unknown[0]} of their tables, and "
            f"{REVISIONS[-1]} is the newest known here); update ml-skills-harness"
        )
    return revisions[0] if revisions else ""
