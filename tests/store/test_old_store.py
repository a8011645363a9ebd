"""A store that version 0.1.0 left is opened, read, exported, scored again and added to by the harness of today.

What it holds and how it was made: fixtures/store-of-0.1.0/README.md.
"""

from __future__ import annotations

import csv
import json
import lzma
import secrets
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.inputs import tasks
from harness.observer import Silent
from harness.records import Run, Score
from harness.runs import rescore
from harness.runs.options import Options, order
from harness.runs.prepare import prepare
from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.cli.test_verbs import harness

OLD = Path(__file__).parent.parent / "fixtures" / "store-of-0.1.0"
PROFILE = OLD / "smallest.toml"
ROOT = Path(__file__).parent.parent.parent
# The runs that were asked for one by one; the assessment's is a third.
RUNS = {"gradients": "20261128-183924-affd3d", "optimizers": "20261128-184002-fa0244"}
ASSESSED = "20261128-184103-f1980b"
ASKS_OTHERS = "its task asks other questions now"


@pytest.fixture
def old(tmp_path: Path) -> Store:
    """A copy of it, where results are kept."""
    home = tmp_path / "home"
    shutil.copytree(OLD / "artefacts", home / "artefacts")
    (home / "results.sqlite").write_bytes(lzma.decompress((OLD / "results.sqlite.xz").read_bytes()))
    return Store.open(home)


def changed(task: str, before: str, after: str, root: Path) -> Path:
    """A folder of tasks, made under `root`, that holds `task` with one text of its task.toml replaced."""
    shutil.copytree(ROOT / "tasks" / task, root / task)
    shutil.copytree(ROOT / "reference_solutions" / task, root / task / "reference_solutions")
    shutil.copytree(ROOT / "tasks" / "common_cheats", root / "common_cheats")
    file = root / task / "task.toml"
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))
    return root


@cache
def id_now(task: str) -> str:
    """The id of the instance that today's task prepares for what its run was asked with."""
    return prepare(order(Options(task=task, profile=str(PROFILE), seed=0)), 0, Silent(), may_derive=False).id


def asks_the_same(run: Run) -> bool:
    """Whether today's task prepares the very instance that the run was measured on."""
    return {trial.instance_id for trial in run.trials} == {id_now(run.head.task)}


def test_it_is_as_it_was_left(old: Store) -> None:
    """An older schema, and a folder of tasks that is nowhere: or else the tests below would show little."""
    assert {run.head.harness_version for run in map(old.run, RUNS.values())} == {"0.1.0"}
    for task, run_id in RUNS.items():
        folder = Path(json.loads(old.call(run_id))["task_folder"])
        assert folder == Path("/srv/harness/tasks") / task
        assert not folder.exists()


def test_its_runs_are_listed_whole(old: Store) -> None:
    assert [head.run_id for head in old.heads()] == [*RUNS.values(), ASSESSED]
    for run in map(old.run, RUNS.values()):
        assert (run.trials[0].role, run.trials[0].outcome) == ("candidate", "ok")
        assert all(old.answers(trial.answers["archive"]) for trial in run.trials)
    scores = [run.score for run in map(old.run, RUNS.values())]
    assert [(s.outcome, s.tier, round(s.points_uncapped or 0)) for s in scores if s] == [
        ("inconclusive", "competent", 73), ("ok", "competent", 71),
    ]  # fmt: skip


@pytest.mark.parametrize("task", RUNS)
def test_its_runs_are_reported_in_every_form(old: Store, task: str) -> None:
    text, html, as_json = (
        harness("report", RUNS[task], "--format", form) for form in ("text", "html", "json")
    )
    assert (text.code, html.code, as_json.code) == (0, 0, 0), text.err + html.err + as_json.err
    title = tasks.find(task).definition.title
    run = old.run(RUNS[task])
    assert run.score is not None
    assert f"{run.score.points_uncapped:.0f} of 100 points" in text.out
    assert title in " ".join(text.out.split())
    assert html.out.startswith("<!doctype html>")
    assert title in html.out
    assert as_json.json["run_id"] == RUNS[task]
    assert as_json.json["points_uncapped"] == run.score.points_uncapped


def test_its_assessment_is_read(old: Store) -> None:
    board = harness("leaderboard", "two", "--format", "json")
    assert board.code == 0, board.err
    assert "ann" in board.out
    page = harness("report", "--candidate", "ann", "--suite", "two", "--format", "html")
    assert page.code == 0, page.err
    assert tasks.find("optimizers").definition.title in page.out


def test_it_is_exported(old: Store, tmp_path: Path) -> None:
    done = harness("export", "all", "--out", tmp_path / "sheets", "--format", "csv", "--raw")
    assert done.code == 0, done.err
    files = (tmp_path / "sheets").glob("*.csv")
    tables = {file.stem: list(csv.DictReader(file.read_text().splitlines())) for file in files}
    assert {row["run"] for row in tables["runs"]} == {*RUNS.values(), ASSESSED}
    timed = {RUNS["gradients"], ASSESSED}  # no request of optimizers is timed
    assert {row["run"] for row in tables["samples"]} == timed
    assert [(row["candidate"], row["task"]) for row in tables["cells"]] == [
        ("ann", "gradients"), ("ann", "optimizers"),
    ]  # fmt: skip


