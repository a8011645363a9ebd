"""Errors over skill, decisions at the cut, the planner at the cut, and the whole analysis on planted suites."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.calibration import cuts, decisions, rehearsal, reliability
from harness.analysis.calibration.analysis import calibrate
from harness.analysis.calibration.generators import CAP, FLOOR
from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.planner import form
from harness.analysis.calibration.tables import Row
from harness.reports.calibration import report as pages
from harness.sheets import Cut, Suite, TaskInSuite


def draws_of(intercept: list[float], slope: list[float], unique: float = 0.04, noise: float = 0.0) -> Draws:
    """Twenty draws that are all the same: no doubt about the parameters."""
    k, t = 20, len(slope)
    same = np.broadcast_to
    return Draws(
        skill=np.zeros((k, 1, 3)),
        intercept=same(np.array(intercept), (k, 1, t)),
        slope=same(np.array(slope), (k, 1, t)),
        unique=np.full((k, 1, t), unique),
        noise=np.full((k, 1, t), noise),
        mu=np.zeros((k, 1)),
        tau2=np.ones((k, 1)),
        rhat=np.ones(1),
    )


def among(draws: Draws, mu: float, tau2: float) -> Draws:
    """The same tasks, where people's skill has another mean and variance."""
    return replace(draws, mu=np.full_like(draws.mu, mu), tau2=np.full_like(draws.tau2, tau2))


def suite_of(**weights: float) -> Suite:
    tasks = tuple(TaskInSuite(id=name, weight=w, minutes=60) for name, w in weights.items())
    return Suite(name="s", title="S", tasks=tasks)


def test_moments_of_a_held_score_agree_with_what_is_drawn() -> None:
    mean, sd = np.array([-0.2, 0.5, 1.3]), np.array([0.2, 0.3, 0.4])
    drawn = mean + sd * np.random.default_rng(0).normal(size=(400_000, 3))
    variance, moves = decisions.held(mean, sd)
    assert variance == pytest.approx(np.clip(drawn, FLOOR, CAP).var(axis=0), rel=0.01)
    assert moves == pytest.approx(((drawn > FLOOR) & (drawn < CAP)).mean(axis=0), abs=0.005)


def test_the_standard_error_of_points_by_hand() -> None:
    suite, draws = suite_of(a=3.0, b=1.0), draws_of([0.5, 0.5], [0.3, 0.3], unique=0.03, noise=0.03)
    found = decisions.sem(suite, draws, seeds=3, people=30)
    # per task sqrt(.03 + .03 / 3) = 0.2; weights 3/4 and 1/4
    assert found.value == pytest.approx(100 * 0.2 * (0.75**2 + 0.25**2) ** 0.5)
    assert decisions.sem(suite, draws, 3, people=8).value is None
    assert decisions.sem(suite, draws, 3, people=2).low is None


def test_far_from_the_middle_points_say_less_of_skill() -> None:
    curve = decisions.curve(suite_of(a=1.0, b=1.0), draws_of([0.5, 0.5], [0.33, 0.33]), 1, 30)
    error = {p.skill: p.error.value for p in curve}
    points = {p.skill: p.points.value for p in curve}
    assert error[0.0] == pytest.approx((0.04 / 2) ** 0.5 / 0.33, rel=0.01)
    assert error[3.0] > 1.3 * error[0.0]
    assert points[3.0] < 0.8 * points[0.0]
    assert error[2.0] == pytest.approx(error[-2.0], rel=1e-6)  # -25 and 125 are as far from 50


def test_accuracy_and_consistency_by_the_orthant_formulas() -> None:
    # cut at the mean: P(signs agree) = 1/2 + asin(rho) / pi, with rho = sqrt(reliability) and reliability
    for share in (0.5, 0.8, 0.95):
        error = np.array([(1 / share - 1) ** 0.5])
        accurate, consistent = decisions.sides(np.zeros(1), error)
        assert accurate[0] == pytest.approx(0.5 + np.arcsin(share**0.5) / np.pi, abs=0.003)
        assert consistent[0] == pytest.approx(0.5 + np.arcsin(share) / np.pi, abs=0.003)


def test_the_planner_asks_what_tasks_say_at_the_cut_that_was_set() -> None:
    # a is steeper, but at the skill of the cut its scores are held at the cap; b still moves there
    draws = draws_of([1.1, 0.1], [0.5, 0.3])
    suite = suite_of(a=1.0, b=1.0)
    assert form(suite, draws, 60, 30).tasks == ("a",)
    high = suite.model_copy(update={"cut": Cut(points=140.0, method="set by hand", set_by="me")})
    picked = form(high, draws, 60, 30)
    assert picked.tasks == ("b",)
    assert picked.at_cut


