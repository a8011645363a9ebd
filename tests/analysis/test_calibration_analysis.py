"""What is said of tasks, people and the suite, from draws that are made by hand: every number worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.calibration import analysis
from harness.analysis.calibration.analysis import calibrate, flipped, provisional
from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.results import Budget, Estimate
from harness.analysis.calibration.scores import Floats, Scores
from harness.analysis.calibration.tables import Row
from harness.records import TIERS, Outcome
from harness.sheets import Cut, Suite, TaskInSuite

PEOPLE = 20
CUT = Cut(points=78.0, method="set by hand", set_by="me")


def suite_of(cut: Cut | None = None, **weights: float) -> Suite:
    tasks = tuple(TaskInSuite(id=name, weight=weight) for name, weight in weights.items())
    return Suite(name="s", title="S", tasks=tasks, cut=cut)


def draws_of(intercept: list[float], slope: list[float], skill: Floats) -> Draws:
    """Draws that agree on the tasks; skill is (K, people and the three tiers)."""
    k, t = len(skill), len(slope)
    return Draws(
        skill=skill[:, None, :],
        intercept=np.broadcast_to(np.array(intercept), (k, 1, t)),
        slope=np.broadcast_to(np.array(slope), (k, 1, t)),
        unique=np.full((k, 1, t), 0.04),
        noise=np.full((k, 1, t), 0.03),
        mu=np.zeros((k, 1)),
        tau2=np.ones((k, 1)),
        rhat=np.array([1.02]),
    )


def skills(people: int) -> Floats:
    """Of forty draws p0 is at 1 in 32, p1 in 31, p2 in 8 and p3 in 9, else at -1; p4 is at .5, all others at 1."""
    skill = np.ones((40, people + len(TIERS)))
    for person, at_1 in list(enumerate((32, 31, 8, 9)))[:people]:
        skill[at_1:, person] = -1.0
    if people > 4:
        skill[:, 4] = 0.5
    skill[:, people:] = -1.0
    return skill


def tiers(competent: dict[str, float]) -> list[Row]:
    return [
        Row(person=tier, tier=tier, task=task, instance="0", points=points)
        for task, middle in competent.items()
        for tier, points in zip(TIERS, (0.0, middle, 100.0), strict=True)
    ]


def verdicts(i: int) -> tuple[tuple[str, str], ...]:
    memory = "inconclusive" if i == 0 else "fail" if i == 1 else "pass"
    return ("time", "pass"), ("memory", memory), ("size", "fail"), *([("once", "pass")] if i == 2 else [])


def score(i: int, task: str) -> tuple[float, Outcome]:
    """Six beyond the cap, one below the floor, three out of time; on b the later the more."""
    if task == "b":
        return 5.0 * i, "ok"
    return (
        (130.0, "ok")
        if i < 6
        else (-40.0, "ok")
        if i == 6
        else (0.0, "timeout")
        if i < 10
        else (50.0 + i, "ok")
    )


def rows(people: int = PEOPLE) -> list[Row]:
    made = [
        Row.model_validate(
            {"person": f"p{i}", "tier": None, "task": task, "instance": "0", "points": points}
            | ({} if outcome == "ok" else {"outcome": outcome})
            | {"verdicts": verdicts(i)}
        )
        for i in range(people)
        for task in "ab"
        for points, outcome in [score(i, task)]
    ]
    absent = Row(person="x", tier=None, task="a", instance="", points=None, outcome="not_attempted")
    return [*made, absent, *tiers({"a": 50.0, "b": 40.0})]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimator says, of however many people: .5 + .4 skill on a, and .3 + .2 skill on b."""

    def fit(scores: Scores, rng: object) -> Draws:
        return draws_of([0.5, 0.3], [0.4, 0.2], skills(scores.shape[1] - len(TIERS)))

    monkeypatch.setattr(analysis, "fit", fit)


