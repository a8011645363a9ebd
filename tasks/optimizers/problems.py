"""The problems of optimizers: a family of functions, exact or noisy, and how far known methods get on them.

Everything of a function is drawn: its table, its valley, where it starts, and how it is turned, moved, stretched and
raised. Its size and its values say nothing of its kind.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from harness.instances import Workbench
from harness.tasks import beside

EXACT, NOISY = "exact", "noisy"
KINDS = ("quadratic", "valley", "logistic", "network")
SIZES = (13, 19, 25, 31, 37, 43)  # variables; each as often as every other, whatever the kind
# What counts as solved, as a share of the way from the start's value to the best known one.
TOLERANCES = {
    EXACT: tuple(10.0**-k for k in range(1, 8)),
    NOISY: tuple(10.0 ** (-k / 2) for k in range(2, 8)),
}
VALUE_NOISE = 0.02  # a standard deviation, by the way from the start's value to the best one
RIDGE = 1e-3  # of logistic regression and of the network: keeps the minimum at a finite place
INPUTS = 4  # of a network, whose size is (INPUTS + 2) units + 1
FLIPPED = 0.1  # share of a table's classes that are wrong
ADAM_RATES = tuple(10.0 ** (-k / 2) for k in range(6))

draws = beside(__file__, "draws")
Draws = draws.Draws
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# points float64[n, size], rows of the data or None for all -> values float64[n], gradients float64[n, size]
Measure = Callable[[Floats, Ints | None], tuple[Floats, Floats]]


@dataclass(frozen=True)
class Spec:
    """A line of the family: what kind of function, and whether exact or noisy.

    `hard` is the condition number of a quadratic, or how much steeper the sides of a valley are than its floor.
    `noise` is 0 for an exact function. For a noisy one it is the length of a gradient's noise by that of the first
    gradient, or for a model the rows of a batch.
    """

    kind: str
    hard: float = 0.0
    noise: float = 0.0

    @property
    def exactness(self) -> str:
        """EXACT or NOISY."""
        return NOISY if self.noise else EXACT


FAMILY = (
    Spec("quadratic", 1e3),
    Spec("quadratic", 1e4),
    Spec("valley", 10),
    Spec("valley", 30),
    Spec("valley", 100),
    Spec("logistic"),
    Spec("logistic"),
    Spec("network"),
    Spec("quadratic", 1e1, noise=0.3),
    Spec("quadratic", 1e3, noise=0.1),
    Spec("quadratic", 1e2, noise=0.3),
    Spec("quadratic", 1e3, noise=0.3),
    Spec("valley", 10, noise=0.03),
    Spec("valley", 10, noise=0.03),
    Spec("logistic", noise=24),
    Spec("logistic", noise=24),
    Spec("logistic", noise=24),
    Spec("network", noise=24),
)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One function to be minimised, and the best value known.

    `batches` are the rows of each evaluation, int64[budget, n], or None where all rows count;
    `shift` and `tilt` are what noise adds to each value and gradient, float64[budget] and
    float64[budget, size]. Both depend on the evaluation's number alone, so all submissions meet the same noise;
    they are multiplied by how far the value asked about lies above the best one, where that is further than
    the start's: noise cannot be outrun by asking far away.
    """

    name: str
    exactness: str
    start: Floats
    measure: Measure = field(repr=False)
    first: float
    best: float
    digest: str
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
            louder = np.maximum(1.0, (values - self.best) / (self.first - self.best))
            values = values + self.shift[number] * louder
            gradients = gradients + self.tilt[number] * louder[:, None]
        return values, gradients

    def gaps(self, points: Floats) -> Floats:
        """True values less the best one, by the start's value less the best one; float64[n, size] -> float64[n]."""
        return (self.measure(points, None)[0] - self.best) / (self.first - self.best)


# ---------------------------------------------------------------- functions, in variables of their own


@dataclass(frozen=True)
class Function:
    """A function before it is turned, moved, stretched and raised; `start` float64[size], its lowest value or None."""

    measure: Measure
    start: Floats
    lowest: float | None = None
    rows: int = 0


