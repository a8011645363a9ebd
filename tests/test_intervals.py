"""Every value lies within its interval: that the suite looks, and that it notices."""

from __future__ import annotations

import math

import pytest

from harness.analysis.calibration import results
from harness.measures.estimates import Estimate
from harness.records import Measurement
from tests import intervals


@pytest.mark.parametrize("ends", [(1.0, 2.0, 0.5), (1.0, 1.1, 1.2), (1.0, 0.8, 0.9), (-2.0, 2.0, 3.0)])
def test_an_estimate_outside_its_interval_fails_the_test_that_makes_it(ends: tuple[float, ...]) -> None:
    with pytest.raises(intervals.IntervalUpsideDown):
        Estimate(*ends)
    value, low, high = ends
    with pytest.raises(intervals.IntervalUpsideDown):
        Measurement(name="m", unit="", direction="higher", value=value, low=low, high=high)


def test_an_interval_without_a_value_is_looked_at_as_well() -> None:
    with pytest.raises(intervals.IntervalUpsideDown):
        results.Estimate(low=0.9, high=0.1)


@pytest.mark.parametrize(
    "ends", [(1.0, 1.0, 1.0), (-2.0, -3.0, -1.0), (1.0, 0.0, math.inf), (math.nan, 0.0, 1.0)]
)
def test_sound_and_unbounded_and_missing_ends_pass(ends: tuple[float, ...]) -> None:
    Estimate(*ends)
    assert results.Estimate(value=1.0).low is None
    assert results.Estimate(low=0.1, high=0.9).value is None


def test_a_digit_lost_in_rounding_is_no_fault() -> None:
    Estimate(0.1 + 0.2, 0.1 + 0.2, 0.3)
