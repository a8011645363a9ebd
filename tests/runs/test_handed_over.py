"""A task's own code that falls over on what was handed over: whose fault it is, with references beside and without."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.inputs import tasks
from harness.observer import Silent
from harness.records import Run
from harness.runs import runner
from harness.runs.check import check
from harness.runs.options import Options, order
from harness.runs.prove import prove
from harness.runs.rescore import rescored
from harness.store.results import Store
from harness.trials.round import Round
from tests.conftest import TOYS

TASK = TOYS / "toy-dialogue"
STRANGE = "raise ArithmeticError('what a number')"
FALLS_OVER = f"    if 7 in said:\n        {STRANGE}\n"


@pytest.fixture
def dialogue(tmp_path: Path) -> Path:
    """A copy of the toy task, with a quarter of its turns."""
    folder = shutil.copytree(TASK, tmp_path / "toy-dialogue")
    text = (folder / "task.toml").read_text()
    (folder / "task.toml").write_text(
        text.replace("turns = 64", "turns = 16").replace("turns = 70", "turns = 16")
    )
    return folder


def change(task: Path, before: str, more: str) -> None:
    file = task / "task.py"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, more + before))


def guesses_seven(task: Path) -> Path:
    """The expert, which guesses 7 in the last turn."""
    folder = task / "cheats" / "seven"
    shutil.copytree(task / "reference_solutions" / "expert", folder)
    file = folder / "solution.py"
    text = file.read_text().replace("return np.array([self.last]", "return np.array([self.first(self.last)]")
    file.write_text(
        text
        + "\n    def first(self, guess):\n        self.begun = getattr(self, 'begun', -1) + 1\n"
        + "        return 7 if self.begun == 15 else guess\n"
    )
    return folder


def ran(task: Path, folder: Path, store: Store) -> Run:
    return runner.run(
        order(Options(task=str(task), folder=folder, profile="ci-smoke", isolation="process", trials=1)),
        store,
    )


def outcome(run: Run) -> tuple[str, str]:
    assert run.score is not None
    return run.score.outcome, " ".join(run.score.reasons)


def test_an_evaluation_that_takes_a_references_answers_and_not_the_candidates_is_the_candidates_fault(
    dialogue: Path, store: Store
) -> None:
    change(dialogue, "    asked, right =", FALLS_OVER)
    folder = guesses_seven(dialogue)
    first = ran(dialogue, folder, store)
    assert outcome(first)[0] == "malformed"
    assert "ArithmeticError: what a number" in outcome(first)[1]
    assert first.score is not None
    assert first.score.points == 0.0
    # The references are remembered now: their answers are read again from where they are kept.
    shutil.copytree(folder, dialogue / "cheats" / "again")
    (dialogue / "cheats" / "again" / "more.py").write_text("")
    again = ran(dialogue, dialogue / "cheats" / "again", store)
    assert [trial.role for trial in again.trials] == ["candidate"]
    assert outcome(again)[0] == "malformed"
    assert rescored(again.head.run_id, store, lambda *_: tasks.read(dialogue)).new.score == again.score


def test_an_evaluation_that_falls_over_on_a_reference_too_is_our_fault(dialogue: Path, store: Store) -> None:
    change(dialogue, "    asked, right =", f"    {STRANGE}\n")
    run = ran(dialogue, guesses_seven(dialogue), store)
    assert outcome(run)[0] == "harness_error"
    assert run.score is not None
    assert run.score.points_uncapped is None


@pytest.mark.slow
def test_with_no_answers_of_a_reference_left_nothing_is_said_against_the_candidate(
    dialogue: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(dialogue, "    asked, right =", FALLS_OVER)
    ran(dialogue, dialogue / "reference_solutions" / "expert", store)
    monkeypatch.setattr(runner, "kept_trial", lambda *_: None)
    assert outcome(ran(dialogue, guesses_seven(dialogue), store))[0] == "harness_error"


@pytest.mark.slow
def test_numbers_that_are_none_are_an_evaluation_that_fell_over(dialogue: Path, store: Store) -> None:
    change(dialogue, "    asked, right =", "    number = float('nan') if 7 in said else number\n")
    text = (dialogue / "task.py").read_text()
    (dialogue / "task.py").write_text(text.replace("value=asked", "value=asked + 0 * number"))
    run = ran(dialogue, guesses_seven(dialogue), store)
    assert outcome(run)[0] == "malformed"


def test_a_judge_takes_a_remembered_references_hand_over_before_it_blames_the_candidate(
    store: Store, monkeypatch: pytest.MonkeyPatch, dialogue: Path
) -> None:
    crashes = dialogue / "cheats" / "crashes-the-judge"
    ran(dialogue, dialogue / "reference_solutions" / "expert", store)
    run = ran(dialogue, crashes, store)
    assert [trial.role for trial in run.trials] == ["candidate"]
    assert outcome(run)[0] == "malformed"
    # Where the judge falls over on that one too, it is the judge.
    (crashes / "more.py").write_text("")
    monkeypatch.setattr(Round, "_takes", lambda *_: False)
    assert outcome(ran(dialogue, crashes, store))[0] == "harness_error"


@pytest.mark.slow
def test_a_judge_that_takes_nothing_is_ours_with_remembered_references_too(
    store: Store, dialogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(dialogue, dialogue / "reference_solutions" / "expert", store)
    real = Round._takes
    asked: list[bool] = []

    def broken(self: Round, *given: object) -> bool:
        for judge in (one for one in given if isinstance(one, Path)):
            (judge / "solution.py").write_text("raise RuntimeError('gone')")
        asked.append(real(self, *given))  # type: ignore[arg-type]
        return asked[-1]

    monkeypatch.setattr(Round, "_takes", broken)
    assert outcome(ran(dialogue, dialogue / "cheats" / "crashes-the-judge", store))[0] == "harness_error"
    assert asked == [False]


def test_what_the_parent_computes_from_answers_is_a_judge_as_well(dialogue: Path, store: Store) -> None:
    falls_over = f"        if answers[f'guess-{{turn - 1}}'][0] == 7:\n            {STRANGE}\n"
    change(dialogue, "        return np.sign(", falls_over)
    folder = guesses_seven(dialogue)
    file = folder / "solution.py"
    file.write_text(file.read_text().replace("self.begun == 15", "self.begun == 3"))
    found = outcome(ran(dialogue, folder, store))
    assert found[0] == "malformed"
    assert "ArithmeticError: what a number" in found[1]


@pytest.mark.slow
def test_a_check_says_it_in_one_sentence_and_a_proof_counts_such_a_cheat_as_malformed(dialogue: Path) -> None:
    change(dialogue, "    asked, right =", FALLS_OVER)
    asked = Options(
        task=str(dialogue), folder=guesses_seven(dialogue), profile="ci-smoke", isolation="process"
    )
    proof = prove(order(asked), 1, Silent())
    assert {cheat.id: cheat.outcome for cheat in proof.cheats}["seven"] == "malformed"
    change(dialogue, "    asked, right =", f"    {STRANGE}\n")
    found = check(order(asked), Silent())
    assert not found.passed
    assert "ArithmeticError: what a number" in found.problems[0]
    assert len(found.problems[0].splitlines()) == 1
