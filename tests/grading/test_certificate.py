"""What can be said of a run's times: certificate, grade, probes, and what follows for the verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.grading.certificate import margin, timing, voided
from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import Constraint, Criteria, Objective
from harness.grading.grade import grade
from harness.grading.verdicts import judge, settled
from harness.readings import Counters, PairReading
from harness.records import Assessed, Measurement, Probe, Role, Tier

CALLS = 24
LATENCY = Constraint(
    name="latency", measure="answer_p50", compare="ratio", reference="baseline", at_most=1.25
)
CRITERIA = Criteria(objective=Objective(measure="accuracy"), constraints=(LATENCY,))
QUIET = Counters(seconds=10.0, cpu_seconds=4.0, wait_seconds=0.0)
DISTURBED = QUIET.model_copy(update={"wait_seconds": 4.0})
ACCURACY: dict[str, float] = {"candidate": 0.8, "baseline": 0.5, "competent": 0.7, "expert": 0.9}


def side(factors: Sequence[float], tier: Tier | None = None, base: float = 0.01) -> Side:
    """One factor a pair: its calls take so many times the base, longer and shorter ones alike."""
    items = [(f"q{n}-{i}", n, f) for n, f in enumerate(factors) for i in range(CALLS)]
    role: Role = "reference" if tier else "candidate"
    accuracy = ACCURACY[tier or "candidate"]
    found = Measurement(
        name="accuracy", unit="", direction="higher", value=accuracy, low=accuracy, high=accuracy
    )
    p50 = Measurement(name="answer_p50", unit="s", direction="lower", value=base)
    assessed = Assessed(number=0, role=role, label="x", tier=tier, outcome="ok", measurements=(found, p50))
    times = {item: base * f * (1 + (number % 7) / 10) for number, (item, _, f) in enumerate(items)}
    return Side(assessed, {"answer": times}, {item: n for item, n, _ in items})


def reading(pair: int, own: Side, base: Side, **changes: Any) -> PairReading:
    """A pair in which nothing is amiss: inputs take as long again, and as long without the candidate."""

    def part(of: Side) -> dict[str, float]:
        return {i: s + 0.0002 for i, s in of.times["answer"].items() if of.pair_of[i] == pair}

    values: dict[str, Any] = {
        "stage": "serve",
        "pair": pair,
        "started": ("baseline", "baseline copy", "candidate"),
        "floor": (0.0002,) * 5,
        "idle_cpu": {"candidate": 0.001, "baseline": 0.001},
        "busy_cpu": {"candidate": 1.0, "baseline": 1.0},
        "alone": part(base),
        "repeats": {"candidate": part(own), "baseline": part(base)},
        "counters": QUIET,
    }
    return PairReading(**(values | changes))


def around(
    own: Sequence[float] = (1.1,) * 5, copy: Sequence[float] = (1.0, 1.01, 0.99, 1.0, 1.0), **changes: Any
) -> Comparison:
    """One instance: `own` and `copy` by pair, against a baseline that always takes the same."""
    candidate, baseline = side(own), side([1.0] * len(own), "baseline")
    references: dict[Tier, Side] = {
        "baseline": baseline,
        "competent": side((), "competent"),
        "expert": side((), "expert"),
    }
    pairs = tuple(reading(n, candidate, baseline, **changes) for n in range(len(own)))
    return Comparison(candidate=candidate, references=references, copy=side(copy, "baseline"), pairs=pairs)


def trust(r: Comparison) -> Any:
    found = timing(CRITERIA, [r])
    assert found is not None
    return found


def probe(r: Comparison, name: str) -> Probe:
    return next(p for p in trust(r).probes if p.name == name)


def test_nothing_timed_in_pairs_says_nothing() -> None:
    assert timing(CRITERIA, [replace(around(), pairs=())]) is None
    assert margin(None) == 0.03
    assert not voided(None)


def test_a_run_with_nothing_amiss_is_certified() -> None:
    found = trust(around())
    assert found.certified
    assert (found.pairs, found.floor_seconds) == (5, 0.0002)
    assert {p.verdict for p in found.probes} == {"clear"}
    assert found.certificate.measure == "answer_p50"
    assert found.certificate.value == pytest.approx(1.0, abs=0.001)
    assert "equal within 3.0%" in found.certificate.words
    assert found.words == ("times are certified: 5 fresh process pairs, machine grade A",)


def test_the_margin_is_three_percent_or_twice_the_standard_error() -> None:
    calm = trust(around()).certificate
    assert calm.spread == pytest.approx(np.std(np.log([1.0, 1.01, 0.99, 1.0, 1.0]), ddof=1))
    assert calm.margin == 0.03
    copies = [1.0, 1.045, 0.955, 1.03, 0.97]
    rough = trust(around(copy=copies)).certificate
    assert rough.margin == pytest.approx(2 * np.std(np.log(copies), ddof=1) / math.sqrt(5))
    assert rough.margin > 0.03
    assert margin(trust(around(copy=copies))) == rough.margin
    # a clock that is unsure of itself is not lenient: the tolerance has a cap, and nothing is certified
    wild = trust(around(copy=[1.0, 1.2, 0.8, 1.1, 0.9]))
    assert wild.certificate.margin == 0.05
    assert not wild.certified
    assert not settled(CRITERIA, around(copy=[1.0, 1.2, 0.8, 1.1, 0.9]))


def test_an_interval_beyond_the_margin_shows_no_equality() -> None:
    wide = trust(around(copy=[1.02, 1.06, 0.97, 1.06, 1.02])).certificate
    assert wide.holds
    assert "not told apart within" in wide.words


def test_a_certificate_that_does_not_hold_leaves_verdicts_on_times_open() -> None:
    r = around(copy=[1.10, 1.11, 1.09, 1.10, 1.10])
    found = trust(r)
    assert not found.certificate.holds
    assert not found.certified
    assert any("not equal within" in words for words in found.words)
    assert voided(found)
    result = judge(LATENCY, [r], found)
    assert result.verdict == "inconclusive"
    assert result.words.endswith("no verdict, since this run's times are void")
    assert grade(CRITERIA, [r]).outcome == "inconclusive"
    assert grade(CRITERIA, [around()]).outcome == "ok"


def test_a_void_probe_leaves_verdicts_on_times_open_and_no_others() -> None:
    r = around(idle_cpu={"candidate": 0.2, "baseline": 0.0})
    assert probe(r, "stopped means still").verdict == "void"
    assert judge(LATENCY, [r], trust(r)).verdict == "inconclusive"
    floor = Constraint(name="quality", measure="accuracy", at_least=0.7)
    assert judge(floor, [r], trust(r)).verdict == "pass"


@pytest.mark.parametrize(("share", "verdict"), [(0.019, "clear"), (0.021, "void")])
def test_a_submission_that_works_while_it_is_stopped(share: float, verdict: str) -> None:
    found = probe(around(idle_cpu={"candidate": share, "baseline": 0.5}), "stopped means still")
    assert (found.verdict, found.value) == (verdict, pytest.approx(share))


def again(r: Comparison, of: Side, by: float) -> tuple[dict[str, float], ...]:
    """The raw seconds of each pair's items, `by` times as long beyond the floor."""
    return tuple(
        {i: s * by + 0.0002 for i, s in of.times["answer"].items() if of.pair_of[i] == p.pair}
        for p in r.pairs
    )