def numbers(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


@pytest.mark.usefixtures("drawn")
def test_a_task_is_described_by_its_own_rows_and_draws() -> None:
    first, second = calibrate(suite_of(CUT, a=3.0, b=1.0), rows()).tasks
    assert (first.task, first.people, first.provisional) == ("a", PEOPLE, False)
    assert [(t.tier, t.points) for t in first.tiers] == [
        ("baseline", 0.0),
        ("competent", 50.0),
        ("expert", 100.0),
    ]
    assert [(t.tier, t.points) for t in second.tiers][1] == ("competent", 40.0)
    assert numbers(first.difficulty) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    assert numbers(second.difficulty) == pytest.approx((1.0, 1.0, 1.0))
    assert first.discrimination.value == pytest.approx(0.4 / 0.07**0.5)
    assert second.discrimination.value == pytest.approx(0.2 / 0.07**0.5)
    assert (first.ceiling.value, first.floor.value, first.timed_out.value, first.failed.value) == (
        6 / 20,
        1 / 20,
        3 / 20,
        3 / 20,
    )
    assert (second.ceiling.value, second.floor.value, second.failed.value) == (0.0, 0.0, 0.0)
    on_a = [min(max(score(i, "a")[0], -25.0), 125.0) for i in range(PEOPLE)]
    r = np.corrcoef(on_a, [score(i, "b")[0] for i in range(PEOPLE)])[0, 1]
    assert r < 0
    assert first.item_rest.value == pytest.approx(r)
    assert first.flags == (
        f"item-rest correlation {r:.2f} is below 0.20",
        "30 % of people are at the ceiling; at most 25 % should be",
        "15 % of people are at the time limit; at most 10 % should be",
    )
    assert second.flags == first.flags[:1]


@pytest.mark.usefixtures("drawn")
def test_budgets_count_who_was_judged_and_say_where_all_or_none_met_them() -> None:
    first, _ = calibrate(suite_of(CUT, a=3.0, b=1.0), rows()).tasks
    assert first.budgets == (
        Budget(name="time", judged=20, met=20, words="everybody meets it"),
        Budget(name="size", judged=20, met=0, words="nobody meets it"),
        Budget(name="memory", judged=19, met=18, words=""),
        Budget(name="once", judged=1, met=1, words=""),
    )


@pytest.mark.usefixtures("drawn")
def test_people_are_banded_by_how_many_draws_reach_the_cut() -> None:
    made = calibrate(suite_of(CUT, a=3.0, b=1.0), rows())
    # .45 + .35 skill: 80 points at 1, 62.5 at .5 and 10 at -1
    assert [(s.passes, s.band) for s in made.standings[:5]] == [
        (0.8, "pass"),
        (31 / 40, "review"),
        (0.2, "not yet"),
        (9 / 40, "review"),
        (0.0, "not yet"),
    ]
    assert numbers(made.standings[0].skill) == (1.0, -1.0, 1.0)
    assert numbers(made.standings[2].skill) == (-1.0, -1.0, 1.0)
    assert numbers(made.standings[4].skill) == (0.5, 0.5, 0.5)
    assert [(band, share.value) for band, share in made.bands] == [
        ("pass", 16 / 20),
        ("review", 2 / 20),
        ("not yet", 2 / 20),
    ]
    # of 20 people 15 reach it in the worst draws, 17 in most, 19 in the best
    assert numbers(made.passing) == pytest.approx((0.85, 0.75, 0.95))


@pytest.mark.usefixtures("drawn")
def test_the_suite_is_described_by_its_draws() -> None:
    made = calibrate(suite_of(CUT, a=3.0, b=1.0), rows())
    assert (made.rows, made.people, made.cut, made.rhat) == (len(rows()), PEOPLE, CUT, 1.02)
    # slopes with mean .3 and variance .01, intercepts with variance .02, beside .04 and .03: .19 in all
    assert [(name, share.value) for name, share in made.shares] == [
        ("person", pytest.approx(0.09 / 0.19)),
        ("task", pytest.approx(0.02 / 0.19)),
        ("person by task", pytest.approx(0.05 / 0.19)),
        ("instance and seed", pytest.approx(0.03 / 0.19)),
    ]
    assert made.relative.value == pytest.approx(0.09 / (0.09 + 0.08 / 2))
    assert made.absolute.value == pytest.approx(0.09 / (0.09 + 0.10 / 2))
    # one instance each: .07 of both tasks by squared weights
    assert made.sem.value == pytest.approx(100 * (0.07 * (0.75**2 + 0.25**2)) ** 0.5)
    assert (len(made.curve), len(made.dstudy)) == (25, 21)
    # where b weighs more than .3, the 17 whose median is at 1 fall below the cut
    assert (made.flipped.low, made.flipped.high) == (0.0, 0.85)
    assert made.form is None
    assert made.notes == ("With 2 tasks the scale rests on little; intervals are wide for that reason.",)


@pytest.mark.usefixtures("drawn")
def test_a_few_people_have_no_curve_and_no_number() -> None:
    made = calibrate(suite_of(CUT, a=3.0, b=1.0), rows(4))
    assert (made.curve, made.dstudy, made.needed) == ((), (), ())
    assert made.passing == made.sem == Estimate(absent_because="too few examinees: 4 of at least 5")
    assert made.tasks[0].item_rest.value is None
    assert made.notes[0].startswith("Too few examinees (4)")
    assert [name for name, _ in made.shares] == ["person", "task", "person by task", "instance and seed"]


@pytest.mark.usefixtures("drawn")
def test_without_a_cut_nobody_passes_or_fails() -> None:
    alone = [r for r in rows() if r.tier != "competent"]
    made = calibrate(suite_of(a=3.0, b=1.0), alone)
    assert made.cut is None
    assert made.passing == Estimate(absent_because="no cut")
    assert made.flipped == Estimate(absent_because="too few examinees: 0 of at least 5")
    assert {(s.passes, s.band) for s in made.standings} == {(None, "no cut")}
    assert not any("PROVISIONAL" in note for note in made.notes)


def test_four_tasks_and_nobody_but_the_tiers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "fit", lambda scores, rng: draws_of([0.5] * 4, [0.3] * 4, skills(0)))
    made = calibrate(suite_of(a=1.0, b=1.0, c=1.0, d=1.0), tiers(dict.fromkeys("abcd", 60.0)))
    assert (made.people, made.standings, made.bands, made.shares, made.curve) == (0, (), (), (), ())
    assert made.cut is not None
    assert (made.cut.points, made.cut.method) == (30.0, "provisional")
    assert made.flipped.high is None
    assert all(task.provisional and task.people == 0 for task in made.tasks)
    assert [note.split()[0] for note in made.notes] == ["Too", "Difficulties", "The"]
    assert "PROVISIONAL" in made.notes[2]


