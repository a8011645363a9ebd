"""The estimator: a Gibbs sampler for continuous scores with anchor persons, missing and censored cells.

The model is linear and congeneric (one skill, a slope and an intercept for each task):

    z_pt  = a_t + l_t skill_p + u_pt + mean of e_pts,   u ~ N(0, psi_t),  e ~ N(0, noise_t)
    skill ~ N(mu, tau^2) for people, N(fixed, 0.25^2) for anchor persons, which fix the scale
    a_t ~ N(a0, .), l_t ~ N(l0, .) above LEAST_SLOPE, psi_t ~ inverse gamma with a common scale

Sources: Mellenbergh (1994), a unidimensional latent trait model for continuous item responses; Gelfand and
Smith (1990) for the sweeps; Tanner and Wong (1987) for the augmentation of u and of censored cells; Liu and
Sabatti (2000) for the joint move of scale and origin, without which chains mix slowly where people are many
and anchors few. Everything is conjugate but that move, and vectorised over data sets and chains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from harness.analysis.calibration.scores import Floats, Scores

ANCHOR_SD = 0.25
LEAST_SLOPE = 0.02  # of the scores' own standard deviation
SWEEPS, BURN, CHAINS = 1500, 500, 2
_TINY = 1e-10


@dataclass(frozen=True, kw_only=True)
class Draws:
    """`K` draws of the posterior for each of `B` data sets; noise is 0 where no cell was replicated.

    skill (K, B, P); intercept, slope, unique (psi), noise (K, B, T); mu, tau2 (K, B).
    rhat (B,): the largest split R-hat of difficulties and slopes (Gelman and Rubin 1992).
    """

    skill: Floats
    intercept: Floats
    slope: Floats
    unique: Floats
    noise: Floats
    mu: Floats
    tau2: Floats
    rhat: Floats

    def difficulty(self, level: float = 0.5) -> Floats:
        """The skill at which a score of `level` is expected on each task, (K, B, T)."""
        return (level - self.intercept) / self.slope


@dataclass(kw_only=True)
class _State:
    skill: Floats
    a: Floats
    slope: Floats
    psi: Floats
    noise: Floats
    z: Floats
    mu: Floats
    tau2: Floats
    a0: Floats
    sa2: Floats
    l0: Floats
    sl2: Floats
    h: Floats


@dataclass(frozen=True)
class _Normal:
    """A normal prior of a mean, by mean and variance."""

    mean: Floats
    variance: Floats | float

    def log(self, x: Floats) -> Floats:
        """The log density at `x`, but for a constant."""
        return -((x - self.mean) ** 2) / (2 * self.variance)

    def given(self, total: Floats, n: Floats | int, spread: Floats, rng: np.random.Generator) -> Floats:
        """A draw given a sum of `n` values of variance `spread` about it."""
        precision = n / spread + 1.0 / self.variance
        centre = (total / spread + self.mean / self.variance) / precision
        return centre + rng.normal(size=total.shape) / np.sqrt(precision)


@dataclass(frozen=True)
class _InverseGamma:
    """An inverse gamma prior of a variance, by shape and scale."""

    shape: float
    scale: Floats | float

    def log(self, x: Floats) -> Floats:
        """The log density at `x`, but for a constant."""
        return -(self.shape + 1) * np.log(x) - self.scale / x

    def given(self, n: Floats | int, squares: Floats, rng: np.random.Generator) -> Floats:
        """A draw given the sum of squares of `n` values of that variance about their known mean."""
        scale = self.scale + squares / 2
        return np.maximum(scale, 1e-12) / rng.gamma(self.shape + n / 2, 1.0, np.shape(scale))


@dataclass(frozen=True, kw_only=True)
class _Priors:
    """Every prior of the model, once: what is drawn and what a rescaling is weighed by read the same numbers.

    Weak, and in units of the scores' own centre and standard deviation, so that they suit any scale.
    """

    a0: _Normal
    sa2: _InverseGamma
    l0: _Normal
    sl2: _InverseGamma
    mu: _Normal
    tau2: _InverseGamma
    noise: _InverseGamma
    h_rate: Floats  # h is exponential; psi_t inverse gamma with the scale PSI_SCALE h, whatever the task

    PSI_SHAPE: ClassVar = 3.0
    PSI_SCALE: ClassVar = 2.0

    @classmethod
    def of(cls, unit: Floats, centre: Floats) -> _Priors:
        """The priors for scores of this standard deviation and centre, (B,) each."""
        square = unit**2
        return cls(
            a0=_Normal(centre, 4 * square),
            sa2=_InverseGamma(2.0, 0.5 * square),
            l0=_Normal(0.7 * unit, square),
            sl2=_InverseGamma(3.0, 0.12 * square),
            mu=_Normal(np.zeros_like(unit), 1.5**2),
            tau2=_InverseGamma(2.0, 1.0),
            noise=_InverseGamma(1.0, 1e-4 * square[:, None]),
            h_rate=1.0 / square,
        )

    def psi(self, h: Floats) -> _InverseGamma:
        """The prior of the tasks' unique variances, given their common scale (B,)."""
        return _InverseGamma(self.PSI_SHAPE, self.PSI_SCALE * h[:, None])

    def h(self, psi: Floats, rng: np.random.Generator) -> Floats:
        """A draw of the common scale given the unique variances (B, T)."""
        rate = self.h_rate + self.PSI_SCALE * (1.0 / psi).sum(axis=1)
        return rng.gamma(1.0 + self.PSI_SHAPE * psi.shape[1], 1.0 / rate)


