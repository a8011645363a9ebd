"""The same store on SQLite and on a real PostgreSQL server: revisions, several writers, owners elsewhere."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select, update

from harness.errors import StoreError, UsageError
from harness.isolation.base import Launch, environment
from harness.machine import processes
from harness.machine.processes import Owner
from harness.runs import rescore, runner
from harness.runs.order import Order
from harness.store import connections, ownership
from harness.store.results import Store
from harness.store.schema import ARTEFACTS, CLAIMS, RUNS
from tests.fixtures import postgres
from tests.fixtures.reports import ok_run
from tests.store.test_results import COMPETENT, WRITER, _same

KEY = "asked the same"


@pytest.fixture
def stored(tmp_path: Path, database: str) -> Generator[Store]:
    """A new store on each database."""
    found = Store.open(tmp_path / "home")
    yield found
    found.engine.dispose()


@pytest.mark.slow
def test_processes_that_write_to_a_server_at_once_lose_nothing(stored: Store) -> None:
    names, run = ("one", "two", "three"), ok_run()
    command = [sys.executable, "-c", WRITER, str(stored.folder)]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    said = [writer.communicate(run.model_dump_json())[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    for name in names:
        assert [t.number for t in stored.trials(name)] == list(range(40))
        assert all(stored.known(name, number) is not None for number in range(40))
    if stored.shared:
        assert stored.read(select(func.count()).select_from(ARTEFACTS))[0][0] == 40
        assert not (stored.folder / "artefacts").exists()


def _at_once(work: Callable[[int], object], times: int) -> None:
    together, faults = threading.Barrier(times), []

    def one(number: int) -> None:
        together.wait()
        try:
            work(number)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is told below)
            faults.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_of_many_that_take_up_the_same_dead_run_one_gets_it(stored: Store) -> None:
    run = ok_run()
    stored.claim(run.head, "{}", KEY)
    stored.release(run.head.run_id)
    got: list[str] = []

    def take(number: int) -> None:
        head = run.head.model_copy(update={"run_id": f"run-{number}"})
        got.append(stored.claim(head, "{}", KEY).run_id)

    _at_once(take, 8)
    assert got.count(run.head.run_id) == 1
    assert len(set(got)) == 8
    attempts = [row.attempt for row in stored.read(select(CLAIMS.c.attempt).order_by(CLAIMS.c.attempt))]
    assert attempts == list(range(1, 9))
    for run_id in got:
        stored.release(run_id)


def test_scores_that_are_kept_at_once_are_all_in_the_history(stored: Store) -> None:
    run = ok_run()
    stored.claim(run.head, "{}", KEY)
    _at_once(lambda number: stored.scored(run.model_copy(update={"wall_seconds": float(number)})), 8)
    (row,) = stored.read(select(RUNS.c.scored))
    assert len(json.loads(row.scored)["history"]) == 7
    stored.release(run.head.run_id)


def _elsewhere() -> Owner:
    return replace(processes.me(), machine="another-machine 0", pid=4)


def _owned(store: Store, owner: Owner, age: float | None) -> str:
    """A run that somebody else claimed, and said so many seconds ago that he lives."""
    head = ok_run().head
    store.claim(head, "{}", KEY)
    store.release(head.run_id)
    values: dict[str, object] = {"owner": json.dumps(asdict(owner), sort_keys=True)}
    if age is not None:
        values["seen"] = CLAIMS.c.seen - age
    store.write(lambda c: c.execute(update(CLAIMS).values(values)))
    return head.run_id


def _next(store: Store) -> str:
    found = store.claim(ok_run().head.model_copy(update={"run_id": "mine"}), "{}", KEY).run_id
    store.release(found)
    return found


def test_a_run_of_another_machine_is_left_alone_while_its_owner_says_that_it_lives(stored: Store) -> None:
    _owned(stored, _elsewhere(), 0.5 * ownership.LEASE_SECONDS if stored.shared else None)
    assert _next(stored) == "mine"


def test_a_run_of_another_machine_that_fell_silent_is_taken_up(tmp_path: Path, postgres_url: str) -> None:
    store = Store.open(tmp_path, postgres_url)
    taken = _owned(store, _elsewhere(), 1.1 * ownership.LEASE_SECONDS)
    assert _next(store) == taken
    with pytest.raises(StoreError, match="not this process's any more"):
        store.begin(taken, 0)
    store.engine.dispose()


def test_of_this_machine_the_kernel_is_asked_however_long_it_was_silent(
    tmp_path: Path, postgres_url: str
) -> None:
    store = Store.open(tmp_path, postgres_url)
    _owned(store, processes.me(), 10 * ownership.LEASE_SECONDS)
    assert _next(store) == "mine"
    store.engine.dispose()


def test_an_owner_says_that_it_lives_until_it_lets_go(tmp_path: Path, postgres_url: str) -> None:
    store, run = Store.open(tmp_path, postgres_url), ok_run()
    store.claim(run.head, "{}", KEY)

    def seen() -> float:
        return float(store.read(select(CLAIMS.c.seen))[0].seen)

    before = seen()
    beat = ownership.Beat(store.engine, run.head.run_id, every=0.02)
    for _ in range(5000):
        if seen() > before:
            break
        threading.Event().wait(0.02)
    assert seen() > before
    beat.stop()
    store.release(run.head.run_id)
    store.engine.dispose()


def test_a_beat_leaves_no_connection_open_when_its_store_is_let_go_of_meanwhile(
    tmp_path: Path, postgres_url: str
) -> None:
    store, run = Store.open(tmp_path, postgres_url), ok_run()
    store.claim(run.head, "{}", KEY)
    used: list[Any] = []
    said = threading.Event()

    def let_go(connection: Connection) -> None:
        used.append(connection.connection.dbapi_connection)
        store.engine.dispose()
        said.set()

    event.listen(store.engine, "commit", let_go)
    beat = ownership.Beat(store.engine, run.head.run_id, every=0.02)
    assert said.wait(120)
    beat.stop()
    for _ in range(5000):
        if all(each.closed for each in used):
            break
        threading.Event().wait(0.02)
    assert all(each.closed for each in used)
    event.remove(store.engine, "commit", let_go)
    store.release(run.head.run_id)
    store.engine.dispose()


def test_a_run_is_scored_again_where_only_the_database_is_known(
    toy_order: Callable[..., Order], tmp_path: Path, postgres_url: str
) -> None:
    here = Store.open(tmp_path / "one", postgres_url)
    done = runner.run(toy_order(COMPETENT), here)
    here.engine.dispose()
    there = Store.open(tmp_path / "another", postgres_url)
    before, after = rescore.rescore("last", there, _same)
    assert before.head == done.head
    assert before.score == after.score == done.score
    assert not (tmp_path / "another").exists()
    there.engine.dispose()


def test_answers_in_the_database_that_are_gone_or_damaged_are_noticed(
    tmp_path: Path, postgres_url: str
) -> None:
    store = Store.open(tmp_path, postgres_url)
    digest = store.keep_answers({"q": b"one"})
    assert store.keep_answers({"q": b"one"}) == digest
    assert store.answers(digest) == {"q": b"one"}
    store.write(lambda c: c.execute(update(ARTEFACTS).values(content=b"torn")))
    with pytest.raises(StoreError, match="damaged"):
        store.answers(digest)
    store.write(lambda c: c.execute(ARTEFACTS.delete()))
    with pytest.raises(StoreError, match="are gone"):
        store.answers(digest)
    store.engine.dispose()


def test_the_server_flushes_before_a_commit_is_acknowledged(
    tmp_path: Path, postgres_server: postgres.Server
) -> None:
    url = postgres_server.new()
    name = url.split("@/")[1].split("?")[0]
    postgres_server.do(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = Store.open(tmp_path, url)
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
        assert connection.exec_driver_sql("SHOW fsync").scalar() == "on"
    store.engine.dispose()


def test_a_server_that_cannot_be_used_is_one_sentence_without_the_password(
    tmp_path: Path, postgres_server: postgres.Server
) -> None:
    nobody = f"postgresql://harness:hunter2@/none?host={tmp_path}"
    absent = postgres_server.url("no_such_database").replace("harness@", "harness:hunter2@")
    for url, words in ((nobody, "whether the server runs"), (absent, "does not exist")):
        with pytest.raises(StoreError, match=words) as caught:
            Store.open(tmp_path, url)
        said = str(caught.value)
        assert "hunter2" not in said
        assert "***" in said
        assert "\n" not in said


def test_a_wrong_password_is_one_sentence_and_the_right_one_works(
    tmp_path: Path, postgres_server: postgres.Server
) -> None:
    postgres_server.do(f"CREATE ROLE {postgres.GUARDED} LOGIN SUPERUSER PASSWORD 's3cret of ours'")
    url = postgres_server.new().replace("harness@", f"{postgres.GUARDED}:WORD@")
    with pytest.raises(StoreError, match="password authentication failed") as caught:
        Store.open(tmp_path, url.replace("WORD", "hunter2"))
    assert "hunter2" not in str(caught.value)
    store = Store.open(tmp_path, url.replace("WORD", "s3cret%20of%20ours"))
    assert "s3cret" not in store.where
    store.keep_answers({"q": b"x"})


def test_a_connection_that_was_cut_between_two_results_is_made_again(
    tmp_path: Path, postgres_server: postgres.Server
) -> None:
    url = postgres_server.new()
    store, run = Store.open(tmp_path, url), ok_run()
    store.claim(run.head, "{}", KEY)
    name = url.split("@/")[1].split("?")[0]
    cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    for number in range(3):
        postgres_server.do(cut)
        store.begin(run.head.run_id, number)
        store.keep(run.head.run_id, number, [run.trials[0].model_copy(update={"number": number})])
    assert [trial.number for trial in store.trials(run.head.run_id)] == [0, 1, 2]
    store.release(run.head.run_id)


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/d", "not a url hunter2", "sqlite:///x", "postgresql://u:hunter2@h:port/d"]
)
def test_another_database_is_refused_without_the_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="HARNESS_DATABASE_URL") as caught:
        Store.open(tmp_path, url)
    assert "hunter2" not in str(caught.value)


def test_no_worker_is_told_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(connections.VARIABLE, "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("PGPASSFILE", "hunter2")
    given = environment(Launch(home=tmp_path, scratch=tmp_path, threads=1, device="cpu"))
    assert given
    assert not [name for name, value in given.items() if "hunter2" in value]
