"""Two candidates beside each other, task by task: what is counted, and when it could be noise; all by hand."""

from __future__ import annotations

import math

import pytest

from harness.analysis import differences
from harness.analysis.differences import TaskDifference
from harness.analysis.standings import Span
from harness.errors import UsageError
from harness.sheets import Cell, Sheet, TaskInSuite, not_attempted
from tests.fixtures import sheets as fixtures
from tests.fixtures.sheets import TASKS, cell, failed, row


def of(*cells: Cell, tasks: tuple[TaskInSuite, ...] = TASKS) -> Sheet:
    return Sheet(
        assessment=fixtures.assessment(fixtures.suite(None, tasks)),
        candidates=("ann", "ben", "cleo"),
        cells=cells,
    )


def test_a_pair_on_shared_instances_is_compared_instance_by_instance() -> None:
    """Differences 10, 12, 14: mean 12, t(2) = 4.3027, sd 2: 12 -+ 4.3027 x 2 / sqrt(3)."""
    mine = cell("ann", "latency-budget", 70, points_each=(20, 70, 120), instances=("x", "y", "z"))
    theirs = cell("ben", "latency-budget", 58, points_each=(106, 10, 58), instances=("z", "x", "y"))
    compared = differences.compare(of(mine, theirs), "ann", "ben")
    task = compared.tasks[0]
    assert (task.basis, task.instances, task.word) == ("paired", 3, "ahead")
    assert task.difference is not None
    assert task.difference.points == pytest.approx(12)
    assert task.difference.low == pytest.approx(12 - 4.302653 * 2 / math.sqrt(3), abs=1e-4)
    assert compared.whole == task.difference, "the one task that counts for both"
    assert compared.tasks[1].because == "the first is not scored yet and the second is not scored yet"
    assert compared.sentence.startswith(
        "ann is ahead of ben, by more than noise explains: ann less ben is 12.0 points"
    )
    assert "over 1 of 3 tasks" in compared.sentence


@pytest.mark.parametrize(
    "change", [{"instances": ("q", "r", "s")}, {"points_each": ()}, {"task_digest": "other"}]
)
def test_without_shared_instances_the_two_intervals_are_used(change: dict[str, object]) -> None:
    """30 -+ sqrt(3^2 + 4^2)."""
    mine = cell("ann", "latency-budget", 80, 3)
    theirs = cell("ben", "latency-budget", 50, 4).model_copy(update=change)
    task = differences.compare(of(mine, theirs), "ann", "ben").tasks[0]
    assert (task.basis, task.instances) == ("intervals", 0)
    assert task.difference == Span(points=30, low=25, high=35)


def test_what_could_be_noise_is_called_that() -> None:
    compared = differences.compare(fixtures.sheet(), "ben", "cleo")
    assert compared.sentence.startswith(
        "The difference could be noise: ben less cleo is -0.2 points over all 3 tasks"
    )
    assert compared.whole is not None
    assert differences.word(compared.whole) == "could be noise"
    turned = differences.compare(fixtures.sheet(), "cleo", "ben").whole
    assert turned is not None
    assert (turned.points, turned.low, turned.high) == pytest.approx(
        (-compared.whole.points, -compared.whole.high, -compared.whole.low)
    )
    behind = differences.compare(fixtures.sheet(), "emil", "ann")
    assert behind.sentence.startswith("ann is ahead of emil")


def test_a_comparison_names_what_is_unlike_and_refuses_strangers() -> None:
    sheet = fixtures.sheet()
    moved = tuple(
        c.model_copy(update={"machine_id": "other", "stamp": "practice"}) if c.candidate == "ben" else c
        for c in sheet.cells
    )
    compared = differences.compare(sheet.model_copy(update={"cells": moved}), "ann", "ben")
    assert compared.cautions == (
        "the two were measured on different machines",
        "the two bear different stamps",
    )
    with pytest.raises(UsageError, match="'zed' is no candidate of core"):
        differences.compare(sheet, "ann", "zed")
    with pytest.raises(UsageError, match="named twice"):
        differences.compare(sheet, "ann", "ann")
    nothing = differences.compare(sheet, "ida", "jo")
    assert nothing.tasks[1].difference is None
    none = differences.compare(of(), "ann", "ben")
    assert none.whole is None
    assert "cannot be compared" in none.sentence


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.5, 2.0, "ahead"),
        (0.0, 2.0, "could be noise"),  # the interval holds 0, if only at its end
        (-2.0, 0.0, "could be noise"),
        (-2.0, -0.5, "behind"),
        (-1.0, 0.9, "could be noise"),
    ],
)
def test_a_difference_is_one_where_its_interval_leaves_out_0(low: float, high: float, word: str) -> None:
    assert differences.word(Span(points=(low + high) / 2, low=low, high=high)) == word


def test_each_side_of_a_difference_has_the_half_widths_that_face_it() -> None:
    """30, less sqrt(3^2 + 4^2), plus sqrt(12^2 + 5^2)."""
    mine = cell("ann", "latency-budget", 80, points_low=77.0, points_high=92.0, points_each=())
    theirs = cell("ben", "latency-budget", 50, points_low=45.0, points_high=54.0, points_each=())
    task = differences.compare(of(mine, theirs), "ann", "ben").tasks[0]
    assert task.difference == Span(points=30, low=25, high=43)


