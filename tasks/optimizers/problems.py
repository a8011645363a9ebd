"""The problems of optimizers: a family of functions, exact or noisy, and how far known methods get on them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.instances import Workbench

EXACT, NOISY = "exact", "noisy"
KINDS = ("quadratic", "rosenbrock", "logistic", "network")
# What counts as solved, as a share of the way from the start's value to the best known one.
TOLERANCES = {
    EXACT: tuple(10.0**-k for k in range(1, 8)),
    NOISY: tuple(10.0 ** (-k / 2) for k in range(2, 8)),
}
VALUE_NOISE = 0.02  # a standard deviation, by the way from the start's value to the best one
RIDGE = 1e-3  # of logistic regression and of the network: keeps the minimum at a finite place
ADAM_RATES = tuple(10.0 ** (-k / 2) for k in range(6))

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# points float64[n, size], rows of the data or None for all -> values float64[n], gradients float64[n, size]
Measure = Callable[[Floats, Ints | None], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Spec:
    """A line of the family: what kind of function, how large, and whether exact or noisy.

    `hard` is the condition number of a quadratic, or the number of hidden units of a network; `table`
    names the data of a model. `noise` is 0 for an exact function. For a noisy one it is the length of a
    gradient's noise by that of the first gradient, or for a model the rows of a batch.
    """

    kind: str
    size: int = 0
    hard: float = 0.0
    table: str = ""
    noise: float = 0.0

    @property
    def exactness(self) -> str:
        """EXACT or NOISY."""
        return NOISY if self.noise else EXACT


FAMILY = (
    Spec("quadratic", 30, 1e3),
    Spec("quadratic", 20, 1e4),
    Spec("rosenbrock", 2),
    Spec("rosenbrock", 8),
    Spec("rosenbrock", 16),
    Spec("logistic", table="breast_cancer"),
    Spec("logistic", table="digits"),
    Spec("network", hard=8, table="digits"),
    Spec("quadratic", 10, 1e1, noise=0.3),
    Spec("quadratic", 15, 1e3, noise=0.1),
    Spec("quadratic", 20, 1e2, noise=0.3),
    Spec("quadratic", 30, 1e3, noise=0.3),
    Spec("rosenbrock", 4, noise=0.03),
    Spec("rosenbrock", 10, noise=0.03),
    Spec("logistic", table="breast_cancer", noise=24),
    Spec("logistic", table="wine", noise=24),
    Spec("logistic", table="digits", noise=24),
    Spec("network", hard=8, table="digits", noise=24),
)


@dataclass(frozen=True)
class Problem:
    """One function to be minimised, and the best value known.

    `batches` are the rows of each evaluation, int64[budget, n], or None where all rows count;
    `shift` and `tilt` are what noise adds to each value and gradient, float64[budget] and
    float64[budget, size]. Both depend on the evaluation's number alone, so all submissions meet the same noise.
    """

    name: str
    exactness: str
    start: Floats
    measure: Measure = field(repr=False)
    first: float
    best: float
    batches: Ints | None = None
    shift: Floats | None = None
    tilt: Floats | None = None

    @property
    def size(self) -> int:
        """How many variables the function has."""
        return len(self.start)

    def tell(self, points: Floats, number: int) -> tuple[Floats, Floats]:
        """Values float64[n] and gradients float64[n, size] as evaluation `number` tells them at float64[n, size]."""
        values, gradients = self.measure(points, None if self.batches is None else self.batches[number])
        if self.shift is not None and self.tilt is not None:
            values, gradients = values + self.shift[number], gradients + self.tilt[number]
        return values, gradients

    def gaps(self, points: Floats) -> Floats:
        """True values less the best one, by the start's value less the best one; float64[n, size] -> float64[n]."""
        return (self.measure(points, None)[0] - self.best) / (self.first - self.best)


# ---------------------------------------------------------------- functions


def rotation(size: int, rng: np.random.Generator) -> Floats:
    """A rotation drawn evenly (Stewart 1980): float64[size, size]."""
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    return q * np.sign(np.diag(r))


