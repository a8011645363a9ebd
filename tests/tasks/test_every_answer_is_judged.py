"""Whatever pair an answer is given in, it counts: badly answered in any but the first, it is no gain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.inputs import tasks
from harness.inputs.tasks import Task
from harness.instances import Instance, Request
from harness.records import Assessed, Trial
from harness.runs.evaluate import assess
from harness.runs.prepare import require_fresh_inputs
from harness.trials.schedule import base_blocks, reserve_blocks
from tests.tasks import test_long_context, test_long_documents, test_noisy_labels, test_semantic_search

TRIAL = Trial(
    number=0, role="candidate", label="x", tier=None, submission_digest="d", instance_id="i", outcome="ok"
)
PAIRS, MOST = 2, 4


def semantic_search(folder: Path) -> tuple[Instance, dict[str, Any]]:
    (folder / "config.json").write_text('{"hidden_size": 16}')
    size = {"passages": 0, "queries": 60, "passage_characters": 0}
    bench = test_semantic_search.Bench(
        folder, data=test_semantic_search.made(200), size=size, pairs=PAIRS, max_pairs=MOST
    )
    instance = tasks.find("semantic-search").prepare(bench)
    return instance, test_semantic_search.perfect(instance)


def noisy_labels(folder: Path) -> tuple[Instance, dict[str, Any]]:
    size = test_noisy_labels.SIZE | {"n_single": 40}
    bench = test_noisy_labels.Bench(size=size, pairs=PAIRS, max_pairs=MOST)
    instance = tasks.find("noisy-labels").prepare(bench)
    return instance, test_noisy_labels.perfect(instance)


def long_documents(folder: Path) -> tuple[Instance, dict[str, Any]]:
    size = test_long_documents.SIZE | {"n_test": 60}
    bench = test_long_documents.Bench(size=size, pairs=PAIRS, max_pairs=MOST)
    instance = tasks.find("long-documents").prepare(bench)
    return instance, test_long_documents.perfect(instance)


MADE = {"semantic-search": semantic_search, "noisy-labels": noisy_labels, "long-documents": long_documents}


def judged(task: str, instance: Instance, answers: dict[str, Any]) -> Assessed:
    return assess(tasks.find(task), instance, TRIAL, answers)


def badly(request: Request) -> Any:
    """A quick answer of the right form, the same for whatever is asked; of scores, by chance."""
    assert request.returns is not None
    shape = request.returns.shape  # type: ignore[union-attr]
    if request.phase == "score":
        return np.random.default_rng(len(request.item)).random(shape)
    return np.broadcast_to(np.arange(shape[1]), shape) if len(shape) == 2 else np.zeros(shape, np.int64)


def again(answers: dict[str, Any], block: tuple[Request, ...]) -> dict[str, Any]:
    """What an honest program answers in a pair that was added: the same to the same question."""
    return {r.item: answers[r.again] for r in block if not r.warmup}


@pytest.mark.parametrize("task", MADE)
def test_bad_answers_in_pairs_that_were_added_are_no_gain(task: str, tmp_path: Path) -> None:
    instance, answers = MADE[task](tmp_path)
    added = reserve_blocks(instance.stages[1], PAIRS, MOST)
    assert len(added) == MOST - PAIRS
    honest = {item: answer for block in added for item, answer in again(answers, block).items()}
    assert judged(task, instance, answers | honest).outcome == "ok"
    for block in added:
        hurried = {r.item: badly(r) for r in block if not r.warmup}
        found = judged(task, instance, answers | honest | hurried)
        assert found.outcome == "wrong"
        assert "with the answers to the same questions in the pairs that were added" in found.reason


@pytest.mark.parametrize("task", MADE)
def test_bad_answers_in_all_but_the_first_pair_cost_what_they_are_worth(task: str, tmp_path: Path) -> None:
    instance, answers = MADE[task](tmp_path)
    first, second = base_blocks(instance.stages[1], PAIRS)
    for block in (second, [r for r in (*first, *second) if r.label == "ready"]):
        hurried = {r.item: badly(r) for r in block if not r.warmup}
        found = judged(task, instance, answers | hurried)
        best = judged(task, instance, answers)
        objective = tasks.find(task).criteria.objective.measure
        assert found.get(objective).value < best.get(objective).value  # type: ignore[union-attr,operator]


@pytest.mark.parametrize("task", MADE)
def test_one_odd_answer_in_a_pair_that_was_added_is_no_fault(task: str, tmp_path: Path) -> None:
    """An honest program may draw at random: one question in twenty that is answered otherwise says nothing."""
    instance, answers = MADE[task](tmp_path)
    (block, _) = reserve_blocks(instance.stages[1], PAIRS, MOST)
    given = again(answers, block)
    odd = next(r for r in block if not r.warmup and r.timed)
    assert judged(task, instance, answers | given | {odd.item: badly(odd)}).outcome == "ok"


@pytest.mark.parametrize("task", MADE)
def test_no_pair_is_asked_one_twice_and_every_added_one_something_else(task: str, tmp_path: Path) -> None:
    instance, _ = MADE[task](tmp_path)
    require_fresh_inputs(tasks.find(task), instance)
    one, other = reserve_blocks(instance.stages[1], PAIRS, MOST)
    asked = [[r.again for r in block] for block in (one, other)]
    assert all(len(set(items)) == len(items) for items in asked)
    assert not {*asked[0]} & {*asked[1]}
    base = base_blocks(instance.stages[1], PAIRS)
    assert all(
        {*asked[0]} != {r.item for r in block} for block in base
    )  # another mixture than any pair before


def test_what_a_plain_limit_judges_is_held_to_it_in_pairs_that_were_added(tmp_path: Path) -> None:
    """An error has no items to resample: where the first pairs are within its limit, those that follow have to be."""
    task = tasks.find("long-context")
    instance = task.prepare(test_long_context.Bench(pairs=PAIRS, max_pairs=MOST))
    answers = test_long_context.right(instance, task.module)
    assert judged("long-context", instance, answers).outcome == "ok"
    for request in (r for r in instance.stages[-1].reserve if not r.warmup):
        found = judged("long-context", instance, answers | {request.item: answers[request.item] * 0})
        assert found.outcome == "wrong"
        assert found.reason.endswith("in the pairs that were added")


def every_task() -> list[Task]:
    return list(tasks.all_tasks().values())


@pytest.mark.parametrize("task", every_task(), ids=lambda task: task.id)
def test_no_task_calls_a_timed_answer_unscored(task: Task) -> None:
    """`require_fresh_inputs` refuses it for each instance; here the source is read, so that no size escapes."""
    for file in task.folder.glob("*.py"):
        for line in file.read_text("utf-8").splitlines():
            assert "scored=False" not in line or "warmup=True" in line, f"{file.name}: {line.strip()}"
