"""Ask and tell, a judge of the task's own, figures derived from costs, and mutants: one toy task has them all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.errors import SubmissionError
from harness.inputs.definition import Mutant
from harness.inputs.submissions import read, staged
from harness.instances import FromAnswers
from harness.observer import Silent
from harness.records import Assessed, ConstraintResult, Measurement, Score
from harness.reports.run import markdown
from harness.runs.check import check
from harness.runs.evaluate import assess
from harness.runs.mutants import placed
from harness.runs.options import Options, order
from harness.runs.order import in_one_pair
from harness.runs.prepare import prepare, round_of, setting_of
from harness.runs.prove import prove
from harness.trials.participant import Entry, Participant, Place
from harness.trials.round import RawTrial
from tests.conftest import TOYS

TASK = TOYS / "toy-dialogue"


def asked(folder: Path) -> Options:
    return Options(task=str(TASK), folder=folder, profile="ci-smoke", isolation="process")


def came(folder: Path) -> tuple[RawTrial, Assessed]:
    """The submission's own trial and what was found of it."""
    once = in_one_pair(order(asked(folder)))
    with setting_of(once) as setting:
        prepared = prepare(once, 0, Silent())
        (outcome,) = round_of(once, setting, prepared, Silent()).run([Entry(read(once.task.id, folder))])
    return outcome, assess(once.task, prepared.instance, outcome.trial, outcome.answers)


def test_each_turn_is_told_of_the_one_before() -> None:
    outcome, found = came(TASK / "reference_solutions" / "expert")
    assert found.outcome == "ok", found.reason
    steps = found.get("asked")
    assert steps is not None
    assert steps.value is not None
    assert 1 <= steps.value <= 11  # 2^10 > 1000: bisection cannot need more
    assert set(outcome.answers) >= {"guess-0", "guess-63", "note", "read"}


def test_what_is_told_is_part_of_the_identity_of_an_instance() -> None:
    first, other = (FromAnswers(key, lambda answers: 1) for key in ("a", "b"))
    assert repr(first) != repr(other)
    assert repr(first) == repr(FromAnswers("a", lambda answers: 2))


def test_the_judge_is_no_cost_of_the_submission() -> None:
    outcome, found = came(TASK / "reference_solutions" / "expert")
    assert {point.stage for point in outcome.trial.memory} == {"play"}
    assert sum(phase.group == "start" for phase in outcome.trial.phases) == 1
    assert found.get("judging_seconds") is not None


def test_a_fault_of_the_judge_is_ours() -> None:
    _, found = came(TASK / "cheats" / "crashes-the-judge")
    assert found.outcome == "harness_error"
    assert "judge" in found.reason


@pytest.mark.parametrize(
    ("folder", "missed"), [("cheats/wrong-note", True), ("reference_solutions/expert", False)]
)
def test_a_check_says_which_constraint_the_submission_fails_by_itself(folder: str, missed: bool) -> None:
    found = check(order(asked(TASK / folder)), Silent())
    assert found.passed != missed
    assert [problem.split(":")[0] for problem in found.problems] == ["the note tells the number"] * missed


def test_a_check_warns_of_a_size_by_what_it_may_be_here(tmp_path: Path) -> None:
    squares = TOYS / "toy-squares"
    task = tmp_path / "toy-squares"
    shutil.copytree(squares, task)
    said = (task / "task.toml").read_text()
    (task / "task.toml").write_text(
        said.replace('of = "room_bytes"\nat_most = 1.0', 'of = "room_bytes"\nat_most = 1e-9')
    )
    mine = squares / "reference_solutions" / "expert"
    found = check(
        order(Options(task=str(task), folder=mine, profile="ci-smoke", isolation="process")), Silent()
    )
    assert found.passed
    assert [warning.split(":")[0] for warning in found.warnings] == ["notes size"]


def test_a_task_derives_figures_and_curves_from_costs() -> None:
    _, found = came(TASK / "reference_solutions" / "expert")
    whole, each = found.get("guess_seconds"), found.get("turn_seconds")
    assert whole is not None
    assert each is not None
    assert whole.value is not None
    assert each.value == pytest.approx(whole.value / 64)
    assert [series.name for series in found.series] == ["seconds"]


