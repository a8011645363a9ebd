"""What process pairs decide by their order, and spread that is a candidate's own: by hand, and simulated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness.grading.certificate import timing
from harness.grading.comparison import Comparison, pair_logs
from harness.grading.criteria import Constraint
from harness.grading.grade import grade
from harness.grading.spread import PairSpread, spread
from harness.grading.verdicts import judge, settled
from harness.measures.paired import median_over_pairs, wider
from harness.records import ConstraintResult, Measurement
from tests.bench import verdicts as simulation
from tests.grading.test_certificate import CRITERIA, LATENCY, around

EDGE = 1.25 * 1.03
AA = (1.0, 1.01, 0.99, 1.0, 1.005, 0.995, 1.0, 1.01, 0.99, 1.0, 1.005, 0.995)


def judged(own: Sequence[float], copy: Sequence[float] = AA, alpha: float = 0.05 / 3) -> ConstraintResult:
    r = pairs(own, copy, alpha)
    return judge(LATENCY, [r], timing(CRITERIA, [r]))


def pairs(own: Sequence[float], copy: Sequence[float] = AA, alpha: float = 0.05 / 3) -> Comparison:
    return replace(around(own=own, copy=copy[: len(own)]), alpha=alpha)


@pytest.mark.parametrize(
    ("n", "ends"),
    [
        (5, None),
        (6, None),
        (7, (0, 6)),
        (8, (0, 7)),
        (10, (0, 9)),
        (11, (1, 9)),
        (12, (1, 10)),
        (15, (2, 12)),
    ],
)
def test_the_order_interval_of_a_median_spends_no_more_than_it_may(
    n: int, ends: tuple[int, int] | None
) -> None:
    logs = np.arange(float(n)) ** 2
    found = median_over_pairs(logs[::-1], 0.05 / 3)
    assert (None if found is None else (found.low, found.high)) == (
        None if ends is None else (logs[ends[0]], logs[ends[1]])
    )
    if ends is not None:  # the next pair inwards would spend more
        inwards = sum(math.comb(n, k) for k in range(ends[0] + 2)) / 2 ** (n - 1)
        assert inwards > 0.05 / 3 >= sum(math.comb(n, k) for k in range(ends[0] + 1)) / 2 ** (n - 1)


def test_one_wild_pair_in_twelve_keeps_nothing_open() -> None:
    # the mean's interval straddles: one pair that is ten times over its budget would have kept it open
    failed = judged([1.6] * 11 + [16.0])
    assert failed.verdict == "fail"
    assert failed.low is not None
    assert failed.low < EDGE
    assert failed.words.endswith("nearly all of its 12 process pairs lie beyond it")
    passed = judged([1.0] * 11 + [2.6])
    assert (passed.verdict, passed.open_by) == ("pass", "")
    assert passed.words.endswith("nearly all of its 12 process pairs lie within it")
    # but what passes by order passes on average as well
    assert judged([1.2] * 11 + [3.0]).verdict == "fail"
    # at the median pair's own limit: one more on the other side, and the order says nothing
    assert judged([1.0] * 10 + [1.32, 1.32]).verdict == "pass"
    even = [1.27, 1.31] * 6
    assert judged(even).verdict == "inconclusive"
    assert judged(even).open_by == ""


def test_seven_pairs_beyond_are_needed_and_five_are_not_enough() -> None:
    wild = [1.3, 20.0, 1.3, 20.0, 1.3]
    assert judged(wild).verdict == "fail"  # by its mean, for the spread is its own
    assert judged(wild, copy=(1.0, 1.6, 0.7, 1.5, 0.8)).verdict == "inconclusive"  # by order there is none
    mine = PairSpread(np.log([1.3] * 6 + [2.0]), np.zeros(7), 1)
    assert mine.by_order(math.log(EDGE), 0.05 / 3) == "fail"
    assert PairSpread(mine.own[:6], np.zeros(6), 1).by_order(math.log(EDGE), 0.05 / 3) == "inconclusive"
    assert PairSpread(mine.own, np.zeros(7), 2).by_order(math.log(EDGE), 0.05 / 3) == "inconclusive"


COIN = [0.9, 6.0] * 6


def test_a_coin_thrown_at_import_keeps_nothing_open() -> None:
    result = judged(COIN)
    assert result.low is not None
    assert result.high is not None
    assert result.low < EDGE < result.high
    assert result.verdict == "fail"
    assert "on average over its processes, since its own times differ by 99%" in result.words
    score = grade(CRITERIA, [pairs(COIN)])
    assert (score.outcome, score.points) == ("budget_exceeded", 0.0)
    # within its budget on average: open, by its own doing, and whatever was measured beyond gives nothing
    within = judged([0.6, 1.5] * 6)
    assert (within.verdict, within.open_by) == ("inconclusive", "candidate")
    assert "too close to call: its own times differ by" in within.words
    # pairs that are still to come may decide it: only then is the mean taken
    assert not settled(CRITERIA, pairs(COIN[:8]))


def test_a_machine_that_spreads_equals_as_much_is_not_the_candidates_doing() -> None:
    rough = [1.0, 1.5, 0.8, 1.4, 0.7, 1.3, 0.9, 1.2, 0.75, 1.45, 1.0, 0.85]
    result = judged([0.9, 2.2] * 6, copy=rough)
    assert (result.verdict, result.open_by) == ("inconclusive", "")
    # nor is what a clock of 1 % shows of a program that differs by 5 %
    assert judged([1.2, 1.36] * 6).open_by == ""
    assert not wider(np.log([1.0, 1.1] * 6), np.log([1.0, 1.05] * 6), 0.001)
    assert wider(np.log([1.0, 1.1] * 6), np.log([1.0, 1.01] * 6), 0.001)


def test_without_a_copy_nobody_can_say_whose_spread_it_is() -> None:
    r = replace(pairs(COIN), copy=None)
    assert judge(LATENCY, [r], timing(CRITERIA, [r])).open_by == ""
    nobody = replace(pairs(COIN), references={})
    assert spread(LATENCY, [nobody]) is None


def test_what_is_better_the_larger_has_its_sign_turned() -> None:
    floor = Constraint(
        name="speed", measure="answer_throughput", compare="ratio", reference="baseline", at_least=0.8
    )
    found = spread(floor, [pairs(COIN)])
    assert found is not None
    assert found.own == pytest.approx(np.log(COIN))
    for own, verdict in ((COIN, "fail"), ([1.0] * 11 + [2.6], "pass")):
        r = pairs(own)
        rate = Measurement(name="answer_throughput", unit="1/s", direction="higher", value=100.0)
        assessed = r.candidate.assessed.model_copy(update={"measurements": (rate,)})
        r = replace(r, candidate=replace(r.candidate, assessed=assessed))
        result = judge(floor, [r], timing(CRITERIA, [r]))
        assert result.low is not None
        assert result.high is not None
        assert result.low < 0.8 / 1.03 < result.high  # the interval of the mean decides neither
        assert result.verdict == verdict


@pytest.mark.parametrize(
    ("kind", "due"), [("p50", 1.1), ("p95", 1.1), ("mean", 1.1), ("throughput", 1 / 1.1)]
)
def test_each_pairs_own_ratio(kind: str, due: float) -> None:
    r = around()
    logs = pair_logs(f"answer_{kind}", r.candidate, r.references["baseline"])
    assert np.exp(logs) == pytest.approx([due] * 5)


def test_the_instances_level_is_no_spread() -> None:
    twice = [pairs([1.0] * 5), pairs([2.0] * 5)]
    found = spread(LATENCY, twice)
    assert found is not None
    assert found.own == pytest.approx(np.full(10, math.log(2.0) / 2))
    assert not found.is_own()


def test_the_simulation_ends_as_the_judge_does() -> None:
    rng = np.random.default_rng(3)
    programs = (*simulation.HONEST, *simulation.ADVERSARIES)
    seen = set()
    for number in range(48):
        program, at = programs[number % len(programs)], (1.0, 1.03, 1.2)[number % 3]
        own = math.log(simulation.LIMIT * at) + program.draw(rng, 12)
        copies = 0.01 * rng.standard_normal(12)
        ended = simulation.ended(own, copies)
        assert simulation.quickly(own, copies) == ended, (program.name, at)
        seen.add(ended)
    assert seen >= {"pass", "fail", "open by the clock"}


def test_simulated_openness_and_false_verdicts() -> None:
    honest = {p.name: p for p in simulation.HONEST}
    for name in ("by 3 %", "heavy tails (t of 3 degrees, 2 %)", "1 in 20 is 20 % slower"):
        row = simulation.simulated(honest[name], 1.0, 300)
        assert row.share("fail") <= max(row.share("fail", before=True), 0.01)
        assert row.share("open") <= row.share("open", before=True)
    adversaries = [p for p in simulation.ADVERSARIES if "second" in p.name or "third" in p.name]
    for program in adversaries[1::2]:
        row = simulation.simulated(program, 1.5, 300)
        assert row.share("open") < 0.03 or program.at_the_edge(1.5), program.name
    assert max(simulation.simulated(p, 1.5, 100).share("open", before=True) for p in adversaries) > 0.5
