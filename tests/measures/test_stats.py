"""Intervals: hand-worked figures, and how often they hold the truth in simulations of a fixed seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.measures import stats
from harness.measures.estimates import Estimate, combine, geometric, log_of, or_else

Draw = Callable[[np.random.Generator], Any]
Interval = Callable[[Any], tuple[float, float]]


def test_t_interval_by_hand() -> None:
    # mean 2, sd 1, n 3: half-width 4.3027 / sqrt(3)
    low, high = stats.t_interval(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-4)
    with pytest.raises(ValueError, match="at least two"):
        stats.t_interval(np.array([1.0]))


def test_bootstrap_of_a_constant_is_that_constant() -> None:
    assert stats.bootstrap_interval(np.full(7, 0.25)) == (0.25, 0.25)
    with pytest.raises(ValueError, match="no values"):
        stats.bootstrap_interval(np.array([]))


def test_bootstrap_is_the_same_for_the_same_seed_and_only_then() -> None:
    values = np.random.default_rng(0).exponential(size=30)
    assert stats.bootstrap_interval(values, seed=3) == stats.bootstrap_interval(values, seed=3)
    assert stats.bootstrap_interval(values, seed=3) != stats.bootstrap_interval(values, seed=4)


def test_bootstrap_of_two_values_by_hand() -> None:
    # resamples of {0, 1}: mean 0, 1/2 or 1 with probability 1/4, 1/2, 1/4; both tails hold over 2.5 %
    assert stats.bootstrap_interval(np.array([0.0, 1.0])) == (0.0, 1.0)


def _coverage(draw: Draw, interval: Interval, truth: float, times: int = 300) -> float:
    rng = np.random.default_rng(20_24)
    held = 0
    for _ in range(times):
        low, high = interval(draw(rng))
        held += low <= truth <= high
    return held / times


def test_t_interval_holds_the_truth_as_often_as_it_says() -> None:
    # standard error of a coverage of .95 over 2,000 draws: .005
    found = _coverage(lambda rng: rng.normal(3.0, 2.0, size=5), stats.t_interval, 3.0, times=2000)
    assert 0.935 <= found <= 0.965


def test_bootstrap_holds_the_truth_nearly_as_often_as_it_says() -> None:
    def interval(values: np.ndarray) -> tuple[float, float]:
        return stats.bootstrap_interval(values, draws=100)

    found = _coverage(lambda rng: rng.normal(1.0, 1.0, size=40), interval, 1.0)
    assert 0.90 <= found <= 0.98


@pytest.mark.parametrize(("quantile", "least"), [(0.5, 0.90), (0.95, 0.85)])
def test_the_paired_ratio_holds_the_truth_under_a_drift_common_to_both(quantile: float, least: float) -> None:
    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        drift = np.exp(np.cumsum(rng.normal(0, 0.05, size=60)))
        own, other = (np.exp(rng.normal(0, 0.1, size=60)) for _ in range(2))
        return 1.3 * drift * own, drift * other

    def interval(pair: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
        return stats.paired_log_ratio_interval(*pair, quantile, draws=100)[1:]

    assert _coverage(draw, interval, 1.3, times=100) >= least


def test_the_paired_ratio_by_hand() -> None:
    top, bottom = np.array([2.0, 30.0, 400.0]), np.array([1.0, 10.0, 100.0])
    value, low, high = stats.paired_log_ratio_interval(top, bottom, 0.5)
    assert value == pytest.approx(3.0)  # the median of the ratios 2, 3 and 4
    assert (low, high) == pytest.approx((2.0, 4.0))
    same = stats.paired_log_ratio_interval(bottom, bottom, 0.95)
    assert same == pytest.approx((1.0, 1.0, 1.0))


def test_pooled_sd_by_hand() -> None:
    # variances 1 (n 3) and 4 (n 2): sqrt((2 * 1 + 1 * 4) / 3)
    found = stats.pooled_sd(np.array([1.0, 2.0, 3.0]), np.array([0.0, math.sqrt(8)]))
    assert found == pytest.approx(math.sqrt(2))
    assert stats.pooled_sd(np.array([0.0, math.sqrt(8)]), np.array([1.0, 2.0, 3.0])) == found
    for short in ([np.ones(1), np.ones(2)], [np.ones(2), np.ones(1)]):
        with pytest.raises(ValueError, match="at least two"):
            stats.pooled_sd(*short)


def test_one_estimate_stays_as_it_is() -> None:
    only = Estimate(1.0, 0.5, 3.0)
    assert combine([only], None) == only


def test_two_estimates_are_averaged_in_quadrature() -> None:
    found = combine([Estimate(1.0, 0.7, 1.3), Estimate(2.0, 1.6, 2.4)], None)
    half = math.sqrt(0.3**2 + 0.4**2) / 2
    assert (found.value, found.low, found.high) == pytest.approx((1.5, 1.5 - half, 1.5 + half))


def test_three_ratios_are_averaged_as_logs_with_a_t_interval() -> None:
    ratios = [Estimate(r, r, r) for r in (1.0, 2.0, 4.0)]
    found = combine(ratios, math.log)
    half = 4.30265 * math.log(2) / math.sqrt(3)
    expected = (2.0, 2.0 * math.exp(-half), 2.0 * math.exp(half))
    assert (found.value, found.low, found.high) == pytest.approx(expected, rel=1e-4)


def test_geometric_mean_by_hand() -> None:
    assert geometric([1.0, 4.0, 16.0]) == pytest.approx(4.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=8), st.booleans())
def test_a_combined_estimate_lies_among_its_parts(values: list[float], as_logs: bool) -> None:
    found = combine([Estimate(v, v * 0.9, v * 1.1) for v in values], math.log if as_logs else None)
    assert min(values) * (1 - 1e-9) <= found.value <= max(values) * (1 + 1e-9)
    assert found.low <= found.value * (1 + 1e-9)
    assert found.value <= found.high * (1 + 1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_intervals_are_ordered_and_a_bootstrap_stays_within_the_data(values: list[float]) -> None:
    array = np.array(values)
    low, high = stats.bootstrap_interval(array, draws=50)
    assert array.min() - 1e-6 <= low <= high <= array.max() + 1e-6
    low, high = stats.t_interval(array)
    assert low <= stats.mean(array) <= high


def test_two_values_have_an_interval_and_one_has_its_own_value() -> None:
    # standard deviation sqrt(2), over sqrt(2), by Student's t with one degree of freedom
    due = pytest.approx((2 - 12.7062, 2 + 12.7062), abs=1e-3)
    assert stats.t_interval(np.array([1.0, 3.0])) == due
    assert stats.t_interval_of(2.0, math.sqrt(2), 2) == due
    assert stats.t_interval_of(2.0, math.nan, 1) == (2.0, 2.0)


def test_two_estimates_are_combined_each_end_by_itself_and_ratios_as_logs() -> None:
    found = combine([Estimate(1.0, 0.4, 1.5), Estimate(2.0, 1.2, 2.0)], None)
    assert (found.value, found.low, found.high) == pytest.approx((1.5, 1.5 - 0.5, 1.5 + 0.25))
    ratios = combine([Estimate(1.0, 0.5, 2.0), Estimate(4.0, 2.0, 8.0)], math.log)
    wide = 2 ** (math.sqrt(2) / 2)
    assert (ratios.value, ratios.low, ratios.high) == pytest.approx((2.0, 2 / wide, 2 * wide))


def test_an_exact_estimate_is_its_own_interval() -> None:
    assert Estimate.exact(3.0) == Estimate(3.0, 3.0, 3.0)


def test_percentiles_by_hand() -> None:
    # of 0 to 40 the rank of 2.5 % is 1, of 97.5 % it is 39
    assert stats.percentile_interval(np.arange(41.0)) == (1.0, 39.0)


def test_the_paired_ratio_of_a_tail_by_hand() -> None:
    # logs: the 95th percentile of two lies 95 % of the way
    top, bottom = np.array([1.0, 8.0]), np.array([1.0, 2.0])
    value, low, high = stats.paired_log_ratio_interval(top, bottom, 0.95)
    assert value == pytest.approx(4**0.95)
    assert (low, high) == pytest.approx((1.0, 4.0))


def test_the_median_of_ratios_is_not_the_ratio_of_medians() -> None:
    # ratios 2, 3, 2 and 5, 5; medians of the times 4 and 1
    top, bottom = np.array([4.0, 3.0, 2.0, 5.0, 5.0]), np.array([2.0, 1.0, 1.0, 1.0, 1.0])
    assert stats.paired_log_ratio_interval(top, bottom, 0.5)[0] == pytest.approx(3.0)
    assert stats.paired_log_ratio_interval(top, bottom, 0.75)[0] == pytest.approx(5.0)


def test_without_a_seed_everything_is_drawn_from_the_seed_0_as_in_every_run_that_was_kept() -> None:
    values = np.random.default_rng(5).exponential(size=40)
    rows = np.random.default_rng(0).integers(0, 40, size=(stats.DRAWS, 40))
    assert (stats.resampled(values) == values[rows]).all()
    ends = pytest.approx(tuple(np.percentile(values[rows].mean(axis=1), [2.5, 97.5])))
    assert stats.bootstrap_interval(values) == ends
    ratio = values / 2.0 ** np.arange(40)
    ends = pytest.approx(tuple(np.percentile(np.median(np.log(ratio)[rows], axis=1), [2.5, 97.5])))
    found = stats.paired_log_ratio_interval(values, 2.0 ** np.arange(40), 0.5)
    assert (math.log(found[1]), math.log(found[2])) == ends
    assert math.log(found[0]) == pytest.approx(np.median(np.log(ratio)))


def test_a_value_is_taken_before_its_stand_in_and_zero_is_a_value() -> None:
    assert [or_else(0.0, 2.0), or_else(1.0, 2.0), or_else(None, 2.0)] == [0.0, 1.0, 2.0]


def test_the_logarithm_of_nothing_is_that_of_a_millionth() -> None:
    assert log_of(0.0) == log_of(1e-9) == math.log(1e-6)
    assert log_of(2.0) == math.log(2.0)