@dataclass(frozen=True, kw_only=True)
class _Fixed:
    """What does not change from sweep to sweep: data, masks, who is an anchor, the scores' scale, the priors."""

    scores: Scores
    mask: Floats
    per: Floats
    replicated: Floats
    people: Floats
    fixed: Floats
    low: Floats
    high: Floats
    unit: Floats
    centre: Floats
    priors: _Priors
    any_censored: bool


def fit(
    scores: Scores, rng: np.random.Generator, sweeps: int = SWEEPS, burn: int = BURN, chains: int = CHAINS
) -> Draws:
    """Draws from the posterior, (sweeps - burn) of each chain; deterministic for one state of `rng`."""
    known = _fixed(scores.repeated(chains))
    state = _start(known, rng)
    kept: list[tuple[Floats, ...]] = []
    for sweep in range(sweeps):
        _sweep(known, state, rng)
        if sweep >= burn:
            kept.append((state.skill, state.a, state.slope, state.psi, state.noise, state.mu, state.tau2))
    parts = [np.stack(part) for part in zip(*kept, strict=True)]
    b = scores.shape[0]
    split = [part.reshape(part.shape[0], chains, b, *part.shape[2:]) for part in parts]
    _, intercepts, slopes, *_ = split
    rhat = np.maximum(_rhat((0.5 - intercepts) / slopes), _rhat(slopes)).max(axis=-1)
    skill, intercept, slope, unique, noise, mu, tau2 = (
        part.swapaxes(0, 1).reshape(-1, *part.shape[2:]) for part in split
    )
    return Draws(
        skill=skill, intercept=intercept, slope=slope, unique=unique, noise=noise, mu=mu, tau2=tau2, rhat=rhat
    )


def _rhat(draws: Floats) -> Floats:
    """Split R-hat along (K, chains, ...)."""
    half = draws.shape[0] // 2
    parts = np.concatenate([draws[:half], draws[half : 2 * half]], axis=1)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = parts.mean(axis=0).var(axis=0, ddof=1)
    return np.sqrt((within * (half - 1) / half + between) / np.maximum(within, _TINY))


def _fixed(scores: Scores) -> _Fixed:
    mask = (scores.count > 0).astype(np.float64)
    cells = np.maximum(mask.sum(axis=(1, 2)), 1.0)
    centre = (scores.mean * mask).sum(axis=(1, 2)) / cells
    spread = (((scores.mean - centre[:, None, None]) * mask) ** 2).sum(axis=(1, 2)) / cells
    unit = np.sqrt(np.maximum(spread, 1e-6))
    return _Fixed(
        scores=scores,
        mask=mask,
        per=mask / np.maximum(scores.count, 1.0),
        replicated=(scores.freedom > 0).astype(np.float64),
        people=np.isnan(scores.anchor).astype(np.float64),
        fixed=np.nan_to_num(scores.anchor),
        low=np.where(scores.censored > 0, scores.mean, -np.inf),
        high=np.where(scores.censored < 0, scores.mean, np.inf),
        unit=unit,
        centre=centre,
        priors=_Priors.of(unit, centre),
        any_censored=bool(scores.censored.any()),
    )


