"""The task optimizers and its measures: functions, what is told, profiles worked by hand, updates and refusals."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.inputs import tasks
from harness.instances import FromAnswers, Instance
from harness.tasks import beside
from tests.tasks.benches import Seeded

TASK = tasks.find("optimizers")
optimisation = beside(str(TASK.folder / "task.py"), "optimisation")
problems = beside(str(TASK.folder / "task.py"), "problems")

SIZE: dict[str, Any] = {"copies": 1, "budget": 8, "rows": 60, "update_steps": 10, "update_size": 4}


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return TASK.module


@pytest.fixture(scope="module")
def instance(task: ModuleType) -> Instance:
    return task.prepare(Bench())


def steps(instance: Instance) -> list[Any]:
    return list(instance.stages[1].requests)


def stays(instance: Instance) -> dict[str, Any]:
    """Answers of a submission whose updates are right and that never leaves the starts."""
    begin = steps(instance)[0].arguments["points"]
    return {**instance.hidden["right"], **{request.item: begin for request in steps(instance)}}


def found(task: ModuleType, instance: Instance, answers: dict[str, Any]) -> dict[str, float]:
    return {m.name: m.value for m in task.evaluate(instance, answers).measurements}


def test_a_gap_is_solved_at_the_first_evaluation_that_meets_the_tolerance() -> None:
    gaps = np.array([1.0, 0.5, 0.1, 0.3, 0.001])
    assert optimisation.solved_at(gaps, (0.5, 0.1, 0.01, 1e-6)).tolist() == [2.0, 3.0, 5.0, math.inf]


def test_the_profile_and_its_area_by_hand() -> None:
    solved = np.array([1.0, 3.0, math.inf])
    assert optimisation.data_profile(solved, np.array([1.0, 2.0, 3.0])) == pytest.approx(
        [1 / 3, 1 / 3, 2 / 3]
    )
    # With a budget of 8 the axis ends at log 9, and log 3 is half of it: (1 + 1/2 + 0) / 3.
    assert optimisation.profile_area(solved, 8) == pytest.approx(0.5)
    assert optimisation.profile_area(np.array([9.0]), 8) == 0.0
    with pytest.raises(ValueError, match="no problems"):
        optimisation.profile_area(np.array([]), 8)


def test_momentum_rmsprop_and_adam_by_hand() -> None:
    start, twice = np.array([1.0]), np.array([[2.0], [2.0]])
    # v = 2, then 0.5 * 2 + 2 = 3.
    assert optimisation.sgd(start, twice, 0.1, 0.5).ravel() == pytest.approx([0.8, 0.5])
    # s = 0.25 * 4 = 1, then 0.75 + 1 = 1.75.
    steps = [1.0 - 0.1 * 2.0, 1.0 - 0.1 * 2.0 - 0.1 * 2.0 / math.sqrt(1.75)]
    assert optimisation.rmsprop(start, twice, 0.1, 0.75, 0.0).ravel() == pytest.approx(steps)
    # The corrections make every step of a constant gradient as long as the rate.
    assert optimisation.adam(start, twice, 0.1, (0.9, 0.99), 0.0).ravel() == pytest.approx([0.9, 0.8])


def test_lbfgs_with_all_pairs_of_a_quadratic_is_newton_on_their_span() -> None:
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    matrix = (turn * [1.0, 4.0, 9.0]) @ turn.T
    axes = turn.T * np.array([[1.0], [2.0], [0.5]])  # conjugate steps
    points = np.vstack([np.ones(3), np.ones(3) + np.cumsum(axes, axis=0)])
    directions = optimisation.lbfgs(points, points @ matrix, 3)
    assert directions[0] == pytest.approx(-points[0] @ matrix)
    assert directions[-1] == pytest.approx(-points[-1])
    assert optimisation.lbfgs(points, points @ matrix, 1)[-1] != pytest.approx(-points[-1])


def test_a_pair_that_curves_downwards_is_left_out() -> None:
    points, gradients = np.array([[0.0], [1.0]]), np.array([[2.0], [1.0]])
    assert optimisation.lbfgs(points, gradients, 5).tolist() == [[-2.0], [-1.0]]


def test_gradients_are_those_of_the_values(instance: Instance) -> None:
    assert len(instance.hidden["problems"]) == 18
    for problem in instance.hidden["problems"]:
        values, gradients = problem.measure(problem.start[None], None)
        step = 1e-6 * np.eye(problem.size)
        up, down = (
            problem.measure(problem.start + step, None)[0],
            problem.measure(problem.start - step, None)[0],
        )
        scale = np.abs(gradients[0]).max()
        assert np.abs((up - down) / 2e-6 - gradients[0]).max() < 1e-4 * scale, problem.name
        assert problem.gaps(problem.start[None])[0] == pytest.approx(1.0)
        assert values[0] > problem.best


def test_no_minimum_is_at_a_textbook_place(instance: Instance) -> None:
    for problem in instance.hidden["problems"]:
        for guess in (np.zeros(problem.size), np.ones(problem.size)):
            assert problem.gaps(guess[None])[0] > 0.1, problem.name


@pytest.mark.parametrize("kind", ["quadratic", "valley"])
def test_the_best_value_of_a_made_function_is_at_its_own_origin(kind: str) -> None:
    own = problems.Draws(np.random.default_rng(5))
    inner = problems.function(problems.Spec(kind, 30.0), 7, 0, own)
    values, gradients = inner.measure(np.zeros((1, 7)), None)
    assert (values[0], inner.lowest) == (0.0, 0.0)
    assert not gradients.any()
    assert (inner.measure(own.normal((50, 7)), None)[0] > 0).all()


def test_sizes_are_the_same_for_every_seed_and_tell_no_kind(task: ModuleType, instance: Instance) -> None:
    here, there = (
        {p.name: p.size for p in one.hidden["problems"]} for one in (instance, task.prepare(Bench(seed=2)))
    )
    assert Counter(here.values()) == Counter(there.values()) == dict.fromkeys(problems.SIZES, 3)
    assert here != there


def test_values_at_the_start_say_nothing_of_the_kind(task: ModuleType) -> None:
    """The way from the start's value to the best one lies in the same range for all kinds."""
    ways: dict[str, list[float]] = {}
    for seed in range(1, 5):
        for problem in task.prepare(Bench(seed=seed)).hidden["problems"]:
            ways.setdefault(problem.name.partition("-")[0], []).append(problem.first - problem.best)
    assert set(ways) == set(problems.KINDS)
    for kind in ways.values():
        assert 0.099 < min(kind) < 1 < max(kind) < 10.01


