"""Results: raw before scored, scored again from raw, whole or absent, and two writers at once."""

from __future__ import annotations

import errno
import gc
import json
import shutil
import sqlite3
import subprocess
import sys
import weakref
import zlib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from harness.errors import StoreError, UsageError
from harness.inputs import tasks
from harness.records import Run
from harness.runs import rescore, runner
from harness.runs.options import Options, order
from harness.runs.order import Order, read_call, stored_call
from harness.store import blobs, connections, durable, ownership, results
from harness.store.results import Store
from harness.store.schema import INSTANCES, META, RUNS
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run

COMPETENT = TOYS / "toy-squares" / "reference_solutions" / "competent"


class Crash(BaseException):
    """The power cut."""


def _same(name: str, folder: Path) -> tasks.Task:
    return tasks.read(folder)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one run that crashed before it was scored, and one whole run."""
    home = tmp_path_factory.mktemp("kept")
    asked = order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner.grade, "grade", _crash)
        with pytest.raises(Crash):
            runner.run(asked, Store.open(home))
    runner.run(replace(asked, anew=True), Store.open(home))
    return home


def older(raw: sqlite3.Connection) -> None:
    """Makes the tables what they were before there were revisions of them."""
    for row in raw.execute("SELECT run_id, key, packed FROM trials").fetchall():
        plain = zlib.decompress(row[2]).decode()
        raw.execute("UPDATE trials SET trial = ? WHERE run_id = ? AND key = ?", [plain, *row[:2]])
    raw.execute("ALTER TABLE trials DROP COLUMN packed")
    raw.execute("ALTER TABLE claims DROP COLUMN seen")
    for table in ("alembic_version", "amended_assessments", "artefacts", "compared"):
        raw.execute(f"DROP TABLE {table}")


def _crash(*_: object) -> None:
    raise Crash


@pytest.fixture
def copy(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str) -> Store:
    """A copy of that home, or of all that it holds on a server, in a process that can start no other."""
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    if database == "sqlite":
        shutil.copytree(kept, tmp_path / "copy")
    found = Store.open(tmp_path / "copy")
    if database == "postgres":
        source = Store.open(kept, "")
        for table in META.sorted_tables:
            if rows := [row._asdict() for row in source.read(table.select())]:
                found.write(lambda c, table=table, rows=rows: c.execute(table.insert(), rows))
        for file in (path for path in kept.glob("artefacts/*/*") if path.is_file()):
            assert found.blobs.keep(file.read_bytes()) == file.name
    return found


@pytest.fixture
def copy_of_files(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of that home."""
    monkeypatch.setattr(subprocess, "Popen", _refuse)
    shutil.copytree(kept, tmp_path / "copy")
    return Store.open(tmp_path / "copy")


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("something was launched")


