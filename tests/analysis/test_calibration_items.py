"""What tiers and people say of one task, by hand: the ladder, its gaps, the item-rest correlation and shares."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.calibration import items
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row
from harness.records import TIERS, Tier


def run(tier: Tier | None, instance: str, seed: int, points: float | None) -> Row:
    return Row(person=tier or "ann", tier=tier, task="a", instance=instance, seed=seed, points=points)


def test_the_ladder_is_by_instance_and_seed_and_leaves_out_who_has_no_points() -> None:
    rungs = items.ladder(
        [
            run("competent", "y", 8, 3.0),
            run("competent", "x", 8, 1.0),
            run("competent", "x", 1, 2.0),
            run("expert", "y", 1, 9.0),
            run("baseline", "z", 5, None),  # neither an instance nor a seed of the others
            run(None, "w", 4, 50.0),
        ]
    )
    assert list(rungs) == ["competent", "expert"]
    for tier, points in (
        ("competent", [[2.0, 1.0], [np.nan, 3.0]]),
        ("expert", [[np.nan] * 2, [9.0, np.nan]]),
    ):
        assert np.array_equal(rungs[tier], points, equal_nan=True)
    assert items.ladder([]) == {}


def figures(points: list[list[float]]) -> tuple[int, float, float | None, float | None]:
    (one,) = items.tier_figures({"competent": np.array(points)})
    return one.runs, one.points, one.sd_seed, one.sd_instance


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        # variances of seeds 2 and 8; means 2, 6 with variance 8, of which 5 / 2 is the seeds'
        ([[1.0, 3.0], [4.0, 8.0]], (4, 4.0, 5**0.5, 5.5**0.5)),
        ([[1.0, 5.0], [2.0, 4.0]], (4, 3.0, 5**0.5, 0.0)),  # below 0 is held at 0
        ([[1.0], [4.0]], (2, 2.5, None, 4.5**0.5)),
        ([[1.0, 3.0]], (2, 2.0, 2**0.5, None)),
        ([[7.0]], (1, 7.0, None, None)),
    ],
)
def test_spreads_of_a_tier_between_seeds_and_beyond_them_between_instances(
    points: list[list[float]], expected: tuple[int, float, float | None, float | None]
) -> None:
    assert figures(points) == pytest.approx(expected)


def rungs_of(**rungs: list[list[float]]) -> dict[str, Floats]:
    return {tier: np.array(points) for tier, points in rungs.items()}


def test_tiers_that_never_vary_are_apart_by_the_most_that_is_shown() -> None:
    level = rungs_of(baseline=[[0.0, 0.0]] * 2, competent=[[50.0, 50.0]] * 2, expert=[[20.0, 20.0]] * 2)
    up, down = items.gaps(level)
    assert (up.lower, up.upper, up.points, up.inversions, up.draws, up.sound) == (
        "baseline",
        "competent",
        50.0,
        0,
        200,
        True,
    )
    assert (up.sds.low, up.sds.value, up.sds.high) == (99.0, 99.0, 99.0)
    assert (down.points, down.inversions, down.sound) == (-30.0, 200, False)
    assert (down.sds.low, down.sds.value, down.sds.high) == (-99.0, -99.0, -99.0)


def test_a_gap_has_its_own_interval_over_runs_drawn_again() -> None:
    # variances 4/3 and 16/3: means 1 and 21 are 20 / sqrt(10/3) apart
    rungs = rungs_of(baseline=[[0.0, 2.0], [2.0, 0.0]], competent=[[23.0, 19.0], [23.0, 19.0]])
    (gap,) = items.gaps(rungs)
    assert gap.sds.value == pytest.approx(20 / (10 / 3) ** 0.5)
    assert gap.sds.low is not None
    assert gap.sds.high is not None
    assert 5 < gap.sds.low <= gap.sds.value < gap.sds.high
    assert gap.sound
    near = rungs_of(baseline=[[0.0, 2.0], [2.0, 0.0]], competent=[[6.0, 4.0], [6.0, 4.0]])
    assert [(g.inversions, g.sound) for g in items.gaps(near)] == [(0, True)]
    nearer = rungs_of(baseline=[[0.0, 2.0], [2.0, 0.0]], competent=[[5.0, 3.0], [5.0, 3.0]])
    assert [(g.inversions, g.sound) for g in items.gaps(nearer)] == [(0, False)], "3 / sqrt(4/3) is 2.6"


def test_one_run_shows_no_spread_and_a_tier_that_is_missing_no_gap() -> None:
    (gap,) = items.gaps(rungs_of(baseline=[[0.0]], competent=[[50.0]]))
    assert (gap.points, gap.sound) == (50.0, False)
    assert gap.sds.absent_because == "one run shows no spread"
    assert items.gaps(rungs_of(baseline=[[0.0, 1.0]], expert=[[9.0, 9.0]])) == ()
    assert [len(items.gaps(rungs_of(**{tier: [[1.0, 2.0]]}))) for tier in TIERS] == [0, 0, 0]


# Own scores against the mean of two others, which is 1 3 2 4 5: r is 9 / 10.
SCORES = np.array([[1.0, 0, 2], [2, 3, 3], [3, 0, 4], [4, 4, 4], [5, 9, 1]])


def test_the_item_rest_correlation_and_fishers_interval_by_hand() -> None:
    once = items.item_rest(SCORES, 0)
    # with five persons the half-width is 1.96 / sqrt(2) on Fisher's scale
    ends = [float(np.tanh(np.arctanh(0.9) + side * 1.959964 / 2**0.5)) for side in (-1, 1)]
    assert (once.value, once.low, once.high) == pytest.approx((0.9, *ends))
    seven = np.vstack([SCORES, SCORES[[0, 4]], [[np.nan, 8.0, 8.0]]])
    r = float(np.corrcoef(seven[:7, 0], [1, 3, 2, 4, 5, 1, 5])[0, 1])
    again = items.item_rest(seven, 0)
    ends = [float(np.tanh(np.arctanh(r) + side * 1.959964 / 2)) for side in (-1, 1)]
    assert (again.value, again.low, again.high) == pytest.approx((r, *ends))
    assert items.item_rest(SCORES[:, [0, 0]], 1).value == pytest.approx(0.999999)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (SCORES[:4], "too few examinees: 4 of at least 5"),
        (SCORES[:, :1], "too few examinees"),
        (np.column_stack([np.ones(5), SCORES[:, 1]]), "everybody scored the same"),
        (np.column_stack([SCORES[:, 0], np.ones(5)]), "everybody scored the same"),
    ],
)
def test_where_there_is_no_correlation_it_is_said_why(scores: Floats, words: str) -> None:
    assert words in items.item_rest(scores, 0).absent_because
    assert items.item_rest(scores, 0).value is None


@pytest.mark.parametrize(("hits", "of"), [(3, 10), (1, 40), (39, 40)])
def test_wilsons_ends_are_where_the_score_test_turns(hits: int, of: int) -> None:
    share = items.share(hits, of)
    assert share.value == hits / of
    assert share.low is not None
    assert share.high is not None
    assert 0 < share.low < hits / of < share.high < 1
    for end in (share.low, share.high):
        assert (hits / of - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / of)


def test_nobody_and_everybody_are_shares_too_but_of_nobody_there_is_none() -> None:
    nobody, everybody = items.share(0, 10), items.share(10, 10)
    assert (nobody.value, nobody.low) == (0.0, 0.0)
    assert (everybody.value, everybody.high) == pytest.approx((1.0, 1.0))
    assert nobody.high == pytest.approx(1.959964**2 / (10 + 1.959964**2))
    assert items.share(0, 0).absent_because == "nobody was measured"
