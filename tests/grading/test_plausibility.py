"""What cannot be true is not believed; what is too good to count unseen is open, by the evaluator's turn."""

from __future__ import annotations

import pytest

from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import LOOK, OVER_EXPERT, Constraint, Criteria, Objective, Plausible
from harness.grading.grade import grade
from harness.grading.plausibility import where_to_look
from harness.readings import Contents
from harness.records import Assessed, Measurement, Tier

RATE = Objective(measure="accuracy")
NEAR = Plausible(measure="accuracy", high=0.98, because="nearly perfect")


def of(own: float, expert: float = 0.9, **others: float) -> Comparison:
    def side(value: float, tier: Tier | None = None) -> Side:
        found = [
            Measurement(name=name, unit="", direction="higher", value=v, low=v, high=v)
            for name, v in {"accuracy": value, **others}.items()
        ]
        role = "reference" if tier else "candidate"
        return Side(
            Assessed(number=0, role=role, label="x", tier=tier, outcome="ok", measurements=tuple(found)), {}
        )

    tiers: dict[Tier, float] = {"baseline": 0.5, "competent": 0.7, "expert": expert}
    return Comparison(candidate=side(own), references={tier: side(v, tier) for tier, v in tiers.items()})


@pytest.mark.parametrize(("own", "looked_at"), [(1.0599, False), (1.0601, True), (0.9, False), (0.1, False)])
def test_points_far_over_the_experts_are_open_in_every_task(own: float, looked_at: bool) -> None:
    score = grade(Criteria(objective=RATE), [of(own)])
    assert (score.points_uncapped or 0.0) == pytest.approx(100 * (own - 0.5) / 0.4)
    assert (score.outcome, score.withheld, score.open_by) == (
        ("inconclusive", True, "evaluator") if looked_at else ("ok", False, "")
    )
    if looked_at:
        assert (score.points, score.tier) == (0.0, "none")
        (reason,) = score.reasons
        assert reason.startswith("open: look at it: 140 points uncut, 40 over the expert's")
        (limit,) = score.constraints
        assert (limit.name, limit.verdict, limit.threshold) == (LOOK, "inconclusive", 100 + OVER_EXPERT)


def test_the_mean_over_instances_is_what_is_looked_at() -> None:
    criteria = Criteria(objective=RATE)
    assert grade(criteria, [of(1.3), of(0.7)]).outcome == "ok"
    assert grade(criteria, [of(1.3), of(0.9)]).open_by == "evaluator"


@pytest.mark.parametrize(
    ("own", "expert", "open_"),
    [(0.981, 0.9, True), (0.98, 0.9, False), (0.985, 0.982, False), (0.97, 0.96, False)],
)
def test_a_nearly_perfect_result_is_open_unless_the_expert_is_nearly_perfect_too(
    own: float, expert: float, open_: bool
) -> None:
    score = grade(Criteria(objective=RATE, plausible=(NEAR,)), [of(own, expert)])
    assert (score.outcome == "inconclusive") == open_
    if open_:
        assert score.reasons == ("open: look at it: accuracy is 0.981: nearly perfect",)


def test_a_bound_on_another_measure_goes_by_the_experts_value_of_it() -> None:
    small = Plausible(measure="size", low=10.0, because="too small to hold it")
    criteria = Criteria(objective=RATE, plausible=(small,))
    assert grade(criteria, [of(0.8, size=4.0)]).outcome == "ok"  # the expert's is 4 as well
    own = of(0.8, size=4.0).candidate
    score = grade(criteria, [Comparison(candidate=own, references=of(0.8, size=20.0).references)])
    assert (score.outcome, score.open_by) == ("inconclusive", "evaluator")
    assert [(c.bound, c.threshold, c.beyond) for c in score.constraints] == [("at_least", 10.0, True)]


def test_what_fails_is_not_looked_at_and_what_cannot_be_is_not_believed() -> None:
    fails = Constraint(name="size", measure="accuracy", at_most=0.5)
    failed = grade(Criteria(objective=RATE, constraints=(fails,)), [of(1.3)])
    assert (failed.outcome, [c.name for c in failed.constraints]) == ("budget_exceeded", ["size"])
    impossible = NEAR.model_copy(update={"impossible": True})
    score = grade(Criteria(objective=RATE, plausible=(impossible,)), [of(1.3)])
    assert (score.outcome, score.points, score.constraints) == ("implausible", 0.0, ())