def _start(k: _Fixed, rng: np.random.Generator) -> _State:
    """Anchors at their place, people by their mean score; chains start apart."""
    b, p, t = k.scores.shape
    c = k.unit[:, None]
    rows = (k.scores.mean * k.mask).sum(axis=2) / np.maximum(k.mask.sum(axis=2), 1.0)
    seen = (k.mask.sum(axis=2) > 0).astype(np.float64)
    skill = np.where(k.people > 0, seen * (rows - k.centre[:, None]) / c, k.fixed) + rng.normal(
        0, 0.2, (b, p)
    )
    return _State(
        skill=skill,
        a=np.broadcast_to(k.centre[:, None], (b, t)) + 0.2 * c * rng.normal(size=(b, t)),
        slope=0.7 * c * rng.uniform(0.7, 1.3, (b, t)),
        psi=np.broadcast_to(0.3 * c**2, (b, t)).copy(),
        noise=k.replicated * (k.scores.squares / np.maximum(k.scores.freedom, 1.0) + 1e-8),
        z=k.scores.mean.copy(),
        mu=np.zeros(b),
        tau2=np.ones(b),
        a0=k.centre.copy(),
        sa2=k.unit**2,
        l0=0.7 * k.unit,
        sl2=(0.3 * k.unit) ** 2,
        h=0.3 * k.unit**2,
    )