@pytest.mark.parametrize(
    ("by", "verdict"), [(0.0, "note"), (0.2, "note"), (0.88, "note"), (0.92, "clear"), (1.2, "clear")]
)
def test_answers_that_are_remembered_are_noted(by: float, verdict: str) -> None:
    r = around()
    repeats = again(r, r.candidate, by)
    pairs = [
        p.model_copy(update={"repeats": {**p.repeats, "candidate": faster}})
        for p, faster in zip(r.pairs, repeats, strict=True)
    ]
    found = probe(replace(r, pairs=tuple(pairs)), "repeated input")
    assert (found.verdict, found.value) == (verdict, pytest.approx(by, abs=0.02))
    assert trust(replace(r, pairs=tuple(pairs))).certified  # no scored input is asked twice


def test_what_the_reference_gains_too_is_nobodys_memory() -> None:
    r = around()
    both = zip(r.pairs, again(r, r.candidate, 0.7), again(r, r.references["baseline"], 0.7), strict=True)
    pairs = [p.model_copy(update={"repeats": {"candidate": own, "baseline": base}}) for p, own, base in both]
    assert probe(replace(r, pairs=tuple(pairs)), "repeated input").verdict == "clear"


@pytest.mark.parametrize(("by", "verdict"), [(0.90, "void"), (0.98, "clear"), (1.1, "clear")])
def test_a_reference_slower_beside_the_candidate_voids_the_times(by: float, verdict: str) -> None:
    r = around()
    pairs = [
        p.model_copy(update={"alone": alone})
        for p, alone in zip(r.pairs, again(r, r.references["baseline"], by), strict=True)
    ]
    found = probe(replace(r, pairs=tuple(pairs)), "reference alone")
    assert (found.verdict, found.value) == (verdict, pytest.approx(1 / by, rel=0.01))


