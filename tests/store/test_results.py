"""Results: raw before scored, scored again from raw, whole or absent, and two writers at once."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError, UsageError
from harness.inputs import tasks
from harness.records import Run
from harness.runs import rescore, runner
from harness.runs.options import Options, order
from harness.store import blobs, durable
from harness.store.results import Store
from harness.store.schema import META, RUNS
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
    for table in ("alembic_version", "amended_assessments", "artefacts"):
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


def test_room_that_is_just_enough_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(durable.shutil, "disk_usage", lambda folder: usage._replace(free=2**20))
    durable.require_room(tmp_path, 2**20, "results")
    with pytest.raises(StoreError, match="has 1 MiB free"):
        durable.require_room(tmp_path, 2**20 + 1, "results")


def test_ballast_of_another_size_is_laid_anew_and_dropped_once(tmp_path: Path) -> None:
    for size in (100, 50, 50):
        durable.set_ballast(tmp_path, size)
        assert (tmp_path / "ballast").read_bytes() == bytes(size)
    assert durable.drop_ballast(tmp_path)
    assert not durable.drop_ballast(tmp_path)


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
