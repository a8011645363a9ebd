"""The estimator: planted truth comes back, its intervals cover, and no single step bends what it draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import invgamma, ks_2samp, norm

from harness.analysis.calibration import gibbs
from harness.analysis.calibration.generators import CAP, FLOOR, GENERATORS, Design, linear
from harness.analysis.calibration.gibbs import _Fixed, _Priors, _rhat, _State, _truncated, fit
from harness.analysis.calibration.recovery import recover, target
from harness.analysis.calibration.scores import Floats, Scores, of_values


def test_intervals_cover_what_was_planted_within_binomial_error() -> None:
    design = Design(sets=60, people=12, tasks=8)
    planted = linear(design, np.random.default_rng(5))
    draws = fit(planted.scores, np.random.default_rng(6))
    for found, truth in (
        (draws.difficulty(), planted.difficulty),
        (draws.skill[..., :12], planted.skill[:, :12]),
    ):
        low, high = np.quantile(found, [0.025, 0.975], axis=0)
        held = ((low <= truth) & (truth <= high)).mean(axis=1)
        error = 3 * held.std(ddof=1) / len(held) ** 0.5
        assert abs(held.mean() - 0.95) <= error
        assert error < 0.06  # so that intervals half as wide would fail
        narrow = ((low + high) / 2)[None] + np.array([-0.25, 0.25])[:, None, None] * (high - low)
        assert ((narrow[0] <= truth) & (truth <= narrow[1])).mean() < 0.95 - error
    assert draws.rhat.max() < 1.1


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_gives_back_difficulty_and_skill(name: str) -> None:
    found = {t.name: t.value for t in recover(name, Design(8, 20, 8), (0.0, None), 3).figures}
    assert found["r of difficulty"] > 0.9
    assert found["r of skill"] > 0.85
    assert found["coverage of difficulty"] > 0.8


def test_the_same_seed_gives_the_same_draws_and_another_one_others() -> None:
    planted = linear(Design(1, 6, 3), np.random.default_rng(0))
    once, again, other = (fit(planted.scores, np.random.default_rng(s), 60, 20).slope for s in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_missing_cells_are_left_out_and_censored_ones_are_marked() -> None:
    values = np.array([[[[0.2, 0.4], [np.nan, np.nan]], [[3.0, 2.0], [-1.0, 0.5]]]])
    scores = of_values(values, np.full((1, 2), np.nan), FLOOR, CAP)
    assert scores.count.tolist() == [[[2, 0], [2, 2]]]
    assert scores.mean[0, 0, 0] == pytest.approx(0.3)
    assert scores.censored.tolist() == [[[0, 0], [1, 0]]]
    assert scores.freedom.tolist() == [[2, 1]]
    assert scores.squares[0, 0] == pytest.approx(0.02)


def test_a_person_without_any_score_keeps_the_width_of_the_population() -> None:
    planted = linear(Design(1, 15, 6), np.random.default_rng(2))
    values = planted.values.copy()
    values[0, 0] = np.nan
    draws = fit(of_values(values, planted.scores.anchor), np.random.default_rng(0), 600, 200)
    assert draws.skill[:, 0, 0].std() > 2 * draws.skill[:, 0, 1].std()


def test_truncated_normals_stay_within_their_bounds_and_have_the_right_mean() -> None:
    from scipy.stats import truncnorm

    for low, high in ((-np.inf, -2.0), (1.5, np.inf), (-0.3, np.inf), (7.0, np.inf)):
        drawn = _truncated(np.full(20000, low), np.full(20000, high), np.random.default_rng(1))
        assert ((drawn >= low) & (drawn <= high)).all()
        expected = truncnorm(low, high)
        assert drawn.mean() == pytest.approx(expected.mean(), abs=4 * expected.std() / 20000**0.5)


def test_a_figure_is_missed_only_where_its_own_error_cannot_explain_it() -> None:
    near, far = np.array([0.96, 0.98, 0.95]), np.array([0.50, 0.51, 0.52])
    assert target("r", near, at_least=0.97).verdict == "inconclusive"
    assert target("r", far, at_least=0.97).verdict == "fail"
    assert target("r", near, at_least=0.9).verdict == "pass"


MANY = 20_000
UNIT, CENTRE = 1.6, 3.0  # not 0, 1 or 2, so that a scale that is forgotten or not squared shows
ANCHORS = np.array([np.nan, np.nan, np.nan, -1.5, 0.5])  # not in balance, as the tiers are
COUNT = np.array([[3.0, 1.0, 2.0]] * 5)
COUNT[1, 2] = 0.0  # a person without the third task


def inverse_gamma(rng: np.random.Generator, shape: float, scale: Floats | float, size: object) -> Floats:
    return scale / rng.gamma(shape, size=size)


def slopes_above(rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """l0, sl2 and slopes, all of which lie above 0.02 units: draws with one below are drawn again."""
    l0 = 0.7 * UNIT + UNIT * rng.normal(size=3 * MANY)
    sl2 = inverse_gamma(rng, 3.0, 0.12 * UNIT**2, 3 * MANY)
    slope = l0[:, None] + np.sqrt(sl2)[:, None] * rng.normal(size=(3 * MANY, 3))
    kept = np.flatnonzero((slope > 0.02 * UNIT).all(axis=1))[:MANY]
    assert len(kept) == MANY
    return l0[kept], sl2[kept], slope[kept]


def joint(rng: np.random.Generator, noise_scale: float = 1e-4) -> tuple[_Fixed, _State]:
    """Parameters from their priors, as the model is written down, and scores from the parameters."""
    wide, mask = (MANY, 3), COUNT > 0
    mu, tau2 = 1.5 * rng.normal(size=MANY), inverse_gamma(rng, 2.0, 1.0, MANY)
    people = mu[:, None] + np.sqrt(tau2)[:, None] * rng.normal(size=(MANY, 5))
    skill = np.where(np.isnan(ANCHORS), people, np.nan_to_num(ANCHORS) + 0.25 * rng.normal(size=(MANY, 5)))
    a0, sa2 = CENTRE + 2 * UNIT * rng.normal(size=MANY), inverse_gamma(rng, 2.0, 0.5 * UNIT**2, MANY)
    a = a0[:, None] + np.sqrt(sa2)[:, None] * rng.normal(size=wide)
    l0, sl2, slope = slopes_above(rng)
    h = rng.exponential(UNIT**2, size=MANY)
    psi = inverse_gamma(rng, 3.0, 2.0 * h[:, None], wide)
    freedom = np.broadcast_to(np.maximum(COUNT - 1, 0).sum(axis=0), wide)
    noise = np.where(freedom > 0, inverse_gamma(rng, 1.0, noise_scale * UNIT**2, wide), 0.0)
    z = a[:, None] + slope[:, None] * skill[..., None]
    z += np.sqrt(psi[:, None] + noise[:, None] / np.maximum(COUNT, 1)) * rng.normal(size=z.shape)
    z *= mask
    low, high = CENTRE - 2 * UNIT, CENTRE + 3 * UNIT
    scores = Scores(
        mean=np.clip(z, low, high) * mask,
        count=np.broadcast_to(COUNT, z.shape),
        squares=noise * rng.chisquare(np.maximum(freedom, 1), size=wide),
        freedom=freedom,
        anchor=np.broadcast_to(ANCHORS, (MANY, 5)),
        censored=((z >= high).astype(np.int64) - (z <= low)) * mask,
    )
    scale, centre = np.full(MANY, UNIT), np.full(MANY, CENTRE)
    priors = _Priors.of(scale, centre)
    if noise_scale != 1e-4:
        priors = replace(priors, noise=gibbs._InverseGamma(1.0, noise_scale * UNIT**2))
    known = replace(gibbs._fixed(scores), unit=scale, centre=centre, priors=priors)
    return known, _State(
        skill=skill,
        a=a,
        slope=slope,
        psi=psi,
        noise=noise,
        z=z,
        mu=mu,
        tau2=tau2,
        a0=a0,
        sa2=sa2,
        l0=l0,
        sl2=sl2,
        h=h,
    )


def shown(s: _State) -> dict[str, Floats]:
    """Each parameter, and each against what it depends on."""
    noise = s.noise[:, None] / np.maximum(COUNT, 1)
    left = (s.z - s.a[:, None] - s.slope[:, None] * s.skill[..., None]) / np.sqrt(s.psi[:, None] + noise)
    return {
        "person": s.skill[:, 0],
        "person with a task less": s.skill[:, 1],
        "anchor": s.skill[:, 3],
        "person in the population": (s.skill[:, 0] - s.mu) / np.sqrt(s.tau2),
        "mu": s.mu,
        "tau2": s.tau2,
        "intercept": s.a[:, 0],
        "intercept among intercepts": (s.a[:, 0] - s.a0) / np.sqrt(s.sa2),
        "a0": s.a0,
        "sa2": s.sa2,
        "slope": s.slope[:, 0],
        "slope among slopes": (s.slope[:, 0] - s.l0) / np.sqrt(s.sl2),
        "l0": s.l0,
        "sl2": s.sl2,
        "psi": s.psi[:, 0],
        "psi by h": s.psi[:, 2] / s.h,
        "h": s.h,
        "noise": s.noise[:, 0],
        "noise with a cell less": s.noise[:, 2],
        "score": s.z[:, 0, 0],
        "score of an anchor": s.z[:, 4, 2],
        **{f"residual {p} {t}": left[:, p, t] for p, t in ((0, 0), (0, 1), (2, 2), (4, 0))},
        "expected": s.slope[:, 1] * s.skill[:, 2] + s.a[:, 1],
    }


def filled(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    gibbs._fill(k, s, s.noise[:, None, :] * k.per, rng)


def skilled(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    gibbs._skills(k, s, k.mask / (s.psi[:, None, :] + s.noise[:, None, :] * k.per), rng)


def lined(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    gibbs._lines(k, s, k.mask / (s.psi[:, None, :] + s.noise[:, None, :] * k.per), rng)


def spread(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    gibbs._spreads(k, s, s.noise[:, None, :] * k.per, rng)


def rescaled(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    """Wide steps, and many: what a wrong density gains with each adds up."""
    names = ("skill", "a", "slope", "mu", "tau2", "a0", "l0", "sl2")
    before = {name: getattr(s, name).copy() for name in names}
    for _ in range(60):
        gibbs._rescale(k, s, 0.7, rng)
    assert [name for name in names if (getattr(s, name) != before[name]).mean() < 0.9] == []


@pytest.mark.parametrize("noise_scale", [1e-4, 0.5])  # as it is, and where replicates differ as much as cells
@pytest.mark.parametrize("step", [filled, skilled, lined, spread, gibbs._hyper, rescaled])
def test_no_step_alone_moves_the_joint_distribution(
    step: Callable[[_Fixed, _State, np.random.Generator], None], noise_scale: float
) -> None:
    """Geweke (2004): where parameters and scores are drawn from the model, each step leaves them so distributed."""
    rng = np.random.default_rng(12)
    known, state = joint(rng, noise_scale)
    before = {name: values.copy() for name, values in shown(state).items()}
    step(known, state, rng)
    after, due = shown(state), shown(joint(rng, noise_scale)[1])
    moved = {name for name in after if not np.array_equal(after[name], before[name])}
    assert moved, "a step that does nothing would pass"
    alike = {name: ks_2samp(after[name], due[name]).pvalue for name in moved}
    assert {name: p for name, p in alike.items() if not p >= 1e-4} == {}  # no number is no agreement either


def test_two_chains_are_drawn_and_what_is_burnt_is_left_out() -> None:
    planted = linear(Design(1, 5, 3), np.random.default_rng(0))
    draws = fit(planted.scores, np.random.default_rng(0), 30, 10)
    assert draws.mu.shape == (2 * 20, 1)
    assert draws.skill.shape == (40, 1, 8)  # five people and the three tiers


def test_split_r_hat_by_hand() -> None:
    # halves 0 2 and 1 3, the fifth draw left over: within 2, between the means 1 and 2 it is 1/2
    draws = np.array([0.0, 2.0, 1.0, 3.0, 99.0])[:, None]
    assert _rhat(draws) == pytest.approx((((2 - 1) / 2 * 2 + 0.5) / 2) ** 0.5)
    # halves 0 2 4 and 1 3 5 of a chain, 0 2 4 twice of another: within 4, means 2 3 2 2 with variance 1/4
    pair = np.array([[0.0, 2, 4, 1, 3, 5], [0, 2, 4, 0, 2, 4]]).T
    assert _rhat(pair) == pytest.approx(((4 * 2 / 3 + 0.25) / 4) ** 0.5)


def log_density(s: _State) -> Floats:
    """The log density of all that a rescaling moves, by another program's densities."""
    skills = norm.logpdf(s.skill, s.mu[:, None], np.sqrt(s.tau2)[:, None])
    skills = np.where(np.isnan(ANCHORS), skills, norm.logpdf(s.skill, np.nan_to_num(ANCHORS), 0.25))
    lines = norm.logpdf(s.a, s.a0[:, None], np.sqrt(s.sa2)[:, None])
    lines += norm.logpdf(s.slope, s.l0[:, None], np.sqrt(s.sl2)[:, None])
    means = (
        norm.logpdf(s.mu, 0, 1.5) + norm.logpdf(s.a0, CENTRE, 2 * UNIT) + norm.logpdf(s.l0, 0.7 * UNIT, UNIT)
    )
    variances = invgamma.logpdf(s.tau2, 2, scale=1) + invgamma.logpdf(s.sl2, 3, scale=0.12 * UNIT**2)
    return skills.sum(axis=1) + lines.sum(axis=1) + means + variances


