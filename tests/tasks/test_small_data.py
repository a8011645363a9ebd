"""The pure parts of the task small-data: alphabets, hands, shift, requests and evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import tasks
from harness.instances import ArraySpec, BlobSpec, FromItem, Instance
from tests.tasks.benches import Seeded

SIZE = {"alphabets": 2, "classes": 4, "labelled": 3, "pool": 12, "test": 48}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("small-data").module


@pytest.fixture(scope="module")
def instance(task: ModuleType) -> Instance:
    return task.prepare(Bench())


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))


def right(instance: Instance) -> dict[str, Any]:
    """Answers that are all right."""
    return {
        f"test-{i}-{part}": rows
        for i, labels in enumerate(instance.hidden["labels"])
        for part, rows in enumerate(np.array_split(labels, 3))
    }


def values(task: ModuleType, instance: Instance, answers: dict[str, Any]) -> dict[str, float]:
    return {m.name: m.value for m in task.evaluate(instance, answers).measurements}


def test_an_instance_depends_on_its_seed_alone(task: ModuleType, instance: Instance) -> None:
    again, other = task.prepare(Bench()), task.prepare(Bench(seed=2))
    images, same, differs = (
        one.stages[0].requests[0].arguments["images"] for one in (instance, again, other)
    )
    assert (images == same).all()
    assert not (images == differs).all()


def test_training_gets_few_labels_and_a_pool_and_nothing_of_the_test(instance: Instance) -> None:
    train, serve = instance.stages
    assert len(train.requests) == 2
    for request in train.requests:
        arguments = request.arguments
        assert set(arguments) == {"images", "labels", "pool", "num_classes"}
        assert np.bincount(arguments["labels"]).tolist() == [3, 3, 3, 3]
        assert arguments["pool"].shape == (12, 16, 16)
        assert isinstance(request.returns, BlobSpec)
    given = {
        image.tobytes() for r in train.requests for image in (*r.arguments["images"], *r.arguments["pool"])
    }
    tested = [i.tobytes() for r in serve.requests if r.phase == "predict" for i in r.arguments["images"]]
    assert len(set(tested)) == len(tested) == 96
    assert not given.intersection(tested)


def test_each_alphabet_is_loaded_before_it_is_asked_for_and_all_of_it_is_timed(instance: Instance) -> None:
    serve = instance.stages[1].requests
    assert [r.phase for r in serve] == ["load", "predict", "predict", "predict"] * 2
    assert {r.label for r in serve} == {"serve"}
    assert serve[4].arguments == {"model": FromItem("model-1")}
    assert serve[5].returns == ArraySpec("int64", (16,), low=0, high=3)


def test_facts_give_no_answer_away(instance: Instance) -> None:
    assert set(instance.facts) == {"alphabets", "classes", "labels_a_class", "pool", "test_images"}
    assert instance.facts["test_images"] == 96


def test_classes_come_in_pairs_that_share_two_strokes(task: ModuleType) -> None:
    prototypes = task.invent(6, np.random.default_rng(0)).prototypes
    shared = [(a, b) for a in range(6) for b in range(a) if (prototypes[a][:2] == prototypes[b][:2]).all()]
    assert len(shared) == 3
    assert len({one for pair in shared for one in pair}) == 6
    for a, b in shared:
        assert task.gap(prototypes[a][2:], prototypes[b][2:]) > task.CLOSEST_STROKES
    apart = [
        task.gap(prototypes[a], prototypes[b]) for a in range(6) for b in range(a) if (a, b) not in shared
    ]
    assert min(apart) > task.CLOSEST


def test_an_odd_number_of_classes_is_possible(task: ModuleType) -> None:
    assert len(task.invent(5, np.random.default_rng(0)).prototypes) == 5


def test_a_curve_starts_and_ends_at_its_control_points_and_halfway_leans_to_the_middle_one(
    task: ModuleType,
) -> None:
    points = task.curve(np.array([[[[0.0, 0.0], [1.0, 2.0], [2.0, 0.0]]]]))[0]
    assert points[0].tolist() == [0.0, 0.0]
    assert points[-1].tolist() == [2.0, 0.0]
    t = 1 / (task.POINTS - 1)
    assert points[1] == pytest.approx([2 * t * (1 - t) + 2 * t * t, 4 * t * (1 - t)])


def test_ink_lies_where_the_pen_was_and_fades_over_a_pixel(task: ModuleType) -> None:
    image = task.spread(np.array([[[0.5, 0.5]]]), np.array([1.0]))[0]  # the middle of pixel 8, 8
    assert image[8, 8] == 1.0
    assert image[8, 9] == pytest.approx(0.5)
    assert image[9, 9] == pytest.approx(1.5 - np.sqrt(2))
    assert image[8, 10] == 0.0


def test_a_blur_keeps_the_ink_and_spreads_it_and_none_changes_nothing(task: ModuleType) -> None:
    point = np.zeros((2, 16, 16))
    point[:, 8, 8] = 1.0
    soft, same = task.blurred(point, np.array([1.0, 0.0]))
    assert (same == point[1]).all()
    assert soft.sum() == pytest.approx(1.0, abs=1e-3)
    # The product of two Gaussians of one pixel at 0, each 1 / sqrt(2 pi) but for what is cut off.
    assert soft[8, 8] == pytest.approx(1 / (2 * np.pi), abs=1e-3)
    assert soft[8, 9] / soft[8, 8] == pytest.approx(np.exp(-0.5), abs=1e-3)


def test_shift_takes_images_away_from_upright_ones_the_more_the_higher_its_level(task: ModuleType) -> None:
    alphabet = task.invent(2, np.random.default_rng(0))
    labels = np.zeros(200, dtype=np.int64)
    mean = task.write(alphabet, labels, labels, np.random.default_rng(1)).images.mean(axis=0).ravel()
    alike = []
    for k in range(4):
        images = task.write(alphabet, labels, labels + k, np.random.default_rng(2)).images.reshape(200, -1)
        alike.append(float(np.mean(images @ mean / np.linalg.norm(images, axis=1))))
    assert alike == sorted(alike, reverse=True)


def test_every_class_is_tested_at_every_level(instance: Instance) -> None:
    for labels, levels in zip(instance.hidden["labels"], instance.hidden["levels"], strict=True):
        table = np.zeros((4, 4))
        np.add.at(table, (labels, levels), 1)
        assert (table == 3).all()


def test_right_answers_measure_one_and_no_gap(task: ModuleType, instance: Instance) -> None:
    found = values(task, instance, right(instance))
    assert found == {"shifted_accuracy": 1.0, "clean_accuracy": 1.0, "generalisation_gap": 0.0}


def test_accuracy_under_shift_leaves_the_upright_images_aside(task: ModuleType, instance: Instance) -> None:
    answers = right(instance)
    wrong = 0
    for i, levels in enumerate(instance.hidden["levels"]):
        for part, rows in enumerate(np.array_split(levels, 3)):
            answers[f"test-{i}-{part}"] = (answers[f"test-{i}-{part}"] + (rows == 3)) % 4
            wrong += int((rows == 3).sum())
    evaluation = task.evaluate(instance, answers)
    found = {m.name: m for m in evaluation.measurements}
    assert wrong == 24
    assert found["shifted_accuracy"].value == pytest.approx(1 - 24 / 72)
    assert found["clean_accuracy"].value == 1.0
    assert found["generalisation_gap"].value == pytest.approx(24 / 72)
    assert (
        0 < found["shifted_accuracy"].low < found["shifted_accuracy"].value < found["shifted_accuracy"].high
    )
    assert evaluation.series[0].y == (1.0, 1.0, 1.0, 0.0)


def test_one_class_for_a_whole_alphabet_is_no_attempt(task: ModuleType, instance: Instance) -> None:
    answers = right(instance)
    for part in range(3):
        answers[f"test-1-{part}"] = np.zeros_like(answers[f"test-1-{part}"])
    with pytest.raises(Fault, match="every one of 48 predictions of alphabet 1 is class 0"):
        task.evaluate(instance, answers)


@pytest.mark.parametrize("size", [{"classes": 1}, {"pool": 3}, {"test": 15}])
def test_a_size_that_cannot_support_the_task_is_refused(task: ModuleType, size: dict[str, int]) -> None:
    with pytest.raises(DataError, match="raise classes"):
        task.prepare(Bench(size=SIZE | size))