def quadratic(size: int, condition: float, rng: np.random.Generator) -> tuple[Measure, Floats]:
    """A rotated quadratic with its minimum of 0 somewhere, and a start; eigenvalues spread evenly in logarithm."""
    exponents = np.sort(np.concatenate([[0.0, 1.0], rng.uniform(0.0, 1.0, size - 2)]))
    turn = rotation(size, rng)
    matrix = (turn * (condition ** (exponents - 0.5) * 10.0 ** rng.uniform(-1, 1))) @ turn.T
    centre = rng.normal(0.0, 3.0, size)

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        away = points - centre
        gradients = away @ matrix
        return 0.5 * (away * gradients).sum(axis=1), gradients

    return measure, centre + rng.normal(0.0, 1.0, size)


def rosenbrock(size: int, rng: np.random.Generator) -> tuple[Measure, Floats]:
    """Rosenbrock's valley (1960), chained, rotated and moved, with its minimum of 0 somewhere, and a start."""
    turn, centre, scale = rotation(size, rng), rng.normal(0.0, 3.0, size), 10.0 ** rng.uniform(-1, 1)

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        z = 1.0 + (points - centre) @ turn
        rise, left = z[:, 1:] - z[:, :-1] ** 2, 1.0 - z[:, :-1]
        slope = np.zeros_like(z)
        slope[:, 1:] += 200.0 * rise
        slope[:, :-1] -= 400.0 * rise * z[:, :-1] + 2.0 * left
        return scale * (100.0 * rise**2 + left**2).sum(axis=1), scale * slope @ turn.T

    first = rng.uniform(-0.3, 0.3, size) if size > 2 else np.array([-1.2, 1.0]) + rng.uniform(-0.1, 0.1, 2)
    return measure, centre + (first - 1.0) @ turn.T


def logistic(x: Floats, y: Ints, rng: np.random.Generator) -> tuple[Measure, Floats]:
    """Logistic regression of one class, drawn, against the others, in units that are drawn too; starts near 0.

    x float64[n, features], y int64[n]; the last variable is the intercept.
    """
    sign = np.where(y == rng.choice(np.unique(y)), 1.0, -1.0)
    table = np.column_stack([x * 10.0 ** rng.uniform(-1.0, 0.5, x.shape[1]), np.ones(len(x))])

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        taken = slice(None) if rows is None else rows
        signed = table[taken] * sign[taken, None]
        margin = points @ signed.T
        pull = -1.0 / (1.0 + np.exp(np.minimum(margin, 500.0)))
        values = np.logaddexp(0.0, -margin).mean(axis=1) + 0.5 * RIDGE * (points**2).sum(axis=1)
        return values, pull @ signed / len(signed) + RIDGE * points

    return measure, rng.normal(0.0, 0.1, table.shape[1])


def network(x: Floats, y: Ints, hidden: int, rng: np.random.Generator) -> tuple[Measure, Floats]:
    """A network of one layer of tanh units under cross-entropy, and a start; x float64[n, features], y int64[n]."""
    features, classes = x.shape[1], int(y.max()) + 1
    shapes = ((features + 1, hidden), (hidden + 1, classes))
    cut = shapes[0][0] * hidden
    wide, answer = np.column_stack([x, np.ones(len(x))]), np.eye(classes)[y]

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        given, wanted = (wide, answer) if rows is None else (wide[rows], answer[rows])
        first, second = points[:, :cut].reshape(-1, *shapes[0]), points[:, cut:].reshape(-1, *shapes[1])
        units = np.tanh(given @ first)  # n, rows, hidden
        scores = units @ second[:, :-1] + second[:, -1:]
        scores -= scores.max(axis=2, keepdims=True)
        norm = np.log(np.exp(scores).sum(axis=2, keepdims=True))
        values = ((norm - scores) * wanted).sum(axis=2).mean(axis=1) + 0.5 * RIDGE * (points**2).sum(axis=1)
        error = (np.exp(scores - norm) - wanted) / len(given)
        back = (error @ second[:, :-1].transpose(0, 2, 1)) * (1.0 - units**2)
        upper = np.concatenate([units.transpose(0, 2, 1) @ error, error.sum(axis=1, keepdims=True)], axis=1)
        lower = given.T @ back
        slopes = np.concatenate([lower.reshape(len(points), -1), upper.reshape(len(points), -1)], axis=1)
        return values, slopes + RIDGE * points

    scale = np.concatenate([np.full(r * c, 1.0 / math.sqrt(r)) for r, c in shapes])
    return measure, rng.normal(0.0, 1.0, len(scale)) * scale


