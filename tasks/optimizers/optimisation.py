"""What an optimiser is measured by: data profiles of its evaluations, and the published updates to hold it against."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FLAT = 1e-10  # a pair whose step and change of gradient are nearer to a right angle than this is left out


def solved_at(gaps: Floats, tolerances: Sequence[float]) -> Floats:
    """The number, from 1, of the first evaluation whose gap is at most each tolerance; inf where there is none.

    A gap is (f(x) - f*) / (f(x0) - f*), so gap <= tau is the convergence test of Moré and Wild
    (2009, SIAM J. Optim. 20, equation 2.2). float64[n] -> float64[len(tolerances)]
    """
    met = gaps[:, None] <= np.asarray(tolerances)
    return np.where(met.any(axis=0), met.argmax(axis=0) + 1.0, np.inf)


def data_profile(solved: Floats, evaluations: Floats) -> Floats:
    """The share of problems solved within each number of evaluations; float64[p], float64[k] -> float64[k].

    The data profile of Moré and Wild (2009, equation 2.4), over whole evaluations: where every one
    tells the gradient too, a function of d variables has no d + 1 of them to make up a simplex.
    """
    return (solved[:, None] <= evaluations).mean(axis=0)


def profile_area(solved: Floats, budget: int) -> float:
    """The area under the data profile over log evaluations from 1 to budget + 1, as a share of all of it.

    A problem solved by evaluation n <= budget gives 1 - log(n) / log(budget + 1), one never solved 0.
    float64[p] -> 0.0 to 1.0; raises ValueError on no problems.
    """
    if not solved.size:
        raise ValueError("no problems to draw a profile of")
    within = solved <= budget
    parts = np.zeros(solved.shape)
    parts[within] = 1.0 - np.log(solved[within]) / math.log(budget + 1)
    return float(parts.mean())


def sgd(start: Floats, gradients: Floats, rate: float, momentum: float) -> Floats:
    """The iterates of gradient descent with momentum: v = momentum v + g, x = x - rate v.

    Polyak (1964), in the form of Sutskever et al. (2013) and of torch.optim.SGD. start float64[d],
    gradients float64[t, d] -> float64[t, d], the point after each gradient.
    """
    point, velocity, iterates = start.copy(), np.zeros_like(start), []
    for gradient in gradients:
        velocity = momentum * velocity + gradient
        point = point - rate * velocity
        iterates.append(point)
    return np.array(iterates)


def rmsprop(start: Floats, gradients: Floats, rate: float, decay: float, epsilon: float) -> Floats:
    """The iterates of RMSProp: s = decay s + (1 - decay) g^2, x = x - rate g / (sqrt(s) + epsilon), s = 0 at first.

    Tieleman and Hinton (2012, lecture 6.5). Shapes as of `sgd`.
    """
    point, square, iterates = start.copy(), np.zeros_like(start), []
    for gradient in gradients:
        square = decay * square + (1.0 - decay) * gradient**2
        point = point - rate * gradient / (np.sqrt(square) + epsilon)
        iterates.append(point)
    return np.array(iterates)


def adam(start: Floats, gradients: Floats, rate: float, betas: tuple[float, float], epsilon: float) -> Floats:
    """The iterates of Adam with its corrections of bias: Kingma and Ba (2015, algorithm 1). Shapes as of `sgd`."""
    first, second = betas
    point, mean, square, iterates = start.copy(), np.zeros_like(start), np.zeros_like(start), []
    for count, gradient in enumerate(gradients, start=1):
        mean = first * mean + (1.0 - first) * gradient
        square = second * square + (1.0 - second) * gradient**2
        step = (mean / (1.0 - first**count)) / (np.sqrt(square / (1.0 - second**count)) + epsilon)
        point = point - rate * step
        iterates.append(point)
    return np.array(iterates)


def lbfgs(points: Floats, gradients: Floats, memory: int) -> Floats:
    """The direction of L-BFGS at each point, from the `memory` last pairs; float64[t, d] each -> float64[t, d].

    Two loops over s = x' - x and y = g' - g, from the scaled identity s.y / y.y of the newest pair (1 where
    there is none): Nocedal (1980), Liu and Nocedal (1989). A pair with s.y <= FLAT |s| |y| is left out.
    """
    pairs: deque[tuple[Floats, Floats]] = deque(maxlen=memory)
    directions = []
    for count, gradient in enumerate(gradients):
        if count:
            s, y = points[count] - points[count - 1], gradient - gradients[count - 1]
            if float(s @ y) > FLAT * float(np.linalg.norm(s) * np.linalg.norm(y)):
                pairs.append((s, y))
        directions.append(-_two_loops(gradient, tuple(pairs)))
    return np.array(directions)


def _two_loops(gradient: Floats, pairs: Sequence[tuple[Floats, Floats]]) -> Floats:
    """The inverse Hessian's approximation times the gradient (Nocedal 1980); pairs oldest first."""
    q, shares = gradient.copy(), []
    for s, y in reversed(pairs):
        share = float(s @ q) / float(s @ y)
        shares.append(share)
        q = q - share * y
    if pairs:
        s, y = pairs[-1]
        q = q * (float(s @ y) / float(y @ y))
    for (s, y), share in zip(pairs, reversed(shares), strict=True):
        q = q + s * (share - float(y @ q) / float(s @ y))
    return q