def _ids(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        rows = connection.execute(RUNS.select().order_by(RUNS.c.started_at))
        return [row.run_id for row in rows]


def test_raw_trials_are_kept_before_anything_is_scored(copy: Store) -> None:
    crashed, _ = _ids(copy)
    found = copy.run(crashed)
    assert found.score is None
    assert found.assessed == ()
    assert [(t.role, t.label, t.outcome) for t in found.trials] == [
        ("candidate", "competent", "ok"),
        ("reference", "baseline", "ok"),
        ("reference", "competent", "ok"),
        ("reference", "expert", "ok"),
    ]
    assert all(t.samples and t.memory for t in found.trials)
    for trial in found.trials:
        assert set(copy.answers(trial.answers["archive"])) == {"learn", *(f"q{i}" for i in range(12))}


def test_a_run_that_crashed_before_it_was_scored_can_be_scored(copy: Store) -> None:
    crashed, _ = _ids(copy)
    before, after = rescore.rescore(crashed, copy, _same)
    assert before.score is None
    assert after.score is not None
    assert after.score.outcome == "ok"
    assert after.score.tier == "competent"
    assert copy.run(crashed).score == after.score


def test_scoring_again_gives_the_same_score_and_launches_nothing(copy: Store) -> None:
    _, whole = _ids(copy)
    before, after = rescore.rescore(whole, copy, _same)
    assert before.score is not None
    assert after.score == before.score
    assert after.ladder == before.ladder
    assert [rung.reused_from != "" for rung in after.ladder] == [True, False, True]


def test_references_that_were_remembered_are_found_again_after_a_crash(copy_of_files: Store) -> None:
    """Of a store that did not keep them with the instance yet."""
    _, whole = _ids(copy_of_files)
    wanted = copy_of_files.run(whole).score
    with sqlite3.connect(copy_of_files.folder / "results.sqlite") as raw:
        raw.execute("UPDATE runs SET scored = NULL, state = 'measured' WHERE run_id = ?", [whole])
        raw.execute("DROP TABLE instances")
        older(raw)
    raw.close()
    _, after = rescore.rescore(whole, Store.open(copy_of_files.folder), _same)
    assert after.score == wanted


def test_a_changed_threshold_changes_the_verdict(
    copy: Store, changed_toy: Callable[[str, str], Path]
) -> None:
    _, whole = _ids(copy)
    root = changed_toy("at_most = 20.0", "at_most = 0.0001")
    before, after = rescore.rescore(whole, copy, lambda name, _: tasks.read(root / name))
    assert before.score is not None
    assert after.score is not None
    assert (before.score.outcome, after.score.outcome) == ("ok", "budget_exceeded")
    assert after.score.points == 0.0
    assert after.score.points_uncapped == before.score.points_uncapped
    assert after.score.constraints[0].value == before.score.constraints[0].value


def test_a_run_is_not_scored_against_other_questions(
    copy: Store, changed_toy: Callable[[str, str], Path]
) -> None:
    _, whole = _ids(copy)
    root = changed_toy("n = 60", "n = 61")
    with pytest.raises(UsageError, match="asks other questions now"):
        rescore.rescore(whole, copy, lambda name, _: tasks.read(root / name))
    task = root / "toy-squares" / "task.py"
    changed_toy("n = 61", "n = 60")
    task.write_text(task.read_text().replace("integers(0, 10_000", "integers(1, 10_000"))
    with pytest.raises(UsageError, match="asks other questions now"):
        rescore.rescore(whole, copy, lambda name, _: tasks.read(root / name))


def test_earlier_scores_stay_in_the_history(copy: Store) -> None:
    _, whole = _ids(copy)
    rescore.rescore(whole, copy, _same)
    rescore.rescore(whole, copy, _same)
    (row,) = copy.read(RUNS.select().where(RUNS.c.run_id == whole))
    assert row.scored.count('"history"') == 1
    assert len(json.loads(row.scored)["history"]) == 2


def test_the_history_is_in_the_order_of_its_scores(store: Store) -> None:
    run = ok_run()
    store.claim(run.head, "{}")
    for seconds in (1.0, 2.0, 3.0, 4.0):
        store.scored(run.model_copy(update={"wall_seconds": seconds}))
    (row,) = store.read(RUNS.select())
    kept = json.loads(row.scored)
    assert [one["wall_seconds"] for one in kept["history"]] == [1.0, 2.0, 3.0]
    assert kept["run"]["wall_seconds"] == store.run("last").wall_seconds == 4.0


def test_the_trials_of_one_instance_leave_those_of_another_alone(store: Store) -> None:
    run = ok_run()
    store.claim(run.head, "{}")
    for number in (10, 11, 1, 1):
        store.keep(run.head.run_id, number, [run.trials[0].model_copy(update={"number": number})])
    assert [trial.number for trial in store.trials(run.head.run_id)] == [1, 10, 11]
    assert [trial.number for trial in store.trials(run.head.run_id, 10)] == [10]


def test_a_damaged_or_missing_artefact_is_noticed(copy_of_files: Store) -> None:
    crashed, _ = _ids(copy_of_files)
    digest = copy_of_files.run(crashed).trials[0].answers["archive"]
    (file,) = copy_of_files.folder.glob(f"artefacts/*/{digest}")
    good = file.read_bytes()
    for bad in (good[:-1], good + b"x", bytes([good[0] ^ 1]) + good[1:], b""):
        file.write_bytes(bad)
        with pytest.raises(StoreError, match="are damaged"):
            copy_of_files.answers(digest)
        with pytest.raises(StoreError, match="are damaged"):
            rescore.rescore(crashed, copy_of_files, _same)
    file.unlink()
    with pytest.raises(StoreError, match="are gone"):
        copy_of_files.answers(digest)


def test_runs_are_found_by_the_beginning_of_their_name_or_last(copy: Store) -> None:
    first, second = _ids(copy)
    assert copy.run("last").head.run_id == second
    assert copy.run(first).head.run_id == first
    with pytest.raises(UsageError, match="2 runs start with '20'"):
        copy.run("20")
    for nobody in ("nobody", "%", "_", "2_"):
        with pytest.raises(UsageError, match="there is no run"):
            copy.run(nobody)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
        st.one_of(
            st.binary(max_size=40),
            st.lists(st.floats(width=32), max_size=6).map(lambda v: np.array(v, "float32")),
            st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2), min_size=1, max_size=3).map(
                np.array
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_answers_come_back_as_they_were(answers: dict[str, Any]) -> None:
    found = blobs.unpacked(blobs.packed(answers))
    assert list(found) == list(answers)
    for item, answer in answers.items():
        if isinstance(answer, bytes):
            assert found[item] == answer
        else:
            returned = np.asarray(found[item])
            assert returned.dtype == answer.dtype
            assert np.array_equal(returned, answer, equal_nan=answer.dtype.kind == "f")


def test_the_database_is_durable(store: Store) -> None:
    with store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_a_trial_written_twice_is_kept_once(store: Store) -> None:
    run = ok_run()
    store.claim(run.head, "{}")
    trial = run.trials[0]
    other = trial.model_copy(update={"label": "another"})
    store.keep(run.head.run_id, 1, [trial, other])
    store.keep(run.head.run_id, 1, [trial.model_copy(update={"reason": "the second"})])
    assert [t.reason for t in store.run(run.head.run_id).trials] == ["the second"]


WRITER = """
import sys
from pathlib import Path
from harness.records import Run
from harness.store.results import Store

store = Store.open(Path(sys.argv[1]))
run = Run.model_validate_json(sys.stdin.read())
head = run.head.model_copy(update={"run_id": sys.argv[2]})
store.claim(head, "{}")
for number in range(40):
    store.begin(head.run_id, number)
    store.keep(head.run_id, number, [run.trials[0].model_copy(update={"number": number})])
    store.keep_answers({"same": b"for both", "number": bytes([number])})
"""


def test_processes_that_open_and_write_a_new_store_at_once_lose_nothing(tmp_path: Path) -> None:
    names, run = ("one", "two", "three"), ok_run()
    command = [sys.executable, "-c", WRITER, str(tmp_path / "new")]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in names
    ]
    said = [writer.communicate(run.model_dump_json())[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    store = Store.open(tmp_path / "new")
    for name in names:
        assert [t.number for t in store.trials(name)] == list(range(40))
        assert all(store.known(name, number) is not None for number in range(40))
    assert len([f for f in store.folder.glob("artefacts/*/*") if f.is_file()]) == 40


def _fill(store: Store, run: Run) -> None:
    rng = np.random.default_rng(1)
    for number in range(9):
        log = rng.bytes(400_000).hex()  # of which half is left when it is compressed
        big = run.trials[0].model_copy(update={"log_head": log, "number": 100 + number})
        store.keep(run.head.run_id, 100 + number, [big])


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("only a privileged user can make a small disk; the test after this one needs none")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_a_clear_fault_and_what_was_written_stays(small_disk: Path) -> None:
    store, run = Store.open(small_disk / "home"), ok_run()
    store.claim(run.head, "{}")
    store.keep(run.head.run_id, 1, [run.trials[0]])
    with pytest.raises(StoreError, match="could not be written"):
        _fill(store, run)
    rng = np.random.default_rng(0)
    with pytest.raises(StoreError, match="answers could not be written"):
        store.keep_answers({"q": rng.bytes(2**20)})
    assert not list(store.folder.glob("artefacts/*/.part-*"))
    assert run.trials[0] in store.run(run.head.run_id).trials


def test_a_write_that_fails_halfway_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    file = tmp_path / "artefact"
    durable.write_durably(file, b"first")
    monkeypatch.setattr(durable, "flush", full)
    with pytest.raises(OSError, match="No space left"):
        durable.write_durably(file, b"second")
    assert [p.name for p in tmp_path.iterdir()] == ["artefact"]
    assert file.read_bytes() == b"first"
    with pytest.raises(StoreError, match="No space left on device; free some space"):
        Store.open(tmp_path / "home").keep_answers({"q": b"x"})


def test_a_home_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="set HARNESS_HOME to a local folder"):
        Store.open(tmp_path / "file" / "home")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "results.sqlite").write_text("this is no database, but it is long enough " * 9)
    with pytest.raises(StoreError, match="results cannot be kept"):
        Store.open(tmp_path / "home")


