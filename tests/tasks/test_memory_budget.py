"""The pure parts of the task memory-budget: what is drawn, invariants, errors, the objective; no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import Fault, TaskError
from harness.inputs import tasks
from harness.instances import ArraySpec, Instance
from harness.measures.cost import costs
from harness.readings import MemoryPoint
from harness.records import Measurement, Trial
from tests.tasks.benches import Seeded

SIZE: dict[str, Any] = {
    "vocabulary": 50,
    "width": 8,
    "length": 32,
    "layers": 2,
    "heads": 2,
    "batch": 3,
    "steps": 2,
    "learning_rate": 0.3,
    "momentum": 0.9,
    "weight_decay": 0.0001,
}
MIB = 2**20


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("memory-budget").module


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))


def given(instance: Instance) -> dict[str, Any]:
    return dict(instance.stages[0].requests[0].arguments)


def test_an_instance_depends_on_its_seed_alone(task: ModuleType) -> None:
    one, same, other = (given(task.prepare(Bench(seed))) for seed in (1, 1, 2))
    for name in ("weights", "tokens", "targets"):
        assert (one[name] == same[name]).all()
        assert (one[name] != other[name]).any()


def test_all_parameters_lie_in_one_array(task: ModuleType) -> None:
    shapes = dict(task.layout(SIZE))
    # 50 x 8 and 32 x 8, then two layers of 2 x 8 + (3 + 1 + 4 + 4) x 8 x 8, then 8
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 400 + 256 + 2 * (16 + 768) + 8
    assert shapes["1.down"] == (8, 32)
    assert list(shapes)[:3] == ["embedding", "positions", "0.norm_1"]
    weights = given(task.prepare(Bench()))["weights"]
    assert weights.shape == (400 + 256 + 1568 + 8,)
    assert weights[-8:].mean() == pytest.approx(1.0, abs=0.1)


def test_the_layout_is_that_of_the_model_that_is_given_out() -> None:
    found = tasks.find("memory-budget")
    copies = [found.folder / "judge" / "model.py"]
    copies += [
        found.folder.parent.parent / "reference_solutions" / found.id / tier / "model.py"
        for tier in ("baseline", "competent", "expert")
    ]
    starter = (found.starter / "model.py").read_text()
    assert "def layout(" in starter
    assert len(copies) == 4
    for copy in copies:
        assert copy.read_text() == starter, copy


def test_the_first_sequence_is_whole_and_the_others_end_unequally(task: ModuleType) -> None:
    arguments = given(task.prepare(Bench()))
    tokens, targets = arguments["tokens"], arguments["targets"]
    inside = targets != task.IGNORED
    assert inside[:, 0].all()
    assert (inside.sum(axis=2)[:, 1:] < 32).all()
    assert (inside.sum(axis=2) >= 32 // 4).all()
    assert (tokens[~inside] == 0).all()
    assert (np.diff(inside.astype(int), axis=2) <= 0).all(), "a target behind a sequence's end"
    assert (tokens[:, :, 1:][inside[:, :, 1:]] == targets[:, :, :-1][inside[:, :, 1:]]).all()


def test_one_worker_trains_and_gives_its_weights_and_the_judge_comes_after(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    train, judge = instance.stages
    assert [request.phase for request in train.requests] == ["train", "weights"]
    assert {request.label for request in train.requests} == {"training"}
    assert (train.judge, judge.judge) == ("", "judge")
    assert [request.returns for request in train.requests] == [request.returns for request in judge.requests]
    assert train.requests[0].returns == ArraySpec("float32", (2,))
    assert set(json.loads(given(instance)["settings"])) == set(SIZE) - {"batch", "steps"}
    assert not instance.models


def test_what_a_size_cannot_support_is_said(task: ModuleType) -> None:
    with pytest.raises(AssertionError, match="multiple of the heads"):
        task.prepare(Bench(size=SIZE | {"heads": 3}))
    with pytest.raises(AssertionError, match="of one length"):
        task.prepare(Bench(size=SIZE | {"batch": 1}))


def test_the_error_is_the_worst_parameters_share_of_its_way(task: ModuleType) -> None:
    shapes = (("a", (2,)), ("b", (1, 2)))
    begin = np.zeros(4, np.float32)
    right = np.array([3, 4, 0, 1], np.float32)  # a went 5, b went 1
    found = np.array([3, 4.5, 0.3, 1], np.float32)  # 0.5 of 5, 0.3 of 1
    assert task.update_error(begin, found, right, shapes) == pytest.approx(0.3)


def answers(instance: Instance) -> dict[str, Any]:
    begin = instance.hidden["initial"]
    right = begin + np.float32(0.01)
    losses = np.array([4.0, 3.0], np.float32)
    return {"losses": losses, "weights": right, "true-losses": losses, "true-weights": right}


def values(task: ModuleType, instance: Instance, found: dict[str, Any]) -> dict[str, float]:
    return {m.name: m.value for m in task.evaluate(instance, found).measurements}


def test_the_plain_loops_own_answers_have_no_error(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    assert values(task, instance, answers(instance)) == {"update_error": 0.0, "loss_error": 0.0}


def test_untrained_weights_are_wrong_by_the_whole_way(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    found = answers(instance)
    found |= {"weights": instance.hidden["initial"], "losses": np.array([4.0, 3.3], np.float32)}
    assert values(task, instance, found) == pytest.approx({"update_error": 1e6, "loss_error": 1e5})


def test_a_parameter_that_the_plain_loop_left_alone_is_the_tasks_fault(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    found = answers(instance)
    found["true-weights"] = instance.hidden["initial"]
    with pytest.raises(TaskError, match="left embedding as it was"):
        task.evaluate(instance, found)


def read(name: str, value: float | None) -> Measurement:
    why = "" if value is not None else "the worker ended before its memory was read"
    return Measurement(
        name=name, unit="B", direction="lower", value=value, measured_by="kernel", absent_because=why
    )


def test_the_objective_is_the_peak_less_what_was_held_before(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    found = {
        "peak_memory": read("peak_memory", 400.0 * MIB),
        "peak_memory_base": read("peak_memory_base", 300.0 * MIB),
    }
    (made,) = task.conclude(instance, found).measurements
    assert (made.name, made.value, made.measured_by) == ("training_memory", 100.0 * MIB, "kernel")


@pytest.mark.parametrize(
    ("files", "more"),
    [
        ([100.0], 0.0),
        ([98.0], 0.0),
        ([88.0], 10.0),
        ([78.0], 20.0),
        ([60.0], 38.0),
        # Touched first and dropped before the peak: what was mapped once does not pay for what is not.
        ([110.0, 78.0], 20.0),
        ([78.0, 110.0], 20.0),
    ],
)
def test_pages_of_libraries_count_for_who_lets_go_of_them_too(
    task: ModuleType, files: list[float], more: float
) -> None:
    points = [
        MemoryPoint(stage="train", seconds=0.0, host_bytes=int(400 * MIB), file_bytes=int(file * MIB))
        for file in files
    ]
    trial = Trial(
        number=0,
        role="candidate",
        label="x",
        tier=None,
        submission_digest="d",
        instance_id="i",
        outcome="ok",
        memory=tuple(points),
        peak_host_bytes=int(400 * MIB),
        base_host_bytes=int(300 * MIB),
        base_file_bytes=int(78 * MIB),
    )
    (made,) = task.conclude(task.prepare(Bench()), {m.name: m for m in costs(trial)}).measurements
    assert made.value == (100.0 + more) * MIB


def test_what_is_held_beyond_files_is_charged_their_pages(task: ModuleType) -> None:
    found = {
        "peak_memory": read("peak_memory", 400.0 * MIB),
        "peak_memory_base": read("peak_memory_base", 300.0 * MIB),
        "peak_memory_other": read("peak_memory_other", 312.0 * MIB),
        "peak_memory_base_file": read("peak_memory_base_file", 78.0 * MIB),
    }
    (made,) = task.conclude(task.prepare(Bench()), found).measurements
    assert made.value == 110.0 * MIB


def test_a_peak_that_was_not_read_is_absent_with_its_reason(task: ModuleType) -> None:
    (made,) = task.conclude(task.prepare(Bench()), {"peak_memory": read("peak_memory", None)}).measurements
    assert made.value is None
    assert "before its memory was read" in made.absent_because


def test_less_than_the_given_weights_is_not_believed(task: ModuleType) -> None:
    found = {
        "peak_memory": read("peak_memory", 300.0 * MIB),
        "peak_memory_base": read("peak_memory_base", 300.0 * MIB),
    }
    with pytest.raises(Fault, match="weights that it was given are more"):
        task.conclude(task.prepare(Bench()), found)
