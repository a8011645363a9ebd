"""What a calibration is made of: the simulation's clock, suites by name or by list, ladders, and earlier hand-ins."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.analysis.calibration.generators import Design
from harness.analysis.calibration.results import Recovery, Target
from harness.analysis.calibration.tables import Row
from harness.assessment import calibrate, suites
from harness.errors import UsageError
from harness.observer import Silent
from harness.sheets import Assessment, Cell, Suite, TaskInSuite
from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.conftest import TOYS
from tests.fixtures.reports import score

FORECAST = Target(name="forecast", value=1.0, low=1.0, high=1.0, verdict="pass")


@pytest.mark.parametrize("generator", [None, "linear"])
def test_a_simulation_is_every_situation_and_the_seconds_of_one_fit(
    monkeypatch: pytest.MonkeyPatch, generator: str | None
) -> None:
    clock, fitted, notes = iter([100.0, 110.0, 112.5, 150.0]), list[tuple[int, ...]](), list[str]()

    def recover(name: str, design: Design, aims: tuple[float, float | None], seed: int) -> Recovery:
        told = f"{name} {aims} {seed}"
        return Recovery(
            generator=told,
            people=design.people,
            tasks=1,
            seeds=1,
            authors=0,
            sets=design.sets,
            figures=(),
            rhat=1.0,
        )

    monkeypatch.setattr(calibrate, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(calibrate.recovery, "recover", recover)
    monkeypatch.setattr(calibrate.rehearsal, "rehearse", lambda sets, seed: (FORECAST,) * (sets + seed))
    monkeypatch.setattr(calibrate, "fit", lambda scores, rng: fitted.append(scores.shape))
    done = calibrate.simulate(generator, 2, 1, notes.append)
    planned = calibrate.recovery.situations(generator, 2)
    assert [one.generator for one in done.situations] == [
        f"{n} {(least, most)} 1" for n, _, least, most in planned
    ]
    assert [one.people for one in done.situations] == [design.people for _, design, *_ in planned]
    assert len(notes) == len(planned) + 1
    assert done.forecasts == (() if generator else (FORECAST,) * 3)
    assert (done.fit_seconds, done.seconds, done.seed) == (2.5, 50.0, 1)
    planted = calibrate.linear(Design(sets=1, people=50, tasks=12, seeds=3), np.random.default_rng(0))
    assert fitted == [planted.scores.shape], "as the report says: 50 people by 12 tasks by 3 seeds"


def test_a_suite_is_known_by_name_read_from_a_file_or_made_of_tasks(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[tasks]]\nid = "toy-squares"\nprofile = "ci-smoke"\nweight = 3\n')
    assert calibrate.suite_of(str(file), TOYS, None) == suites.read(str(file), TOYS)
    assert calibrate.suite_of("smoke", None, None) == suites.read("smoke")
    listed = calibrate.suite_of(" toy-squares,toy-pairs, ", TOYS, "ci-smoke")
    assert listed.name == "toy-squares,toy-pairs"
    assert [(t.title, t.profile, t.weight, t.minutes, t.competencies) for t in listed.tasks[:1]] == [
        ("Squares modulo 97", "ci-smoke", 1.0, 1, ("arithmetic",))
    ]
    assert listed.tasks[0].task_digest == suites.read(str(file), TOYS).tasks[0].task_digest


@pytest.mark.parametrize("name", ["", " , ", "toy-squares,toy-squares"])
def test_a_list_without_a_task_or_with_one_twice_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"names no task, or one twice; give a suite.*smoke"):
        calibrate.suite_of(name, TOYS, "ci-smoke")


def test_ladders_are_every_tier_on_every_instance_with_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def nothing(*_: object) -> Iterator[str]:
        yield "setting"

    def climb(
        order: object, setting: str, prepared: SimpleNamespace, observer: object, repeat: int
    ) -> object:
        points = {"expert": 100.0 + repeat, "baseline": 0.0}
        return SimpleNamespace(points=points, scores=dict.fromkeys(points, score()))

    monkeypatch.setattr(calibrate.lease, "measuring", nothing)
    monkeypatch.setattr(calibrate, "setting_of", nothing)
    monkeypatch.setattr(
        calibrate, "prepare", lambda order, number, observer: SimpleNamespace(id=f"i{number}")
    )
    monkeypatch.setattr(calibrate, "climb", climb)
    suite = calibrate.suite_of("toy-squares", TOYS, "ci-smoke")
    (rows,) = calibrate.ladders(suite, TOYS, 2, 2, 5, Silent())
    assert [(row.instance, row.seed, row.person, row.points) for row in rows] == [
        (instance, repeat, tier, points + (repeat if points else 0))
        for instance in ("i0", "i1")
        for repeat in (0, 1)
        for tier, points in (("baseline", 0.0), ("expert", 100.0))
    ]
    assert {(row.task, row.tier == row.person, row.outcome) for row in rows} == {("toy-squares", True, "ok")}
    assert rows[0].verdicts[0] == ("training time", "pass")
    assert rows[0].measured[2].words == score().constraints[2].words


def test_a_suite_names_its_own_profiles_so_that_another_is_refused() -> None:
    with pytest.raises(
        UsageError, match="--profile laptop-cpu goes with tasks as A,B,C; the suite smoke names its"
    ):
        calibrate.suite_of("smoke", None, "laptop-cpu")


def test_rows_that_were_measured_are_kept_and_read_again(tmp_path: Path) -> None:
    suite = calibrate.suite_of("toy-squares", TOYS, "ci-smoke")
    rows = [Row(person="baseline", tier="baseline", task="toy-squares", instance="0", points=0.0)]
    file = tmp_path / "rows.json"
    file.write_text(calibrate.rows_as_text(rows))
    assert calibrate.rows_in(file, suite) == rows
    with pytest.raises(UsageError, match=r"has no row of toy-pairs; measure without --rows"):
        calibrate.rows_in(file, calibrate.suite_of("toy-squares,toy-pairs", TOYS, "ci-smoke"))
    file.write_text("{}")
    with pytest.raises(UsageError, match="holds no rows of a calibration"):
        calibrate.rows_in(file, suite)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        calibrate.rows_in(tmp_path / "none.json", suite)


SUITE = Suite(name="s", title="S", tasks=(TaskInSuite(id="a"), TaskInSuite(id="b", task_digest="new")))


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Store.open(tmp_path))


def hand_in(ledger: Ledger, assessment: str, *cells: Cell) -> None:
    begun = Assessment(id=assessment, suite=SUITE, seed_id="s", begun_at=assessment, harness_version="0")
    ledger.open(begun, [cell.candidate for cell in cells])
    for cell in cells:
        ledger.keep(assessment, cell, "unit")


def cell(candidate: str, task: str, submission: str, digest: str = "") -> Cell:
    return Cell(
        candidate=candidate,
        task=task,
        outcome="ok",
        submission_digest=submission,
        task_digest=digest,
        points_each=(4.0,),
    )


def test_of_a_task_without_a_digest_every_version_counts_and_hand_ins_without_one_each(
    ledger: Ledger,
) -> None:
    hand_in(ledger, "2026", cell("ann", "a", "", "x"), cell("ben", "a", "", "y"), cell("cleo", "a", "d", "z"))
    hand_in(ledger, "2025", cell("ann", "a", "", "x"), cell("cleo", "a", "d", "z"))
    rows, left_out = calibrate.past(ledger, SUITE)
    assert [row.person for row in rows] == ["ann (2026)", "ben (2026)", "cleo (2026)", "ann (2025)"]
    assert left_out == 0


def test_hand_ins_to_another_version_are_left_out_and_counted_each_once(ledger: Ledger) -> None:
    hand_in(
        ledger,
        "2026",
        cell("ann", "b", "d", "old"),
        cell("ben", "b", "", "old"),
        cell("cleo", "b", "", "old"),
    )
    hand_in(
        ledger,
        "2025",
        cell("ann", "b", "d", "old"),
        cell("ben", "b", "", "old"),
        cell("dan", "b", "e", "new"),
    )
    rows, left_out = calibrate.past(ledger, SUITE)
    assert [row.person for row in rows] == ["dan (2025)"]
    assert left_out == 4, "the same hand-in of ann's in both years, and three that nothing tells apart"
