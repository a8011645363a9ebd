"""Whether references stand apart on an evaluator's data: asked once, kept, counted with the run's own instances."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.output import to_json
from harness.inputs.tasks import find
from harness.observer import Silent
from harness.records import Run, Source
from harness.reports.run import text
from harness.reports.run.summary import summary
from harness.runs import ladders, rescore, runner
from harness.runs.options import Options, order
from harness.runs.prepare import Prepared
from harness.runs.prepare import prepare as real
from harness.store.results import Store
from tests.conftest import TOYS

OWN = Source(role="data", kind="local", name="tickets", digest="d1", size_bytes=1)


class Notes(Silent):
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture
def climbs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The instances on which it was asked, while every task seems to read data of the evaluator's own."""
    numbers: list[int] = []
    climb: Callable[..., ladders.Ladder] = ladders.climb

    def own(*given: object, **more: object) -> Prepared:
        return replace(real(*given, **more), sources=(OWN,))  # type: ignore[arg-type]

    def counted(order_: object, setting: object, prepared: Prepared, observer: object) -> ladders.Ladder:
        numbers.append(prepared.number)
        return climb(order_, setting, prepared, observer)

    monkeypatch.setattr(runner, "prepare", own)
    monkeypatch.setattr(ladders, "climb", counted)
    return numbers


def measured(
    root: Path, store: Store, notes: Notes, seed: int = 1, columns: dict[str, str] | None = None
) -> Run:
    folder = TOYS / "toy-squares" / "reference_solutions" / "competent"
    asked = Options(
        task="toy-squares",
        folder=folder,
        tasks_root=root,
        profile="ci-smoke",
        isolation="process",
        trials=1,
        seed=seed,
    )
    whole = order(asked)
    return runner.run(replace(whole, data=replace(whole.data, columns=columns or {})), store, notes)


def test_it_is_asked_on_three_instances_once_and_kept(store: Store, climbs: list[int]) -> None:
    notes = Notes()
    run = measured(TOYS, store, notes)
    assert climbs == [0, 1, 2]
    assert "asking on 3 instances whether the references of toy-squares stand apart on tickets" in notes.told
    assert not any(note.startswith("no points") for note in notes.told)
    assert run.score is not None
    assert run.score.outcome == "ok"
    assert len(run.head.other_instances) == 3
    again = measured(TOYS, store, notes, seed=2)
    assert climbs == [0, 1, 2], "what was asked is kept"
    assert again.head.other_instances == run.head.other_instances


def test_another_column_of_the_same_files_is_asked_about_anew(store: Store, climbs: list[int]) -> None:
    measured(TOYS, store, Notes())
    measured(TOYS, store, Notes(), columns={"label": "other"})
    assert climbs == [0, 1, 2] * 2


def test_the_task_s_own_data_are_not_asked_about(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladders, "climb", lambda *given: pytest.fail("asked"))
    assert measured(TOYS, store, Notes()).head.other_instances == ()


def test_where_they_do_not_stand_apart_nobody_gets_points_and_it_is_said_before_and_after(
    tmp_path: Path, store: Store, climbs: list[int]
) -> None:
    root = tmp_path / "tasks"
    shutil.copytree(TOYS / "toy-squares", root / "toy-squares")
    references = root / "toy-squares" / "reference_solutions"
    shutil.copytree(references / "baseline", references / "expert", dirs_exist_ok=True)
    notes = Notes()
    run = measured(root, store, notes)
    (early,) = [note for note in notes.told if note.startswith("no points will be given here")]
    assert "the expert reference is no better than the baseline" in early
    assert run.score is not None
    assert (run.score.outcome, run.score.open_by, run.score.points, run.score.tier) == (
        "inconclusive",
        "data",
        0.0,
        "none",
    )
    assert len({trial.number for trial in run.trials}) == 1, "more instances would say the same"
    shown = " ".join(text.to_text(text.render_run(run), 200).split())
    assert "no points: a verdict is open, since the references do not stand apart on these data" in shown
    assert "nothing is held against the submission" in shown
    told = summary(run)
    assert (told.points, told.points_uncapped, told.open_by) == (None, None, "data")
    assert '"open_by": "data"' in to_json(told)
    again = rescore.rescore(run.head.run_id, store, lambda name, folder: find(name, root)).new
    assert again.score == run.score
