"""Who works on a run: which runs of a key can be taken up, by whom, and who must leave one alone."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, select, update

from harness.errors import StoreError
from harness.machine import processes
from harness.records import RunHead
from harness.store import connections, ownership
from harness.store.schema import CLAIMS, META, RUNS
from tests.fixtures.reports import head

NOW = 10_000.0
ME = processes.me().text()
DEAD = replace(processes.me(), boot="an earlier one").text()
ELSEWHERE = replace(processes.me(), machine="another").text()


@pytest.fixture
def engine(tmp_path: Path) -> Generator[Engine]:
    """Empty tables."""
    made = connections.sqlite(tmp_path / "results.sqlite")
    META.create_all(made)
    yield made
    made.dispose()


def own(name: str) -> RunHead:
    return head(run_id=name)


def begin(engine: Engine, *runs: tuple[str, str, str], key: str = "key") -> None:
    """Runs of one key, the oldest first: name, state and owner."""
    with engine.begin() as connection:
        for name, state, owner in runs:
            ownership.begun(connection, own(name), "{}", key)
            connection.execute(update(RUNS).where(RUNS.c.run_id == name).values(state=state))
            connection.execute(update(CLAIMS).where(CLAIMS.c.run_id == name).values(owner=owner))


def resumable(engine: Engine, key: str = "key") -> list[str]:
    with engine.begin() as connection:
        return [row.run_id for row in ownership.cut_short(connection, key)]


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([("a", "claimed", "")], ["a"]),
        ([("a", "claimed", DEAD)], ["a"]),
        ([("a", "claimed", ME)], []),
        ([("a", "claimed", ELSEWHERE)], []),
        ([("a", "scored", "")], []),
        ([("a", "scored", DEAD)], ["a"]),  # it died before it let go
        ([("a", "claimed", ""), ("b", "measured", DEAD)], ["b", "a"]),
        ([("a", "claimed", ""), ("b", "claimed", ME)], ["a"]),
        ([("a", "claimed", ""), ("b", "scored", "")], []),  # overtaken
        ([("a", "claimed", ""), ("b", "scored", ME)], []),
        ([("a", "claimed", ""), ("b", "scored", ""), ("c", "measured", "")], ["c"]),
    ],
)
def test_the_newest_first_down_to_the_one_that_came_to_its_end(
    engine: Engine, runs: list[tuple[str, str, str]], names: list[str]
) -> None:
    begin(engine, *runs)
    begin(engine, ("other", "claimed", ""), key="another key")
    assert resumable(engine) == names
    assert resumable(engine, "another key") == ["other"]


@pytest.mark.parametrize(
    ("owner", "silent", "free"),
    [
        (ELSEWHERE, 299.0, False),
        (ELSEWHERE, 300.0, False),
        (ELSEWHERE, 301.0, True),
        (ME, 10_000.0, False),  # of this machine the kernel knows
        (replace(processes.me(), born=1).text(), 0.0, True),  # its number is another process's now
        (DEAD, 299.0, False),  # the same machine's earlier boot is elsewhere: a copy of it may run
        (DEAD, 301.0, True),
    ],
)
def test_where_machines_share_a_database_whoever_is_silent_for_five_minutes_is_gone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, owner: str, silent: float, free: bool
) -> None:
    begin(engine, ("a", "claimed", owner))
    with engine.begin() as connection:
        connection.execute(update(CLAIMS).values(seen=NOW - silent))
    monkeypatch.setattr(ownership, "_clock", lambda connection: NOW)
    assert resumable(engine) == (["a"] if free else [])


def test_attempts_are_numbered_within_their_key(engine: Engine) -> None:
    begin(engine, ("a", "claimed", ""), ("b", "claimed", ""), ("c", "claimed", ""))
    begin(engine, ("d", "claimed", ""), key="another key")
    with engine.connect() as connection:
        rows = connection.execute(select(CLAIMS.c.run_id, CLAIMS.c.attempt).order_by(CLAIMS.c.run_id))
        assert [tuple(row) for row in rows] == [("a", 1), ("b", 2), ("c", 3), ("d", 1)]


def heads(connection: Connection) -> dict[str, RunHead]:
    rows = connection.execute(select(RUNS.c.run_id, RUNS.c.head))
    return {row.run_id: RunHead.model_validate_json(row.head) for row in rows}


def test_who_takes_a_run_up_owns_it_and_it_says_when(engine: Engine) -> None:
    begin(engine, ("a", "claimed", DEAD), ("b", "claimed", ""))
    with engine.begin() as connection:
        assert ownership.taken_up(connection, "a", "") is None, "it is not as it was looked at"
        with pytest.raises(StoreError, match="run a is not this process's any more"):
            ownership.require_ours(connection, "a")
        taken = ownership.taken_up(connection, "a", DEAD)
        ownership.require_ours(connection, "a")
        assert taken is not None
        assert len(taken.taken_up) == 1
        assert heads(connection) == {"a": taken, "b": own("b")}
        assert ownership.taken_up(connection, "a", DEAD) is None, "another was quicker"


def test_a_run_that_nobody_began_is_not_ours(engine: Engine) -> None:
    begin(engine, ("mine", "claimed", ME))
    with engine.begin() as connection:
        ownership.require_ours(connection, "mine")
        with pytest.raises(StoreError, match="run absent is not this process's any more"):
            ownership.require_ours(connection, "absent")


def test_a_beat_says_that_its_process_lives_and_does_not_keep_it_alive(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(engine, ("mine", "claimed", ME), ("lost", "claimed", ELSEWHERE))
    monkeypatch.setattr(ownership, "_clock", lambda connection: NOW)
    beats = [ownership.Beat(engine, name, every=0.01) for name in ("mine", "lost")]
    daemons = {t.name: t.daemon for t in threading.enumerate() if t.name.startswith("alive ")}
    assert (daemons["alive mine"], daemons["alive lost"]) == (True, True)

    def seen() -> dict[str, float | None]:
        with engine.connect().execution_options(reads=True) as connection:
            rows = connection.execute(select(CLAIMS.c.run_id, CLAIMS.c.seen))
            return {row.run_id: row.seen for row in rows}

    for _ in range(500):
        if seen()["mine"]:
            break
        threading.Event().wait(0.01)
    assert seen() == {"mine": NOW, "lost": None}, "a run that was taken away is not claimed back"
    for beat in beats:
        beat.stop()


def test_one_machine_alone_needs_no_clock_and_a_server_has_its_own(engine: Engine, postgres_url: str) -> None:
    begin(engine, ("a", "claimed", ME))
    server = connections.postgres(connections.address(postgres_url))
    META.create_all(server)
    begin(server, ("a", "claimed", ME))
    for database, clocks in ((engine, False), (server, True)):
        with database.connect().execution_options(reads=True) as connection:
            seen = connection.execute(select(CLAIMS.c.seen)).scalar()
            assert isinstance(seen, float) == clocks
        database.dispose()