# ---------------------------------------------------------------- the family


def best_value(measure: Measure, start: Floats) -> float:
    """The lowest value that scipy's L-BFGS-B finds from the start, with far more evaluations than anybody is given."""
    from scipy.optimize import minimize

    def one(point: Floats) -> tuple[float, Floats]:
        values, gradients = measure(point[None], None)
        return float(values[0]), gradients[0]

    options = {"maxiter": 1500, "maxfun": 2000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30}
    return float(minimize(one, start, jac=True, method="L-BFGS-B", options=options).fun)


def standardised(workbench: Workbench, name: str, rows: int, rng: np.random.Generator) -> tuple[Floats, Ints]:
    """Rows of a bundled table (at most `rows`), features scaled to mean 0 and variance 1, constant ones left out.

    Digits are averaged over squares of 2 x 2 pixels first: 16 features.
    """
    table = workbench.tabular(name)
    x, y = table.x, table.y
    if name == "digits":
        x = x.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
    chosen = rng.permutation(len(x))[:rows]
    x, y = x[chosen], y[chosen]
    spread = x.std(axis=0)
    x = (x[:, spread > 0] - x[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    return x, y


def make(workbench: Workbench, spec: Spec, name: str, budget: int, rows: int) -> Problem:
    """The problem of one line of the family; everything is drawn from the stream called `name`."""
    rng = workbench.rng(name)
    best, batches, shift, tilt = 0.0, None, None, None
    if spec.kind == "quadratic":
        measure, start = quadratic(spec.size, spec.hard, rng)
    elif spec.kind == "rosenbrock":
        measure, start = rosenbrock(spec.size, rng)
    else:
        x, y = standardised(workbench, spec.table, rows, rng)
        measure, start = (
            logistic(x, y, rng) if spec.kind == "logistic" else network(x, y, int(spec.hard), rng)
        )
        best = best_value(measure, start)
        if spec.noise:
            batches = rng.integers(0, len(x), (budget, int(spec.noise)))
    values, gradients = measure(start[None], None)
    if spec.noise and batches is None:
        length = float(np.linalg.norm(gradients[0])) * spec.noise
        tilt = rng.normal(0.0, length / math.sqrt(len(start)), (budget, len(start)))
        shift = rng.normal(0.0, VALUE_NOISE * (float(values[0]) - best), budget)
    return Problem(name, spec.exactness, start, measure, float(values[0]), best, batches, shift, tilt)


# ---------------------------------------------------------------- yardsticks


def scipy_gaps(problem: Problem, budget: int) -> Floats:
    """The gaps at the points that scipy's L-BFGS-B asks for, with its defaults but no early end: float64[<= budget]."""
    from scipy.optimize import minimize

    points: list[Floats] = []

    class Spent(Exception):
        pass

    def one(point: Floats) -> tuple[float, Floats]:
        if len(points) == budget:
            raise Spent
        points.append(point.copy())
        values, gradients = problem.tell(point[None], len(points) - 1)
        return float(values[0]), gradients[0]

    options = {"maxiter": budget, "maxfun": budget, "ftol": 0.0, "gtol": 0.0}
    with contextlib.suppress(Spent):
        minimize(one, problem.start, jac=True, method="L-BFGS-B", options=options)
    return problem.gaps(np.array(points))


def adam_gaps(problem: Problem, budget: int) -> Floats:
    """The gaps at the points that Adam asks for at each of ADAM_RATES, cosine decay: float64[budget, rates]."""
    rates = np.array(ADAM_RATES)[:, None]
    points = np.repeat(problem.start[None], len(rates), axis=0)
    mean, square, gaps = np.zeros_like(points), np.zeros_like(points), []
    for number in range(budget):
        gaps.append(problem.gaps(points))
        gradients = problem.tell(points, number)[1]
        mean, square = 0.9 * mean + 0.1 * gradients, 0.999 * square + 0.001 * gradients**2
        corrected = (mean / (1 - 0.9 ** (number + 1))) / (
            np.sqrt(square / (1 - 0.999 ** (number + 1))) + 1e-12
        )
        points = points - rates * (0.5 + 0.5 * math.cos(math.pi * number / budget)) * corrected
    return np.array(gaps)
