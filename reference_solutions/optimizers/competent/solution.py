"""Competent: L-BFGS whose steps are halved until the value falls enough; values and gradients are trusted.

On exact problems this comes close to the best there is. Under noise it stands still: the difference of two
noisy gradients is mostly noise, so directions are poor, and where values are noisy a search that waits
for a lower one ends at whichever was told too low.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TINY = 1e-300
LARGEST = 1e8  # what may be asked for
MEMORY = 10  # pairs of L-BFGS
FIRST_MOVE = 0.1  # the length of the first trial
ENOUGH = 1e-4  # of the fall that the slope promises
HALVINGS = 12

# An optimiser yields the point it asks about, and is sent the value and the gradient there.
Dialogue = Generator[Floats, tuple[float, Floats], None]


def minimise(point: Floats, value: float, gradient: Floats, budget: int) -> Dialogue:
    """L-BFGS with steps halved until the value falls enough (Armijo 1966)."""
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=MEMORY)
    while True:
        direction = two_loops(gradient, list(pairs))
        slope = direction @ gradient
        length = 1.0 if pairs else FIRST_MOVE / (np.linalg.norm(gradient) + TINY)
        for _ in range(HALVINGS):
            trial = point + length * direction
            new_value, new_gradient = yield trial
            if new_value <= value + ENOUGH * length * slope:
                break
            length *= 0.5
        else:
            pairs.clear()
        s, y = trial - point, new_gradient - gradient
        if s @ y > 1e-10 * np.linalg.norm(s) * np.linalg.norm(y):
            pairs.append((s, y))
        point, value, gradient = trial, new_value, new_gradient


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
