"""What can be said of a run's times: certificate, grade, probes, and what follows for the verdicts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.grading.certificate import disturbance, margin, timing, voided
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


SECONDS = Measurement(name="answer_p50", unit="s", direction="lower", value=0.01)


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
    assert judge(LATENCY, [around()], trust(around(copy=copies))).tolerance == rough.margin
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


def slowed(r: Comparison, by: float, tier: Tier = "baseline", **changes: Any) -> Comparison:
    """The same where a reference takes `by` times as long beside the candidate as without it."""
    pairs = []
    for p, alone in zip(r.pairs, again(r, r.references[tier], 1 / by), strict=True):
        pairs.append(p.model_copy(update={"alone": {}, "alone_by": {**p.alone_by, tier: alone}, **changes}))
    return replace(r, pairs=tuple(pairs))


def test_a_void_probe_leaves_verdicts_on_times_open_and_no_others() -> None:
    r = slowed(around(), 1.2)
    assert probe(r, "reference alone").verdict == "void"
    result = judge(LATENCY, [r], trust(r))
    assert (result.verdict, result.void, result.open_by) == ("inconclusive", True, "machine")
    assert trust(r).words == (f"times are not certified: {probe(r, 'reference alone').words}",)
    floor = Constraint(name="quality", measure="accuracy", at_least=0.7)
    assert judge(floor, [r], trust(r)).verdict == "pass"
    score = grade(
        CRITERIA, [r]
    )  # 1.1 times, and perhaps 1.32: no points are given for what may be over budget
    assert (score.outcome, score.points, score.withheld, score.open_by) == (
        "inconclusive",
        0.0,
        True,
        "machine",
    )
    assert score.reasons[-1].startswith("no points are given while a verdict is open")
    within = grade(CRITERIA, [slowed(around(own=[0.8] * 5), 1.2)])
    assert (within.outcome, within.withheld) == ("inconclusive", False)
    assert within.points == pytest.approx(75.0)
    assert within.reasons[-1].startswith("the points are provisional")


@pytest.mark.parametrize(
    ("own", "verdict"),
    # 1.25 times and 3 % are allowed; the reference was seen to be 1.2 times off, the factors to 1.3 %
    [(1.1, "inconclusive"), (1.5, "inconclusive"), (1.54, "inconclusive"), (1.60, "fail"), (40.0, "fail")],
)
def test_what_is_over_budget_by_more_than_a_void_run_may_be_off_has_failed(own: float, verdict: str) -> None:
    r = slowed(around(own=[own] * 5), 1.2)
    found = trust(r)
    assert voided(found)
    assert disturbance(found) == pytest.approx(1.2, rel=0.02)
    result = judge(LATENCY, [r], found)
    assert result.verdict == verdict
    assert result.high is not None
    assert result.high == pytest.approx(own * disturbance(found))
    assert (result.open_by == "machine") == (verdict == "inconclusive")
    outcome = grade(CRITERIA, [r]).outcome
    assert outcome == {"fail": "budget_exceeded"}.get(verdict, verdict)
    broken = around(own=[own] * 5, copy=[1.2] * 5)  # and so where the clock did not call equals equal
    assert judge(LATENCY, [broken], trust(broken)).verdict == verdict


def test_a_probe_whose_interval_has_no_end_bounds_nothing() -> None:
    found = trust(slowed(around(own=[40.0] * 5), 1.2))
    endless = found.probes[1].model_copy(update={"low": None, "high": None})
    found = found.model_copy(update={"probes": (found.probes[0], endless, *found.probes[2:])})
    assert judge(LATENCY, [around(own=[40.0] * 5)], found).verdict == "inconclusive"
    assert disturbance(None) == 1.0


TURNS = {"candidate": 100, "baseline": 100, "baseline copy": 100}


@pytest.mark.parametrize(
    ("idle", "busy", "verdict"),
    [
        (0.019, 0.9, "clear"),  # 0.19 ms a turn: what stopping may take, however little the reference used
        (
            0.021,
            2.0,
            "clear",
        ),  # 0.21 ms a turn, of which the kernel's own is 0.01: 1 % of what the reference used
        (0.023, 1.0, "implausible"),
        (0.5, 1.0, "implausible"),
    ],
)
def test_a_submission_that_works_while_it_is_stopped(idle: float, busy: float, verdict: str) -> None:
    use = {"candidate": idle, "baseline": 0.001, "baseline copy": 0.0005}
    r = around(idle_cpu=use, busy_cpu={"candidate": 1.0, "baseline": busy}, turns=TURNS)
    found = probe(r, "stopped means still")
    assert (found.verdict, found.value) == (verdict, pytest.approx(idle / busy))
    assert found.culprit == ("" if verdict == "clear" else "candidate")
    score = grade(CRITERIA, [r])
    if verdict == "clear":
        assert found.words == "the submission used no processor while it was stopped"
        assert score.outcome == "ok"
    else:  # nobody else can have done it: there is nothing to leave open, nor to measure again
        assert found.words.startswith("the submission used the processor while it was stopped, ")
        assert (score.outcome, score.points, score.tier) == ("implausible", 0.0, "none")
        assert found.words in score.reasons[0]
        assert settled(CRITERIA, replace(r, alpha=1e-9))


@pytest.mark.parametrize(
    ("idle", "threads", "verdict"),
    [
        (
            0.06,
            48,
            "clear",
        ),  # 0.6 ms a turn: that is what 48 threads that only wait may cost, 0.2 + 48 * 0.015 ms
        (0.1, 48, "implausible"),
        (0.3, 256, "clear"),
        (0.5, 100_000, "implausible"),  # so many are no excuse
    ],
)
def test_threads_that_only_wait_are_no_work(idle: float, threads: int, verdict: str) -> None:
    use = {"candidate": idle, "baseline": 0.001, "baseline copy": 0.0005}
    busy = {"candidate": 1.0, "baseline": 1.0}
    r = around(idle_cpu=use, busy_cpu=busy, turns=TURNS, threads={"candidate": threads, "baseline": 1})
    assert probe(r, "stopped means still").verdict == verdict


def test_what_stopping_costs_here_is_seen_in_the_references() -> None:
    # a machine that takes 2 ms to stop anybody: a program that only sleeps is charged as much as a reference
    slow = {"candidate": 0.21, "baseline": 0.2, "baseline copy": 0.19}
    assert probe(around(idle_cpu=slow, turns=TURNS), "stopped means still").verdict == "clear"
    own = {"candidate": 0.23, "baseline": 0.2, "baseline copy": 0.19}
    assert probe(around(idle_cpu=own, turns=TURNS), "stopped means still").verdict == "implausible"


def test_of_what_nobody_read_nothing_is_made() -> None:
    assert probe(around(idle_cpu={}), "stopped means still").value == 0.0
    assert "stopped means still" not in {p.name for p in trust(around(busy_cpu={})).probes}
    # in records of before turns were counted, they are those whose times are known: here 24 and as many again
    for idle, verdict in ((48 * 190e-6, "clear"), (0.05, "implausible")):
        old = around(idle_cpu={"candidate": idle}, busy_cpu={"candidate": 1.0, "baseline": 0.1})
        assert probe(old, "stopped means still").verdict == verdict


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
    assert ("answers are remembered" in found.words) == (verdict == "note")
    assert trust(replace(r, pairs=tuple(pairs))).certified  # no scored input is asked twice


def asked_again(by: Sequence[float], base_by: float = 1.0) -> Comparison:
    """A run whose two last pairs ask the first two's questions again; the submission takes `by` times as long there."""
    r = around(own=[1.0, 1.0, 1.0, *by], copy=[1.0] * 5)
    same = {f"q{n + 3}-{i}": f"q{n}-{i}" for n in range(2) for i in range(CALLS)}

    def alike(side: Side, factors: Sequence[float]) -> Side:
        times = dict(side.times["answer"])
        for item, base in same.items():
            times[item] = times[base] * factors[side.pair_of[item] - 3]
        return replace(side, times={"answer": times})

    base = alike(r.references["baseline"], [base_by, base_by])
    return replace(
        r, candidate=alike(r.candidate, by), references={**r.references, "baseline": base}, again=same
    )