def test_the_floor_is_in_both_sides_of_a_probe() -> None:
    # requests of .4 ms beside a floor of .2 ms: left in on one side only, it would hide a slower reference
    r = around()
    short = side([1.0] * 5, "baseline", base=0.0004)
    again_ = again(replace(r, references={"baseline": short}), short, 0.7)
    pairs = [p.model_copy(update={"alone": alone}) for p, alone in zip(r.pairs, again_, strict=True)]
    found = probe(replace(r, references={"baseline": short}, pairs=tuple(pairs)), "reference alone")
    assert (found.verdict, found.value) == ("void", pytest.approx((0.52 + 0.2) / (0.364 + 0.2), rel=0.01))


def test_an_answer_that_took_less_than_its_work_must_is_implausible() -> None:
    r = around()
    least = dict.fromkeys(r.candidate.times["answer"], 0.02)
    found = trust(replace(r, least_seconds=least))
    assert found.probes[-1].verdict == "implausible"
    score = grade(CRITERIA, [replace(r, least_seconds=least)])
    assert (score.outcome, score.points) == ("implausible", 0.0)
    # each request by its own least: few that must take long make the many short ones no wonder
    few = {item: 0.02 if item.endswith("-0") else 0.001 for item in r.candidate.times["answer"]}
    assert trust(replace(r, least_seconds=few)).probes[-1].verdict == "clear"
    nothing = side([1e-5] * 5)  # what a call keeps that took less than half of an empty request
    assert trust(replace(r, candidate=nothing)).probes[-1].verdict == "implausible"


def test_fewer_than_five_pairs_are_not_certified() -> None:
    found = trust(around(own=[1.1] * 4, copy=[1.0, 1.01, 0.99, 1.0]))
    assert not found.certified
    assert found.words == ("times are not certified: 4 process pairs, 5 are needed",)
    assert not voided(found)  # too few are no reason to leave a clear verdict open


def test_a_disturbed_machine_is_not_certified() -> None:
    found = trust(around(counters=DISTURBED))
    assert found.condition.grade == "C"
    assert not found.certified
    assert "times are not certified: the machine is grade C" in found.words


def test_without_a_copy_nothing_is_certified() -> None:
    found = trust(replace(around(), copy=None))
    assert not found.certified
    assert "no copy of the reference" in found.words[0]


@pytest.mark.parametrize(
    ("own", "verdict"),
    [(1.20, "pass"), (1.28, "pass"), (1.29, "fail"), (1.40, "fail")],  # 1.25 and 3 % are 1.2875
)
def test_a_verdict_has_the_runs_tolerance(own: float, verdict: str) -> None:
    r = around(own=[own] * 5)
    result = judge(LATENCY, [r], trust(r))
    assert (result.verdict, result.tolerance, result.pairs) == (verdict, 0.03, 5)


