"""optimizers: holds a family of functions, reveals them only where they are asked, and draws up the data profile.

problems.py makes the functions; a worker learns nothing of them but values and gradients at the points it asked for.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.instances import Answer, ArraySpec, Evaluation, FromAnswers, Instance, Request, Stage, Workbench
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import beside

LARGEST = 1e8  # the largest absolute value of a coordinate that may be asked for
GAP_FLOOR = 1e-12  # of the curves: a gap below counts as this large
CURVE_POINTS = 24

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

made_of, optimisation = beside(__file__, "problems"), beside(__file__, "optimisation")
Problem, Draws = made_of.Problem, made_of.Draws
EXACT, NOISY = made_of.EXACT, made_of.NOISY


def family(workbench: Workbench) -> tuple[Problem, ...]:
    """The instance's problems: `copies` of each line of FAMILY, in an order that the seed draws."""
    copies, budget, rows = (int(workbench.size[name]) for name in ("copies", "budget", "rows"))
    own = made_of.Draws(workbench.rng("sizes and order"))
    made: list[Problem] = []
    for copy in range(copies):
        sizes = np.resize(made_of.SIZES, len(made_of.FAMILY))[own.permutation(len(made_of.FAMILY))].tolist()
        made += [
            made_of.make(
                workbench, spec, f"{spec.kind}-{number}-{copy}", size=sizes[number], budget=budget, rows=rows
            )
            for number, spec in enumerate(made_of.FAMILY)
        ]
    return tuple(made[i] for i in own.permutation(len(made)))


def joined(parts: Sequence[Floats]) -> Floats:
    """Vectors end to end."""
    return np.concatenate(parts)


def evaluated(problems: Sequence[Problem], flat: Floats, number: int) -> tuple[Floats, Floats]:
    """Values float64[P] and gradients float64[N] of all problems at points float64[N]; `number` counts from 0."""
    edges = np.cumsum([0, *(problem.size for problem in problems)])
    evaluations = [
        problem.tell(flat[a:b][None], number)
        for problem, (a, b) in zip(problems, pairwise(edges.tolist()), strict=True)
    ]
    return np.array([values[0] for values, _ in evaluations]), joined(
        [gradients[0] for _, gradients in evaluations]
    )


# ---------------------------------------------------------------- requests and judgement


def updates(size: Mapping[str, Any], own: Draws) -> tuple[tuple[Request, ...], dict[str, Floats]]:
    """The requests that ask for the four published updates on given gradients, and the right answers by item.

    What is given is exact in float64, so that it is the same on every processor.
    """
    steps, width = int(size["update_steps"]), int(size["update_size"])
    scales = np.ldexp(1.0, own.integers(-7, 8, width).astype(np.int32))
    start, gradients = own.normal(width), own.normal((steps, width)) * scales
    rate, momentum, decay, first, second = (
        own.one(*ends) for ends in ((0.01, 0.1), (0.5, 0.95), (0.8, 0.99), (0.8, 0.95), (0.95, 0.9999))
    )
    epsilon, memory = math.ldexp(own.one(1.0, 2.0), -int(own.integers(14, 27))), int(own.integers(3, 6))
    walk, slopes = curved_walk(steps, width, own)
    returns, given = ArraySpec("float64", (steps, width)), {"start": start, "gradients": gradients}
    calls: dict[str, dict[str, Any]] = {
        "sgd": {**given, "rate": rate, "momentum": momentum},
        "rmsprop": {**given, "rate": rate, "decay": decay, "epsilon": epsilon},
        "adam": {**given, "rate": rate, "beta1": first, "beta2": second, "epsilon": epsilon},
        "lbfgs": {"points": walk, "gradients": slopes, "memory": memory},
    }
    right = {
        "sgd": optimisation.sgd(start, gradients, rate, momentum),
        "rmsprop": optimisation.rmsprop(start, gradients, rate, decay, epsilon),
        "adam": optimisation.adam(start, gradients, rate, (first, second), epsilon),
        "lbfgs": optimisation.lbfgs(walk, slopes, memory),
    }
    return tuple(Request(name, name, arguments, returns) for name, arguments in calls.items()), right


