"""Altered texts in every task that scores texts: a look-up of published ones is open, a reader is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.grading.comparison import Comparison, Side
from harness.grading.plausibility import looked_at
from harness.inputs import tasks
from harness.instances import Instance
from harness.measures.canaries import GAP_NAME
from harness.measures.estimates import Estimate
from harness.records import Assessed, ConstraintResult, Tier
from tests.tasks import (
    test_label_budget,
    test_latency_budget,
    test_long_documents,
    test_noisy_labels,
    test_semantic_search,
)

Answers = dict[str, Any]
# What a way of answering does with an item, by whether it is altered and by chance: whether the answer is right.
Way = Callable[[bool, float], bool]


def semantic_search(folder: Path, way: Way) -> tuple[Instance, Answers]:
    (folder / "config.json").write_text('{"hidden_size": 16}')
    size = {"passages": 0, "queries": 90, "passage_characters": 0}
    bench = test_semantic_search.Bench(folder, data=test_semantic_search.made(200), size=size)
    instance = tasks.find("semantic-search").prepare(bench)
    answers = test_semantic_search.perfect(instance)
    luck = np.random.default_rng(3).random(len(instance.hidden["altered"]))
    for i, (altered, chance) in enumerate(zip(instance.hidden["altered"], luck.tolist(), strict=True)):
        if not way(altered, chance):
            answers[f"query-{i}"] = answers[f"query-{i}"][:, ::-1]
    return instance, answers


def labels_of(instance: Instance, way: Way) -> Answers:
    """The labels of every item whose texts are marked one by one in `altered`; a wrong one is the next class."""
    rng, answers = np.random.default_rng(3), {}
    for item, labels in instance.hidden["labels"].items():
        luck = rng.random(len(labels))
        right = [
            way(a, c) for a, c in zip(instance.hidden["altered"][item].tolist(), luck.tolist(), strict=True)
        ]
        answers[item] = np.where(right, labels, (labels + 1) % instance.hidden["classes"])
    return answers


def noisy_labels(folder: Path, way: Way) -> tuple[Instance, Answers]:
    size = test_noisy_labels.SIZE | {"n_bulk": 90}
    instance = tasks.find("noisy-labels").prepare(test_noisy_labels.Bench(size=size))
    return instance, labels_of(instance, way)


def latency_budget(folder: Path, way: Way) -> tuple[Instance, Answers]:
    size = test_latency_budget.SIZE | {"singles": 60, "batches": 15}
    bench = test_latency_budget.Bench(1, size, pairs=1, max_pairs=1)
    instance = tasks.find("latency-budget").prepare(bench)
    return instance, labels_of(instance, way)


def long_documents(folder: Path, way: Way) -> tuple[Instance, Answers]:
    size = test_long_documents.SIZE | {"n_test": 90}
    instance = tasks.find("long-documents").prepare(test_long_documents.Bench(size=size))
    rng, answers = np.random.default_rng(3), {}
    for item, row in instance.hidden["marks"].items():
        chance = rng.random(3)
        right = way(instance.hidden["altered"][item], float(chance[0]))
        answers[item] = (row + 0.1 * chance if right else chance)[None, :]
    return instance, answers


def label_budget(folder: Path, way: Way) -> tuple[Instance, Answers]:
    size = test_label_budget.SIZE | {"tests_per_class": 25}
    instance = tasks.find("label-budget").prepare(test_label_budget.Bench(size=size))
    answers = test_label_budget.perfect(instance)
    rng, start = np.random.default_rng(3), 0
    for request in instance.requests():
        start = 0 if request.phase == "train" else start
        if request.phase != "predict" or not request.item.startswith("plain"):
            continue
        marks = instance.hidden["altered"][start : start + request.count].tolist()
        right = [way(a, c) for a, c in zip(marks, rng.random(request.count).tolist(), strict=True)]
        wrong = (answers[request.item] + 1) % instance.hidden["classes"]
        answers[request.item] = np.where(right, answers[request.item], wrong)
        start += request.count
    return instance, answers


MADE = {
    "semantic-search": semantic_search,
    "noisy-labels": noisy_labels,
    "latency-budget": latency_budget,
    "long-documents": long_documents,
    "label-budget": label_budget,
}


def side(task: str, folder: Path, way: Way, tier: Tier | None = None) -> Side:
    instance, answers = MADE[task](folder, way)
    evaluation = tasks.find(task).evaluate(instance, answers)
    role = "reference" if tier else "candidate"
    return Side(
        Assessed(
            number=0, role=role, label="x", tier=tier, outcome="ok", measurements=evaluation.measurements
        )
    )


def opened(task: str, folder: Path, own: Way, reference: Way) -> tuple[ConstraintResult, ...]:
    candidate = side(task, folder, own)
    expert = side(task, folder, reference, "expert")
    criteria = tasks.find(task).criteria
    found = candidate.assessed.measurements
    rounds = [Comparison(candidate=candidate, references={"expert": expert})]
    every = looked_at(criteria, rounds, found, Estimate.exact(0.5), None)
    return tuple(result for result in every if result.measure == GAP_NAME)


@pytest.mark.parametrize("task", MADE)
def test_a_look_up_that_does_not_find_the_altered_ones_is_open_with_both_figures(
    task: str, tmp_path: Path
) -> None:
    """What it does not find it answers by a guess that is right three times in ten."""
    (result,) = opened(
        task, tmp_path, lambda altered, chance: not altered or chance < 0.3, lambda _, c: c < 0.8
    )
    bound = next(b for b in tasks.find(task).criteria.plausible if b.over_references)
    assert result.open_by == "evaluator"
    assert all(f"{name} is " in result.words for name in bound.tells)
    assert result.words.startswith("open: look at it: untouched_")


@pytest.mark.parametrize("task", MADE)
def test_a_reader_to_whom_all_are_alike_is_not_open(task: str, tmp_path: Path) -> None:
    def reads(altered: bool, chance: float) -> bool:
        return chance < 0.8

    assert opened(task, tmp_path, reads, reads) == ()


@pytest.mark.parametrize("task", MADE)
def test_what_a_reference_loses_on_altered_ones_too_is_allowed(task: str, tmp_path: Path) -> None:
    def loses(altered: bool, chance: float) -> bool:
        return chance < (0.4 if altered else 0.9)

    assert opened(task, tmp_path, loses, loses) == ()
    assert opened(task, tmp_path, loses, lambda _, chance: chance < 0.8) != ()


@pytest.mark.parametrize("task", MADE)
def test_every_instance_has_altered_ones_and_says_how_many(task: str, tmp_path: Path) -> None:
    instance, _ = MADE[task](tmp_path, lambda altered, chance: True)
    given = instance.hidden["altered"]
    # Neither a reserve nor what warms up is in the facts.
    own = {r.item for stage in instance.stages for r in stage.requests if not r.warmup}
    marks = (
        np.concatenate([np.atleast_1d(m) for item, m in given.items() if item in own])
        if isinstance(given, dict)
        else np.array(given)
    )
    assert 0.1 < marks.mean() < 0.3
    facts = [value for name, value in instance.facts.items() if name.startswith("altered_")]
    assert facts == [marks.sum()]