def rotation(size: int, own: Draws) -> Floats:
    """A rotation drawn evenly (Stewart 1980): float64[size, size]."""
    q, r = np.linalg.qr(own.normal((size, size)))
    return q * np.sign(np.diag(r))


def quadratic(size: int, condition: float, own: Draws) -> Function:
    """A quadratic whose minimum of 0 is at 0; eigenvalues spread evenly in logarithm, in an order that is drawn."""
    exponents = np.concatenate([[0.0, 1.0], own.uniform(0.0, 1.0, size - 2)])
    bends = condition ** (exponents - 0.5)

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        gradients = points * bends
        return 0.5 * (points * gradients).sum(axis=1), gradients

    return Function(measure, own.normal(size), 0.0)


def valley(size: int, steep: float, own: Draws) -> Function:
    """Rosenbrock's valley (1960), chained, each link as steep and as bent as is drawn; its minimum of 0 is at 0."""
    steeps = steep * own.uniform(0.5, 2.0, size - 1)
    bends = own.uniform(0.7, 1.3, size - 1)

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        z = 1.0 + points
        rise = z[:, 1:] - 1.0 - bends * (z[:, :-1] ** 2 - 1.0)
        left = 1.0 - z[:, :-1]
        slope = np.zeros_like(z)
        slope[:, 1:] += 2.0 * steeps * rise
        slope[:, :-1] -= 4.0 * steeps * bends * rise * z[:, :-1] + 2.0 * left
        return (steeps * rise**2 + left**2).sum(axis=1), slope

    return Function(measure, own.uniform(-0.3, 0.3, size) - 1.0, 0.0)


def table(rows: int, columns: int, own: Draws) -> Floats:
    """float64[rows, columns]: columns that share a few causes, so that most of them are alike in part."""
    causes = own.normal((rows, 3)) @ own.normal((3, columns))
    return (causes / math.sqrt(3.0) + own.normal((rows, columns))) / math.sqrt(2.0)


def signs(scores: Floats, own: Draws) -> Floats:
    """1 where a score is above their median and -1 elsewhere, FLIPPED of them turned round: float64[n]."""
    told = np.where(scores > np.median(scores), 1.0, -1.0)
    return np.where(own.uniform(0.0, 1.0, len(scores)) < FLIPPED, -told, told)


def logistic(size: int, rows: int, own: Draws) -> Function:
    """Logistic regression on a table that is drawn, in units that are drawn too; starts near 0.

    The last variable is the intercept.
    """
    x = table(rows, size - 1, own)
    sign = signs(x @ own.normal(size - 1), own)
    signed = np.column_stack([x * 10.0 ** own.uniform(-1.0, 0.5, size - 1), np.ones(rows)]) * sign[:, None]

    def measure(points: Floats, taken: Ints | None) -> tuple[Floats, Floats]:
        given = signed if taken is None else signed[taken]
        margin = points @ given.T
        pull = -1.0 / (1.0 + np.exp(np.minimum(margin, 500.0)))
        values = np.logaddexp(0.0, -margin).mean(axis=1) + 0.5 * RIDGE * (points**2).sum(axis=1)
        return values, pull @ given / len(given) + RIDGE * points

    return Function(measure, 0.1 * own.normal(size), rows=rows)