def curved_walk(steps: int, width: int, own: Draws) -> tuple[Floats, Floats]:
    """Points and gradients, float64[steps, width] each, as a search would meet them; two pairs curve downwards.

    All of it is whole numbers by powers of two.
    """
    root = own.integers(-8, 9, (width, width))
    matrix = root.T @ root + 8 * np.eye(width, dtype=np.int64)
    points = np.cumsum(own.integers(-64, 65, (steps, width)), axis=0)
    gradients = 2 * points @ matrix
    for bent in (1 + own.permutation(steps - 1)[:2]).tolist():
        # From here on the whole gradient is moved, so that this one pair has s.y < 0 and no other changes.
        gradients[bent:] -= 3 * (points[bent] - points[bent - 1]) @ matrix
    return points / 64.0, gradients / 2.0**14


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed and size."""
    size = workbench.size
    budget = int(size["budget"])
    problems = family(workbench)
    sizes = np.array([problem.size for problem in problems], dtype=np.int64)
    named, right = updates(size, made_of.Draws(workbench.rng("updates")))
    turns = dialogue(problems, sizes, budget)
    marks = yardsticks(problems, budget)
    check(problems, turns, named)
    return Instance(
        stages=(Stage("updates", named), Stage("minimise", turns)),
        hidden={"problems": problems, "right": right, "budget": budget, "marks": marks},
        facts={
            "problems": len(problems),
            "variables": int(sizes.sum()),
            "evaluations": budget,
            "noisy_problems": sum(problem.exactness == NOISY for problem in problems),
            **{f"area_of_{name}": round(area, 4) for name, area in marks.items()},
        },
    )


def dialogue(problems: Sequence[Problem], sizes: Ints, budget: int) -> tuple[Request, ...]:
    """The requests of all problems in lockstep: `start` tells of the starts, each `step` of the points asked before."""
    begin = joined([problem.start for problem in problems])
    drawn = digest_of(problems)
    returns = ArraySpec("float64", (int(sizes.sum()),), low=-LARGEST, high=LARGEST)

    # Computed when they are asked for: their last digits, which depend on the processor, are no part of the instance.
    def first(part: int) -> FromAnswers:
        return FromAnswers(f"first-{part}-of-{drawn}", lambda _: evaluated(problems, begin, 0)[part])

    given = {"sizes": sizes, "budget": budget, "points": begin, "values": first(0), "gradients": first(1)}
    turns = [Request("ask-1", "start", given, returns)]
    for number in range(1, budget - 1):
        # Values and gradients travel end to end as one array: an argument is computed once.
        def both(answers: Mapping[str, Answer], number: int = number) -> Floats:
            return joined(evaluated(problems, np.asarray(answers[f"ask-{number}"]), number))

        turns.append(
            Request(f"ask-{number + 1}", "step", {"told": FromAnswers(f"told-{number}", both)}, returns)
        )
    return tuple(turns)


def digest_of(problems: Sequence[Problem]) -> str:
    """What is drawn of all problems, in 16 hexadecimal digits."""
    return hashlib.sha256(" ".join(problem.digest for problem in problems).encode()).hexdigest()[:16]


def check(problems: Sequence[Problem], turns: Sequence[Request], named: Sequence[Request]) -> None:
    """The instance's invariants."""
    for problem in problems:
        values, gradients = problem.measure(problem.start[None], None)
        assert problem.first == values[0] > problem.best, problem.name
        assert np.linalg.norm(gradients[0]) > 0, problem.name
        assert gradients.shape == (1, problem.size)
        assert problem.tell(problem.start[None], 0)[1].shape == (1, problem.size)
    assert len({request.item for request in (*turns, *named)}) == len(turns) + len(named)


def yardsticks(problems: Sequence[Problem], budget: int) -> dict[str, float]:
    """The areas of scipy's L-BFGS-B and of Adam at the best rate for each problem, chosen in hindsight."""
    scipy = [areas(problem, made_of.scipy_gaps(problem, budget), budget) for problem in problems]
    adam = [max(areas(p, gaps, budget) for gaps in made_of.adam_gaps(p, budget).T) for p in problems]
    return {"scipy_lbfgs": float(np.mean(scipy)), "tuned_adam": float(np.mean(adam))}


