"""Tables brought to their newest revision: by whom, once, over whatever an older harness left."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, inspect, select, update

from harness.errors import StoreError
from harness.store import connections, upgrade
from harness.store.results import Store
from harness.store.schema import META, REVISIONS, TRIALS, VERSION
from tests.fixtures.reports import ok_run
from tests.store.test_results import older


@pytest.fixture
def bare(tmp_path: Path, database: str) -> Generator[Engine]:
    """A database without tables."""
    named = os.environ.get(connections.VARIABLE)
    engine = (
        connections.postgres(connections.address(named))
        if named
        else connections.sqlite(tmp_path / "bare.sqlite")
    )
    yield engine
    engine.dispose()


def _differences(engine: Engine) -> list[object]:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), META))


def _shape(engine: Engine) -> dict[str, object]:
    """Every table's columns, keys and indexes, as the database has them."""
    found = inspect(engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(tuple(u["column_names"]) for u in found.get_unique_constraints(name)),
            sorted(str(i["name"]) for i in found.get_indexes(name)),
        )
        for name in sorted(META.tables)
    }


def test_the_revisions_make_the_tables_that_the_models_say(bare: Engine) -> None:
    with bare.begin() as connection:
        upgrade.upgrade(connection)
    assert _differences(bare) == []
    by_revisions = _shape(bare)
    with bare.begin() as connection:
        VERSION.drop(connection)
        META.drop_all(connection)
    upgrade.bring_up(bare, "here")
    assert _differences(bare) == []
    assert _shape(bare) == by_revisions


def test_a_difference_would_be_noticed(bare: Engine) -> None:
    upgrade.bring_up(bare, "here")
    with bare.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE claims DROP COLUMN seen")
        connection.exec_driver_sql("DROP INDEX ix_cells_run_id")
    assert len(_differences(bare)) == 2


def test_the_newest_revision_is_the_one_that_stores_are_compared_with() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(upgrade.SCRIPTS))
    assert tuple(found.revision for found in scripts.walk_revisions())[::-1] == REVISIONS


def test_a_store_from_before_revisions_is_upgraded_and_loses_nothing(tmp_path: Path) -> None:
    run = ok_run()
    old = Store.open(tmp_path)
    old.claim(run.head, "{}", "key")
    for number in range(3):
        old.keep(run.head.run_id, number, [run.trials[0].model_copy(update={"number": number})])
    old.scored(run)
    wanted = old.run("last")
    old.engine.dispose()
    with sqlite3.connect(tmp_path / "results.sqlite") as raw:
        older(raw)
    raw.close()
    found = Store.open(tmp_path)
    assert found.run("last") == wanted
    assert _differences(found.engine) == []
    found.keep(run.head.run_id, 3, [run.trials[0].model_copy(update={"number": 3})])
    plain = [row.trial is not None for row in found.read(select(TRIALS).order_by(TRIALS.c.key))]
    assert plain == [True, True, True, False], "older rows stay as they are, and are read"


@pytest.mark.parametrize("lost", ["the row", "the table", "the newest table too"])
def test_a_store_that_lost_its_revision_is_recognised_and_loses_nothing(
    bare: Engine, database: str, lost: str
) -> None:
    upgrade.bring_up(bare, "here")
    with bare.begin() as connection:
        connection.execute(TRIALS.insert(), {"run_id": "r", "key": "0", "packed": b"kept"})
        connection.execute(VERSION.delete())
        if lost != "the row":
            VERSION.drop(connection)
        if lost == "the newest table too":
            META.tables["compared"].drop(connection)
    upgrade.bring_up(bare, "here")
    assert revision(bare) == [REVISIONS[-1]]
    assert _differences(bare) == []
    with bare.connect().execution_options(reads=True) as connection:
        assert [row.packed for row in connection.execute(select(TRIALS))] == [b"kept"]


def test_tables_of_another_program_are_refused_and_left_alone(bare: Engine) -> None:
    with bare.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (run_id VARCHAR, name VARCHAR)")
    with pytest.raises(
        StoreError, match=r"^here holds a table 'runs'.*no column 'started_at'; give results a"
    ):
        upgrade.bring_up(bare, "here")
    assert inspect(bare).get_table_names() == ["runs"]