def test_memory_is_read_by_no_clock_and_has_no_clocks_tolerance() -> None:
    r = around(copy=[1.0, 1.2, 0.8, 1.1, 0.9])
    limit = Constraint(
        name="memory", measure="peak_memory", compare="ratio", reference="baseline", at_most=2.0
    )
    memory = Measurement(name="peak_memory", unit="B", direction="lower", value=1e9)
    own, base = (
        replace(s, assessed=s.assessed.model_copy(update={"measurements": (memory,)}))
        for s in (r.candidate, r.references["baseline"])
    )
    result = judge(limit, [replace(r, candidate=own, references={"baseline": base})], trust(r))
    assert (result.tolerance, result.pairs) == (0.03, 0)
    assert margin(trust(r)) == 0.05


def test_it_is_settled_once_every_verdict_is_decided_or_its_ratio_narrow() -> None:
    spread = [0.7, 1.3, 1.0, 0.8, 1.2]
    assert settled(CRITERIA, around(own=[1.0] * 5))
    assert settled(
        CRITERIA, around(own=[2.0 * s for s in (0.97, 1.03, 1.0, 0.98, 1.02)])
    )  # wide, but decided
    assert not settled(CRITERIA, around(own=[1.27 * s for s in spread]))
    # too close to call for ever, and known to 2 %: more pairs would change nothing that matters
    close = around(own=[1.2875 * s for s in (0.995, 1.005, 1.0, 0.995, 1.005)])
    assert judge(LATENCY, [close], trust(close)).verdict == "inconclusive"
    assert settled(CRITERIA, close)


def test_an_objective_of_times_is_settled_on_its_width_alone() -> None:
    speed = Criteria(objective=Objective(measure="speed-up", ratio_of=("answer_p50",), reference="baseline"))
    assert not settled(speed, around(own=[0.5, 0.6, 0.55, 0.5, 0.6]))
    assert settled(speed, around(own=[0.5, 0.503, 0.497, 0.5, 0.5]))


def test_a_smaller_error_at_each_look_leaves_more_open() -> None:
    r = around(own=[1.20, 1.17, 1.23, 1.26, 1.20])
    assert judge(LATENCY, [r], trust(r)).verdict == "pass"
    assert judge(LATENCY, [replace(r, alpha=0.0001)], trust(r)).verdict == "inconclusive"


def test_calls_near_the_floor_and_workers_that_never_settle_are_noted() -> None:
    # a median call of about 14 ms: seventy empty requests of .2 ms, seven of 2 ms
    assert probe(around(), "empty request").verdict == "clear"
    near = probe(around(floor=(0.002,) * 5), "empty request")
    assert near.verdict == "note"
    assert near.value is not None
    assert near.value > 1 / 20
    half = probe(around(steady={"candidate": True, "baseline": False}, warmups=20), "steady state")
    assert (half.verdict, half.value) == ("clear", 0.5)
    most = probe(around(steady={"a": True, "b": False, "c": False}, warmups=20), "steady state")
    assert (most.verdict, most.words.split(" within")[0]) == ("note", "no steady state in 10 of 15 workers")
    assert trust(around(steady={"a": False})).certified


def test_a_time_that_is_read_once_does_not_rest_on_pairs() -> None:
    r = around()
    build = Constraint(
        name="build", measure="build_seconds", compare="ratio", reference="baseline", at_most=2.0
    )
    seconds = Measurement(name="build_seconds", unit="s", direction="lower", value=3.0)
    own, base = (
        replace(
            s,
            assessed=s.assessed.model_copy(update={"measurements": (seconds,)}),
            readings={"build": {0: 3.0}},
        )
        for s in (r.candidate, r.references["baseline"])
    )
    result = judge(build, [replace(r, candidate=own, references={"baseline": base})], trust(r))
    assert (result.verdict, result.pairs, result.tolerance) == ("pass", 0, 0.03)


def test_more_cores_than_were_given_void_the_times() -> None:
    def reading(candidate: float) -> PairReading:
        return PairReading(
            stage="serve",
            pair=0,
            started=("baseline", "candidate"),
            busy_cpu={"candidate": candidate, "baseline": 0.98},
            turn_seconds={"candidate": 1.0, "baseline": 1.0},
        )

    def verdict(candidate: float) -> str:
        r = replace(around(), pairs=tuple(reading(candidate) for _ in range(5)))
        return next(p.verdict for p in trust(r).probes if p.name == "cores")

    assert verdict(0.99) == verdict(1.1) == "clear"
    assert verdict(1.8) == "void"