@pytest.mark.parametrize("task", RUNS)
def test_it_is_scored_again_or_says_that_the_task_asks_other_questions(old: Store, task: str) -> None:
    before = old.run(RUNS[task])
    done = harness("rescore", RUNS[task], "--json")
    after = old.run(RUNS[task])
    if not asks_the_same(before):
        assert done.code == 2
        assert ASKS_OTHERS in done.err
        assert after == before, "a run that cannot be scored again keeps its score"
        return
    assert before.score is not None
    assert after.score is not None
    assert done.code == {"ok": 0, "inconclusive": 3}[before.score.outcome], done.err
    assert done.json["points_before"] == before.score.points
    # The submission was the competent reference itself and stood in for that tier. It still does, though files of
    # the reference (of optimizers) were formatted since.
    assert near(comparable(after.score, before.score), comparable(before.score, before.score))
    ladders = [[rung.model_dump() for rung in run.ladder] for run in (after, before)]
    assert near(*ladders)


# What is read of a worker's start is taken over another set of workers since, and shown as what it was.
CHANGED = ("shim_seconds", "start_seconds", "beside_seconds")


def comparable(score: Score, before: Score) -> dict[str, Any]:
    """The score's record, without what is implied or read since, what is read otherwise, and its sentences."""
    found = score.model_dump()
    names = {c.name for c in before.constraints}
    found["constraints"] = [c for c in found["constraints"] if c["name"] in names]
    read = {m.name for m in before.measurements} - set(CHANGED)
    found["measurements"] = [m for m in found["measurements"] if m["name"] in read]
    del found["timing"]["words"], found["points_room"], found["points_repeat"]
    return found


def near(found: object, expected: object) -> bool:
    """Whether two records agree: numbers but for what another processor's linear algebra rounds otherwise."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return found.keys() == expected.keys() and all(near(found[key], expected[key]) for key in expected)
    if isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        return len(found) == len(expected) and all(map(near, found, expected))
    if isinstance(expected, float) and isinstance(found, float):
        return found == pytest.approx(expected, rel=1e-5, abs=1e-5)
    return found == expected


def test_numbers_that_differ_by_more_than_rounding_are_not_near() -> None:
    assert near({"a": [1.0, ("b", None)]}, {"a": [1.000001, ("b", None)]})
    for other in (
        {"a": [1.001, ("b", None)]},
        {"a": [1.0]},
        {"a": [1.0, ("c", None)]},
        {"b": [1.0]},
        {"a": 1.0},
    ):
        assert not near(other, {"a": [1.0, ("b", None)]})


def test_what_is_merely_absent_is_no_stand_in(old: Store) -> None:
    """A tier is only taken as the submission's own where the run was scored so when it was measured."""
    run = old.run(RUNS["optimizers"])
    assert rescore._stood_in(run)
    assert not rescore._stood_in(run.model_copy(update={"ladder": ()})), "it was never scored"
    other = run.assessed[-1].model_copy(update={"tier": "competent", "role": "reference"})
    assert not rescore._stood_in(run.model_copy(update={"assessed": (*run.assessed, other)}))


@pytest.mark.parametrize(
    ("task", "size", "larger"),
    [
        ("gradients", "rows = 8\nclasses = 16", "rows = 9\nclasses = 16"),
        ("optimizers", "budget = 30\n", "budget = 31\n"),
    ],
)
def test_a_task_that_asks_other_questions_is_never_scored_with_the_old_answers(
    old: Store, tmp_path: Path, task: str, size: str, larger: str
) -> None:
    before = old.run(RUNS[task])
    root = changed(task, size, larger, tmp_path / "changed")
    done = harness("rescore", RUNS[task], "--tasks", root)
    assert (done.code, done.out) == (2, "")
    assert f"run {RUNS[task]} cannot be scored again" in done.err
    assert ASKS_OTHERS in done.err
    assert old.run(RUNS[task]) == before


def test_a_task_with_another_threshold_scores_the_old_answers(old: Store, tmp_path: Path) -> None:
    """So that the test above shows what changed questions do, and not what any changed task does."""
    before = old.run(RUNS["gradients"])
    if not asks_the_same(before):
        pytest.skip("gradients asks other questions now than in version 0.1.0")
    root = changed(
        "gradients", "at_most = 3.0\nmargin = 0.10", "at_most = 0.1\nmargin = 0.10", tmp_path / "changed"
    )
    done = harness("rescore", RUNS["gradients"], "--tasks", root, "--json")
    assert done.code == 1, done.err
    after = old.run(RUNS["gradients"])
    assert after.score is not None
    assert after.score.outcome == "budget_exceeded"
    assert before.score is not None
    # Digits of errors near the rounding of float64 depend on the processor a little.
    assert after.score.points_uncapped == pytest.approx(before.score.points_uncapped, abs=0.01)


def test_its_suite_is_scored_anew_beside_what_it_holds(
    old: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program measured it, so its cell does not stand for one of today; the old run stays readable."""
    reference = ROOT / "reference_solutions" / "gradients" / "competent"
    shutil.copytree(reference, tmp_path / "hand-ins" / "ann" / "gradients")
    monkeypatch.chdir(OLD)  # the suite names its profile's file
    was = old.run(ASSESSED)
    (tmp_path / "seed").write_text(secrets.token_hex(16))
    refused = harness("score", "two.toml", tmp_path / "hand-ins", "--secret-seed-file", "seed.txt")
    assert (refused.code, "which can be guessed" in refused.err) == (2, True), "its secret was a phrase"
    done = harness(
        "score", "two.toml", tmp_path / "hand-ins", "--secret-seed-file", tmp_path / "seed", "--json"
    )
    assert done.code in (0, 3), done.err
    cells = {cell["task"]: cell for cell in json.loads(done.out)["cells"]}
    assert cells["optimizers"]["outcome"] == "not_attempted"
    assert cells["gradients"]["run_id"] not in ("", ASSESSED)
    assert old.run(ASSESSED) == was
    assert [head.run_id for head in old.heads()] == [*RUNS.values(), ASSESSED, cells["gradients"]["run_id"]]
    assert "ann" in {c.candidate for a in Ledger(old).assessments() for c in Ledger(old).sheet(a).cells}