def test_what_is_asked_is_exact_in_float64(instance: Instance) -> None:
    """So that no processor's rounding is in an instance: all are whole multiples of 2^-40, answers come later."""
    first = steps(instance)[0].arguments
    assert isinstance(first["values"], FromAnswers)
    assert isinstance(first["gradients"], FromAnswers)
    assert first["gradients"].key == f"first-1-of-{first['values'].key.rpartition('-')[2]}"
    given = [first["points"]]
    for request in instance.stages[0].requests:
        given += [np.asarray(one) for one in request.arguments.values() if isinstance(one, np.ndarray)]
    assert len(given) == 9
    for numbers in given:
        assert (np.ldexp(numbers, 40) % 1 == 0).all()


def test_draws_are_what_their_names_say_and_their_digest_tells_them_apart() -> None:
    one, other = (problems.Draws(np.random.default_rng(seed)) for seed in (1, 2))
    for own in (one, other):
        normal, even = own.normal(20000), own.uniform(2.0, 4.0, 20000)
        assert normal.mean() == pytest.approx(0.0, abs=0.03)
        assert normal.std() == pytest.approx(1.0, abs=0.03)
        assert (even.min(), even.max()) == (pytest.approx(2.0, abs=0.01), pytest.approx(4.0, abs=0.01))
    assert one.digest() != other.digest()
    again = problems.Draws(np.random.default_rng(1))
    assert again.digest() != one.digest(), "nothing was drawn yet"
    again.normal(20000)
    again.uniform(2.0, 4.0, 20000)
    assert again.digest() == one.digest()


def test_noise_grows_as_the_value_does_so_that_distance_does_not_drown_it(instance: Instance) -> None:
    """From there on the difference of two values told on either side of the start says less of its slope."""
    loud = [p for p in instance.hidden["problems"] if p.tilt is not None]
    assert len(loud) == 6
    for problem in loud:
        axis, errors = np.eye(problem.size)[0], []
        for far in (1e2, 1e4):
            ends = problem.start + far * np.array([axis, -axis])
            true = problem.measure(ends, None)
            noise = problem.tell(ends, 3)[0] - true[0], problem.tell(ends, 3)[1] - true[1]
            excess = (true[0] - problem.best) / (problem.first - problem.best)
            assert noise[0] == pytest.approx(problem.shift[3] * excess, rel=1e-3)
            assert np.linalg.norm(noise[1], axis=1) == pytest.approx(
                np.linalg.norm(problem.tilt[3]) * excess, rel=1e-3
            )
            errors.append(abs(noise[0]).max() / far)
        assert errors[1] > 50 * errors[0], problem.name
        near = problem.start[None] + 1e-3 * axis
        assert abs(problem.tell(near, 3)[0] - problem.measure(near, None)[0]) == pytest.approx(
            abs(problem.shift[3]), rel=0.2
        )


