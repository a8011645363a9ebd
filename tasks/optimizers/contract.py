"""The contract of optimizers: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Contract(Protocol):
    """Two stages, each in a fresh process: the four published updates, then `start` and `step`.

    Gradients of the updates are given, whatever the points: a row of the answer is the point (or the
    direction) after the gradient of that row has been seen.
    """

    def __init__(self, context: Any) -> None: ...

    def sgd(self, start: Floats, gradients: Floats, rate: float, momentum: float) -> Floats:
        """v = momentum v + g, x = x - rate v, v = 0 at first; float64[d], float64[t, d] -> float64[t, d].

        Polyak (1964), in the form of torch.optim.SGD.
        """
        ...

    def rmsprop(self, start: Floats, gradients: Floats, rate: float, decay: float, epsilon: float) -> Floats:
        """s = decay s + (1 - decay) g^2, x = x - rate g / (sqrt(s) + epsilon), s = 0 at first.

        Tieleman and Hinton (2012, lecture 6.5). float64[d], float64[t, d] -> float64[t, d]
        """
        ...

    def adam(
        self, start: Floats, gradients: Floats, rate: float, beta1: float, beta2: float, epsilon: float
    ) -> Floats:
        """Algorithm 1 of Kingma and Ba (2015), with corrections of bias; float64[d], float64[t, d] -> float64[t, d]."""
        ...

    def lbfgs(self, points: Floats, gradients: Floats, memory: int) -> Floats:
        """The direction of L-BFGS (Nocedal 1980) at each point; float64[t, d], float64[t, d] -> float64[t, d].

        Row k is minus the inverse Hessian's approximation times gradients[k], from the pairs
        s = points[i] - points[i - 1], y = gradients[i] - gradients[i - 1] with i <= k. A pair with
        s.y <= 1e-10 |s| |y| is left out; of the others the last `memory` count. The two loops start
        from s.y / y.y of the newest pair times the identity, from the identity where there is none.
        """
        ...

    def start(
        self, sizes: NDArray[np.int64], budget: int, points: Floats, values: Floats, gradients: Floats
    ) -> Floats:
        """The first evaluation of all P problems, at their starts; gives back the points of the second one.

        sizes      int64[P], variables of each problem; N is their sum
        budget     evaluations of each problem in all, this one included
        points     float64[N], the starts end to end
        values     float64[P], float64[N] the gradients: exact for some problems, noisy for others

        Sizes and values are drawn alike for problems of all kinds, so they do not tell them apart.

        The answer is float64[N], finite, within -1e8 to 1e8.
        """
        ...

    def step(self, told: Floats) -> Floats:
        """The next evaluation: the P values at the points asked last, then their N gradients, end to end.

        float64[P + N] -> float64[N], the points to ask next; called budget - 2 times.
        """
        ...