def _sweep(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    noise = s.noise[:, None, :] * k.per
    if k.any_censored:
        _fill(k, s, noise, rng)
    weight = k.mask / (s.psi[:, None, :] + noise)
    _skills(k, s, weight, rng)
    _lines(k, s, weight, rng)
    _spreads(k, s, noise, rng)
    _hyper(k, s, rng)
    for size in (0.25, 0.08):
        _rescale(k, s, size, rng)


def _fill(k: _Fixed, s: _State, noise: Floats, rng: np.random.Generator) -> None:
    """What censored cells would have been: truncated normals beyond the floor or the cap."""
    at = k.scores.censored != 0
    expected = (s.a[:, None, :] + s.slope[:, None, :] * s.skill[:, :, None])[at]
    sd = np.sqrt(s.psi[:, None, :] + noise)[at]
    drawn = _truncated((k.low[at] - expected) / sd, (k.high[at] - expected) / sd, rng)
    s.z = k.scores.mean.copy()
    s.z[at] = expected + sd * drawn


def _truncated(low: Floats, high: Floats, rng: np.random.Generator) -> Floats:
    """Standard normals between low and high, by the inverse of the distribution on the nearer tail."""
    flip = low > 0
    lower, upper = np.where(flip, -high, low), np.where(flip, -low, high)
    bottom, top = ndtr(lower), ndtr(upper)
    at = ndtri(np.clip(bottom + rng.uniform(size=low.shape) * (top - bottom), 1e-300, 1 - 1e-16))
    at = np.clip(at, lower, upper)
    return np.where(flip, -at, at)


def _skills(k: _Fixed, s: _State, weight: Floats, rng: np.random.Generator) -> None:
    slope = s.slope[:, None, :]
    before = np.where(k.people > 0, 1.0 / s.tau2[:, None], ANCHOR_SD**-2)
    centre = np.where(k.people > 0, s.mu[:, None], k.fixed)
    precision = (weight * slope**2).sum(axis=2) + before
    pull = (weight * slope * (s.z - s.a[:, None, :])).sum(axis=2) + before * centre
    s.skill = pull / precision + rng.normal(size=precision.shape) / np.sqrt(precision)


def _lines(k: _Fixed, s: _State, weight: Floats, rng: np.random.Generator) -> None:
    """Slope and intercept of each task together: the slope from its margin, then the intercept given it."""
    x, sa2, sl2 = s.skill[:, :, None], s.sa2[:, None], s.sl2[:, None]
    wx = weight * x
    cross = wx.sum(axis=1)
    c = weight.sum(axis=1) + 1.0 / sa2
    r2 = (weight * s.z).sum(axis=1) + s.a0[:, None] / sa2
    r1 = (wx * s.z).sum(axis=1) + s.l0[:, None] / sl2
    precision = (wx * x).sum(axis=1) + 1.0 / sl2 - cross**2 / c
    mean, sd = (r1 - cross * r2 / c) / precision, 1.0 / np.sqrt(precision)
    least = (LEAST_SLOPE * k.unit[:, None] - mean) / sd
    s.slope = mean + sd * _truncated(least, np.full_like(least, np.inf), rng)
    s.a = (r2 - cross * s.slope) / c + rng.normal(size=c.shape) / np.sqrt(c)


def _spreads(k: _Fixed, s: _State, noise: Floats, rng: np.random.Generator) -> None:
    """The spread of person by task and of replicates, by way of u itself."""
    psi = s.psi[:, None, :]
    left = s.z - s.a[:, None, :] - s.slope[:, None, :] * s.skill[:, :, None]
    u = psi / (psi + noise) * left
    u += np.sqrt(psi * noise / (psi + noise)) * rng.normal(size=left.shape)
    cells = k.mask.sum(axis=1)
    s.psi = k.priors.psi(s.h).given(cells, (k.mask * u**2).sum(axis=1), rng)
    squares = k.scores.squares + (k.scores.count * (left - u) ** 2).sum(axis=1)
    s.noise = k.replicated * k.priors.noise.given(k.scores.freedom + cells, squares, rng)


def _hyper(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    t, prior = s.a.shape[1], k.priors
    s.h = prior.h(s.psi, rng)
    s.a0 = prior.a0.given(s.a.sum(axis=1), t, s.sa2, rng)
    s.sa2 = prior.sa2.given(t, ((s.a - s.a0[:, None]) ** 2).sum(axis=1), rng)
    s.l0 = prior.l0.given(s.slope.sum(axis=1), t, s.sl2, rng)
    s.sl2 = prior.sl2.given(t, ((s.slope - s.l0[:, None]) ** 2).sum(axis=1), rng)
    n = k.people.sum(axis=1)
    s.mu = prior.mu.given((k.people * s.skill).sum(axis=1), n, s.tau2, rng)
    s.tau2 = prior.tau2.given(n, (k.people * (s.skill - s.mu[:, None]) ** 2).sum(axis=1), rng)


def _rescale(k: _Fixed, s: _State, size: float, rng: np.random.Generator) -> None:
    """A Metropolis step along the direction that the scores cannot see: skills stretched and moved together.

    skill -> f skill + m, slope -> slope / f, intercept -> intercept - slope m / f, and their hyper-parameters
    with them; only priors and the Jacobian decide.
    """
    b, p = s.skill.shape
    t = s.slope.shape[1]
    f = np.exp(size * rng.normal(size=b))
    # By the root of f, since the way back is 1 / f and -m / f: only so is it as likely to be proposed.
    m = np.sqrt(f) * size * rng.normal(size=b)
    new = _State(
        skill=f[:, None] * s.skill + m[:, None],
        a=s.a - s.slope * (m / f)[:, None],
        slope=s.slope / f[:, None],
        psi=s.psi,
        noise=s.noise,
        z=s.z,
        mu=f * s.mu + m,
        tau2=f**2 * s.tau2,
        a0=s.a0 - s.l0 * m / f,
        sa2=s.sa2,
        l0=s.l0 / f,
        sl2=s.sl2 / f**2,
        h=s.h,
    )
    # The volume grows by f for each skill and for mu, by f squared for tau2, and shrinks where f divides.
    powers = {"skill": p, "slope": -t, "mu": 1, "tau2": 2, "l0": -1, "sl2": -2}
    better = _prior(k, new) - _prior(k, s) + sum(powers.values()) * np.log(f)
    take = np.log(rng.uniform(size=b)) < better
    each = take[:, None]
    s.skill = np.where(each, new.skill, s.skill)
    s.a = np.where(each, new.a, s.a)
    s.slope = np.where(each, new.slope, s.slope)
    s.mu = np.where(take, new.mu, s.mu)
    s.tau2 = np.where(take, new.tau2, s.tau2)
    s.a0 = np.where(take, new.a0, s.a0)
    s.l0 = np.where(take, new.l0, s.l0)
    s.sl2 = np.where(take, new.sl2, s.sl2)


def _prior(k: _Fixed, s: _State) -> Floats:
    """The log of every prior density that a rescaling changes, (B,)."""
    prior, t = k.priors, s.slope.shape[1]
    anchors = ((1 - k.people) * (s.skill - k.fixed) ** 2).sum(axis=1) / (-2 * ANCHOR_SD**2)
    people = -(k.people * (s.skill - s.mu[:, None]) ** 2).sum(axis=1) / (2 * s.tau2)
    people -= k.people.sum(axis=1) * np.log(s.tau2) / 2
    a = -((s.a - s.a0[:, None]) ** 2).sum(axis=1) / (2 * s.sa2)
    slopes = -((s.slope - s.l0[:, None]) ** 2).sum(axis=1) / (2 * s.sl2) - t * np.log(s.sl2) / 2
    slopes += np.where((s.slope > LEAST_SLOPE * k.unit[:, None]).all(axis=1), 0.0, -np.inf)
    of_people = prior.tau2.log(s.tau2) + prior.mu.log(s.mu)
    of_tasks = prior.a0.log(s.a0) + prior.l0.log(s.l0) + prior.sl2.log(s.sl2)
    return anchors + people + of_people + a + slopes + of_tasks
