"""What is said of tasks and suites, against numbers worked by hand and against other people's programs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from harness.analysis.calibration import items, reliability
from harness.analysis.calibration.analysis import calibrate
from harness.analysis.calibration.results import Calibration
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row
from harness.records import TIERS
from harness.reports.calibration import report as pages
from harness.sheets import Suite, TaskInSuite

NAMES = ("a", "b", "c", "d")


def rows_of(people: int, hostile: str = "") -> list[Row]:
    rng = np.random.default_rng(4)
    rows = [
        Row(
            person=tier,
            tier=tier,
            task=t,
            instance=str(i),
            seed=s,
            points=p + (2 * rng.normal() if p == 50 else 0),
        )
        for t in NAMES
        for tier, p in zip(TIERS, (0.0, 50.0, 100.0), strict=True)
        for i in range(3)
        for s in range(2)
    ]
    skill = rng.normal(size=people)
    return rows + [
        Row(
            person=f"p{n}{hostile}",
            tier=None,
            task=t,
            instance=str(i),
            points=50 + 33 * skill[n] + 8 * rng.normal(),
        )
        for n in range(people)
        for t in NAMES
        for i in range(3)
    ]


def suite() -> Suite:
    return Suite(name="four", title="Four", tasks=tuple(TaskInSuite(id=name) for name in NAMES))


def test_gap_in_pooled_standard_deviations_by_hand() -> None:
    # means 2 and 12, variances 1 and 4: 10 / sqrt(2.5)
    assert items.apart_by(np.array([1.0, 2, 3]), np.array([10.0, 12, 14])) == pytest.approx(10 / 2.5**0.5)


@pytest.mark.parametrize("people", [5, 7, 25])
def test_one_task_is_calibrated_and_what_rests_on_several_is_absent_with_the_reason(people: int) -> None:
    """It ended as an error of ours from five people on, and nothing was written."""
    one = Suite(name="one", title="One", tasks=(TaskInSuite(id=NAMES[0]),))
    found = calibrate(one, [row for row in rows_of(people) if row.task == NAMES[0]])
    assert found.absolute.absent_because == reliability.ONE_TASK
    assert found.relative.low is not None
    assert {name: estimate.absent_because for name, estimate in found.shares}["task"] == reliability.ONE_TASK
    assert found.people == people
    assert found.model_dump_json()


def test_the_ladder_is_unsound_where_tiers_overlap_or_turn() -> None:
    rungs = {
        "baseline": np.array([[0.0, 1.0], [2.0, 1.0]]),
        "competent": np.array([[1.0, 0.5], [1.5, 2.0]]),
        "expert": np.array([[90.0, 91.0], [92.0, 90.0]]),
    }
    first, second = items.gaps(rungs)
    assert not first.sound
    assert first.inversions > 0
    assert second.sound
    assert second.inversions == 0


def test_components_agree_with_restricted_likelihood() -> None:
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(3)
    p, t, s = 8, 5, 2
    values = (
        rng.normal(0, 2, (p, 1, 1))
        + rng.normal(0, 1.5, (1, t, 1))
        + rng.normal(0, 1, (p, t, 1))
        + rng.normal(0, 0.7, (p, t, s))
    )
    i, j, _ = np.indices(values.shape)
    frame = pd.DataFrame({"y": values.ravel(), "p": i.ravel(), "t": j.ravel(), "g": 1})
    frame["pt"] = frame.p * t + frame.t
    parts = {"p": "0 + C(p)", "t": "0 + C(t)", "pt": "0 + C(pt)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = MixedLM.from_formula("y ~ 1", frame, groups="g", re_formula="0", vc_formula=parts).fit()
    own = reliability.balanced(values)
    theirs = dict(zip(fitted.model.exog_vc.names, fitted.vcomp, strict=True))
    assert not own.held
    assert own.person == pytest.approx(theirs["p"], rel=0.01)
    assert own.task == pytest.approx(theirs["t"], rel=0.01)
    assert own.crossed == pytest.approx(theirs["pt"], rel=0.01)
    assert own.seed == pytest.approx(fitted.scale, rel=0.01)


def test_reliability_of_a_form_by_hand_and_a_negative_component_is_said() -> None:
    parts = reliability.Components(person=35.0, task=12.0, crossed=40.0, seed=13.0)
    assert parts.relative(12, 3) == pytest.approx(35 / (35 + (40 + 13 / 3) / 12))
    assert parts.absolute(12, 3) == pytest.approx(35 / (35 + (12 + 40 + 13 / 3) / 12))
    assert parts.relative(12, 3) >= 0.90
    opposed = np.array([[[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert reliability.balanced(opposed).held


def test_a_forecast_from_a_pilot_meets_the_truth_on_average() -> None:
    rng, found = np.random.default_rng(0), []
    truth = reliability.Components(35.0, 12.0, 40.0, 13.0)
    for _ in range(300):
        parts = (
            rng.normal(0, v**0.5, n)
            for v, n in ((35, (50, 1, 1)), (12, (1, 6, 1)), (40, (50, 6, 1)), (13, (50, 6, 3)))
        )
        found.append(reliability.balanced(np.asarray(sum(parts))).relative(12, 3))
    assert abs(float(np.mean(found)) - float(truth.relative(12, 3))) <= 0.02


def test_alpha_by_hand_with_an_interval_that_covers() -> None:
    table = np.array([[1.0, 2], [2, 3], [3, 3], [4, 5], [5, 7]])
    own = 2 * (1 - (table[:, 0].var(ddof=1) + table[:, 1].var(ddof=1)) / table.sum(axis=1).var(ddof=1))
    found = reliability.alpha(table)
    assert found.value is None  # five people are too few for one number
    assert found.low is not None
    assert found.high is not None
    assert found.low < own < found.high
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        many = rng.normal(size=(25, 1)) + rng.normal(size=(25, 6))
        e = reliability.alpha(many)
        held += e.low <= 6 / 7 <= e.high  # Spearman-Brown of 0.5 over 6 tasks
    assert abs(held / 400 - 0.95) <= 3 * (0.95 * 0.05 / 400) ** 0.5


def test_too_few_examinees_is_an_answer_of_its_own() -> None:
    none, few, enough = (calibrate(suite(), rows_of(n)) for n in (0, 8, 24))
    assert none.alpha.low is None
    assert "too few examinees" in none.alpha.absent_because
    assert all(t.provisional for t in none.tasks)
    assert few.alpha.value is None
    assert few.alpha.low is not None
    assert enough.alpha.value is not None
    assert enough.alpha.value > 0.9
    assert enough.cut is not None
    assert enough.cut.method == "provisional"
    assert enough.cut.points == pytest.approx(25, abs=1)
    assert enough.flipped.high is not None
    assert 0 <= enough.flipped.high < 0.3
    assert any("PROVISIONAL" in note for note in enough.notes)
    assert {s.band for s in enough.standings} >= {"pass", "not yet"}
    assert Calibration.model_validate_json(enough.model_dump_json()) == enough


def test_wilsons_interval_by_hand() -> None:
    found = items.share(0, 10)
    assert found.low == 0
    assert found.high == pytest.approx(0.2775, abs=1e-3)
    assert items.share(0, 0).low is None


def test_what_people_wrote_is_escaped_on_the_page() -> None:
    page = pages.render_html(calibrate(suite(), rows_of(6, "<script>alert(1)</script>\x1b[31m")))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page


def test_components_of_a_table_of_one_seed_by_hand() -> None:
    # rows 2 and 5, columns 1.5 and 5.5 around 3.5: mean squares 9 and 16, and 4 of what is left
    found = reliability.balanced(np.array([[1.0, 3.0], [2.0, 8.0]])[..., None])
    assert (found.person, found.task, found.crossed, found.seed) == pytest.approx((2.5, 6.0, 4.0, 0.0))
    assert not found.held


def test_components_of_two_seeds_by_hand() -> None:
    # the same table, a replicate 1 above and one 1 below in each cell: mean square of seeds 2 * 4 / 4
    values = np.array([[1.0, 3.0], [2.0, 8.0]])[..., None] + np.array([1.0, -1.0])
    found = reliability.balanced(values)
    assert (found.person, found.task, found.crossed, found.seed) == pytest.approx((2.5, 6.0, 3.0, 2.0))


def test_components_of_three_seeds_by_hand() -> None:
    # and once more, replicates at 1, 0 and -1: mean squares 27, 48 and 12, and of seeds 4 * 2 / 8
    values = np.array([[1.0, 3.0], [2.0, 8.0]])[..., None] + np.array([1.0, 0.0, -1.0])
    parts = reliability.balanced(values)
    assert (parts.person, parts.task, parts.crossed, parts.seed) == pytest.approx((2.5, 6.0, 11 / 3, 1.0))


def test_each_component_below_nothing_is_held_and_said() -> None:
    # nobody differs from anybody: the persons' mean square is 0 and that of what is left is not
    alike = reliability.balanced(np.array([[0.0, 2.0], [2.0, 0.0]])[..., None])
    assert (alike.person, alike.task, alike.crossed) == (0.0, 0.0, 4.0)
    assert alike.held
    # cells that are all alike but for their seeds
    noisy = reliability.balanced(np.array([[[1.0, -1.0]] * 2] * 2))
    assert (noisy.crossed, noisy.seed) == (0.0, 2.0)
    assert noisy.held


TABLE = np.array([[1.0, 2], [2, 3], [3, 3], [4, 5], [5, 7]])


def test_alpha_and_its_interval_by_hand() -> None:
    from scipy.stats import f

    twenty = np.tile(TABLE, (4, 1))
    found = reliability.alpha(twenty)
    # of five, sums of squares 10 and 16 of the two tasks, and 50 of the sums 3 5 6 9 12: times 4 over 19
    value = 2 * (1 - (10 + 16) / 50)
    assert found.value == pytest.approx(value)
    assert found.absent_because == ""
    # Feldt: (1 - alpha) / (1 - estimate) is F of 19 and 19
    assert found.low == pytest.approx(1 - (1 - value) * f.ppf(0.975, 19, 19))
    assert found.high == pytest.approx(1 - (1 - value) * f.ppf(0.025, 19, 19))
    # on a scale where the variance of sums is below 1 it is the same
    assert reliability.alpha(twenty / 100).value == pytest.approx(value)
    # people who left a task out are not counted
    gap = np.vstack([twenty, [[np.nan, 9.0]]])
    assert reliability.alpha(gap) == found


def test_alpha_says_why_there_is_none() -> None:
    assert reliability.alpha(np.full((6, 3), 0.5)).absent_because == "everybody scored the same"
    # sums that are all alike, although the scores are not
    assert "the same" in reliability.alpha(np.array([[n, 6.0 - n] for n in range(6)])).absent_because
    assert "4 did every task, 5 are needed" in reliability.alpha(TABLE[:4]).absent_because
    assert "too few" in reliability.alpha(np.tile(TABLE[:, :1], (4, 1))).absent_because


@pytest.mark.parametrize(
    ("people", "interval", "number"),
    [(4, False, False), (5, True, False), (19, True, False), (20, True, True)],
)
def test_twenty_people_have_a_number_and_five_an_interval(people: int, interval: bool, number: bool) -> None:
    found = reliability.of_draws(np.linspace(0.0, 1.0, 41), people)
    assert (found.low is not None, found.value is not None) == (interval, number)
    assert (found.low, found.high) == (
        (pytest.approx(0.025), pytest.approx(0.975)) if interval else (None, None)
    )
    assert bool(found.absent_because) == (not number)
    table = np.tile(TABLE, (4, 1))[:people]
    of_alpha = reliability.alpha(table)
    assert (of_alpha.low is not None, of_alpha.value is not None) == (interval, number)


def test_how_many_tasks_are_needed_by_hand() -> None:
    # t / (t + .99) reaches .8 at 4 and .9 at 9; the lower of two draws, t / (t + 2.99), at 12 and 27
    def of(crossed: Floats) -> set[tuple[float, int | None, int | None]]:
        parts = reliability.Components(person=np.ones(100), task=0.0, crossed=crossed, seed=0.0)
        return {(n.target, n.tasks, n.tasks_cautious) for n in reliability.needed(parts, 5)}

    assert of(np.full(100, 0.99)) == {(0.8, 4, 4), (0.9, 9, 9)}
    assert of(np.repeat([0.99, 2.99], [90, 10])) == {(0.8, 4, 12), (0.9, 9, 27)}
    # t / (t + 6.66) reaches .9 at 60, the most that is looked at, and t / (t + 6.7) beyond it
    assert of(np.full(100, 6.66)) == {(0.8, 27, 27), (0.9, 60, 60)}
    assert of(np.full(100, 6.7)) == {(0.8, 27, 27), (0.9, None, None)}
    seeds = reliability.Components(person=1.0, task=0.0, crossed=0.0, seed=5.9)
    assert [n.tasks for n in reliability.needed(seeds, 20)] == [24, 8, 5, 54, 18, 11]
    never = reliability.Components(person=0.01, task=0.0, crossed=1.0, seed=0.0)
    assert {n.tasks for n in reliability.needed(never, 20)} == {None}
    assert reliability.needed(seeds, 4) == ()


def test_a_forecast_is_of_its_own_tasks_and_seeds() -> None:
    parts = reliability.Components(person=35.0, task=12.0, crossed=40.0, seed=13.0)
    found = {(d.tasks, d.seeds): (d.relative.value, d.absolute.value) for d in reliability.dstudy(parts, 20)}
    assert len(found) == 21
    assert found[12, 3] == pytest.approx((35 / (35 + (40 + 13 / 3) / 12), 35 / (35 + (52 + 13 / 3) / 12)))
    assert found[4, 1] == pytest.approx((35 / (35 + 53 / 4), 35 / (35 + 65 / 4)))