def test_a_rescaling_is_weighed_by_the_models_own_density() -> None:
    rng = np.random.default_rng(3)
    (known, state), (_, other) = joint(rng), joint(rng)
    moved = {name: getattr(other, name) for name in ("skill", "a", "slope", "mu", "tau2", "a0", "l0", "sl2")}
    there = replace(state, **moved)
    gained = gibbs._prior(known, there) - gibbs._prior(known, state)
    assert gained == pytest.approx(log_density(there) - log_density(state), rel=1e-6, abs=1e-6)
    flat = replace(state, slope=np.full_like(state.slope, 0.019 * UNIT))
    assert (gibbs._prior(known, flat) == -np.inf).all()


def test_a_mean_and_a_variance_given_values_by_hand() -> None:
    rng, many = np.random.default_rng(0), np.ones(40_000)
    # three values of variance 1 with sum 6, and N(1, 1/2): precision 5, mean (6 + 2) / 5
    means = gibbs._Normal(many, 0.5).given(6 * many, 3, many, rng)
    assert means.mean() == pytest.approx(1.6, abs=0.01)
    assert means.var() == pytest.approx(0.2, rel=0.03)
    # shape 3 + 4 / 2 and scale 2 + 6 / 2: the inverse has mean 5 / 5 and variance 5 / 25
    inverse = 1 / gibbs._InverseGamma(3.0, 2.0).given(4, 6 * many, rng)
    assert inverse.mean() == pytest.approx(1.0, abs=0.01)
    assert inverse.var() == pytest.approx(0.2, rel=0.05)
    # shape 1 + 3 * 2 and rate 1/4 + 2 * (1 + 1/3): mean 7 / rate
    priors = _Priors.of(2 * many, many)
    h = priors.h(np.broadcast_to([1.0, 3.0], (40_000, 2)), rng)
    rate = 0.25 + 2 * (1 + 1 / 3)
    assert h.mean() == pytest.approx(7 / rate, rel=0.01)
    assert h.var() == pytest.approx(7 / rate**2, rel=0.05)