KEY = "asked the same"


def another(run: Run, name: str) -> Run:
    return run.model_copy(update={"head": run.head.model_copy(update={"run_id": name})})


def test_the_same_command_goes_on_with_what_was_cut_short_unless_it_is_to_begin_anew(store: Store) -> None:
    one, two, three = (another(ok_run(), name) for name in ("one", "two", "three"))
    assert store.claim(one.head, "{}", KEY) == one.head
    store.release("one")
    assert store.claim(two.head, "{}", KEY, anew=True) == two.head
    store.release("two")
    assert store.claim(three.head, "{}", KEY).run_id == "two"
    assert store.claim(three.head, "{}") == three.head, "a run without a key is nobody's"
    assert [head.run_id for head in store.heads({"one", "three", "four"})] == ["one", "three"]


def test_who_is_too_late_to_take_a_run_up_begins_one_of_his_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (another(ok_run(), name) for name in ("one", "two"))
    store.claim(one.head, "{}", KEY)
    store.release("one")
    monkeypatch.setattr(ownership, "taken_up", lambda *_: None)
    assert store.claim(two.head, "{}", KEY) == two.head


def test_of_a_key_the_newest_run_whose_score_is_final_counts(store: Store) -> None:
    one, two, three = (another(ok_run(), name) for name in ("one", "two", "three"))
    assert store.concluded(KEY) is None
    for run, final in ((one, True), (two, True), (three, False)):
        store.claim(run.head, "{}", KEY, anew=True)
        store.keep(run.head.run_id, 0, [run.trials[0].model_copy(update={"number": 0})])
        store.scored(run, final)
        store.release(run.head.run_id)
    concluded = store.concluded(KEY)
    assert concluded is not None
    assert (concluded.head, concluded.score) == (two.head, two.score)
    assert store.concluded("another") is None