@pytest.mark.parametrize(
    ("by", "base_by", "verdict"),
    [
        ([0.5, 0.5], 1.0, "void"),
        ([0.9, 0.91], 1.0, "clear"),
        ([0.5, 0.5], 0.5, "clear"),
        ([1.3, 1.2], 1.0, "clear"),
    ],
)
def test_pairs_that_were_added_may_not_answer_the_same_questions_much_sooner(
    by: Sequence[float], base_by: float, verdict: str
) -> None:
    r = asked_again(by, base_by)
    found = probe(r, "added pairs")
    assert found.verdict == verdict
    assert found.culprit == ("candidate" if verdict == "void" else "")
    assert ("answered the same questions 50% faster" in found.words) == (verdict == "void")


def test_where_nothing_was_asked_again_no_probe_speaks_of_added_pairs() -> None:
    assert not [p for p in trust(around()).probes if p.name == "added pairs"]


@pytest.mark.parametrize("lacking", ["candidate", "baseline"])
def test_a_pair_in_which_one_was_not_asked_again_says_nothing_of_memory(lacking: str) -> None:
    r = around()
    repeats = again(r, r.candidate, 0.5)
    pairs = [
        p.model_copy(update={"repeats": {**p.repeats, "candidate": faster}})
        for p, faster in zip(r.pairs, repeats, strict=True)
    ]
    del pairs[0].repeats[lacking]
    found = probe(replace(r, pairs=tuple(pairs)), "repeated input")
    assert (found.verdict, found.value) == ("note", pytest.approx(0.5, abs=0.02))