def areas(problem: Problem, gaps: Floats, budget: int) -> float:
    """One problem's area under the profile over its tolerances; gaps float64[<= budget]."""
    return optimisation.profile_area(
        optimisation.solved_at(gaps, made_of.TOLERANCES[problem.exactness]), budget
    )


def update_digits(instance: Instance, answers: Mapping[str, Answer]) -> dict[str, float]:
    """How many decimal digits of each update are right: -log10 of its largest error by its largest value, 0 to 16."""
    right: Mapping[str, Floats] = instance.hidden["right"]
    digits = {}
    for name, true in right.items():
        error = float(np.abs(np.asarray(answers[name]) - true).max() / np.abs(true).max())
        digits[name] = abs(math.log10(min(max(error, 1e-16), 1.0)))
    return digits


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The area under the data profile over the points asked for, the parts of it, and the errors of the updates."""
    problems: Sequence[Problem] = instance.hidden["problems"]
    budget: int = instance.hidden["budget"]
    begin = joined([problem.start for problem in problems])
    points = np.stack([begin, *(np.asarray(answers[f"ask-{n}"]) for n in range(1, budget))])
    edges = np.cumsum([0, *(problem.size for problem in problems)]).tolist()
    gaps = [problem.gaps(points[:, a:b]) for problem, (a, b) in zip(problems, pairwise(edges), strict=True)]
    profile_areas = np.array(
        [areas(problem, own, budget) for problem, own in zip(problems, gaps, strict=True)]
    )
    digits = update_digits(instance, answers)
    groups = {
        "": profile_areas,
        **{f"_{kind}": profile_areas[[p.exactness == kind for p in problems]] for kind in (EXACT, NOISY)},
        **{f"_{kind}": profile_areas[[p.name.startswith(kind) for p in problems]] for kind in made_of.KINDS},
    }
    measured = [over_problems(f"profile_area{name}", part) for name, part in groups.items()]
    marks: Mapping[str, float] = instance.hidden["marks"]
    measured += [
        exactly(f"area_ratio_to_{name}", "higher", float(profile_areas.mean()) / area)
        for name, area in marks.items()
    ]
    measured += [exactly(f"digits_of_{name}", "higher", right) for name, right in digits.items()]
    measured.append(exactly("update_digits", "higher", min(digits.values())))
    return Evaluation(tuple(measured), curves(problems, gaps, budget))


def over_problems(name: str, parts: Floats) -> Measurement:
    """The mean over problems, with its interval over resampled ones: others of their kind could have been drawn."""
    draws = bootstrap_draws(parts)
    low, high = percentile_interval(draws)
    return Measurement(
        name=name,
        unit="",
        direction="higher",
        value=float(parts.mean()),
        low=low,
        high=high,
        draws=tuple(draws.tolist()),
    )


def exactly(name: str, direction: Any, value: float) -> Measurement:
    """A measurement without an interval: the same points give the same figure."""
    return Measurement(name=name, unit="", direction=direction, value=value, low=value, high=value)


def curves(problems: Sequence[Problem], gaps: Sequence[Floats], budget: int) -> tuple[Series, ...]:
    """The median of the best gap so far, and the data profile over all tolerances, exact and noisy problems apart."""
    at = np.unique(np.geomspace(1, budget, CURVE_POINTS).round().astype(np.int64))
    x, series = tuple(map(float, at)), []
    for kind in (EXACT, NOISY):
        mine = [i for i, problem in enumerate(problems) if problem.exactness == kind]
        lowest = np.maximum([np.minimum.accumulate(gaps[i])[at - 1] for i in mine], GAP_FLOOR)
        solved = joined([optimisation.solved_at(gaps[i], made_of.TOLERANCES[kind]) for i in mine])
        y = tuple(np.log10(np.median(lowest, axis=0)).tolist())
        series.append(
            Series(name=f"gap_{kind}", x_label="evaluations", y_label="log10 of the median gap", x=x, y=y)
        )
        y = tuple(optimisation.data_profile(solved, at.astype(np.float64)).tolist())
        series.append(Series(name=f"profile_{kind}", x_label="evaluations", y_label="share solved", x=x, y=y))
    return tuple(series)