def test_a_spread_of_ones_own_hides_no_difference() -> None:
    def task(mine: Cell, theirs: Cell) -> TaskDifference:
        return differences.compare(of(mine, theirs), "ann", "ben").tasks[0]

    mine = cell("ann", "latency-budget", 90, 3, points_each=())
    wide = {"points_low": 0.0, "points_high": 100.0, "points_each": ()}
    assert task(mine, cell("ben", "latency-budget", 50, **wide)).word == "could be noise"
    held = task(mine, cell("ben", "latency-budget", 50, **wide, points_room=4.0))
    assert held.difference == Span(points=40, low=35, high=40 + math.hypot(3, 50))
    assert held.word == "ahead"
    # over shared instances as well, and for whichever of the two it is
    each = {"points_each": (100.0, 90.0, 80.0)}, {"points_each": (100.0, 10.0, 40.0)}
    mine = cell("ann", "latency-budget", 90, 3, **each[0])
    theirs = cell("ben", "latency-budget", 50, points_low=-25.0, points_high=125.0, **each[1])
    assert task(mine, theirs).word == "could be noise"
    noisy = theirs.model_copy(update={"points_room": 4.0})
    found = task(mine, noisy)
    assert (found.basis, found.word) == ("paired", "ahead")
    assert found.difference is not None
    assert found.difference.low == pytest.approx(40 - 5)
    turned = differences.compare(of(mine, noisy), "ben", "ann").tasks[0]
    assert turned.word == "behind"
    assert turned.difference is not None
    assert turned.difference.high == pytest.approx(-40 + 5)


def test_a_task_that_one_of_them_failed_or_left_out_makes_no_difference() -> None:
    whole = [*row("ben", 50, 50, 50)]
    sheet = of(*row("ann", 90, 90, 90)[:1], failed("ann", "noisy-labels"), *whole)
    for first, second, who in (("ann", "ben", "first"), ("ben", "ann", "second")):
        _, noisy, search = differences.compare(sheet, first, second).tasks
        assert (noisy.difference, noisy.basis, noisy.because) == (None, "none", f"the {who} is unfit")
        assert (search.difference, search.because) == (None, f"the {who} is not scored yet")
    ours = of(failed("ann", "noisy-labels"), not_attempted("ben", "noisy-labels"))
    noisy = differences.compare(ours, "ann", "ben").tasks[1]
    assert noisy.because == "the first is unfit and the second is not attempted"


def test_the_sentence_says_who_has_no_rank_and_for_which_task() -> None:
    sheet = of(*row("ann", 90, 90)[:1], failed("ann", "noisy-labels"), *row("ben", 50, 50, 50))
    said = differences.compare(sheet, "ann", "ben").sentence
    assert said.startswith("ann is ahead of ben")
    assert said.endswith(
        f" ann is not ranked ({TASKS[1].title}, {TASKS[2].title}): what does not count for both is left out here."
    )
    assert "ben is not ranked" not in said
    both = differences.compare(of(*row("ann", 90), *row("ben", 50)), "ann", "ben").sentence
    assert "ann is not ranked (" in both
    assert " and ben is not ranked (" in both
    assert "not ranked" not in differences.compare(fixtures.sheet(), "ben", "cleo").sentence


def test_a_task_without_a_title_is_called_by_its_name() -> None:
    tasks = (TaskInSuite(id="latency-budget"), TASKS[1])
    compared = differences.compare(of(tasks=tasks), "ann", "ben")
    assert [task.title for task in compared.tasks] == ["latency-budget", TASKS[1].title]


def bare(candidate: str, points: float, half: float) -> Cell:
    return cell(candidate, "latency-budget", points, half, points_each=())


@pytest.mark.parametrize(
    ("mine", "theirs", "tasks", "sentence"),
    [
        (
            (60, 3),
            (50, 4),
            TASKS,
            "ann is ahead of ben, by more than noise explains: ann less ben is 10.0 points over 1 of 3 tasks "
            "(95 % interval 5.0 to 15.0).",
        ),
        (
            (49.96, 3),
            (50, 4),
            TASKS[:1],
            "The difference could be noise: ann less ben is 0.0 points over the task "
            "(95 % interval -5.0 to 5.0), and the interval holds 0.",
        ),
    ],
)
def test_the_sentence_says_who_by_how_much_and_over_what(
    mine: tuple[float, float], theirs: tuple[float, float], tasks: tuple[TaskInSuite, ...], sentence: str
) -> None:
    compared = differences.compare(of(bare("ann", *mine), bare("ben", *theirs), tasks=tasks), "ann", "ben")
    assert compared.sentence.startswith(sentence)


def test_what_was_never_run_is_no_other_machine() -> None:
    ran, never = cell("ann", "noisy-labels"), not_attempted("ben", "noisy-labels")
    sheet = of(ran, never)
    assert differences.compare(sheet, "ann", "ben").cautions == ()
    assert differences.compare(sheet, "ben", "ann").cautions == ()