def network(size: int, rows: int, own: Draws) -> Function:
    """A network of one layer of tanh units that tells two classes apart, on a table that is drawn.

    The classes are on either side of a saddle, which no straight line follows.
    """
    units = (size - 1) // (INPUTS + 2)
    x = own.normal((rows, INPUTS))
    sign = signs(x[:, 0] * x[:, 1] + 0.5 * x[:, 2] ** 2 + x[:, 3], own)
    wide, cut = np.column_stack([x, np.ones(rows)]), (INPUTS + 1) * units

    def measure(points: Floats, taken: Ints | None) -> tuple[Floats, Floats]:
        given, wanted = (wide, sign) if taken is None else (wide[taken], sign[taken])
        first, second = points[:, :cut].reshape(-1, INPUTS + 1, units), points[:, cut:]
        active = np.tanh(given @ first)  # n, rows, units
        margin = wanted * ((active @ second[:, :-1, None])[:, :, 0] + second[:, -1:])
        values = np.logaddexp(0.0, -margin).mean(axis=1) + 0.5 * RIDGE * (points**2).sum(axis=1)
        error = -wanted / (1.0 + np.exp(np.minimum(margin, 500.0))) / len(given)  # n, rows
        back = error[:, :, None] * second[:, None, :-1] * (1.0 - active**2)
        lower = (given.T @ back).reshape(len(points), -1)
        upper = (error[:, None, :] @ active)[:, 0]
        slopes = np.concatenate([lower, upper, error.sum(axis=1, keepdims=True)], axis=1)
        return values, slopes + RIDGE * points

    scale = np.full(size, 1.0 / math.sqrt(units + 1))
    scale[:cut] = 1.0 / math.sqrt(INPUTS + 1)
    return Function(measure, own.normal(size) * scale, rows=rows)


def function(spec: Spec, size: int, rows: int, own: Draws) -> Function:
    """The function of one line of the family."""
    if spec.kind == "quadratic":
        return quadratic(size, spec.hard, own)
    if spec.kind == "valley":
        return valley(size, spec.hard, own)
    return logistic(size, rows, own) if spec.kind == "logistic" else network(size, rows, own)


# ---------------------------------------------------------------- the family


def best_value(measure: Measure, start: Floats) -> float:
    """The lowest value that scipy's L-BFGS-B finds from the start, with far more evaluations than anybody is given."""
    from scipy.optimize import minimize

    def one(point: Floats) -> tuple[float, Floats]:
        values, gradients = measure(point[None], None)
        return float(values[0]), gradients[0]

    options = {"maxiter": 1500, "maxfun": 2000, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 30}
    return float(minimize(one, start, jac=True, method="L-BFGS-B", options=options).fun)


def moved(inner: Function, start: Floats, own: Draws) -> tuple[Measure, float]:
    """The function turned, moved so that it starts at `start`, stretched and raised; and its best value.

    The way from the start's value to the best one is 0.1 to 10, whatever the kind, and so is not told by it.
    """
    turn, unit = rotation(len(start), own), 10.0 ** own.one(-0.5, 0.5)
    lowest = best_value(inner.measure, inner.start) if inner.lowest is None else inner.lowest
    way = 10.0 ** own.one(-1.0, 1.0)
    height = way / (float(inner.measure(inner.start[None], None)[0][0]) - lowest)
    floor = way * own.one(-10.0, 10.0)

    def measure(points: Floats, rows: Ints | None) -> tuple[Floats, Floats]:
        values, gradients = inner.measure(inner.start + (points - start) @ turn / unit, rows)
        return floor + height * (values - lowest), (height / unit) * gradients @ turn.T

    return measure, floor


def make(workbench: Workbench, spec: Spec, name: str, *, size: int, budget: int, rows: int) -> Problem:
    """The problem of one line of the family; everything is drawn from the stream called `name`."""
    own = Draws(workbench.rng(name))
    start = 3.0 * own.normal(size)
    inner = function(spec, size, rows, own)
    measure, best = moved(inner, start, own)
    values, gradients = measure(start[None], None)
    first = float(values[0])
    problem = Problem(
        name=name, exactness=spec.exactness, start=start, measure=measure, first=first, best=best, digest=""
    )
    if spec.noise and inner.rows:
        problem = replace(problem, batches=own.integers(0, inner.rows, (budget, int(spec.noise))))
    elif spec.noise:
        length = float(np.linalg.norm(gradients[0])) * spec.noise / math.sqrt(size)
        shift = VALUE_NOISE * (first - best) * own.normal(budget)
        problem = replace(problem, tilt=length * own.normal((budget, size)), shift=shift)
    return replace(problem, digest=own.digest())


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