def test_noise_depends_on_the_evaluation_alone(instance: Instance) -> None:
    kinds = {"exact": 0, "noisy": 0}
    for problem in instance.hidden["problems"]:
        kinds[problem.exactness] += 1
        first, again, later = (problem.tell(problem.start[None], number) for number in (2, 2, 3))
        true = problem.measure(problem.start[None], None)
        assert np.array_equal(first[1], again[1])
        assert np.array_equal(first[1], later[1]) == (problem.exactness == "exact")
        assert np.array_equal(first[0], true[0]) == (problem.exactness == "exact")
    assert kinds == {"exact": 8, "noisy": 10}


def test_a_step_tells_of_the_points_asked_before(task: ModuleType, instance: Instance) -> None:
    problems = instance.hidden["problems"]
    first, second = steps(instance)[:2]
    assert len(steps(instance)) == SIZE["budget"] - 1
    moved = first.arguments["points"] + 0.01
    argument = second.arguments["told"]
    assert isinstance(argument, FromAnswers)
    told = argument.compute({"ask-1": moved})
    assert isinstance(told, np.ndarray)
    assert told.shape == (len(problems) + len(moved),)
    values, gradients = problems[0].tell(moved[: problems[0].size][None], 1)
    assert told[0] == values[0]
    assert np.array_equal(told[len(problems) : len(problems) + problems[0].size], gradients[0])


def test_seeds_draw_other_problems_and_the_same_seed_the_same(task: ModuleType, instance: Instance) -> None:
    again, other = task.prepare(Bench()), task.prepare(Bench(seed=2))
    begin = steps(instance)[0].arguments["points"]
    assert np.array_equal(begin, steps(again)[0].arguments["points"])
    assert not np.array_equal(begin, steps(other)[0].arguments["points"])


def test_who_stays_at_the_starts_gets_nothing(task: ModuleType, instance: Instance) -> None:
    measured = found(task, instance, stays(instance))
    assert measured["profile_area"] == 0.0
    assert measured["update_digits"] == 16.0


def test_one_jump_to_the_minima_is_worth_what_the_formula_says(task: ModuleType, instance: Instance) -> None:
    """Quadratics are solved by evaluation 2 of 8; nothing else is."""
    problems, parts = instance.hidden["problems"], []
    for problem in problems:
        point = problem.start
        for _ in range(3 if problem.name.startswith("quadratic") else 0):  # Newton, by differences
            curved = (
                problem.measure(point + np.eye(problem.size), None)[1] - problem.measure(point[None], None)[1]
            )
            point = point - np.linalg.solve(curved, problem.measure(point[None], None)[1][0])
        parts.append(point)
    answers = {**stays(instance), "ask-1": np.concatenate(parts)}
    measured = found(task, instance, answers)
    assert measured["profile_area_quadratic"] == pytest.approx(1 - math.log(2) / math.log(9))
    assert measured["profile_area_network"] == 0.0
    share = sum(problem.name.startswith("quadratic") for problem in problems) / len(problems)
    assert measured["profile_area"] == pytest.approx(share * measured["profile_area_quadratic"])


def test_adam_without_correction_of_bias_is_found_out(task: ModuleType, instance: Instance) -> None:
    right = instance.hidden["right"]
    measured = found(task, instance, {**stays(instance), "adam": right["adam"] * (1 + 1e-5)})
    assert 4.5 < measured["digits_of_adam"] < 5.5
    assert measured["update_digits"] == measured["digits_of_adam"]


def test_the_lbfgs_request_has_pairs_to_leave_out_and_forgets(instance: Instance) -> None:
    request = next(r for r in instance.stages[0].requests if r.phase == "lbfgs")
    points, gradients = (np.asarray(request.arguments[name]) for name in ("points", "gradients"))
    s, y = np.diff(points, axis=0), np.diff(gradients, axis=0)
    assert ((s * y).sum(axis=1) < 0).sum() == 2
    memory = request.arguments["memory"]
    assert isinstance(memory, int)
    assert memory < len(points) - 3


def test_curves_fall_and_profiles_rise(task: ModuleType, instance: Instance) -> None:
    curves = task.evaluate(instance, stays(instance)).series
    assert [s.name for s in curves] == ["gap_exact", "profile_exact", "gap_noisy", "profile_noisy"]
    for series in curves:
        slopes = np.diff(series.y)
        assert len(slopes) > 0
        assert series.x[-1] == SIZE["budget"]
        assert (slopes <= 0).all() if series.name.startswith("gap") else (slopes >= 0).all()


def test_the_area_has_an_interval_over_problems(task: ModuleType) -> None:
    spread = task.over_problems("profile_area", np.array([0.0, 0.2, 0.4, 0.6]))
    assert spread.value == pytest.approx(0.3)
    assert spread.low < 0.3 < spread.high
    alike = task.over_problems("profile_area", np.full(4, 0.3))
    assert alike.low == alike.high == pytest.approx(0.3)