def test_an_up_to_date_store_is_opened_without_loading_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.store.results import Store\n"
        "Store.open(Path(sys.argv[1])); Store.open(Path(sys.argv[1])); print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_a_store_of_a_newer_harness_is_refused(tmp_path: Path, database: str) -> None:
    stored = Store.open(tmp_path / "home")
    stored.write(lambda c: c.execute(update(VERSION).values(version_num="0999")))
    with pytest.raises(StoreError, match=r"newer harness \(revision 0999.*update ml-skills-harness"):
        Store.open(stored.folder)
    stored.engine.dispose()


OPENER = "import sys; from pathlib import Path; from harness.store.results import Store; Store.open(Path(sys.argv[1]))"


@pytest.mark.slow
@pytest.mark.parametrize("before", ["nothing", "an older store"])
def test_processes_that_open_a_store_at_once_do_not_collide(
    tmp_path: Path, database: str, before: str
) -> None:
    if before == "an older store":
        first = Store.open(tmp_path / "home")
        with first.engine.begin() as connection:
            VERSION.drop(connection)
            for statement in (
                "ALTER TABLE claims DROP COLUMN seen",
                "ALTER TABLE trials DROP COLUMN packed",
                "DROP TABLE amended_assessments",
                "DROP TABLE compared",
                "DROP TABLE artefacts",
            ):
                connection.exec_driver_sql(statement)
        first.engine.dispose()
    command = [sys.executable, "-c", OPENER, str(tmp_path / "home")]
    openers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    said = [opener.communicate()[1] for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 4, said
    found = Store.open(tmp_path / "home")
    assert _differences(found.engine) == []
    assert [row.version_num for row in found.read(select(VERSION))] == [REVISIONS[-1]]
    found.engine.dispose()


@pytest.fixture
def file(tmp_path: Path) -> Generator[Engine]:
    """A database in a file, without tables."""
    engine = connections.sqlite(tmp_path / "one.sqlite")
    yield engine
    engine.dispose()


def revision(engine: Engine) -> list[str]:
    with engine.connect().execution_options(reads=True) as connection:
        return [row.version_num for row in connection.execute(select(VERSION))]


def test_a_new_store_is_made_at_once_and_nobody_waits_to_see_that_it_is_up_to_date(
    file: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no revision is needed")

    monkeypatch.setattr(upgrade, "upgrade", refuse)
    statements: list[str] = []
    event.listen(file, "before_cursor_execute", lambda *given: statements.append(given[2]))
    upgrade.bring_up(file, "here")
    assert revision(file) == [REVISIONS[-1]]
    assert statements.count("BEGIN IMMEDIATE") == 1
    statements.clear()
    upgrade.bring_up(file, "here")
    assert "BEGIN" in statements
    assert "BEGIN IMMEDIATE" not in statements


def test_who_finds_that_another_process_was_quicker_does_nothing(
    file: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was done meanwhile")

    other = connections.sqlite(tmp_path / "one.sqlite")
    look, seen = upgrade._revision, list[str]()

    def meanwhile(connection: Connection, where: str) -> str:
        current = look(connection, where)
        seen.append(current)
        if seen == [""]:  # it was seen that one is needed, and the turn is not taken yet
            upgrade.bring_up(other, "there")
            monkeypatch.setattr(upgrade, "upgrade", refuse)
            monkeypatch.setattr(upgrade, "_make", refuse)
        return current

    monkeypatch.setattr(upgrade, "_revision", meanwhile)
    upgrade.bring_up(file, "here")
    assert seen == ["", "", "", REVISIONS[-1]]
    assert revision(file) == [REVISIONS[-1]]
    other.dispose()


def test_a_database_that_names_no_revision_has_them_all_run(file: Engine) -> None:
    with file.begin() as connection:
        VERSION.create(connection)
    upgrade.bring_up(file, "here")
    assert revision(file) == [REVISIONS[-1]]


def test_a_percent_sign_in_the_programs_folder_does_no_harm(
    file: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "50%(here)s" / "migrations"
    shutil.copytree(upgrade.SCRIPTS, scripts)
    monkeypatch.setattr(upgrade, "SCRIPTS", scripts)
    with file.begin() as connection:
        upgrade.upgrade(connection)
    assert revision(file) == [REVISIONS[-1]]