def test_the_planted_angoff_cut_comes_back_within_its_own_error() -> None:
    rng, suite = np.random.default_rng(2), suite_of(a=3.0, b=1.0, c=2.0)
    expected, held = {"a": 40.0, "b": 70.0, "c": 55.0}, 0
    planted = (3 * 40 + 70 + 2 * 55) / 6
    found = []
    for _ in range(300):
        said = {
            f"j{i}": {t: v + 4 * lean + 6 * rng.normal() for t, v in expected.items()}
            for i, lean in enumerate(rng.normal(size=12))
        }
        cut = cuts.angoff(suite, said)
        found.append(cut.points)
        held += abs(cut.points - planted) <= 2.201 * cut.standard_error  # t of 11 degrees
    assert np.mean(found) == pytest.approx(planted, abs=3 * np.std(found) / 300**0.5)
    assert abs(held / 300 - 0.95) <= 3 * (0.95 * 0.05 / 300) ** 0.5


@pytest.mark.slow
def test_the_whole_analysis_gives_back_what_was_planted() -> None:
    found = {t.name: t for t in rehearsal.rehearse(4, 1)}
    assert found["error of E rho squared"].value <= 0.05
    assert found["forecast error of E rho squared, 12 tasks by 3 seeds"].value <= 0.05
    assert found["error of decision accuracy"].value <= 0.05
    assert found["coverage of E rho squared"].value >= 0.75
    assert found[rehearsal.WRONG].value <= 0.15
    assert found[rehearsal.JUDGED].value <= 6


def test_the_truth_of_a_rehearsal_is_what_its_rows_show() -> None:
    drawn = [rehearsal.planted(np.random.default_rng(n)) for n in range(60)]
    apart = []
    for _, rows, truth in drawn:
        own = [r.points for r in rows if r.person == "p0"]
        apart.append(float(np.mean(own)) - truth.expected()[0])
    assert abs(np.mean(apart)) <= 3 * np.std(apart) / 60**0.5
    error = 100 * rehearsal.SLOPE * ((0.8**2 + 0.4**2 / 3) / rehearsal.TASKS) ** 0.5
    assert np.std(apart) == pytest.approx(error, rel=0.3)


@pytest.fixture(scope="module")
def planted() -> tuple[Suite, list[Row]]:
    suite, rows, _ = rehearsal.planted(np.random.default_rng(8))
    return suite, rows


@pytest.mark.slow
def test_the_page_shows_the_curve_the_forecasts_and_whether_the_cut_was_set(
    planted: tuple[Suite, list[Row]],
) -> None:
    suite, rows = planted
    ours, none = calibrate(suite, rows), calibrate(suite.model_copy(update={"cut": None}), rows)
    tables = {t.caption: t for t in pages.tables(ours)}
    assert len(tables["Tasks by seeds"].rows) == 21
    first = ours.dstudy[0]
    assert tables["Tasks by seeds"].rows[0][2].text == f"{first.relative.value:.2f}"
    assert (
        tables["Tasks by seeds"].rows[0][2].note == f"{first.relative.low:.2f} to {first.relative.high:.2f}"
    )
    said = {r[0].text: r[1] for r in tables["Suite"].rows}
    assert said["Decision accuracy"].text == f"{100 * ours.accuracy.value:.0f} %"
    assert {"Standard error of points", "Decision consistency", "Expected to pass"} <= said.keys()
    assert "PROVISIONAL" not in "".join(said)
    page = pages.render_html(none)
    assert "Decision accuracy (PROVISIONAL)" in page
    assert "Standard error of skill over skill" in page
    few = [r for r in rows if r.tier or r.person in ("p0", "p1")]
    assert "Standard error of skill over skill" not in pages.render_html(calibrate(suite, few))


def test_what_a_task_says_of_skill_by_hand() -> None:
    # far from floor and cap: squared slope by variance, .01 and .03 / 3 of a replicate
    draws = draws_of([0.5, 0.4], [0.3, 0.1], unique=0.01, noise=0.03)
    found = decisions.information(draws, np.zeros(20), seeds=3)
    assert found.shape == (20, 2)
    assert found[0] == pytest.approx([0.09 / 0.02, 0.01 / 0.02], rel=1e-3)
    # at the cap half of the scores are held: slope / 2, and the variance of half a normal at 0
    held = decisions.information(draws_of([1.25 - 0.6], [0.3], unique=0.01), np.full(20, 2.0))
    half_normal = 0.01 * (0.5 - 0.5 / np.pi)
    assert held[0, 0] == pytest.approx(0.15**2 / half_normal, rel=1e-6)


def test_the_skill_of_a_cut_by_hand() -> None:
    # weights 3/4 and 1/4: .4 + .25 skill is .65 at skill 1
    cut = Cut(points=65.0, method="set by hand", set_by="me")
    found = decisions.skill_at(suite_of(a=3.0, b=1.0), draws_of([0.5, 0.1], [0.3, 0.1]), cut)
    assert found == pytest.approx(np.ones(20))


