"""Every task asks what it asked in version 0.1.0: the ids of its instances are the same.

The ids are kept in fixtures/instance_ids.json. One that is to change changes with the task's version.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.inputs.definition import Definition
from harness.inputs.tasks import Task
from tests.fixtures.instance_ids import KERNELS, LINEAR_ALGEBRA, NUMBERS, catalogue, identity, order_of

KEPT: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "instance_ids.json").read_text("utf-8")
)
TASKS = catalogue(Path(__file__).parent.parent.parent)
# These rest on numbers drawn by seed alone, which are the same on every machine: never skipped.
DRAWN_ALONE = {
    "long-context", "memory-budget", "optimizers", "small-data",
    "toy-dialogue", "toy-free", "toy-pairs", "toy-squares",
}  # fmt: skip


@cache
def now(task: str, number: int) -> dict[str, Any]:
    return identity(order_of(task, TASKS[task][0]), number)


def test_every_task_has_kept_ids() -> None:
    assert set(TASKS) >= set(KEPT), "a task of 0.1.0 is gone"
    assert set(KEPT) >= DRAWN_ALONE
    ids = [kept["id"] for of_task in KEPT.values() for kept in of_task.values()]
    assert len(ids) == len(set(ids)) == len(KEPT) * len(NUMBERS)
    for task in DRAWN_ALONE:
        assert set(KEPT[task]["0"]["rests_on"]) == {LINEAR_ALGEBRA, KERNELS}


@pytest.mark.parametrize("task", KEPT)
@pytest.mark.parametrize("number", NUMBERS)
def test_a_task_asks_what_it_asked(task: str, number: int) -> None:
    kept = KEPT[task][str(number)]
    try:
        found = now(task, number)
    except DataError as missing:
        if task in DRAWN_ALONE:
            raise
        pytest.skip(f"{task} cannot be prepared here: {missing}")
    if found["id"] != kept["id"] and task not in DRAWN_ALONE:
        others = [name for name, was in kept["rests_on"].items() if found["rests_on"].get(name) != was]
        if others:
            pytest.skip(f"{task} rests on another {' and another '.join(others)} here than its kept id does")
    assert found["id"] == kept["id"]


@pytest.mark.parametrize("task", ["toy-squares", "memory-budget", "small-data"])
def test_another_size_gives_another_id(task: str) -> None:
    """So that the comparison above can fail: one number of the task's size moved by one."""
    asked = order_of(task, TASKS[task][0])
    size = asked.task.size("check")
    name = next(
        name for name, value in size.items() if isinstance(value, int) and not isinstance(value, bool)
    )
    tables = {**asked.task.definition.sizes, "check": {**size, name: size[name] + 1}}
    definition: Definition = asked.task.definition.model_copy(update={"sizes": tables})
    larger = replace(asked, task=Task(definition, asked.task.folder))
    assert identity(larger, 0)["id"] != KEPT[task]["0"]["id"]
    assert identity(asked, 0)["id"] == KEPT[task]["0"]["id"]