@pytest.mark.slow
def test_the_toy_proves_itself_with_its_mutant() -> None:
    proof = prove(order(asked(TASK / "starter")), 3, Silent())
    assert [mutant.id for mutant in proof.mutants] == ["thirds"]
    assert proof.mutants[0].in_place, proof.mutants
    assert len(proof.mutants[0].points) == 3
    assert 1 <= sum(proof.mutants[0].points) / 3 <= 99
    assert not any("mutant" in reason for reason in proof.reasons), proof.reasons
    assert len(proof.ladder_seconds) == 3
    assert "## Mutants" in markdown.render_proof(proof)


def test_a_folder_beyond_the_tasks_limit_is_refused(tmp_path: Path) -> None:
    shutil.copytree(TASK / "reference_solutions" / "expert", tmp_path / "own")
    (tmp_path / "own" / "weights.bin").write_bytes(bytes(9 * 1024))
    with pytest.raises(
        SubmissionError, match=r"holds 10 KiB, and this task takes 8 KiB .*weights.bin, 9 KiB\)"
    ):
        came(tmp_path / "own")


def score(points: float) -> Score:
    return Score(
        outcome="ok",
        points=points,
        points_uncapped=points,
        tier="none",
        objective=Measurement(name="asked", unit="", direction="lower", value=1.0),
        constraints=(),
        measurements=(),
        reasons=(),
    )


@pytest.mark.parametrize(
    ("mutant", "points", "said"),
    [
        (Mutant(id="m", without="x", at_most=80), 90.0, "90.0 points"),
        (Mutant(id="m", without="x", at_most=80, at_least=50), 40.0, "40.0 points"),
        (Mutant(id="m", without="x", breaks="memory"), 40.0, "it breaks memory"),
    ],
)
def test_a_mutant_out_of_place_is_a_doubt(mutant: Mutant, points: float, said: str) -> None:
    found, doubts = placed([mutant], {"m": [score(points)]})
    assert not found[0].in_place
    assert said in doubts[0]


def broken(*names: str) -> Score:
    """A score whose constraint `memory` failed, if it is named, or passed."""
    verdict = ConstraintResult(
        name="memory",
        measure="peak_memory",
        unit="B",
        verdict="fail" if "memory" in names else "pass",
        value=2.0,
        low=2.0,
        high=2.0,
        threshold=1.0,
        bound="at_most",
        words="",
    )
    return score(90.0).model_copy(update={"constraints": (verdict,)})


def test_a_mutant_must_break_its_constraint_on_every_instance() -> None:
    mutant = Mutant(id="m", without="x", breaks="memory")
    always, doubts = placed([mutant], {"m": [broken("memory"), broken("memory")]})
    assert always[0].in_place
    assert not doubts
    once, doubts = placed([mutant], {"m": [broken("memory"), broken()]})
    assert not once[0].in_place
    assert "every instance" in doubts[0]


def test_mutants_must_be_declared_and_exist() -> None:
    declared = Mutant(id="gone", without="x", at_most=80)
    _, doubts = placed([declared], {"strange": [score(1.0)]})
    assert len(doubts) == 2
    assert "gone" in doubts[0]
    assert "strange" in doubts[1]


@pytest.mark.parametrize("wrong", [{}, {"at_most": 1.0, "breaks": "memory"}])
def test_a_mutant_says_one_thing(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Mutant.model_validate({"id": "m", "without": "x"} | wrong)


def test_what_an_interpreter_leaves_in_a_folder_is_not_what_was_handed_in(tmp_path: Path) -> None:
    # 6 KiB of source and as much again once compiled: over the limit of 8 KiB only if both counted.
    shutil.copytree(TASK / "reference_solutions" / "expert", tmp_path / "own")
    table = ",".join(str(number) for number in range(1000, 2000))
    (tmp_path / "own" / "table.py").write_text(f"TABLE = [{table}]\n")
    source = tmp_path / "own" / "solution.py"
    source.write_text("import table\n" + source.read_text())
    entry = Entry(read("toy-dialogue", tmp_path / "own"))
    once = in_one_pair(order(asked(tmp_path / "own")))
    with setting_of(once) as setting, staged(entry.submission) as copy:
        os.chmod(copy, 0o755)
        (copy / "__pycache__").mkdir()
        (copy / "__pycache__" / "table.pyc").write_bytes(bytes(6 * 1024))
        participant = Participant(entry=entry, copy=copy)
        participant.start(Place(setting=setting, models={}, seed=1, stage="play"))
        participant.close()
    assert participant.fault is None