def test_an_open_verdict_of_the_machines_still_calls_for_more_measuring() -> None:
    unsure = Constraint(name="size", measure="size", at_most=1.0)
    own = of(1.3).candidate.assessed
    size = Measurement(name="size", unit="", direction="lower", value=1.0, low=0.5, high=1.5)
    wide = Side(own.model_copy(update={"measurements": (*own.measurements, size)}), {})
    round_ = Comparison(candidate=wide, references=of(1.3).references)
    score = grade(Criteria(objective=RATE, constraints=(unsure,)), [round_])
    assert (score.outcome, score.open_by, score.withheld) == ("inconclusive", "machine", True)


def test_where_to_look_is_named_with_the_reason_and_nowhere_else() -> None:
    contents = Contents(
        files=2,
        largest="table.py",
        largest_bytes=250_000,
        literal="table.py",
        literal_line=3,
        literal_bytes=240_000,
    )
    score = where_to_look(grade(Criteria(objective=RATE), [of(1.3)]), contents)
    assert score.reasons[0].endswith(
        "; its largest file is table.py (244 KiB), its longest literal is in table.py, line 3 (234 KiB)"
    )
    bare = Contents(files=1, largest="solution.py", largest_bytes=90)
    score = where_to_look(grade(Criteria(objective=RATE), [of(1.3)]), bare)
    assert score.reasons[0].endswith("solution.py (90 bytes); its Python files hold no literal")
    for own, held in ((0.8, contents), (1.3, None)):
        plain = grade(Criteria(objective=RATE), [of(own)])
        assert where_to_look(plain, held) == plain


GAP = Plausible(
    measure="gap", high=0.05, over_references=True, tells=("plain", "odd"), because="as if it were looked up"
)


def with_gap(own: float, low: float, *references: float) -> Comparison:
    """A round whose candidate has this gap, its interval from `low` on, beside references that have others."""
    r = of(0.8)

    def gaining(side: Side, value: float, low: float) -> Side:
        found = [
            Measurement(name=name, unit="", direction="neither", value=v, low=edge, high=2 * v - edge)
            for name, v, edge in (("gap", value, low), ("plain", 0.95, 0.9), ("odd", 0.95 - value, 0.1))
        ]
        return Side(
            side.assessed.model_copy(update={"measurements": (*side.assessed.measurements, *found)}), {}
        )

    tiers = zip(r.references.items(), references, strict=False)
    beside = {tier: gaining(side, value, value - 0.1) for (tier, side), value in tiers}
    return Comparison(candidate=gaining(r.candidate, own, low), references={**r.references, **beside})


@pytest.mark.parametrize(
    ("own", "low", "references", "open_"),
    [
        (0.30, 0.20, (0.02, 0.10, -0.03), True),
        (0.30, 0.20, (0.02, 0.16, -0.03), False),  # a reference is as much better on them
        (0.30, 0.04, (0.0, 0.0, 0.0), False),  # noise
        (0.04, 0.03, (-0.2, -0.1, -0.3), False),  # references that are better on altered ones allow no less
        (0.20, 0.12, (), True),  # no reference was measured
    ],
)
def test_a_gap_beyond_noise_and_beyond_every_references_is_open(
    own: float, low: float, references: tuple[float, ...], open_: bool
) -> None:
    score = grade(Criteria(objective=RATE, plausible=(GAP,)), [with_gap(own, low, *references)])
    assert (score.open_by == "evaluator") == open_
    if open_:
        (reason,) = score.reasons
        assert reason.startswith(
            f"open: look at it: plain is 0.95, odd is {0.95 - own:.3g}, gap is {own:.3g}"
        )
        assert reason.endswith("as if it were looked up")


def test_over_instances_the_noise_of_a_gap_is_less() -> None:
    criteria = Criteria(objective=RATE, plausible=(GAP,))
    assert grade(criteria, [with_gap(0.2, 0.0, 0.0)]).outcome == "ok"
    assert grade(criteria, [with_gap(0.2, 0.0, 0.0)] * 4).open_by == "evaluator"


def test_where_no_gap_was_measured_nothing_is_said_of_it() -> None:
    assert grade(Criteria(objective=RATE, plausible=(GAP,)), [of(0.8)]).outcome == "ok"
