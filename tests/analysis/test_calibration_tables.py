"""From cells to rows, from rows to the table, and from the table to what the estimator takes: every number by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.calibration.scores import of_values, stacked
from harness.analysis.calibration.tables import Row, cube, of_cell, people_of, scores_of
from harness.records import TIERS, Tier
from harness.sheets import Cell, CellConstraint

NONE = np.nan
LIMIT = CellConstraint(
    name="time", unit="s", verdict="pass", value=1.0, low=0.9, high=1.1, threshold=2.0, bound="at_most"
)


def cell(**changes: object) -> Cell:
    given = {"candidate": "c1", "task": "a", "outcome": "ok", "machine_id": "m", "wall_seconds": 90.0}
    return Cell.model_validate(given | {"constraints": (LIMIT,)} | changes)


def row(instance: str, points: float | None, outcome: str = "ok", minutes: float | None = 1.5) -> Row:
    given = {"person": "ann", "tier": None, "task": "a", "seed": 0, "machine": "m", "outcome": outcome}
    known = {"verdicts": (("time", "pass"),), "measured": (LIMIT,), "minutes": minutes}
    return Row.model_validate({**given, **known, "instance": instance, "points": points})


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"points_each": (40.0, 130.0), "instances": ("x", "y")}, [row("x", 40.0), row("y", 130.0)]),
        # instances that cannot be told apart are numbered
        ({"points_each": (40.0, 60.0), "instances": ("x",)}, [row("0", 40.0), row("1", 60.0)]),
        ({"points_each": (40.0,), "wall_seconds": 0.0}, [row("0", 40.0, minutes=None)]),
        ({}, [row("", None)]),
        # what failed counts 0, once, and what is open nothing, whatever had been measured
        (
            {"outcome": "timeout", "points_each": (40.0, 60.0), "instances": ("x", "y")},
            [row("", 0.0, "timeout")],
        ),
        ({"outcome": "inconclusive", "points_each": (40.0,)}, [row("", None, "inconclusive")]),
        ({"outcome": "not_attempted"}, [row("", None, "not_attempted")]),
    ],
)
def test_a_cell_has_a_row_for_each_instance(changes: dict[str, object], rows: list[Row]) -> None:
    assert of_cell("ann", cell(**changes)) == rows


def scored(person: str, task: str, *points: float | None, tier: Tier | None = None) -> list[Row]:
    return [
        Row(person=person, tier=tier, task=task, instance=str(i), points=value)
        for i, value in enumerate(points)
    ]


TABLE = [
    *scored("ben", "b", 50.0, 70.0, None),
    *scored("ann", "a", 20.0),
    *scored("ben", "a", -40.0),
    *scored("cleo", "a", None),
    *scored("baseline", "a", 0.0, 0.0, tier="baseline"),
    *scored("competent", "a", 40.0, 60.0, tier="competent"),
    *scored("competent", "b", 30.0, tier="competent"),
    *scored("expert", "b", None, 100.0, tier="expert"),
]


def test_people_are_who_is_no_tier_and_has_a_score() -> None:
    assert people_of(TABLE) == ["ben", "ann"]


def test_the_table_is_as_deep_as_its_fullest_cell() -> None:
    table = cube(TABLE, ["ann", "ben", "dora"], ["a", "b"])
    empty = [NONE, NONE]
    expected = [[[0.2, NONE], empty], [[-0.4, NONE], [0.5, 0.7]], [empty, empty]]
    assert np.array_equal(table, np.array(expected), equal_nan=True)
    assert cube([], ["ann"], ["a", "b"]).shape == (1, 2, 1)
    assert np.isnan(cube([], ["ann"], ["a", "b"])).all()


def test_tiers_are_anchors_whose_mean_counts_once() -> None:
    scores = scores_of(TABLE, ["ann", "ben"], ["a", "b"])
    assert scores.shape == (1, 2 + len(TIERS), 2)
    assert np.array_equal(scores.anchor, [[NONE, NONE, -1.5, 0.0, 1.5]], equal_nan=True)
    #            ann     ben     baseline competent expert
    counted = [[1, 0], [1, 2], [1, 0], [1, 1], [0, 1]]
    assert scores.count.tolist() == [counted]
    means = [[0.2, 0.0], [-0.25, 0.6], [0.0, 0.0], [0.5, 0.3], [0.0, 1.0]]
    assert (scores.mean * scores.count)[0] == pytest.approx(np.array(means) * counted)
    assert scores.censored.tolist() == [[[0, 0], [-1, 0], [0, 0], [0, 0], [0, 0]]]
    assert scores.freedom.tolist() == [[0, 1]]
    assert scores.squares[0] == pytest.approx([0.0, 0.02])


def test_values_are_held_and_a_cell_is_censored_where_all_of_its_replicates_are() -> None:
    values = np.array(
        [
            [[0.2, 0.4, NONE], [-1.0, -0.5, NONE], [NONE, NONE, NONE]],
            [[0.6, NONE, NONE], [3.0, NONE, NONE], [-1.0, 0.5, 0.2]],
            [[0.1, 0.1, 0.4], [2.0, 0.5, NONE], [-0.25, NONE, NONE]],
        ]
    )[None]
    anchor = np.array([[NONE, -1.5, 1.5]])
    scores = of_values(values, anchor, -0.25, 1.25)
    assert scores.shape == (1, 3, 3)
    assert scores.count.tolist() == [[[2, 2, 0], [1, 1, 3], [3, 2, 1]]]
    assert scores.censored.tolist() == [[[0, -1, 0], [0, 1, 0], [0, 0, -1]]]
    means = [[0.3, -0.25, 0.0], [0.6, 1.25, 0.15], [0.2, 0.875, -0.25]]
    assert (scores.mean * (scores.count > 0))[0] == pytest.approx(np.array(means))
    # two of .1 from their mean and .1, .1, .2 from theirs; .375 twice; .4, .35 and .05
    squares = [2 * 0.1**2 + 2 * 0.1**2 + 0.2**2, 2 * 0.375**2, 0.4**2 + 0.35**2 + 0.05**2]
    assert scores.squares.shape == (1, 3)
    assert scores.squares[0] == pytest.approx(squares)
    assert scores.freedom.tolist() == [[1 + 0 + 2, 1 + 0 + 1, 0 + 2 + 0]]
    assert scores.anchor is anchor


def test_data_sets_are_repeated_one_behind_the_other() -> None:
    rng = np.random.default_rng(0)
    one, other = (of_values(rng.normal(size=(2, 3, 2, 2)), np.zeros((2, 3)), -0.5, 0.5) for _ in range(2))
    both = stacked([one, other])
    assert both.shape == (4, 3, 2)
    for name in ("mean", "count", "squares", "freedom", "anchor", "censored"):
        first, second = getattr(one, name), getattr(other, name)
        assert np.array_equal(getattr(both, name), np.concatenate([first, second]))
        assert np.array_equal(getattr(one.repeated(3), name), np.concatenate([first] * 3))