def test_a_provisional_cut_is_half_of_the_competent_tiers_mean_weighted_as_the_suite_is() -> None:
    suite = suite_of(a=3.0, b=1.0)
    runs = [
        ("a", "competent", 60.0),
        ("a", "competent", 40.0),
        ("a", "competent", None),
        ("b", "competent", 30.0),
    ]
    others = [("a", "expert", 100.0), ("b", "expert", 100.0), ("a", None, 90.0), ("b", None, 90.0)]
    made = [
        Row.model_validate({"person": "p", "tier": tier, "task": task, "instance": "0", "points": points})
        for task, tier, points in [*runs, *others]
    ]
    cut = provisional(suite, made)
    assert cut is not None
    assert (cut.points, cut.method) == (pytest.approx((3 * 25 + 15) / 4), "provisional")
    assert provisional(suite, [r for r in made if r.task == "a"]) is None
    assert provisional(suite, [r for r in made if r.points != 30.0]) is None


def test_weights_move_by_a_quarter_and_whoever_changes_sides_is_counted() -> None:
    """Dirichlet weights of three equal tasks add up to 31: a variance of 1/3 2/3 / 32 is a quarter of 1/3, squared."""
    intercepts, slopes, skill = (0.2, 0.5, 0.8), (0.1, 0.5, 0.2), np.linspace(-0.31, 0.29, 10)
    draws = draws_of(list(intercepts), list(slopes), np.tile([*skill, 9.0, 9.0, 9.0], (3, 1)))
    suite, cut = suite_of(a=2.0, b=2.0, c=2.0), CUT.model_copy(update={"points": 50.0})
    shares = []
    for weights in np.random.default_rng(5).dirichlet([31 / 3] * 3, size=200):
        changed = 0
        for at in skill:
            points = [i + s * at for i, s in zip(intercepts, slopes, strict=True)]
            before, after = sum(points) / 3, sum(w * p for w, p in zip(weights, points, strict=True))
            changed += (before >= 0.5) != (after >= 0.5)
        shares.append(changed / 10)
    assert len(set(shares)) > 3
    assert flipped(suite, draws, cut, 5) == pytest.approx(shares)
