"""Expert: L-BFGS that trusts values and gradients until it has reason not to, then a fitted model of the gradient.

Four ideas, in the order of what they bring:

1.  Noise is noticed, not assumed. A line search that is refused again and again is the sign of it; then,
    and only then, one evaluation is spent on asking for the same point again. Exact problems cost nothing.
2.  Under noise the differences of single gradients say nothing of curvature, and a line search chases
    the luckiest value. Gradients are regressed on points instead (ridge, towards one curvature for
    all directions): that averages noise over all evaluations and gives Newton steps at the same time.
    The trust in the model is judged by how well it foretells the next gradient.
3.  Without noise, memory is free and evaluations are not: 50 pairs in place of the usual 5 to 10.
4.  A strong Wolfe line search with cubic interpolation, so that every step gives a pair worth keeping.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Generator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


TINY = 1e-300
LARGEST = 1e8  # what may be asked for
MEMORY = 50  # pairs of L-BFGS
FIRST_MOVE = 0.5  # the length of the first trial
ENOUGH, FLAT_ENOUGH = 1e-4, 0.9  # of the Wolfe conditions
MOST_TRIALS = 20
PATIENCE = 2  # trials of one line search before noise is suspected
WINDOW = 30  # evaluations that the model is fitted to
BAND = 4.0  # radii at which an evaluation counts 0.6 of one nearby
PRIOR_SPREAD = 5.0  # of curvatures around the common one, by its square and the number of variables
LEAST_BEND = 0.05  # the smallest curvature believed, by the common one
MISSED = 4.0  # squared error of a predicted gradient, by the noise, from which the model is not trusted
SHRINK, GROW = 0.5, 1.5
NOISE_RATE = 0.1

# An optimiser yields the point it asks about, and is sent the value and the gradient there.
Dialogue = Generator[Floats, tuple[float, Floats], None]


class Evaluation(NamedTuple):
    """One evaluation: float64[size] point, value, float64[size] gradient."""

    point: Floats
    value: float
    gradient: Floats


class Noise(Exception):
    """Two evaluations of the same point differ."""


def minimise(point: Floats, value: float, gradient: Floats, budget: int) -> Dialogue:
    """L-BFGS as long as values and gradients can be trusted, then steps to the minimum of a fitted model."""
    log = [Evaluation(point, value, gradient)]
    with contextlib.suppress(Noise):
        yield from recorded(search(log[0]), log)
    yield from follow_a_model(log)


def recorded(optimiser: Dialogue, log: list[Evaluation]) -> Dialogue:
    """Passes on what the optimiser asks, and writes every evaluation into the log."""
    point = next(optimiser)
    while True:
        value, gradient = yield point
        log.append(Evaluation(point, value, gradient))
        point = optimiser.send((value, gradient))


# ---------------------------------------------------------------- without noise


def search(here: Evaluation) -> Dialogue:
    """L-BFGS with a long memory and a strong Wolfe line search; raises Noise where that fails for noise."""
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=MEMORY)
    trusted = False
    while True:
        direction = two_loops(here.gradient, list(pairs))
        if not direction @ here.gradient < 0:  # rounding errors, close to the minimum
            pairs.clear()
            direction = -here.gradient
        length = 1.0 if pairs else FIRST_MOVE / (np.linalg.norm(here.gradient) + TINY)
        there, trials = yield from line_search(here, direction, length, trusted)
        trusted = trusted or trials > PATIENCE
        s, y = there.point - here.point, there.gradient - here.gradient
        if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
            pairs.append((s, y))
        else:
            pairs.clear()
        here = there


def line_search(
    here: Evaluation, direction: Floats, length: float, trusted: bool
) -> Generator[Floats, tuple[float, Floats], tuple[Evaluation, int]]:
    """A point that meets the strong Wolfe conditions, and how many trials it took (Nocedal and Wright 2006, 3.5).

    `low` is the best trial that falls enough, `high` the other end of an interval that holds a solution,
    once there is one. A line search of an exact function is seldom refused more than PATIENCE times: then
    the start is evaluated once more, and Noise raised if the two evaluations differ, unless `trusted` already.
    """
    slope = float(direction @ here.gradient)
    low, high = (0.0, here.value, slope, here), None
    for trial in range(MOST_TRIALS):
        if trial == PATIENCE and not trusted:
            again = yield here.point
            if not agree(here, *again):
                raise Noise
        point = here.point + length * direction
        there = Evaluation(point, *(yield point))
        rise = float(direction @ there.gradient)
        if there.value > here.value + ENOUGH * length * slope or (trial and there.value >= low[1]):
            high = (length, there.value, rise, there)
        elif abs(rise) <= -FLAT_ENOUGH * slope:
            return there, trial + 1
        else:
            if rise * ((high[0] if high else np.inf) - low[0]) >= 0:
                high = low
            low = (length, there.value, rise, there)
        length = between(low, high) if high else further(low, slope, here)
    return low[3], MOST_TRIALS


def agree(here: Evaluation, value: float, gradient: Floats) -> bool:
    """Whether a second evaluation of the point gave the same, but for rounding."""
    same_value = abs(value - here.value) <= 1e-9 * abs(here.value)
    return bool(
        same_value and np.linalg.norm(gradient - here.gradient) <= 1e-9 * np.linalg.norm(here.gradient)
    )


Trial = tuple[float, float, float, Evaluation]  # length, value, slope along the direction, the evaluation


def between(low: Trial, high: Trial) -> float:
    """A length between the two, where the cubic through both has its minimum, a tenth away from either."""
    a, b = min(low[0], high[0]), max(low[0], high[0])
    return float(np.clip(cubic(low[:3], high[:3]), a + 0.1 * (b - a), b - 0.1 * (b - a)))


def further(low: Trial, slope: float, here: Evaluation) -> float:
    """A length beyond the longest one so far, which still fell steeply: twice to ten times."""
    guess = cubic((0.0, here.value, slope), low[:3])
    return float(np.clip(guess, 2.0 * low[0], 10.0 * low[0])) if guess > low[0] else 10.0 * low[0]


def cubic(first: tuple[float, float, float], second: tuple[float, float, float]) -> float:
    """The minimum of the cubic with these (length, value, slope); the middle where it has none."""
    (a, at_a, slope_a), (b, at_b, slope_b) = first, second
    if a == b:
        return a
    left = slope_a + slope_b - 3.0 * (at_a - at_b) / (a - b)
    square = left**2 - slope_a * slope_b
    if square < 0:
        return 0.5 * (a + b)
    root = float(np.copysign(np.sqrt(square), b - a))
    lowest = b - (b - a) * (slope_b + root - left) / (slope_b - slope_a + 2.0 * root + TINY)
    return lowest if np.isfinite(lowest) else 0.5 * (a + b)


# ---------------------------------------------------------------- with noise


class Model(NamedTuple):
    """Gradients near `centre`: gradient + H (x - centre), H having `curvatures` along `axes`, `other` elsewhere.

    float64[size] centre and gradient, float64[r, size] axes, orthonormal, float64[r] curvatures.
    """

    centre: Floats
    gradient: Floats
    axes: Floats
    curvatures: Floats
    other: float

    def at(self, point: Floats) -> Floats:
        """The gradient that is expected at the point: float64[size]."""
        away = point - self.centre
        along = self.axes @ away
        return self.gradient + self.other * away + ((self.curvatures - self.other) * along) @ self.axes

    def lowest(self) -> Floats:
        """Where the gradient is expected to vanish, curvatures taken as positive: float64[size]."""
        bend = np.maximum(np.abs(self.curvatures), LEAST_BEND * self.other)
        along = self.axes @ self.gradient
        return (
            self.centre - self.gradient / self.other - (along * (1.0 / bend - 1.0 / self.other)) @ self.axes
        )


def fit(points: Floats, gradients: Floats, weights: Floats, noise: float) -> Model:
    """Ridge regression of gradients on points, float64[n, size] each, towards one curvature for all directions.

    `noise` is the expected squared length of a gradient's noise. Only the span of the points is worked
    in, so the cost is that of n, not of size.
    """
    centre, gradient = weights @ points / weights.sum(), weights @ gradients / weights.sum()
    root = np.sqrt(weights)[:, None]
    away, change = (points - centre) * root, (gradients - gradient) * root
    spread = float((away**2).sum()) + TINY
    other = float((away * change).sum()) / spread
    if other <= 0:
        other = float(np.sqrt((change**2).sum() / spread)) + TINY
    axes = span(away)
    inner = away @ axes.T  # the points within their span: float64[n, r]
    squares = inner.T @ inner
    ridge = max(noise / (PRIOR_SPREAD * other**2), 1e-12 * spread) * np.eye(len(axes))
    inner = np.linalg.solve(squares + ridge, inner.T @ (change @ axes.T) + other * ridge)
    curvatures, turn = np.linalg.eigh(0.5 * (inner + inner.T))
    return Model(centre, gradient, turn.T @ axes, curvatures, other)


def span(rows: Floats) -> Floats:
    """Orthonormal rows whose span holds those of float64[n, size]: float64[min(n, size), size]."""
    if len(rows) >= rows.shape[1]:
        return np.eye(rows.shape[1])
    return np.linalg.qr(rows.T)[0].T


def follow_a_model(log: list[Evaluation]) -> Dialogue:
    """Asks where the model of the last WINDOW evaluations has its minimum, at most `radius` away from the last.

    Averaging is done by the regression, not by asking twice. The radius grows while gradients are as
    predicted, up to their noise, and shrinks where they are not; evaluations count the less the more
    radii they are away, so that a function that is not quadratic is modelled where it matters.
    """
    noise = 0.5 * float(((log[-1].gradient - evaluated_before(log).gradient) ** 2).sum()) + TINY
    here = min(log, key=lambda evaluation: evaluation.value).point
    radius = max(float(np.linalg.norm(here - log[0].point)), FIRST_MOVE)
    while True:
        recent = log[-WINDOW:]
        points, gradients = (
            np.array([evaluation.point for evaluation in recent]),
            np.array([evaluation.gradient for evaluation in recent]),
        )
        weights = np.exp(-((points - here) ** 2).sum(axis=1) / (2.0 * (BAND * radius) ** 2)) + TINY
        model = fit(points, gradients, weights, noise)
        move = model.lowest() - here
        length = float(np.linalg.norm(move))
        here = here + move * min(1.0, radius / (length + TINY))
        value, gradient = yield here
        log.append(Evaluation(here, value, gradient))
        missed = float(((gradient - model.at(here)) ** 2).sum())
        if missed > MISSED * noise:
            radius *= SHRINK
        elif length > 0.5 * radius:
            radius *= GROW
        # Noise of batches falls on the way; a model that is wrong must not pass for noise that rises.
        noise += NOISE_RATE * (min(missed, 2.0 * noise) - noise)


def evaluated_before(log: list[Evaluation]) -> Evaluation:
    """The first evaluation at the point of the last one, or the first of all."""
    return next(
        (evaluation for evaluation in log[:-1] if np.array_equal(evaluation.point, log[-1].point)), log[0]
    )


class Solution:
    """Hands each problem to an optimiser of its own, and gathers what they ask for."""

    def __init__(self, context: Any) -> None:
        self.optimisers: list[Dialogue] = []

    def start(
        self, sizes: NDArray[np.int64], budget: int, points: Floats, values: Floats, gradients: Floats
    ) -> Floats:
        self.cuts = np.cumsum(sizes)[:-1]
        parts = zip(np.split(points, self.cuts), values.tolist(), np.split(gradients, self.cuts), strict=True)
        self.optimisers = [minimise(*part, budget) for part in parts]
        return gathered([next(optimiser) for optimiser in self.optimisers])

    def step(self, told: Floats) -> Floats:
        count = len(self.optimisers)
        parts = zip(told[:count].tolist(), np.split(told[count:], self.cuts), strict=True)
        return gathered([own.send(part) for own, part in zip(self.optimisers, parts, strict=True)])

    def sgd(self, start: Floats, gradients: Floats, rate: float, momentum: float) -> Floats:
        point, velocity, iterates = start, np.zeros_like(start), []
        for gradient in gradients:
            velocity = momentum * velocity + gradient
            point = point - rate * velocity
            iterates.append(point)
        return np.array(iterates)

    def rmsprop(self, start: Floats, gradients: Floats, rate: float, decay: float, epsilon: float) -> Floats:
        point, square, iterates = start, np.zeros_like(start), []
        for gradient in gradients:
            square = decay * square + (1 - decay) * gradient**2
            point = point - rate * gradient / (np.sqrt(square) + epsilon)
            iterates.append(point)
        return np.array(iterates)

    def adam(
        self, start: Floats, gradients: Floats, rate: float, beta1: float, beta2: float, epsilon: float
    ) -> Floats:
        point, mean, square, iterates = start, np.zeros_like(start), np.zeros_like(start), []
        for count, gradient in enumerate(gradients, start=1):
            mean = beta1 * mean + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient**2
            root = np.sqrt(square / (1 - beta2**count)) + epsilon
            point = point - rate * mean / (1 - beta1**count) / root
            iterates.append(point)
        return np.array(iterates)

    def lbfgs(self, points: Floats, gradients: Floats, memory: int) -> Floats:
        pairs: deque[tuple[Floats, Floats]] = deque(maxlen=memory)
        directions = []
        for k in range(len(points)):
            if k:
                s, y = points[k] - points[k - 1], gradients[k] - gradients[k - 1]
                if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
                    pairs.append((s, y))
            directions.append(two_loops(gradients[k], list(pairs)))
        return np.array(directions)


def gathered(points: list[Floats]) -> Floats:
    """All points end to end, kept within what may be asked for: float64[N]."""
    return np.clip(np.nan_to_num(np.concatenate(points)), -LARGEST, LARGEST)


def two_loops(gradient: Floats, pairs: list[tuple[Floats, Floats]]) -> Floats:
    """The direction of L-BFGS from pairs (s, y), the oldest first (Nocedal 1980): float64[size]."""
    q, shares = gradient.copy(), []
    for s, y in reversed(pairs):
        shares.append((s @ q) / (s @ y))
        q -= shares[-1] * y
    if pairs:
        s, y = pairs[-1]
        q *= (s @ y) / (y @ y)
    for (s, y), share in zip(pairs, reversed(shares), strict=True):
        q += s * (share - (y @ q) / (s @ y))
    return -q
