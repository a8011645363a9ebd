"""How far noise that is not a submission's own may lift its points, by hand; and what differs between runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import Criteria, Objective
from harness.grading.grade import grade
from harness.grading.room import WIDER, repeat, room
from harness.measures.paired import over_pairs
from harness.measures.stats import t_interval
from harness.records import Tier
from harness.sheets import cell_of
from tests.fixtures import reports
from tests.grading.test_grade import drawn, in_pairs, measured, side

PLAIN = Objective(measure="accuracy")
SPEED = Objective(measure="speed_up", unit="x", scale="log", ratio_of=("one_p50",), reference="baseline")


def rated(own: Side, **halves: tuple[float, float, float]) -> Comparison:
    """Accuracies of the references, each as value, low and high."""
    return Comparison(
        candidate=own,
        references={
            tier: side(measured("accuracy", *halves[tier]), tier=tier)  # type: ignore[arg-type]
            for tier in halves
        },
    )


OWN = side(measured("accuracy", 0.7, 0.3, 1.0))
ANCHORS = {"baseline": (0.5, 0.48, 0.53), "competent": (0.6, 0.56, 0.63), "expert": (0.9, 0.88, 0.91)}


def test_it_is_half_as_wide_again_as_the_widest_reference_by_its_narrower_side() -> None:
    # 0.4 of accuracy are 100 points: the narrower sides are .02, .03 and .01
    assert room(PLAIN, [rated(OWN, **ANCHORS)]) == pytest.approx(WIDER * 0.03 / 0.4 * 100)
    # two instances: in quadrature
    half = math.hypot(7.5, 7.5) / 2
    assert room(PLAIN, [rated(OWN, **ANCHORS)] * 2) == pytest.approx(WIDER * half)


def test_counts_that_are_exact_leave_no_room() -> None:
    exact = {tier: (v, v, v) for tier, v in (("baseline", 0.5), ("expert", 0.9))}
    assert room(PLAIN, [rated(OWN, **exact)]) == 0.0


def test_where_nothing_tells_it_there_is_none() -> None:
    assert room(PLAIN, [rated(OWN, baseline=(0.5, 0.4, 0.6))]) is None  # no points without the expert
    assert room(PLAIN, [Comparison(candidate=OWN, references={})]) is None
    # over three instances it takes what is no anchor to tell how unlike they are
    anchors = {tier: ANCHORS[tier] for tier in ("baseline", "expert")}
    assert room(PLAIN, [rated(OWN, **anchors)] * 2) is not None
    assert room(PLAIN, [rated(OWN, **anchors)] * 3) is None


def test_over_three_instances_the_tier_between_the_anchors_tells_how_unlike_they_are() -> None:
    def at(value: float) -> Comparison:
        return rated(OWN, baseline=(0.5, 0.5, 0.5), competent=(value, value, value), expert=(0.9, 0.9, 0.9))

    low, high = t_interval(np.array([25.0, 30.0, 41.0]))
    assert room(PLAIN, [at(0.6), at(0.62), at(0.664)]) == pytest.approx(WIDER * (high - low) / 2)


EVEN = [0.01] * 5
OF_EXPERT = (1.0, 1.02, 0.99, 1.01, 0.98)
OF_COPY = (1.0, 1.04, 0.97, 1.03, 0.96)


def served(factors: Sequence[float], speed: float) -> Side:
    return in_pairs("one", *([0.01 / speed * f] for f in factors))


def timed(own: Sequence[float], competent: Sequence[float] = (1.0, 3.0)) -> Comparison:
    references: dict[Tier, Side] = {
        "baseline": served([1.0] * 5, 1.0),
        "competent": served(competent, 2.0),
        "expert": served(OF_EXPERT, 3.0),
    }
    return Comparison(
        candidate=served(own, 2.0), references=references, copy=served(OF_COPY, 1.0), pairs=(), alpha=0.05
    )


def half(factors: Sequence[float], narrower: bool = True) -> float:
    """Half-width in points of a speed-up over pairs, where log(3 / mean of the expert's) is 100 points."""
    found = over_pairs(-np.log(np.array(factors)))
    span = math.log(3.0) - float(np.log(np.array(OF_EXPERT)).mean())
    sides = (math.log(found.value / found.low), math.log(found.high / found.value))
    return (min(sides) if narrower else max(sides)) / span * 100


COIN = (1.0, 3.0, 1.0, 3.0, 1.0)


def test_of_a_time_who_took_part_in_every_pair_tells_it_and_nobody_else() -> None:
    wanted = pytest.approx(WIDER * half(OF_COPY))
    # neither the tier that took part in two pairs, and is as wide as can be, nor the submission itself moves it
    assert room(SPEED, [timed((1.0,) * 5)]) == room(SPEED, [timed(COIN)]) == wanted
    assert room(SPEED, [replace(timed(COIN), copy=None)]) == pytest.approx(WIDER * half(OF_EXPERT))


def test_a_score_keeps_it_and_so_does_its_cell() -> None:
    score = grade(Criteria(objective=SPEED), [timed(COIN)])
    assert score.points_high is not None
    assert score.points_uncapped is not None
    assert score.points_room == pytest.approx(WIDER * half(OF_COPY))
    assert score.points_high - score.points_uncapped > 4 * score.points_room
    assert score.points_repeat == pytest.approx(
        math.hypot(half(COIN, narrower=False), half(OF_EXPERT, narrower=False))
    )
    cell = cell_of("ann", reports.ok_run(score=score))
    assert cell.points_room == score.points_room


def test_between_runs_on_one_seed_only_the_pairs_differ() -> None:
    three = [timed(OF_EXPERT), timed([1.3 * f for f in OF_EXPERT]), timed([0.7 * f for f in OF_EXPERT])]
    own = half(OF_EXPERT, narrower=False)
    assert repeat(SPEED, three) == pytest.approx(math.sqrt(6) * own / 3)  # its own, and the expert's
    score = grade(Criteria(objective=SPEED), three)
    assert score.points_high is not None
    assert score.points_uncapped is not None
    assert score.points_high - score.points_uncapped > 10 * own, "the interval is over instances"
    assert repeat(PLAIN, [rated(OWN, **ANCHORS)]) is None


def test_an_interval_of_items_that_is_wider_than_the_references_reaches_no_further_than_theirs() -> None:
    r = rated(drawn(0.7, ()), **ANCHORS)
    score = grade(Criteria(objective=PLAIN), [r])
    assert (score.points_uncapped, score.points_high) == pytest.approx((50.0, 100.0))
    assert score.points_room == pytest.approx(WIDER * 7.5)