def test_what_the_reference_gains_too_is_nobodys_memory() -> None:
    r = around()
    both = zip(r.pairs, again(r, r.candidate, 0.7), again(r, r.references["baseline"], 0.7), strict=True)
    pairs = [p.model_copy(update={"repeats": {"candidate": own, "baseline": base}}) for p, own, base in both]
    assert probe(replace(r, pairs=tuple(pairs)), "repeated input").verdict == "clear"


@pytest.mark.parametrize(("by", "verdict"), [(0.90, "void"), (0.98, "clear"), (1.1, "clear")])
def test_a_reference_slower_beside_the_candidate_voids_the_times(by: float, verdict: str) -> None:
    r = around()
    pairs = [  # as records of before other references were kept have it
        p.model_copy(update={"alone": alone})
        for p, alone in zip(r.pairs, again(r, r.references["baseline"], by), strict=True)
    ]
    found = probe(replace(r, pairs=tuple(pairs)), "reference alone")
    assert (found.verdict, found.value) == (verdict, pytest.approx(1 / by, rel=0.01))
    assert found.culprit == ("machine" if verdict == "void" else "")


BY_EXPERT = LATENCY.model_copy(update={"name": "beside the expert", "reference": "expert", "at_most": 3.0})
TWO = Criteria(objective=Objective(measure="accuracy"), constraints=(LATENCY, BY_EXPERT))


def test_every_reference_that_a_figure_goes_by_is_held_against_itself_alone() -> None:
    r = around()
    r = replace(r, references={**r.references, "expert": side([0.5] * 5, "expert")})
    r = slowed(r, 1.0)
    r = slowed(r, 1.2, "expert")
    found = timing(TWO, [r])
    assert found is not None
    (alone,) = (p for p in found.probes if p.name == "reference alone")
    assert (alone.verdict, alone.culprit) == ("void", "machine")
    assert alone.words == "the expert was 19.3% slower beside the submission than without it"
    assert probe(r, "reference alone").verdict == "clear"  # where nothing goes by the expert
    assert judge(BY_EXPERT, [r], found).open_by == "machine"


def after_its_turns(by: float, elsewhere: float = 1.0, own: float = 1.1) -> Comparison:
    """A baseline that is slower in each fourth turn, right after the candidate's; and perhaps in the others."""
    r = around(own=[own] * 5)
    base = r.references["baseline"]
    first = {item for item in base.pair_of if int(item.split("-")[1]) % 4 == 0}
    factor = {item: by if item in first else elsewhere for item in base.pair_of}
    times = {item: s * factor[item] for item, s in base.times["answer"].items()}
    pairs = tuple(
        p.model_copy(
            update={
                "alone_by": {"baseline": p.alone},
                "alone": {},
                "after": {"baseline": tuple(i for i in first if base.pair_of[i] == p.pair)},
            }
        )
        for p in r.pairs
    )
    slow = replace(base, times={"answer": times})
    return replace(r, references={**r.references, "baseline": slow}, pairs=pairs)