def test_an_instance_that_is_begun_again_has_nothing_of_before(store: Store) -> None:
    run = ok_run()
    store.claim(run.head, "{}")
    references = (run.assessed[1], run.assessed[2])
    store.keep(run.head.run_id, 3, [run.trials[0]], references, 12.5)
    assert store.known(run.head.run_id, 3) == results.KnownInstance(references, 12.5)
    assert store.known(run.head.run_id, 4) is None
    store.begin(run.head.run_id, 3)
    assert store.known(run.head.run_id, 3) is None
    (row,) = store.read(select(INSTANCES))
    assert row == (run.head.run_id, 3, "claimed", "[]", 0.0)


def test_a_quality_is_remembered_by_its_key_and_the_last_one_counts(store: Store) -> None:
    first, second, third = ok_run().assessed[1:4]
    store.keep_quality("a", "run-1", first)
    store.keep_quality("b", "run-1", second)
    store.keep_quality("a", "run-2", third)
    assert store.quality("a") == third.model_copy(update={"reused_from": "run-2"})
    assert store.quality("b") == second.model_copy(update={"reused_from": "run-1"})
    assert store.quality("c") is None


@pytest.fixture
def full(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says whether the disk is full; there is ballast on it."""
    store.make_room(0)
    usage = shutil.disk_usage(store.folder)

    def say(is_full: bool) -> None:
        free = 2**20 - 1 if is_full else 2**20
        monkeypatch.setattr(results.shutil, "disk_usage", lambda folder: usage._replace(free=free))

    return say


class Failing:
    """Work that the database refuses a first time."""

    def __init__(self, words: str) -> None:
        self.words, self.calls = words, 0

    def __call__(self, *_: object) -> str:
        self.calls += 1
        if self.calls == 1:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError(self.words))
        return "done"


def test_a_full_disk_gets_its_ballast_back_and_what_was_refused_is_written(
    store: Store, full: Callable[[bool], None]
) -> None:
    full(True)
    work = Failing("database or disk is full")
    assert store.write(work) == "done"
    assert work.calls == 2
    assert not (store.folder / "ballast").exists()
    with pytest.raises(StoreError, match="disk is full; free some space and run again"):
        store.write(Failing("database or disk is full"))


def test_on_a_disk_with_room_what_was_refused_is_not_tried_again(
    store: Store, full: Callable[[bool], None]
) -> None:
    full(False)
    work, pool = Failing("disk I/O error"), store.engine.pool
    with pytest.raises(StoreError, match=r"could not be written to .*: disk I/O error; the disk or its file"):
        store.write(work)
    assert work.calls == 1
    assert (store.folder / "ballast").exists()
    assert store.engine.pool is not pool, "the next connection sees what the disk holds"


@pytest.mark.parametrize("is_full", [True, False])
def test_answers_are_written_again_where_the_ballast_makes_room(
    store: Store, full: Callable[[bool], None], is_full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(is_full)
    keep, calls = store.blobs.keep, list[bytes]()

    def refuse(content: bytes) -> str:
        calls.append(content)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return keep(content)

    monkeypatch.setattr(store.blobs, "keep", refuse)
    if is_full:
        assert store.answers(store.keep_answers({"q": b"x"})) == {"q": b"x"}
    else:
        with pytest.raises(StoreError, match="answers could not be written"):
            store.keep_answers({"q": b"x"})
    assert len(calls) == (2 if is_full else 1)


@pytest.mark.parametrize("is_full", [True, False])
def test_a_store_on_a_full_disk_is_opened_by_its_ballast(
    store: Store, full: Callable[[bool], None], is_full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(is_full)
    opening = Failing("database or disk is full")
    monkeypatch.setattr(results, "bring_up", opening)
    if is_full:
        Store.open(store.folder)
    else:
        with pytest.raises(StoreError, match="results cannot be kept in"):
            Store.open(store.folder)
    assert opening.calls == (2 if is_full else 1)


def test_a_disk_that_takes_no_ballast_is_one_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(folder: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(results, "set_ballast", read_only)
    with pytest.raises(StoreError, match="cannot be written: Read-only file system; the disk or its file"):
        store.make_room(0)


def on_a_server(store: Store, engine: Engine | SimpleNamespace | None = None, password: str = "") -> Store:
    """The store as if its database lay on a server."""
    word = f":{password}" if password else ""
    server = connections.address(f"postgresql://ann{word}@host/results")
    return Store(store.folder, engine or store.engine, store.blobs, server)  # type: ignore[arg-type]


@pytest.mark.parametrize(("password", "words"), [("hunter2", "None as \\*\\*\\* "), ("", "None as hunter2 ")])
def test_a_server_that_refuses_is_quoted_without_the_password(
    store: Store, full: Callable[[bool], None], password: str, words: str
) -> None:
    def refuse() -> None:
        raise SQLAlchemyError("(psycopg.OperationalError) None as hunter2 of the roles\nand more")

    full(True)
    shared = on_a_server(store, SimpleNamespace(begin=refuse, dispose=lambda: None), password)
    with pytest.raises(StoreError, match=f": {words}of the roles; look whether the server runs and has room"):
        shared.write(lambda connection: None)
    assert (store.folder / "ballast").exists(), "the server's disk is another one"
    assert shared.where == f"postgresql+psycopg://ann{':***' if password else ''}@host/results"


def test_a_server_is_told_that_an_owner_lives_until_it_lets_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[str] = []

    def beat(engine: object, run_id: str) -> SimpleNamespace:
        beats.append(f"{run_id} lives")
        return SimpleNamespace(stop=lambda: beats.append(f"{run_id} is let go"))

    monkeypatch.setattr(ownership, "Beat", beat)
    run, shared = ok_run(), on_a_server(store)
    shared.claim(run.head, "{}")
    assert beats == [f"{run.head.run_id} lives"]
    for _ in range(2):
        shared.release(run.head.run_id)
    assert beats == [f"{run.head.run_id} lives", f"{run.head.run_id} is let go"]
    store.claim(another(run, "here").head, "{}")
    assert len(beats) == 2, "one machine alone needs none"


def test_a_store_that_is_let_go_of_closes_its_connections_to_the_server(store: Store) -> None:
    closed: list[str] = []
    shared = on_a_server(store, SimpleNamespace(dispose=lambda: closed.append("closed")))
    gone = weakref.ref(shared)
    del shared
    gc.collect()
    assert (gone(), closed) == (None, ["closed"])


def test_last_is_no_run_that_verify_made_where_there_is_another(
    store: Store, toy_order: Callable[..., Order]
) -> None:
    mine = toy_order(COMPETENT)
    again = stored_call(replace(mine, purpose="verify")).model_dump_json()
    run = ok_run()
    for name, at, call in (
        ("b", "2026-02-02", again),
        ("a", "2026-02-01", stored_call(mine).model_dump_json()),
    ):
        head = run.head.model_copy(update={"run_id": name, "started_at": at})
        store.claim(head, call, name)
        assert store.run("last").head.run_id == name, "verify's alone is better than none"
    assert store.run("b").head.started_at == "2026-02-02"
    assert read_call(again).purpose == "verify"
