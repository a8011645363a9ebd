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

import numpy as np
from scipy.special import ndtr, ndtri

from harness.analysis.calibration.scores import Floats, Scores

ANCHOR_SD = 0.25
LEAST_SLOPE = 0.02  # of the scores' own standard deviation
SWEEPS, BURN, CHAINS = 1500, 500, 2
_TINY = 1e-10


@dataclass(frozen=True)
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


@dataclass
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
class _Fixed:
    """What does not change from sweep to sweep: data, masks, who is an anchor, and the scale of the scores."""

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
    rhat = np.maximum(_rhat((0.5 - split[1]) / split[2]), _rhat(split[2])).max(axis=-1)
    joined = [part.swapaxes(0, 1).reshape(-1, *part.shape[2:]) for part in split]
    return Draws(*joined, rhat=rhat)


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
    return _Fixed(
        scores=scores,
        mask=mask,
        per=mask / np.maximum(scores.count, 1.0),
        replicated=(scores.freedom > 0).astype(np.float64),
        people=np.isnan(scores.anchor).astype(np.float64),
        fixed=np.nan_to_num(scores.anchor),
        low=np.where(scores.censored > 0, scores.mean, -np.inf),
        high=np.where(scores.censored < 0, scores.mean, np.inf),
        unit=np.sqrt(np.maximum(spread, 1e-6)),
        centre=centre,
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
    s.psi = _inverse_gamma(3.0 + cells / 2, 2.0 * s.h[:, None] + (k.mask * u**2).sum(axis=1) / 2, rng)
    squares = k.scores.squares + (k.scores.count * (left - u) ** 2).sum(axis=1)
    weak = 1e-4 * k.unit[:, None] ** 2
    drawn = _inverse_gamma(1.0 + (k.scores.freedom + cells) / 2, weak + squares / 2, rng)
    s.noise = k.replicated * drawn


def _hyper(k: _Fixed, s: _State, rng: np.random.Generator) -> None:
    t = s.a.shape[1]
    c2 = k.unit**2
    s.h = rng.gamma(1.0 + 3.0 * t, 1.0 / (1.0 / c2 + 2.0 * (1.0 / s.psi).sum(axis=1)))
    s.a0 = _mean(s.a.sum(axis=1), t, s.sa2, (k.centre, 4 * c2), rng)
    s.sa2 = _inverse_gamma(2.0 + t / 2, 0.5 * c2 + ((s.a - s.a0[:, None]) ** 2).sum(axis=1) / 2, rng)
    s.l0 = _mean(s.slope.sum(axis=1), t, s.sl2, (0.7 * k.unit, c2), rng)
    s.sl2 = _inverse_gamma(3.0 + t / 2, 2 * 0.06 * c2 + ((s.slope - s.l0[:, None]) ** 2).sum(axis=1) / 2, rng)
    n = k.people.sum(axis=1)
    s.mu = _mean((k.people * s.skill).sum(axis=1), n, s.tau2, (np.zeros_like(s.mu), 2.25), rng)
    away = (k.people * (s.skill - s.mu[:, None]) ** 2).sum(axis=1)
    s.tau2 = _inverse_gamma(2.0 + n / 2, 1.0 + away / 2, rng)


def _mean(
    total: Floats,
    n: Floats | int,
    spread: Floats,
    prior: tuple[Floats, Floats | float],
    rng: np.random.Generator,
) -> Floats:
    """A normal mean given a sum of `n` values of variance `spread`, and a normal prior (mean, variance)."""
    precision = n / spread + 1.0 / prior[1]
    return (total / spread + prior[0] / prior[1]) / precision + rng.normal(size=total.shape) / np.sqrt(
        precision
    )


def _inverse_gamma(shape: Floats | float, scale: Floats, rng: np.random.Generator) -> Floats:
    return np.maximum(scale, 1e-12) / rng.gamma(shape, 1.0, np.shape(scale))


def _rescale(k: _Fixed, s: _State, size: float, rng: np.random.Generator) -> None:
    """A Metropolis step along the direction that the scores cannot see: skills stretched and moved together.

    skill -> f skill + m, slope -> slope / f, intercept -> intercept - slope m / f, and their hyper-parameters
    with them; only priors and the Jacobian decide.
    """
    b, p = s.skill.shape
    t = s.slope.shape[1]
    f, m = np.exp(size * rng.normal(size=b)), size * rng.normal(size=b)
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
    # exponents of f: skills, slopes, mu, tau2, l0, sl2
    jacobian = (p - t + 1 + 2 - 1 - 2) * np.log(f)
    better = _prior(k, new) - _prior(k, s) + jacobian
    take = np.log(rng.uniform(size=b)) < better
    for name in ("skill", "a", "slope", "mu", "tau2", "a0", "l0", "sl2"):
        old, moved = getattr(s, name), getattr(new, name)
        setattr(s, name, np.where(take.reshape(-1, *[1] * (old.ndim - 1)), moved, old))


def _prior(k: _Fixed, s: _State) -> Floats:
    """The log of every prior density that a rescaling changes, (B,)."""
    c2, tau2, sl2 = k.unit**2, s.tau2, s.sl2
    anchors = ((1 - k.people) * (s.skill - k.fixed) ** 2).sum(axis=1) / (-2 * ANCHOR_SD**2)
    people = -(k.people * (s.skill - s.mu[:, None]) ** 2).sum(axis=1) / (2 * tau2)
    people -= k.people.sum(axis=1) * np.log(tau2) / 2
    tau = -(2.0 + 1) * np.log(tau2) - 1.0 / tau2 - s.mu**2 / (2 * 2.25)
    a = -((s.a - s.a0[:, None]) ** 2).sum(axis=1) / (2 * s.sa2) - (s.a0 - k.centre) ** 2 / (8 * c2)
    t = s.slope.shape[1]
    slopes = -((s.slope - s.l0[:, None]) ** 2).sum(axis=1) / (2 * sl2) - t * np.log(sl2) / 2
    slopes += np.where((s.slope > LEAST_SLOPE * k.unit[:, None]).all(axis=1), 0.0, -np.inf)
    slopes -= (s.l0 - 0.7 * k.unit) ** 2 / (2 * c2) + (3.0 + 1) * np.log(sl2) + 2 * 0.06 * c2 / sl2
    return anchors + people + tau + a + slopes