def test_a_reference_slower_right_after_the_candidates_turns_is_timed_by_its_others() -> None:
    hurt = after_its_turns(2.0, 1.029)
    assert probe(hurt, "reference alone").verdict == "clear"  # by its median it is 2.9 % slower
    hurt = after_its_turns(2.0, 1.02)
    every = [p.model_copy(update={"alone_by": {"baseline": {}}}) for p in hurt.pairs]
    for number, p in enumerate(hurt.pairs):  # half of what was asked again came after the candidate
        items = p.alone_by["baseline"]
        chosen = {i: s for i, s in items.items() if int(i.split("-")[1]) % 4 in (0, number % 3 + 1)}
        every[number] = p.model_copy(update={"alone_by": {"baseline": chosen}})
    hurt = replace(hurt, pairs=tuple(every))
    found = probe(hurt, "reference alone")
    assert (found.verdict, found.culprit, found.value) == ("note", "candidate", pytest.approx(1.02, rel=0.01))
    assert "right after the submission's turns: these do not count" in found.words
    assert not voided(trust(hurt))
    over = replace(hurt, candidate=side([1.4] * 5))
    score = grade(CRITERIA, [over])  # 1.4 / 1.02 of the reference's undisturbed times, and no less
    assert score.outcome == "budget_exceeded"
    assert score.constraints[0].value == pytest.approx(1.4 / 1.02)
    assert settled(CRITERIA, over)
    # slower in its other turns as well: open, and the candidate had its part in it
    both = replace(hurt, references=after_its_turns(2.0, 1.1).references)
    found = probe(both, "reference alone")
    assert (found.verdict, found.culprit) == ("void", "candidate")
    result = judge(LATENCY, [both], trust(both))
    assert (result.verdict, result.open_by) == ("inconclusive", "candidate")


def test_a_reference_as_slow_in_all_of_its_turns_is_not_held_against_the_candidate() -> None:
    found = probe(after_its_turns(1.3, 1.3), "reference alone")
    assert (found.verdict, found.culprit) == ("void", "machine")


def test_two_pairs_are_enough_to_hold_the_reference_against_itself_alone_and_one_is_not() -> None:
    two = probe(around(own=[1.1] * 2, copy=[1.0] * 2), "reference alone")
    assert (two.verdict, two.value) == ("clear", pytest.approx(1.0))
    assert (two.low, two.high) == pytest.approx((1.0, 1.0))
    once = probe(around(own=[1.1], copy=[1.0]), "repeated input")  # one pair says nothing of how pairs differ
    assert (once.value, once.low, once.high) == (pytest.approx(1.0), None, None)
    assert two.words == "the baseline took as long beside the submission as without it, as far as can be told"
    assert "reference alone" not in {p.name for p in trust(around(own=[1.1], copy=[1.0])).probes}


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
    assert found.probes[-1].words.endswith(
        "beyond an empty request, less than the 20 ms that the work takes on any such machine"
    )
    score = grade(CRITERIA, [replace(r, least_seconds=least)])
    assert (score.outcome, score.points) == ("implausible", 0.0)
    # each request by its own least: few that must take long make the many short ones no wonder
    few = {item: 0.02 if item.endswith("-0") else 0.001 for item in r.candidate.times["answer"]}
    assert trust(replace(r, least_seconds=few)).probes[-1].verdict == "clear"
    nothing = side([1e-5] * 5)  # what a call keeps that took less than half of an empty request
    found = trust(replace(r, candidate=nothing)).probes[-1]
    assert found.verdict == "implausible"
    assert found.words.endswith("beyond an empty request, which itself took 0.2 ms: too little for any work")
    # where a reference's calls did so, too, it is the empty requests that were disturbed
    both = replace(
        r, candidate=nothing, references={**r.references, "baseline": side([1e-5] * 5, "baseline")}
    )
    seen = trust(both).probes[-1]
    assert (seen.verdict, seen.culprit) == ("void", "machine")
    assert trust(replace(both, least_seconds=least)).probes[-1].verdict == "implausible"


