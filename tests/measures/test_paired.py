"""Ratios over process pairs by hand, and how often their intervals hold the truth in simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.measures import paired
from harness.measures.estimates import Estimate
from harness.measures.paired import Floats
from harness.measures.stats import paired_log_ratio_interval

HIGH = 4.30265  # Student's t at 97.5 % with two degrees of freedom


def pair(ratio: float, calls: int = 20, drift: float = 0.0) -> Floats:
    """Calls of which the first side takes `ratio` times as long, on a machine that slows down meanwhile."""
    bottom = 0.01 * (1 + drift * np.arange(calls) / calls)
    return np.column_stack([bottom * ratio, bottom])


def test_the_interval_over_pairs_by_hand() -> None:
    found = paired.over_pairs(np.log([1.0, 1.1, 1.21]))
    half = HIGH * math.log(1.1) / math.sqrt(3)
    assert found.value == pytest.approx(1.1)
    assert found.low == pytest.approx(1.1 * math.exp(-half), rel=1e-5)
    assert found.high == pytest.approx(1.1 * math.exp(half), rel=1e-5)


def test_a_smaller_error_at_each_look_makes_a_wider_interval() -> None:
    logs = np.log([1.0, 1.1, 1.21])
    wide = paired.over_pairs(logs, 0.05 / 3)
    # t at 1 - .05/6 with two degrees of freedom is 7.6488
    assert math.log(wide.high / wide.value) == pytest.approx(7.6488 * math.log(1.1) / math.sqrt(3), rel=1e-4)


def test_one_pair_has_no_interval_over_pairs() -> None:
    with pytest.raises(ValueError, match="at least two"):
        paired.over_pairs(np.array([0.1]))


def test_the_median_ratio_is_blind_to_what_drifts_on_both_sides() -> None:
    found = paired.median_ratio([pair(1.2, drift=9.0), pair(1.2), pair(1.2, drift=2.0)])
    assert (found.value, found.low, found.high) == (pytest.approx(1.2),) * 3


def test_one_pair_is_widened_by_what_pairs_differ() -> None:
    found = paired.median_ratio([pair(1.2)])
    assert (found.value, found.low, found.high) == pytest.approx((1.2, 1.2 / 1.03, 1.2 * 1.03))
    total = paired.total_ratio([pair(1.2)])
    assert (total.value, total.low, total.high) == pytest.approx((1.2, 1.2 / 1.03, 1.2 * 1.03))


def test_the_ratio_of_totals_weighs_by_time() -> None:
    two = np.array([[9.0, 3.0], [1.0, 1.0]])
    assert paired.total_ratio([two]).value == pytest.approx(10 / 4)
    assert paired.median_ratio([two]).value == pytest.approx(math.sqrt(3))
    found = paired.total_ratio([two, two, np.array([[10.0, 8.0], [0.0, 2.0]])])
    assert found.value == pytest.approx((2.5 * 2.5 * 1.0) ** (1 / 3))


def test_the_tail_ratio_is_of_all_calls_and_its_interval_covers_pairs_that_differ() -> None:
    alike = paired.tail_ratio([pair(1.5, drift=1.0)] * 3, 0.95)
    assert alike.value == pytest.approx(1.5)
    assert alike.low == pytest.approx(1.5)
    assert alike.high == pytest.approx(1.5)
    apart = paired.tail_ratio([pair(1.0), pair(1.5), pair(2.0)], 0.95)
    assert apart.low < 1.2
    assert apart.high == pytest.approx(2.0)
    assert apart == paired.tail_ratio([pair(1.0), pair(1.5), pair(2.0)], 0.95)  # drawn from a fixed seed
    alone = paired.tail_ratio([pair(1.5)], 0.95)
    assert (alone.low, alone.high) == pytest.approx((1.5 / 1.03, 1.5 * 1.03))


def test_a_change_is_taken_relative_to_what_the_reference_did() -> None:
    own, base = [pair(0.5), pair(0.5)], [pair(0.8), pair(0.8)]
    assert paired.relative_change(own).value == pytest.approx(0.5)
    assert paired.relative_change(own, base).value == pytest.approx(0.5 / 0.8)
    once = paired.relative_change([pair(0.5)])
    assert (once.value, once.low, once.high) == (pytest.approx(0.5), 0.0, math.inf)


def simulated(
    rng: np.random.Generator, pairs: int, between: float, within: float, calls: int = 40
) -> list[Floats]:
    """Two copies of one program: each process has luck of its own, and each call has some on top."""
    luck = rng.normal(0.0, between / math.sqrt(2), size=(pairs, 1, 2))
    return list(np.exp(luck + rng.normal(0.0, within, size=(pairs, calls, 2))))


def test_the_interval_over_pairs_covers_the_truth_where_one_over_calls_does_not() -> None:
    rng = np.random.default_rng(11)
    runs = [simulated(rng, 5, between=0.03, within=0.03) for _ in range(1500)]
    over_pairs = [paired.median_ratio(run) for run in runs]
    # 1,500 runs put a coverage of 95 % within 2 points of it nearly always
    assert np.mean([e.low <= 1 <= e.high for e in over_pairs]) == pytest.approx(0.95, abs=0.02)
    calls = [np.concatenate(run) for run in runs[:200]]
    over_calls = [paired_log_ratio_interval(c[:, 0], c[:, 1], 0.5, draws=200) for c in calls]
    assert np.mean([low <= 1 <= high for _, low, high in over_calls]) < 0.60


def test_three_looks_together_err_no_more_often_than_one() -> None:
    rng = np.random.default_rng(12)
    times, wrong = 400, 0
    for _ in range(times):
        logs = rng.normal(0.0, 0.02, size=12)
        looks = [paired.over_pairs(logs[:n], 0.05 / 3) for n in (5, 8, 12)]
        wrong += any(not look.low <= 1 <= look.high for look in looks)
    assert wrong / times < 0.06


ONCE = 12.7062  # Student's t at 97.5 % with one degree of freedom


def test_the_interval_over_two_pairs_by_hand() -> None:
    found = paired.over_pairs(np.log([1.0, 1.21]))
    half = ONCE * math.log(1.1)  # standard deviation sqrt(2) log 1.1, over sqrt(2)
    assert (found.value, found.low, found.high) == pytest.approx(
        (1.1, 1.1 * math.exp(-half), 1.1 * math.exp(half)), rel=1e-4
    )


def test_one_pair_whose_calls_differ_is_widened_at_both_ends() -> None:
    # ratios 2, 3 and 4: resampled medians reach from 2 to 4
    calls = np.array([[2.0, 1.0], [30.0, 10.0], [400.0, 100.0]])
    found = paired.median_ratio([calls])
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 2 / 1.03, 4 * 1.03))
    # two calls, both of a resample the same in a quarter of the draws
    two = np.array([[2.0, 1.0], [4.0, 1.0]])
    total = paired.total_ratio([two])
    assert (total.value, total.low, total.high) == pytest.approx((3.0, 2 / 1.03, 4 * 1.03))
    tail = paired.tail_ratio([two], 0.95)
    assert (tail.value, tail.low, tail.high) == pytest.approx((3.9, 2 / 1.03, 4 * 1.03))


def test_the_interval_of_totals_is_over_pairs_and_takes_the_error_that_is_allowed() -> None:
    pairs = [np.array([[3.0, 1.0], [1.0, 1.0]]), np.array([[2.42, 1.0], [2.42, 1.0]])]  # 2 and 2.42
    for alpha, t in ((0.05, ONCE), (0.5, 1.0)):
        found = paired.total_ratio(pairs, alpha)
        half = t * math.log(1.1)
        assert (found.value, found.low, found.high) == pytest.approx(
            (2.2, 2.2 * math.exp(-half), 2.2 * math.exp(half)), rel=1e-4
        )


def test_the_ends_of_a_change_are_over_the_pairs_own_differences() -> None:
    # 0.5 over 0.8 and 0.605 over 0.8: the geometric mean is 0.55 / 0.8, 10 % from each
    found = paired.relative_change([pair(0.5), pair(0.605)], [pair(0.8), pair(0.8)])
    half = ONCE * math.log(1.1)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.6875, 0.6875 * math.exp(-half), 0.6875 * math.exp(half)), rel=1e-4
    )


def test_the_ends_of_one_ratio_a_pair() -> None:
    found = paired.over_pairs(np.log([2.0, 2.42]), 0.5)
    assert (found.value, found.low, found.high) == pytest.approx((2.2, 2.0, 2.42))  # t is 1


@pytest.mark.parametrize(
    "ratio",
    [
        paired.median_ratio,
        paired.total_ratio,
        lambda pairs, *alpha: paired.tail_ratio(pairs, 0.95, *alpha),
        lambda pairs, *alpha: paired.over_pairs(np.log([1.0, 1.2]), *alpha),
    ],
)
def test_an_interval_is_of_95_percent_unless_another_is_asked_for(
    ratio: Callable[..., Estimate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired, "DRAWS", 100)
    pairs = simulated(np.random.default_rng(3), 4, between=0.03, within=0.1, calls=10)
    assert ratio(pairs) == ratio(pairs, 0.05) != ratio(pairs, 0.1)


def test_resamples_of_one_pair_are_drawn_from_the_same_seed_in_every_run() -> None:
    (calls,) = simulated(np.random.default_rng(4), 1, between=0.0, within=0.3)
    rows = np.random.default_rng(0).integers(0, len(calls), size=(1000, len(calls)))
    tops, bottoms = calls[rows, 0].sum(axis=1), calls[rows, 1].sum(axis=1)
    low, high = np.percentile(tops / bottoms, [2.5, 97.5])
    found = paired.total_ratio([calls])
    assert (found.low, found.high) == pytest.approx((low / 1.03, high * 1.03))