def test_accuracy_of_a_suite_by_the_orthant_formula() -> None:
    # one task, .3 skill beside an error of .2: reliability .09 / .13, and the cut in the middle
    cut = Cut(points=50.0, method="set by hand", set_by="me")
    accurate, consistent = decisions.agreement(suite_of(a=1.0), draws_of([0.5], [0.3]), cut, 1, 30)
    share = 0.09 / 0.13
    assert accurate.value == pytest.approx(0.5 + np.arcsin(share**0.5) / np.pi, abs=0.003)
    assert consistent.value == pytest.approx(0.5 + np.arcsin(share) / np.pi, abs=0.003)
    # people about skill .5 with variance 4: the middle is 65, and the reliability .36 / .40
    wide = among(draws_of([0.5], [0.3]), mu=0.5, tau2=4.0)
    middle = cut.model_copy(update={"points": 65.0})
    accurate, consistent = decisions.agreement(suite_of(a=1.0), wide, middle, 1, 30)
    assert accurate.value == pytest.approx(0.5 + np.arcsin(0.9**0.5) / np.pi, abs=0.003)
    assert consistent.value == pytest.approx(0.5 + np.arcsin(0.9) / np.pi, abs=0.003)
    # nearly all lie above a cut four spreads below
    low = Cut(points=50.0 - 4 * 30, method="set by hand", set_by="me")
    assert decisions.agreement(suite_of(a=1.0), draws_of([0.5], [0.3]), low, 1, 30)[0].value > 0.999


def test_components_and_omega_of_draws_by_hand() -> None:
    draws = draws_of([0.5, 0.3], [0.4, 0.2], unique=0.04, noise=0.03)
    parts = reliability.drawn(draws)
    # slopes with mean .3 and variance .01; intercepts .5 and .3 about .4
    assert parts.person == pytest.approx(np.full(20, 0.09))
    assert parts.task == pytest.approx(np.full(20, 0.02))
    assert parts.crossed == pytest.approx(np.full(20, 0.05))
    assert parts.seed == pytest.approx(np.full(20, 0.03))
    assert not parts.held
    # (.4 + .2)^2 over itself and twice .04 + .03 / 3
    assert reliability.omega(draws, 3, 20).value == pytest.approx(0.36 / (0.36 + 0.1))
    # where skill has mean 1 and variance 4, tasks expect .9 and .5
    wide = reliability.drawn(among(draws, mu=1.0, tau2=4.0))
    assert wide.person == pytest.approx(np.full(20, 0.36))
    assert wide.task == pytest.approx(np.full(20, 0.08))
    assert wide.crossed == pytest.approx(np.full(20, 0.04 + 0.04))
    assert reliability.omega(among(draws, 0.0, 4.0), 3, 20).value == pytest.approx(1.44 / (1.44 + 0.1))


def test_a_planned_form_and_what_it_would_be_worth_by_hand() -> None:
    # squared slopes by .04 + .06: 1.6 and .4; skill has variance 2
    draws = among(draws_of([0.5, 0.5], [0.4, 0.2], unique=0.04, noise=0.06), mu=0.0, tau2=2.0)
    suite = suite_of(a=1.0, b=1.0)
    for minutes, tasks, total in ((60, ("a",), 1.6), (120, ("a", "b"), 2.0)):
        one = form(suite, draws, minutes, 30)
        assert (one.tasks, one.minutes, one.at_cut, one.words) == (tasks, minutes, False, "")
        assert one.csem.value == pytest.approx((1 / (0.5 + total)) ** 0.5)
        assert one.relative.value == pytest.approx(2 * total / (1 + 2 * total))
    none = form(suite, draws, 59, 30)
    assert (none.tasks, none.minutes) == ((), 0)
    assert (none.csem.value, none.relative.value) == (pytest.approx(2**0.5), 0.0), "what people alone say"
    covered = tuple(task.model_copy(update={"competencies": ("x",)}) for task in suite.tasks)
    short = form(suite.model_copy(update={"tasks": covered}), draws, 59, 30)
    assert short.words.startswith("59 minutes do not cover every competency")


def test_the_curve_is_over_skills_from_minus_3_to_3() -> None:
    curve = decisions.curve(suite_of(a=3.0, b=1.0), draws_of([0.5, 0.5], [0.1, 0.3], unique=0.01), 1, 30)
    assert [p.skill for p in curve] == pytest.approx([n / 4 for n in range(-12, 13)])
    middle = curve[12]
    # an SD of .1 on each task, and .75 * .1 + .25 * .3 more for each step of skill
    error = 0.1 * (0.75**2 + 0.25**2) ** 0.5
    assert (middle.points.value, middle.error.value) == pytest.approx((100 * error, error / 0.15))