@pytest.mark.parametrize(("median", "verdict"), [(1.9e-6, "implausible"), (2.1e-6, "clear"), (4e-6, "clear")])
def test_what_took_as_long_as_an_empty_request_is_believed_and_half_of_it_is_not(
    median: float, verdict: str
) -> None:
    # a call of .2 ms, as an empty request, keeps a fiftieth, which is 4 us; calls are 1 to 1.6 times as long
    quick = side([median / 0.013] * 5)
    assert trust(replace(around(), candidate=quick)).probes[-1].verdict == verdict


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


def test_a_machine_that_counted_nothing_has_no_grade() -> None:
    found = trust(around(counters=None))
    assert found.condition is None
    assert found.words == ("times are certified: 5 fresh process pairs, machine grade unknown",)


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


def test_a_verdict_rests_on_pairs_only_where_every_instance_has_them() -> None:
    r = around()
    once = [
        replace(s, times={}, assessed=s.assessed.model_copy(update={"measurements": (SECONDS,)}))
        for s in (r.candidate, r.references["baseline"])
    ]
    unpaired = replace(r, candidate=once[0], references={"baseline": once[1]})
    assert judge(LATENCY, [r, r], trust(r)).pairs == 5
    for rounds in ([r, unpaired], [unpaired, r]):
        result = judge(LATENCY, rounds, trust(r))
        assert (result.pairs, result.value) == (0, pytest.approx(math.sqrt(1.1)))


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


SPEED = Criteria(objective=Objective(measure="speed-up", ratio_of=("answer_p50",), reference="baseline"))


@pytest.mark.parametrize(("half", "enough"), [(0.0195, True), (0.0205, False), (0.03, False)])
def test_two_percent_to_either_side_is_known_well_enough(half: float, enough: bool) -> None:
    # four of five logs are a step from the middle: the step is their standard deviation; t of four degrees is 2.7764
    step = half * math.sqrt(5) / 2.7764
    factors = [math.exp(s) for s in (-step, step, 0.0, -step, step)]
    assert settled(SPEED, around(own=[0.5 * f for f in factors])) == enough
    # and so is a budget's ratio, where it is too close to call
    assert settled(CRITERIA, around(own=[1.2875 * f for f in factors])) == enough


def test_what_cannot_be_had_is_no_reason_to_go_on() -> None:
    r = around(own=[0.5, 0.6, 0.55, 0.5, 0.6])
    without = replace(r, references={"expert": r.references["expert"]})
    assert settled(SPEED, without)
    assert settled(CRITERIA, without)
    # nor is there a certificate against a reference that is not there, or a drift of it
    assert trust(without).certificate is None
    assert trust(without).condition.grade == "A"


def test_what_is_read_once_is_no_reason_for_more_pairs() -> None:
    limit = Constraint(
        name="memory", measure="peak_memory", compare="ratio", reference="baseline", at_most=1.0
    )
    memory = Measurement(name="peak_memory", unit="B", direction="lower", value=1e9)
    r = around()
    own, base = (
        replace(s, assessed=s.assessed.model_copy(update={"measurements": (memory,)}))
        for s in (r.candidate, r.references["baseline"])
    )
    r = replace(r, candidate=own, references={"baseline": base})
    assert judge(limit, [r]).verdict == "inconclusive"
    assert settled(Criteria(objective=Objective(measure="accuracy"), constraints=(limit,)), r)


def test_an_objective_of_times_is_settled_on_its_width_alone() -> None:
    assert not settled(SPEED, around(own=[0.5, 0.6, 0.55, 0.5, 0.6]))
    assert settled(SPEED, around(own=[0.5, 0.503, 0.497, 0.5, 0.5]))


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