def drifting(*factors: float) -> Comparison:
    """The baseline by pair, and everybody else as slow as it is: a machine that changed its pace."""
    own, base = side([1.1 * f for f in factors]), side(factors, "baseline")
    flat = {item: 0.01 * factors[pair] for item, pair in base.pair_of.items()}
    base = replace(base, times={"answer": flat})
    r = around(own=[1.1] * len(factors), copy=factors)
    pairs = tuple(reading(n, own, base) for n in range(len(factors)))
    return replace(r, candidate=own, references={**r.references, "baseline": base}, pairs=pairs)


@pytest.mark.parametrize(
    ("factors", "grade_due", "words"),
    [
        ((1.0, 1.0, 1.2, 1.2), "B", "became 20% slower"),
        ((1.0, 1.0, 9.0, 1.2, 1.2), "B", "became 20% slower"),  # the middle one of five is in neither half
        ((1.0, 1.0, 0.8, 0.8), "B", "became 20% faster"),
        ((1.0, 1.2), "B", "became 20% slower"),
        ((1.0, 1.0, 1.05, 1.05), "A", ""),
        ((1.2,), "A", ""),  # one pair has no halves
    ],
)
def test_a_reference_that_drifts_from_half_to_half_is_told(
    factors: tuple[float, ...], grade_due: str, words: str
) -> None:
    condition = trust(drifting(*factors)).condition
    assert condition.grade == grade_due
    assert words in condition.words[0]
    assert ("the reference became" in " ".join(condition.words)) == bool(words)


def test_one_pair_has_a_certificate_with_the_spread_of_pairs_and_no_more() -> None:
    found = trust(around(own=[1.1], copy=[1.0])).certificate
    assert (found.pairs, found.spread, found.margin) == (1, 0.03, 0.05)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1 / 1.03, 1.03))


@pytest.mark.parametrize("kind", ["p95", "throughput"])
def test_a_certificate_is_of_the_measure_that_is_judged(kind: str) -> None:
    limit = LATENCY.model_copy(update={"measure": f"answer_{kind}"})
    found = timing(
        Criteria(objective=Objective(measure="accuracy"), constraints=(limit,)), [around(copy=(1.1,) * 5)]
    )
    assert found is not None
    assert found.certificate is not None
    assert found.certificate.measure == f"answer_{kind}"
    value = 1.1 if kind == "p95" else 1 / 1.1
    assert (found.certificate.value, found.certificate.low, found.certificate.high) == pytest.approx(
        (value,) * 3
    )
    assert not found.certificate.holds


@pytest.mark.parametrize(
    ("copies", "holds"),
    [((1.02,) * 5, True), ((1.04,) * 5, False), ((0.98,) * 5, True), ((0.96,) * 5, False)],
)
def test_a_certificate_holds_within_the_margin_on_both_sides(copies: tuple[float, ...], holds: bool) -> None:
    found = trust(around(copy=copies))
    assert found.certificate.holds == holds
    assert voided(found) == (not holds)


def test_a_void_verdict_says_what_was_measured_and_why_it_is_none() -> None:
    r = around(own=[1.1] * 5, idle_cpu={"candidate": 0.2, "baseline": 0.0})
    result = judge(LATENCY, [r], trust(r))
    assert result.words == (
        "latency: 1.1 times the baseline's, anywhere from 1.1 to 1.1; at most 1.25 allowed: "
        "no verdict, since this run's times are void"
    )
    assert (result.tolerance, result.pairs) == (0.03, 5)


def test_the_floors_of_all_pairs_and_the_fewest_pairs_of_all_rounds_are_shown() -> None:
    found = timing(CRITERIA, [around(), around(own=[1.1] * 3, copy=[1.0] * 3, floor=(0.0004,) * 9)])
    assert found is not None
    assert (found.pairs, found.floor_seconds) == (3, 0.0004)
    assert trust(around(floor=())).floor_seconds is None
