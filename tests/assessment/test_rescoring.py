"""An assessment scored again: what changed is kept beside what it was, and a second time changes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from harness.assessment import rescoring
from harness.assessment.rescoring import Change, reassess, reweighted
from harness.cli.rescoring import _finder
from harness.errors import TaskError, UsageError
from harness.inputs import tasks
from harness.reports.assessment.rescored import limits
from harness.runs import rescore, runner
from harness.runs.options import Options, order
from harness.sheets import Assessment, Cell, Cut, Suite, TaskInSuite, cell_of, not_attempted
from harness.store.ledger import KeptCell, Ledger
from harness.store.results import Store
from harness.store.schema import RUNS
from tests.cli.test_verbs import harness
from tests.conftest import TOYS
from tests.fixtures.reports import ok_run
from tests.fixtures.reports import score as scored
from tests.store.test_results import COMPETENT

SUITE = Suite(
    name="pairs",
    title="Pairs",
    tasks=(
        TaskInSuite(id="toy-squares", title="Squares"),
        TaskInSuite(id="other", title="Other", weight=2.0),
    ),
)
ASSESSMENT = Assessment(id="abc123", suite=SUITE, seed_id="s", begun_at="2026-01-01", harness_version="0")


@pytest.fixture
def ledger(tmp_path: Path, database: str) -> Generator[Ledger]:
    """Two candidates: one with a run and a task that was left out, one whose run was our fault."""
    store = Store.open(tmp_path / "home")
    found = Ledger(store)
    found.open(ASSESSMENT, ["ann", "ben"])
    done = runner.run(
        order(Options(task="toy-squares", folder=COMPETENT, tasks_root=TOYS, profile="ci-smoke")), store
    )
    found.keep("abc123", cell_of("ann", done), "u1")
    found.keep("abc123", not_attempted("ann", "other"), "u2")
    found.keep("abc123", Cell(candidate="ben", task="other", outcome="harness_error", run_id="gone"), "u3")
    yield found
    store.engine.dispose()


def _same(name: str, folder: Path) -> tasks.Task:
    return tasks.read(folder)


def test_what_a_threshold_changes_is_kept_beside_what_it_was(
    ledger: Ledger, changed_toy: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = changed_toy("at_most = 20.0", "at_most = 0.0001")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was launched")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    was = ledger.units("abc123")["ann", "toy-squares"].cell

    def strict(name: str, _: Path) -> tasks.Task:
        return tasks.read(root / name)

    done = reassess(ledger, ASSESSMENT, strict, by="eva", why="20 was too lax")
    (change,) = done.changes
    assert change.before == was
    assert change.after is not None
    assert (was.outcome, change.after.outcome) == ("ok", "budget_exceeded")
    assert was.points > change.after.points == 0.0
    assert done.left == 2
    assert ledger.units("abc123")["ann", "toy-squares"] == KeptCell("u1", change.after)
    (kept,) = ledger.history("abc123")
    assert (kept.cell, kept.by, kept.why) == (was, "eva", "20 was too lax")
    scored = ledger.store.run(was.run_id).score
    assert scored is not None
    assert scored.outcome == "budget_exceeded", "the run and its cell say the same"
    again = reassess(ledger, ASSESSMENT, strict, by="eva", why="once more")
    assert not again.changes[0].changed
    assert len(ledger.history("abc123")) == 1
    back = reassess(ledger, ASSESSMENT, _same, by="eva", why="back")
    assert back.changes[0].after == was, "the same thresholds give the same cell again"


def test_scoring_again_under_the_same_thresholds_changes_nothing(ledger: Ledger) -> None:
    before = ledger.sheet(ASSESSMENT)
    done = reassess(ledger, ASSESSMENT, _same, by="eva", why="to see")
    assert [change.changed for change in done.changes] == [False]
    assert ledger.sheet(ASSESSMENT) == before
    assert ledger.history("abc123") == []
    run_id = done.changes[0].before.run_id
    (row,) = ledger.store.read(RUNS.select().where(RUNS.c.run_id == run_id))
    assert json.loads(row.scored)["history"] == []


def test_weights_and_the_cut_are_taken_over_and_the_old_suite_stays(ledger: Ledger) -> None:
    cut = Cut(points=50.0, method="set by hand", set_by="eva")
    suite = reweighted(SUITE, {"other": 5.0}).model_copy(update={"cut": cut, "title": "another title"})
    done = reassess(ledger, ASSESSMENT, _same, suite=suite, by="eva", why="Other counts more")
    assert [task.weight for task in done.assessment.suite.tasks] == [1.0, 5.0]
    found = ledger.assessment("pairs")
    assert found == done.assessment
    assert (found.suite.cut, found.suite.title) == (cut, "Pairs")
    (amended,) = ledger.amendments("abc123")
    assert (amended.was, amended.by, amended.why) == (ASSESSMENT, "eva", "Other counts more")
    reassess(ledger, found, _same, suite=suite, by="eva", why="again")
    assert len(ledger.amendments("abc123")) == 1


def test_a_cell_that_cannot_be_scored_again_is_named_and_left(
    ledger: Ledger, changed_toy: Callable[[str, str], Path]
) -> None:
    root = changed_toy("n = 60", "n = 61")
    before = ledger.sheet(ASSESSMENT)
    done = reassess(ledger, ASSESSMENT, lambda name, _: tasks.read(root / name), by="", why="x")
    (change,) = done.changes
    assert "asks other questions now" in change.fault
    assert change.after is None
    assert ledger.sheet(ASSESSMENT) == before


def test_a_weight_of_a_task_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no task 'third'; its tasks are toy-squares, other"):
        reweighted(SUITE, {"third": 1.0})


def test_the_verb_shows_old_beside_new_and_the_history(ledger: Ledger) -> None:
    suite = ("rescore", "--suite", "pairs")
    for wrong, words in (
        (suite, "--suite needs --why TEXT"),
        (("rescore",), "give a RUN"),
        (("rescore", "last", "--suite", "pairs"), "not both"),
        ((*suite, "--why", "w", "--weight", "other=nan"), "a weight is above 0"),
    ):
        said = harness(*wrong)
        assert (said.code, words in said.err) == (2, True), said.err
    command = (*suite, "--why", "Other counts \x1b[31mmore", "--by", "eva", "--weight", "other=4")
    said = harness(*command)
    assert said.code == 0, said.err
    assert "The weight of other is 4; it was 2." in said.out
    assert "0 of 1 cells changed, 0 could not be scored again, 2 have nothing to score." in said.out
    said = harness(*suite, "--history")
    assert "eva: Other counts more" in said.out
    assert "weights toy-squares 1, other 2; cut none" in said.out
    found = harness(*command, "--json").json
    assert [(c["candidate"], c["changed"]) for c in found["cells"]] == [("ann", False)]
    assert found["suite_before"] == found["suite"]
    assert len(harness(*suite, "--history", "--json").json["assessments"]) == 1


def test_the_weights_that_the_suites_file_has_now_are_taken_over(ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "pairs.toml"
    tasks_now = (("toy-squares", 3.0), ("added-since", 9.0))
    file.write_text("".join(f'[[tasks]]\nid = "{name}"\nweight = {weight}\n' for name, weight in tasks_now))
    said = harness("rescore", "--suite", file, "--why", "Squares count more")
    assert said.code == 0, said.err
    assert "The weight of toy-squares is 3; it was 1." in said.out
    weights = {task.id: task.weight for task in ledger.assessment("pairs").suite.tasks}
    assert weights == {"toy-squares": 3.0, "other": 2.0}, "a task that was added since was measured by nobody"


def test_a_cell_is_changed_where_it_was_scored_again_and_differs() -> None:
    cell = not_attempted("ann", "other")
    assert not Change(before=cell, fault="gone").changed
    assert not Change(before=cell, after=cell).changed
    assert Change(before=cell, after=cell.model_copy(update={"points": 1.0})).changed


def test_of_several_tasks_that_are_not_there_the_first_of_the_alphabet_is_named() -> None:
    for name, others in (("a", "bcdefgh"), ("b", "cdefghi")):
        with pytest.raises(UsageError, match=f"no task '{name}'"):
            reweighted(SUITE, dict.fromkeys((*others[::-1], name, "other"), 1.0))
    assert [task.weight for task in reweighted(SUITE, {"other": 7.0}).tasks] == [1.0, 7.0]


def test_cells_are_scored_task_by_task_and_shown_as_the_table_has_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(store)
    ledger.open(ASSESSMENT, ["ben", "ann"])
    cells = [
        ("ben", "toy-squares"),
        ("ben", "other"),
        ("ann", "toy-squares"),
        ("ann", "other"),
        ("ann", "ended"),
    ]
    for alias, task in cells:
        run = ok_run()
        head = run.head.model_copy(update={"run_id": f"{alias} {task}", "task": task})
        run = run.model_copy(update={"head": head})
        store.claim(head, "{}")
        store.scored(run)
        ledger.keep("abc123", cell_of(alias, run), "unit")
    for alias, outcome, run_id in (
        ("x", "malformed", ""),
        ("y", "harness_error", "r"),
        ("z", "not_attempted", ""),
    ):
        ledger.keep("abc123", Cell(candidate=alias, task="other", outcome=outcome, run_id=run_id), "unit")  # type: ignore[arg-type]
    instances: list[tuple[str, int]] = []
    held: list[object] = []

    def again(run_id: str, store: Store, find: object, prepared: object) -> rescore.Rescored:
        held.append(prepared)  # or its id would be another's
        instances.append((run_id, len({id(one) for one in held})))
        old = store.run(run_id)
        new = old.model_copy(update={"score": scored(points=60.0)})
        return rescore.Rescored(old, new if run_id == "ann other" else old)

    monkeypatch.setattr(rescoring, "rescored", again)
    done = reassess(ledger, ASSESSMENT, _same, by="eva", why="to see")
    assert instances == [
        ("ann ended", 1),
        ("ann other", 2),
        ("ben other", 2),
        ("ann toy-squares", 3),
        ("ben toy-squares", 3),
    ]
    assert [(c.before.run_id, c.changed) for c in done.changes] == [
        ("ben toy-squares", False),
        ("ben other", False),
        ("ann toy-squares", False),
        ("ann other", True),
        ("ann ended", False),
    ]
    assert done.left == 3
    assert ledger.units("abc123")["ann", "other"].cell.points == 60.0
    assert [(old.cell.run_id, old.by, old.why) for old in ledger.history("abc123")] == [
        ("ann other", "eva", "to see")
    ]
    lengths = {row.run_id: len(json.loads(row.scored)["history"]) for row in store.read(RUNS.select())}
    assert lengths == {f"{a} {t}": (1 if (a, t) == ("ann", "other") else 0) for a, t in cells}


def test_limits_are_those_of_the_named_folder_else_of_what_is_installed_not_of_where_it_was_run_from(
    changed_toy: Callable[[str, str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = TOYS / "toy-squares"
    changed = changed_toy("at_most = 20.0", "at_most = 19.0")
    assert _finder(changed)("toy-squares", recorded).folder == changed / "toy-squares"
    old = tmp_path / "old" / "gradients"
    shutil.copytree(tasks.find("gradients").folder, old)
    assert _finder(None)("gradients", old).folder == tasks.find("gradients").folder
    assert capsys.readouterr().out == ""
    finder = _finder(None)
    assert finder("toy-squares", recorded).folder == finder("toy-squares", recorded).folder == recorded
    said = capsys.readouterr()
    assert (said.out + said.err).count("toy-squares is not installed: limits are read where it was run") == 1
    with pytest.raises(TaskError, match="there is no task 'toy-squares'"):
        _finder(None)("toy-squares", tmp_path / "gone")


def test_each_limit_that_moved_is_said_from_where_to_where(ledger: Ledger) -> None:
    was = ledger.units("abc123")["ann", "toy-squares"].cell
    first, *others = was.constraints
    moved = first.model_copy(update={"threshold": 19.0, "verdict": "fail"})
    now = was.model_copy(update={"constraints": (moved, *others[1:])})
    assert limits(was, now) == [
        "answer latency: limit at most 20 -> at most 19, pass -> fail",
        f"{others[0].name}: limit at most 1 -> none",
    ]
    assert limits(was, was) == []