def test_more_cores_than_were_given_are_not_believed() -> None:
    def reading(candidate: float, base: float = 0.98, **changes: Any) -> PairReading:
        return PairReading(
            stage="serve",
            pair=0,
            started=("baseline", "candidate"),
            busy_cpu={"candidate": candidate, "baseline": base},
            turn_seconds={"candidate": 1.0, "baseline": 1.0},
            turns={"candidate": 100, "baseline": 100},
            **changes,
        )

    def found(*readings: PairReading) -> Probe:
        return probe(replace(around(), pairs=readings), "cores")

    for candidate in (0.99, 1.1, 1.15):  # 15 % may be a tick of the clock that counts
        assert found(*[reading(candidate)] * 5).verdict == "clear"
    for candidate in (1.2, 1.8):
        seen = found(*[reading(candidate)] * 5)
        assert (seen.verdict, seen.culprit) == ("implausible", "candidate")
    # a reference of two cores is what two cores are held against, and so are two that were given
    for own, due in ((2.2, "clear"), (2.4, "implausible")):
        for parted in (found(*[reading(own, 2.0)] * 5), found(*[reading(own, cores=2)] * 5)):
            assert (parted.verdict, parted.value) == (due, pytest.approx(own))
    # 0.15 ms a turn beyond one core is what waking a program up may take
    quick = reading(1.3).model_copy(update={"turns": {"candidate": 2000, "baseline": 2000}})
    assert found(quick).verdict == "clear"
    r = replace(around(), pairs=(reading(1.8),) * 5)
    assert (grade(CRITERIA, [r]).outcome, grade(CRITERIA, [r]).points) == ("implausible", 0.0)


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


def test_a_certificate_of_means_has_the_spread_of_means() -> None:
    limit = LATENCY.model_copy(update={"measure": "answer_mean"})
    criteria = Criteria(objective=Objective(measure="accuracy"), constraints=(limit,))
    r = around(copy=(1.0,) * 5)
    assert r.copy is not None
    # in the second pair the copy's first call of several takes as long as all of them: the median does not see it
    calls = dict(r.copy.times["answer"])
    slow = next(item for item in calls if r.copy.pair_of[item] == 1)
    own = [item for item in calls if r.copy.pair_of[item] == 1]
    calls[slow] += sum(calls[item] for item in own)
    found = timing(criteria, [replace(r, copy=replace(r.copy, times={"answer": calls}))])
    assert found is not None
    assert found.certificate is not None
    # logs of 0, log 2, 0, 0, 0
    assert found.certificate.spread == pytest.approx(math.log(2) / math.sqrt(5))
    assert found.certificate.value == pytest.approx(2**0.2)
    of_medians = timing(CRITERIA, [replace(r, copy=replace(r.copy, times={"answer": calls}))])
    assert of_medians is not None
    assert of_medians.certificate is not None
    assert of_medians.certificate.spread == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("copies", "holds"),
    [((1.02,) * 5, True), ((1.04,) * 5, False), ((0.98,) * 5, True), ((0.96,) * 5, False)],
)
def test_a_certificate_holds_within_the_margin_on_both_sides(copies: tuple[float, ...], holds: bool) -> None:
    found = trust(around(copy=copies))
    assert found.certificate.holds == holds
    assert voided(found) == (not holds)


def test_a_void_verdict_says_what_was_measured_and_why_it_is_none() -> None:
    r = slowed(around(own=[1.1] * 5), 1.2)
    result = judge(LATENCY, [r], trust(r))
    assert result.words == (
        f"latency: 1.1 times the baseline's, anywhere from {result.low:.4g} to {result.high:.4g}; "
        "at most 1.25 allowed: no verdict, since this run's times are void"
    )
    assert result.low == pytest.approx(1.1 / 1.2, rel=0.01)
    assert (result.tolerance, result.pairs) == (0.03, 5)


def test_the_floors_of_all_pairs_and_the_fewest_pairs_of_all_rounds_are_shown() -> None:
    found = timing(CRITERIA, [around(), around(own=[1.1] * 3, copy=[1.0] * 3, floor=(0.0004,) * 9)])
    assert found is not None
    assert (found.pairs, found.floor_seconds) == (3, 0.0004)
    assert trust(around(floor=())).floor_seconds is None
