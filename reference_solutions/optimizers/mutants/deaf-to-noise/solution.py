"""The expert less noticing noise: L-BFGS believes whatever it is told."""

from __future__ import annotations

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

# An optimiser yields the point it asks for and is sent the value and gradient told there.
Dialogue = Generator[Floats, tuple[float, Floats], None]


class Told(NamedTuple):
    """One evaluation: float64[size] point, value, float64[size] gradient."""

    point: Floats
    value: float
    gradient: Floats


def minimise(point: Floats, value: float, gradient: Floats, budget: int) -> Dialogue:
    """L-BFGS from first to last."""
    yield from search(Told(point, value, gradient))


# ---------------------------------------------------------------- without noise


def search(here: Told) -> Dialogue:
    """L-BFGS with a long memory and a strong Wolfe line search."""
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=MEMORY)
    while True:
        direction = two_loops(here.gradient, list(pairs))
        if not direction @ here.gradient < 0:  # rounding errors, close to the minimum
            pairs.clear()
            direction = -here.gradient
        length = 1.0 if pairs else FIRST_MOVE / (np.linalg.norm(here.gradient) + TINY)
        there = yield from line_search(here, direction, length)
        s, y = there.point - here.point, there.gradient - here.gradient
        if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
            pairs.append((s, y))
        else:
            pairs.clear()
        here = there


def line_search(
    here: Told, direction: Floats, length: float
) -> Generator[Floats, tuple[float, Floats], Told]:
    """A point that meets the strong Wolfe conditions (Nocedal and Wright 2006, 3.5).

    `low` is the best trial that falls enough, `high` the other end of an interval that holds a solution,
    once there is one.
    """
    slope = float(direction @ here.gradient)
    low, high = (0.0, here.value, slope, here), None
    for trial in range(MOST_TRIALS):
        point = here.point + length * direction
        there = Told(point, *(yield point))
        rise = float(direction @ there.gradient)
        if there.value > here.value + ENOUGH * length * slope or (trial and there.value >= low[1]):
            high = (length, there.value, rise, there)
        elif abs(rise) <= -FLAT_ENOUGH * slope:
            return there
        else:
            if rise * ((high[0] if high else np.inf) - low[0]) >= 0:
                high = low
            low = (length, there.value, rise, there)
        length = between(low, high) if high else further(low, slope, here)
    return low[3]


Trial = tuple[float, float, float, Told]  # length, value, slope along the direction, what was told


def between(low: Trial, high: Trial) -> float:
    """A length between the two, where the cubic through both has its minimum, a tenth away from either."""
    a, b = min(low[0], high[0]), max(low[0], high[0])
    return float(np.clip(cubic(low[:3], high[:3]), a + 0.1 * (b - a), b - 0.1 * (b - a)))


def further(low: Trial, slope: float, here: Told) -> float:
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
    found = b - (b - a) * (slope_b + root - left) / (slope_b - slope_a + 2.0 * root + TINY)
    return found if np.isfinite(found) else 0.5 * (a + b)


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
        point, velocity, found = start, np.zeros_like(start), []
        for gradient in gradients:
            velocity = momentum * velocity + gradient
            point = point - rate * velocity
            found.append(point)
        return np.array(found)

    def rmsprop(self, start: Floats, gradients: Floats, rate: float, decay: float, epsilon: float) -> Floats:
        point, square, found = start, np.zeros_like(start), []
        for gradient in gradients:
            square = decay * square + (1 - decay) * gradient**2
            point = point - rate * gradient / (np.sqrt(square) + epsilon)
            found.append(point)
        return np.array(found)

    def adam(
        self, start: Floats, gradients: Floats, rate: float, beta1: float, beta2: float, epsilon: float
    ) -> Floats:
        point, mean, square, found = start, np.zeros_like(start), np.zeros_like(start), []
        for count, gradient in enumerate(gradients, start=1):
            mean = beta1 * mean + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient**2
            root = np.sqrt(square / (1 - beta2**count)) + epsilon
            point = point - rate * mean / (1 - beta1**count) / root
            found.append(point)
        return np.array(found)

    def lbfgs(self, points: Floats, gradients: Floats, memory: int) -> Floats:
        pairs: deque[tuple[Floats, Floats]] = deque(maxlen=memory)
        found = []
        for k in range(len(points)):
            if k:
                s, y = points[k] - points[k - 1], gradients[k] - gradients[k - 1]
                if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
                    pairs.append((s, y))
            found.append(two_loops(gradients[k], list(pairs)))
        return np.array(found)


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
