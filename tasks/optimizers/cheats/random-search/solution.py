"""Asks for points drawn at random, ever further around the best one so far, and uses no gradient."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Solution:
    def __init__(self, context: Any) -> None:
        self.rng = np.random.default_rng(context.seed)

    def start(self, sizes, budget, points, values, gradients):
        self.owner = np.repeat(np.arange(len(sizes)), sizes)
        self.best, self.lowest, self.last = points.copy(), values.copy(), points
        return self.drawn()

    def drawn(self):
        self.last = self.best + self.rng.normal(0.0, 0.3, len(self.best))
        return self.last

    def step(self, told):
        values = told[: len(self.lowest)]
        better = values < self.lowest
        self.lowest = np.where(better, values, self.lowest)
        self.best = np.where(better[self.owner], self.last, self.best)
        return self.drawn()

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