def test_only_censored_cells_are_filled_and_each_beyond_its_own_end() -> None:
    rng = np.random.default_rng(1)
    known, state = joint(rng)
    filled(known, state, rng)
    censored, mean = known.scores.censored, known.scores.mean
    assert min((censored > 0).sum(), (censored < 0).sum()) > 1000
    assert np.array_equal(state.z[censored == 0], mean[censored == 0])
    assert (state.z[censored > 0] > mean[censored > 0] - 1e-9).all()
    assert (state.z[censored < 0] < mean[censored < 0] + 1e-9).all()
    assert np.abs(state.z - mean)[censored != 0].mean() > 0.1


def test_scores_on_another_scale_give_the_same_draws_on_it() -> None:
    planted = linear(Design(2, 6, 4), np.random.default_rng(0))
    one, other = (
        fit(of_values(values, planted.scores.anchor), np.random.default_rng(1), 6, 0)
        for values in (planted.values, 1000 + 64 * planted.values)
    )
    same = {"rtol": 1e-4, "atol": 1e-6}
    assert np.allclose(other.skill, one.skill, **same)
    assert np.allclose((other.intercept - 1000) / 64, one.intercept, **same)
    assert np.allclose(other.slope / 64, one.slope, **same)
    assert np.allclose(other.unique / 64**2, one.unique, **same)
    assert np.allclose(other.noise / 64**2, one.noise, **same)
