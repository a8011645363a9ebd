"""The rehearsal without its estimator: what is planted, what it is held against, and which figure counts what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from harness.analysis.calibration import rehearsal
from harness.analysis.calibration.rehearsal import Truth
from harness.analysis.calibration.results import Calibration, DStudy, Estimate, PersonStanding
from harness.records import TIERS

TRUTH = Truth(skill=np.array([1.0, -1.0]), slope=np.array([0.3, 0.5]), difficulty=np.array([1.0, -0.5]))


def test_the_planted_components_by_hand() -> None:
    parts = TRUTH.parts()
    # slopes with mean .4, variance .01 and mean square .17; at skill 0 the tasks are .3 below and .25 above
    assert parts.person == pytest.approx(0.16)
    assert parts.task == pytest.approx(0.55**2 / 2)
    assert parts.crossed == pytest.approx(0.8**2 * 0.17 + 0.01)
    assert parts.seed == pytest.approx(0.4**2 * 0.17)


def test_the_expected_points_by_hand() -> None:
    # .5 + .3 * 0 and .5 + .5 * 1.5; .5 - .3 * 2 and .5 - .5 * .5
    assert TRUTH.expected() == pytest.approx([100 * (0.5 + 1.25) / 2, 100 * (-0.1 + 0.25) / 2])


@pytest.mark.parametrize("difficulty", [(1.0, -0.5), (-1.0, 0.5), (0.0, 2.0)])
def test_the_planted_decisions_are_those_of_two_normals(difficulty: tuple[float, float]) -> None:
    """Expected points with SD .4 about their middle, measured with an error of three instances, cut at .45."""
    truth = Truth(TRUTH.skill, TRUTH.slope, np.array(difficulty))
    middle = 0.5 - (0.3 * difficulty[0] + 0.5 * difficulty[1]) / 2 - 0.45
    error = ((0.8**2 + 0.4**2 / 3) * (0.3**2 + 0.5**2)) ** 0.5 / 2

    def agreeing(second: float) -> float:
        """Both on one side of 0, where the first has the variance `.16 + second` and shares .16 with the other."""
        both = multivariate_normal([middle, middle], [[0.16 + error**2, 0.16], [0.16, 0.16 + second]])
        above = both.cdf([0.0, 0.0])
        alone = [multivariate_normal(middle, 0.16 + v).cdf(0.0) for v in (error**2, second)]
        return float(1 - sum(alone) + 2 * above)

    accuracy, consistency = truth.agreement()
    assert accuracy == pytest.approx(agreeing(0.0), abs=0.003)
    assert consistency == pytest.approx(agreeing(error**2), abs=0.003)


def test_rows_are_of_people_and_tiers_on_every_task_and_instance() -> None:
    suite, rows, truth = rehearsal.planted(np.random.default_rng(0))
    assert len(rows) == (30 + 3) * 8 * 3
    people = {(r.person, r.tier) for r in rows if r.tier is None}
    assert people == {(f"p{i}", None) for i in range(30)}
    assert {(r.person, r.tier) for r in rows if r.tier is not None} == {(tier, tier) for tier in TIERS}
    assert [t.id for t in suite.tasks] == [f"t{j}" for j in range(8)]
    assert suite.cut is not None
    assert suite.cut.points == 45.0
    assert (len(truth.skill), len(truth.slope)) == (30, 8)


def test_tiers_are_planted_a_quarter_of_skill_about_their_place() -> None:
    apart = []
    for n in range(25):
        _, rows, truth = rehearsal.planted(np.random.default_rng(n))
        for tier, skill in zip(TIERS, (-1.5, 0.0, 1.5), strict=True):
            points = np.mean([r.points for r in rows if r.tier == tier])
            apart.append(points / 100 - 0.5 - (truth.slope * (skill - truth.difficulty)).mean())
    error = 0.33 * (0.25**2 + (0.8**2 + 0.4**2 / 3) / 8) ** 0.5
    assert np.mean(apart) == pytest.approx(0.0, abs=3 * error / 75**0.5)
    assert np.std(apart) == pytest.approx(error, rel=0.25)


def near(truth: float, off: float = 0.01, low: float = 0.02, high: float = 0.03) -> Estimate:
    """An estimate that is `off` too high, from `low` below the truth to `high` above it."""
    return Estimate(value=truth + off, low=truth - low, high=truth + high)


def calibration_of(truth: Truth, **changes: Any) -> Calibration:
    """As if the analysis had come so near; everybody is in the band where they belong."""
    parts, (accuracy, consistency) = truth.parts(), truth.agreement()
    ahead = float(parts.relative(12, 3))
    forecast = DStudy(tasks=12, seeds=3, relative=near(ahead, 0.02), absolute=near(ahead))
    bands = ["pass" if points >= 45 else "not yet" for points in truth.expected()]
    given = {
        "dstudy": (DStudy(tasks=12, seeds=1, relative=near(0.5), absolute=near(0.5)), forecast),
        "relative": near(float(parts.relative(8, 3))),
        "absolute": near(float(parts.absolute(8, 3)), 0.02),
        "accuracy": near(accuracy, -0.01),
        "consistency": near(consistency, 0.0),
        "standings": tuple(
            PersonStanding(person=f"p{i}", skill=near(0.0), band=band) for i, band in enumerate(bands)
        ),
    }
    return Calibration.model_construct(**(given | changes))


NAMES = ("E rho squared", "Phi", "decision accuracy", "decision consistency")
FORECAST = "forecast error of E rho squared, 12 tasks by 3 seeds"


@pytest.fixture
def truth(monkeypatch: pytest.MonkeyPatch) -> Truth:
    """What the only data set holds; judges err by nothing."""
    monkeypatch.setattr(rehearsal, "JUDGES_SD", 0.0)
    return rehearsal.planted(np.random.default_rng([7, 0])).truth


def figures(monkeypatch: pytest.MonkeyPatch, *made: Calibration) -> dict[str, Any]:
    """The figures of a rehearsal whose analyses come out as these."""
    results = iter(made)
    monkeypatch.setattr(rehearsal, "calibrate", lambda suite, rows, seed: next(results))
    return {t.name: t for t in rehearsal.rehearse(len(made), 7)}


def test_what_comes_back_is_held_against_what_was_planted(
    truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = figures(monkeypatch, calibration_of(truth))
    errors = [shown[f"error of {name}"].value for name in NAMES]
    assert errors == pytest.approx([0.01, 0.02, 0.01, 0.0], abs=1e-12)
    assert [shown[f"coverage of {name}"].value for name in NAMES] == [1.0] * 4
    assert shown[FORECAST].value == pytest.approx(0.02)
    assert shown[rehearsal.WRONG].value == 0.0
    assert shown[rehearsal.JUDGED].value == pytest.approx(0.0, abs=1e-9)
    aims = {name: (t.at_least, t.at_most) for name, t in shown.items()}
    assert {aims[f"error of {name}"] for name in NAMES} | {aims[FORECAST]} == {(None, 0.05)}
    assert {aims[f"coverage of {name}"] for name in NAMES} == {(0.92, None)}
    assert (aims[rehearsal.WRONG], aims[rehearsal.JUDGED]) == ((None, 0.10), (None, 3.0))
    assert len(shown) == 11


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [(0.02, 0.03, 1.0), (0.02, 0.0, 1.0), (0.0, 0.02, 1.0), (-0.005, 0.02, 0.0), (0.02, -0.005, 0.0)],
)
def test_an_interval_holds_the_truth_within_and_at_its_ends(
    truth: Truth, monkeypatch: pytest.MonkeyPatch, low: float, high: float, held: float
) -> None:
    planted = float(truth.parts().relative(8, 3))
    one = Estimate(value=planted + (high - low) / 2, low=planted - low, high=planted + high)
    shown = figures(monkeypatch, calibration_of(truth, relative=one))
    assert shown["coverage of E rho squared"].value == held


def test_an_estimate_that_is_absent_or_open_at_an_end_holds_nothing(
    truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracy = truth.agreement()[0]
    for ends in ({"low": None}, {"high": None}):
        without = near(accuracy).model_copy(update=ends)
        shown = figures(monkeypatch, calibration_of(truth, accuracy=without))
        assert shown["coverage of decision accuracy"].value == 0.0


def test_who_is_placed_on_the_wrong_side_of_the_cut_is_counted_among_those_who_are_placed(
    truth: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    above = truth.expected() >= 45
    wrong = ["not yet" if side else "pass" for side in above]
    bands = [*wrong[:2], *("pass" if side else "not yet" for side in above[2:8]), *["review"] * 22]

    def placed(names: list[str]) -> tuple[PersonStanding, ...]:
        return tuple(
            PersonStanding.model_validate({"person": f"p{i}", "skill": near(0.0), "band": name})
            for i, name in enumerate(names)
        )

    shown = figures(monkeypatch, calibration_of(truth, standings=placed(bands)))
    assert shown[rehearsal.WRONG].value == 2 / 8
    nobody = figures(monkeypatch, calibration_of(truth, standings=placed(["review"] * 30)))
    assert nobody[rehearsal.WRONG].value == 0.0


def test_figures_of_several_data_sets_have_an_error_and_no_share_above_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearsal, "JUDGES_SD", 0.0)
    truths = [rehearsal.planted(np.random.default_rng([7, n])).truth for n in range(4)]
    far = Estimate(value=0.015, low=0.01, high=0.02)
    made = [calibration_of(t, **({"accuracy": far} if n == 0 else {})) for n, t in enumerate(truths)]
    share = figures(monkeypatch, *made)["coverage of decision accuracy"]
    error = 1.96 * 0.5 / 4**0.5  # of 0 1 1 1 the SD is 1 / 2
    assert (share.value, share.low, share.high) == pytest.approx((0.75, 0.75 - error, 1.0))
