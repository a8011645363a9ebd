"""Each task's items.py: as many items for everybody, as wrong as the task's own evaluation says."""

from __future__ import annotations

import numpy as np
import pytest

from harness.inputs import tasks
from harness.inputs.tasks import all_tasks
from harness.instances import Answer, ArraySpec, Instance
from harness.observer import Silent
from harness.runs.evaluate import items_of
from harness.runs.prepare import prepare
from tests.fixtures.instance_ids import order_of
from tests.fixtures.likenesses import ROOT as TESTS

ROOT = TESTS.parent
NAMED = sorted(task.id for task in all_tasks().values() if task.has_items)
TOLD = {"noisy-labels": "accuracy", "latency-budget": "accuracy", "lora": "accuracy"}


def drawn(instance: Instance, seed: int) -> dict[str, Answer]:
    """A chance answer to every request for an array, within its bounds; a judge's first two numbers are 0."""
    rng = np.random.default_rng(seed)
    answers: dict[str, Answer] = {}
    for stage in instance.stages:
        for request in stage.all_requests():
            spec = request.returns
            if not isinstance(spec, ArraySpec):
                answers[request.item] = b"x"
                continue
            low, high = int(spec.low or 0), int(spec.high or 1)
            if spec.unique_rows:
                rows = [
                    rng.permutation(high + 1)[: spec.shape[-1]] for _ in range(int(np.prod(spec.shape[:-1])))
                ]
                answers[request.item] = np.array(rows, dtype=spec.dtype).reshape(spec.shape)
            else:
                answers[request.item] = rng.integers(low, high + 1, spec.shape).astype(spec.dtype)
            if stage.judge:
                answers[request.item] = np.concatenate([[0, 1], rng.integers(0, 2, spec.shape[0] - 2)])
    return answers


@pytest.mark.parametrize("name", NAMED)
def test_items_are_the_same_for_all_and_as_wrong_as_the_evaluation_says(name: str) -> None:
    task = tasks.find(name)
    instance = prepare(order_of(name, ROOT / "tasks"), 0, Silent()).instance
    first, second = (drawn(instance, seed) for seed in (1, 2))
    one, other = items_of(task, instance, first), items_of(task, instance, second)
    assert one.given.shape == one.wrong.shape == other.given.shape == other.wrong.shape
    assert one.given.dtype.kind == "i"
    assert one.wrong.dtype == np.bool_
    assert len(one.given) > 5
    assert one.wrong.any(), "chance is not always right"
    assert (one.given != other.given).any()
    if name in TOLD:
        base = {r.item for s in instance.stages for r in (*s.each, *s.requests)}
        evaluation = task.evaluate(instance, {item: answer for item, answer in first.items() if item in base})
        accuracy = next(m.value for m in evaluation.measurements if m.name == TOLD[name])
        assert accuracy == pytest.approx(1 - one.wrong.mean())


def test_the_tasks_that_tell_right_from_wrong_item_by_item_are_those_that_the_page_does_not_except() -> None:
    page = " ".join((ROOT / "docs" / "similarity.md").read_text("utf-8").split())
    others = sorted(set(all_tasks()) - set(NAMED))
    assert f"{', '.join(others[:-1])} and {others[-1]} have none" in page
