"""The pure parts of the task gradients: its truth against torch's autograd and 60 digits, inputs, digits."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch.nn import functional

from harness.errors import TaskError
from harness.inputs import tasks
from harness.instances import ArraySpec, Instance
from tests.tasks.benches import Seeded

SIZE: dict[str, Any] = {"per_cell": 2, "rows": 6, "classes": 10, "width": 8}
OPERATIONS = ("cross_entropy", "focal", "info_nce", "layer_norm", "attention")


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("gradients").module


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))
    pairs: int = 1
    more: int = 0

    def reserve(self, base: int) -> int:
        return self.more * (base // self.pairs)


@pytest.fixture(scope="module")
def instance(task: ModuleType) -> Instance:
    return task.prepare(Bench())


def drawn(task: ModuleType, operation: str, regime: str, seed: int = 0) -> dict[str, Any]:
    shape = task.inputs.Shape(6, 10, 8)
    return task.inputs.REGIMES[operation][regime](np.random.default_rng(seed), shape)


# ---------------------------------------------------------------- the truth


def by_autograd(operation: str, a: dict[str, Any]) -> list[np.ndarray]:
    """The blocks by torch.autograd in double precision, from stock functionals: right where inputs are mild."""
    t = {
        name: torch.from_numpy(value).double().requires_grad_(value.dtype == np.float32)
        for name, value in a.items()
        if isinstance(value, np.ndarray)
    }
    if operation == "cross_entropy":
        target = torch.from_numpy(a["targets"])
        loss = functional.cross_entropy(t["logits"], target, reduction="none", label_smoothing=a["smoothing"])
        found, by = [loss[:, None]], ["logits"]
    elif operation == "focal":
        own = functional.binary_cross_entropy_with_logits(t["logits"], t["targets"], reduction="none")
        loss = (1 - torch.exp(-own)) ** a["gamma"] * own
        (slope,) = torch.autograd.grad(loss.sum(), t["logits"])
        return [loss.detach().numpy()[:, None], slope.numpy()[:, None]]
    elif operation == "info_nce":
        q, k = functional.normalize(t["queries"], dim=1), functional.normalize(t["keys"], dim=1)
        loss = functional.cross_entropy(q @ k.T / a["temperature"], torch.arange(len(q)), reduction="none")
        found, by = [loss[:, None]], ["queries", "keys"]
    elif operation == "layer_norm":
        out = functional.layer_norm(t["x"], (t["x"].shape[1],), t["weight"], t["bias"], a["eps"])
        loss, found, by = out * t["upstream"].detach(), [out], ["x", "weight", "bias"]
    else:
        q, k, v = (t[name][None] for name in ("queries", "keys", "values"))
        out = functional.scaled_dot_product_attention(q, k, v)[0]
        loss, found, by = out * t["upstream"].detach(), [out], ["queries", "keys", "values"]
    slopes = torch.autograd.grad(loss.sum(), [t[name] for name in by])
    return [np.atleast_2d(part.detach().numpy()) for part in (*found, *slopes)]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_truth_is_what_autograd_finds_on_mild_inputs(task: ModuleType, operation: str) -> None:
    arguments = drawn(task, operation, "mild")
    blocks = task.truth.TRUTHS[operation](**arguments)
    expected = by_autograd(operation, arguments)
    assert [block.shape for block in blocks] == [part.shape for part in expected]
    for block, part in zip(blocks, expected, strict=True):
        np.testing.assert_allclose(block.astype(np.float64), part, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("regime", ["wide", "sure", "softened"])
def test_the_truth_of_cross_entropy_holds_in_sixty_digits(task: ModuleType, regime: str) -> None:
    a = drawn(task, "cross_entropy", regime)
    loss, slope = task.truth.cross_entropy(**a)
    with mpmath.workdps(60):
        for i, row in enumerate(a["logits"].tolist()):
            powers = [mpmath.e ** (mpmath.mpf(z) - max(row)) for z in row]
            s, p = mpmath.mpf(a["smoothing"]), [power / sum(powers) for power in powers]
            q = [s / len(row) + (1 - s) * (k == a["targets"][i]) for k in range(len(row))]
            logs = [mpmath.mpf(z) - max(row) - mpmath.log(sum(powers)) for z in row]
            assert close(loss[i, 0], -sum(x * y for x, y in zip(q, logs, strict=True)))
            largest = max(abs(x - y) for x, y in zip(p, q, strict=True))
            assert all(close(slope[i, k], p[k] - q[k], largest) for k in range(len(row)))


@pytest.mark.parametrize("regime", ["wide", "sure", "blunt"])
def test_the_truth_of_focal_holds_in_sixty_digits(task: ModuleType, regime: str) -> None:
    a = drawn(task, "focal", regime)
    loss, slope = task.truth.focal(**a)
    gamma = mpmath.mpf(a["gamma"])
    with mpmath.workdps(60):
        for i, (z, wanted) in enumerate(zip(a["logits"].tolist(), a["targets"].tolist(), strict=True)):
            sign = 1 if wanted else -1
            power = mpmath.e ** (-sign * mpmath.mpf(z))
            lost, left = mpmath.log(1 + power), power / (1 + power)
            expected = left**gamma * lost
            assert close(loss[i, 0], expected, mpmath.mpf(1e-30))
            expected = -sign * left**gamma * (left + gamma * lost / (1 + power))
            assert close(slope[i, 0], expected, mpmath.mpf(1e-30))


def close(found: Any, expected: Any, least: Any = 0) -> bool:
    """Whether both agree to eleven digits, of `least` where the truth is smaller."""
    return abs(mpmath.mpf(repr(float(found))) - expected) <= 1e-11 * max(abs(expected), least)


def test_the_truth_of_attention_holds_in_sixty_digits_where_a_winner_is_sure(task: ModuleType) -> None:
    a = drawn(task, "attention", "sure")
    q, k, v, g = ([[mpmath.mpf(x) for x in row] for row in a[n].tolist()] for n in a)
    with mpmath.workdps(60):
        rate, n, d = 1 / mpmath.sqrt(8), 6, 8
        dot = [[sum(x * y for x, y in zip(r, c, strict=True)) * rate for c in k] for r in q]
        p = [[mpmath.e**x / sum(mpmath.e**y for y in row) for x in row] for row in dot]
        back = [[sum(x * y for x, y in zip(r, c, strict=True)) for c in v] for r in g]
        mean = [sum(x * y for x, y in zip(p[i], back[i], strict=True)) for i in range(n)]
        slope = [[p[i][j] * (back[i][j] - mean[i]) * rate for j in range(n)] for i in range(n)]
        to_q = [[sum(slope[i][j] * k[j][c] for j in range(n)) for c in range(d)] for i in range(n)]
        to_k = [[sum(slope[i][j] * q[i][c] for i in range(n)) for c in range(d)] for j in range(n)]
    _, found_q, found_k, _ = task.truth.attention(**a)
    for found, expected in ((found_q, to_q), (found_k, to_k)):
        for i in range(n):
            largest = max(abs(x) for x in expected[i])
            assert all(close(found[i, c], expected[i][c], largest) for c in range(d))


def test_the_gradients_are_slopes_of_the_losses(task: ModuleType) -> None:
    """Central differences of info_nce and layer_norm, which no other test takes beyond mild inputs."""
    a = drawn(task, "info_nce", "scaled")
    loss, to_q, _ = task.truth.info_nce(**a)
    step = 1e-4 * np.abs(a["queries"][2]).max()
    ends = []
    for sign in (1, -1):
        moved = a["queries"].astype(np.float64)
        moved[2, 3] += sign * step
        ends.append(task.truth.info_nce(moved, a["keys"], a["temperature"])[0].sum())
    assert float((ends[0] - ends[1]) / (2 * step)) == pytest.approx(float(to_q[2, 3]), rel=1e-4)
    assert loss.shape == (6, 1)


# ---------------------------------------------------------------- inputs


def test_every_regime_draws_finite_single_precision(task: ModuleType) -> None:
    for operation, regimes in task.inputs.REGIMES.items():
        assert len(regimes) == task.REGIMES
        for regime in regimes:
            for name, value in drawn(task, operation, regime).items():
                assert np.isfinite(value).all(), (operation, regime, name)
                if isinstance(value, np.ndarray) and name != "targets":
                    assert value.dtype == np.float32


def test_sure_targets_lead_as_far_as_the_statement_says(task: ModuleType) -> None:
    a = drawn(task, "cross_entropy", "sure")
    rows = np.arange(6)
    own = a["logits"][rows, a["targets"]].copy()
    a["logits"][rows, a["targets"]] = -np.inf
    lead = own - a["logits"].max(axis=1)
    assert (lead > 0.9 * 18 - 1e-3).all()
    assert (lead < 62 + 1e-3).all()


def test_attention_is_sure_of_another_key_for_each_query(task: ModuleType) -> None:
    scores = task.inputs._scores(drawn(task, "attention", "sure"))
    assert sorted(scores.argmax(axis=1).tolist()) == list(range(6))


# ---------------------------------------------------------------- instances and digits


def test_an_instance_asks_for_every_regime_equally_often_and_names_none(instance: Instance) -> None:
    (stage,) = instance.stages
    scored = [r for r in stage.requests if not r.warmup]
    counted: dict[tuple[str, str], int] = {}
    for request in scored:
        key = (request.phase, instance.hidden["regimes"][request.item])
        counted[key] = counted.get(key, 0) + 1
    assert set(counted.values()) == {SIZE["per_cell"]}
    assert len(counted) == 20
    assert all(request.timed for request in stage.requests)
    assert [request.item for request in scored] == [f"call-{i:05d}" for i in range(len(scored))]


def test_the_reserve_is_of_the_same_mix(task: ModuleType) -> None:
    (stage,) = task.prepare(Bench(more=1)).stages
    for warm in (True, False):
        base = sorted(r.phase for r in stage.requests if r.warmup is warm)
        assert sorted(r.phase for r in stage.reserve if r.warmup is warm) == base


def test_no_input_is_asked_twice(task: ModuleType) -> None:
    (stage,) = task.prepare(Bench(more=1)).stages
    seen = [b"".join(np.asarray(v).tobytes() for v in r.arguments.values()) for r in stage.all_requests()]
    assert len(set(seen)) == len(seen)


def test_instances_repeat_by_seed_and_differ_between_seeds(task: ModuleType, instance: Instance) -> None:
    again, other = task.prepare(Bench()), task.prepare(Bench(seed=2))
    for first, second in zip(instance.requests(), again.requests(), strict=True):
        assert first.phase == second.phase
        for name, value in first.arguments.items():
            np.testing.assert_array_equal(value, second.arguments[name])
    assert [r.phase for r in other.requests()] != [r.phase for r in instance.requests()]


def exact(task: ModuleType, instance: Instance) -> dict[str, np.ndarray]:
    """The truth of every scored call, rounded and laid out as an answer."""
    phase_of = {request.item: request.phase for request in instance.requests()}
    right = instance.hidden["right"]
    return {item: task.packed(phase_of[item], r.blocks).astype(np.float32) for item, r in right.items()}


def test_the_rounded_truth_has_every_digit_and_zeros_have_none(task: ModuleType, instance: Instance) -> None:
    best = {m.name: m.value for m in task.evaluate(instance, exact(task, instance)).measurements}
    assert best["digits"] == pytest.approx(-np.log10(2.0**-24))
    assert len(best) == 21
    zeros = {item: np.zeros_like(answer) for item, answer in exact(task, instance).items()}
    assert task.evaluate(instance, zeros).measurements[0].value == 0


def test_what_is_unpacked_is_what_was_packed(task: ModuleType, instance: Instance) -> None:
    rights = instance.hidden["right"]
    scored = [request for request in instance.requests() if request.item in rights]
    assert len(scored) == len(rights) == 20 * SIZE["per_cell"]
    for request in scored:
        right = rights[request.item]
        answer = task.packed(request.phase, right.blocks)
        assert answer.shape == request.returns.shape
        assert len(right.blocks) > 0
        for found, block in zip(task.unpacked(request.phase, answer, right), right.blocks, strict=True):
            np.testing.assert_array_equal(found, block)


def test_digits_are_those_of_the_worst_entry_by_its_own_row(task: ModuleType) -> None:
    loss, slope = np.array([[2.0], [0.5]]), np.array([[100.0, 1.0], [1e-3, 0.0]])
    right = task.Right((loss, slope), (loss, np.array([[100.0], [1e-3]])))
    off = np.concatenate([loss, slope], axis=1)
    off[0, 2] += 1.0  # 1 % of its row's largest
    assert task.digits("cross_entropy", off, right) == pytest.approx(2)
    off[1, 2] += 1e-4  # a tenth of its row's largest
    assert task.digits("cross_entropy", off, right) == pytest.approx(1)
    assert task.digits("cross_entropy", off + 1e9, right) == 0


def test_a_truth_under_the_smallest_counts_as_that_large(task: ModuleType) -> None:
    request = next(r for r in task.prepare(Bench()).stages[0].requests if r.phase == "focal")
    a = request.arguments | {"logits": np.full(60, 1e4, np.float32), "targets": np.ones(60, np.int64)}
    right = task.right_answer(type(request)("x", "focal", a, request.returns))
    assert all((size == task.SMALLEST).all() for size in right.sizes)
    assert task.digits("focal", np.zeros((2, 60)), right) == pytest.approx(-np.log10(2.0**-24))


def test_answers_have_the_shapes_of_the_contract(instance: Instance) -> None:
    shapes = {r.phase: r.returns.shape for r in instance.requests() if isinstance(r.returns, ArraySpec)}
    assert shapes == {
        "cross_entropy": (6, 11),
        "focal": (2, 60),
        "info_nce": (6, 17),
        "layer_norm": (14, 10),
        "attention": (4, 6, 8),
    }


def test_only_answers_that_were_asked_for_count(task: ModuleType, instance: Instance) -> None:
    some = dict(list(exact(task, instance).items())[:3])
    assert task.evaluate(instance, some).measurements[0].value == pytest.approx(7.22, abs=0.01)
    with pytest.raises(TaskError, match="no scored call of gradients was answered"):
        task.evaluate(instance, {})
