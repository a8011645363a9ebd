"""The pure parts of the task noisy-labels: noise, sampling, invariants and evaluation; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault, TaskError
from harness.inputs import tasks
from harness.instances import ArraySpec, BlobSpec, FromItem, Instance
from harness.trials.schedule import base_blocks, reserve_blocks
from tests.tasks.benches import Data, Part, Seeded

CLASSES = 5
SIZE: dict[str, Any] = {
    "n_train": 200,
    "n_bulk": 60,
    "n_single": 6,
    "n_warmup": 2,
    "n_classes": 4,
    "characters": 0,
    "noise": "auto",
    "rate_low": 0.40,
    "rate_high": 0.44,
}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("noisy-labels").module


def part(n: int, seed: int, noisy: bool = False) -> Part:
    """Texts whose words lean towards their class."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    texts = tuple(
        f"text {seed} {i} " + " ".join(f"w{label * 6 + word}" for word in rng.integers(0, 12, 8))
        for i, label in enumerate(labels)
    )
    given = np.where(rng.random(n) < 0.2, (labels + 1) % CLASSES, labels) if noisy else None
    return Part(texts, labels, given)


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    data: Data = field(default_factory=lambda: Data(part(400, 1), part(150, 2)))
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))
    pairs: int = 1
    max_pairs: int = 1

    def text_classification(self) -> Data:
        return self.data

    def model(self, name: str = "encoder") -> Path:
        return Path("model")


def beliefs(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Class probabilities that lean towards the label, and where wrong towards the next class."""
    rng = np.random.default_rng(seed)
    weights = rng.random((len(labels), CLASSES)) + 3 * np.eye(CLASSES)[labels]
    weights += np.eye(CLASSES)[(labels + 1) % CLASSES]
    return weights / weights.sum(axis=1, keepdims=True)


def corrupted(
    task: ModuleType, shares: tuple[float, float, float], rate: float = 0.42
) -> tuple[Any, Any, Any]:
    labels = np.repeat(np.arange(CLASSES), 100)
    noisy, kinds = task.corrupt(labels, beliefs(labels), rate, shares, np.random.default_rng(3))
    return labels, noisy, kinds


@pytest.mark.parametrize("shares", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.25, 0.55, 0.2)])
def test_the_rate_is_met_in_every_class(task: ModuleType, shares: Any) -> None:
    labels, noisy, kinds = corrupted(task, shares)
    for label in range(CLASSES):
        assert (noisy[labels == label] != label).mean() == pytest.approx(0.42)
    assert ((noisy != labels) == (kinds != task.UNTOUCHED)).all()
    assert set(noisy.tolist()) == set(range(CLASSES))  # no label that is none of the classes


def test_pairs_swap_each_class_with_one_other_and_no_two_with_the_same(task: ModuleType) -> None:
    labels, noisy, _ = corrupted(task, (0, 1, 0))
    found = [set(noisy[(labels == label) & (noisy != label)].tolist()) for label in range(CLASSES)]
    assert all(len(partner) == 1 for partner in found)
    assert len(set.union(*found)) == CLASSES
    assert found[0] == {1}


def test_symmetric_noise_reaches_every_other_class(task: ModuleType) -> None:
    labels, noisy, _ = corrupted(task, (1, 0, 0))
    assert {int(n) for n in noisy[(labels == 0) & (noisy != 0)]} == {1, 2, 3, 4}


def test_boundary_noise_takes_the_hesitant_texts_and_their_runner_up(task: ModuleType) -> None:
    labels = np.repeat(np.arange(CLASSES), 100)
    believed = beliefs(labels)
    noisy, kinds = task.corrupt(labels, believed, 0.3, (0, 0, 1), np.random.default_rng(3))
    own = believed[np.arange(len(labels)), labels]
    wrong = kinds == task.BOUNDARY
    assert own[wrong].mean() < own[~wrong].mean()
    rivals = believed.copy()
    rivals[np.arange(len(labels)), labels] = -1
    assert (noisy[wrong] == rivals[wrong].argmax(axis=1)).all()


def test_a_mix_has_all_three_kinds_in_its_shares(task: ModuleType) -> None:
    _, _, kinds = corrupted(task, (0.25, 0.55, 0.20), rate=0.40)
    wrong = kinds[kinds != task.UNTOUCHED]
    shares = [float((wrong == kind).mean()) for kind in (task.SYMMETRIC, task.PAIR, task.BOUNDARY)]
    assert shares == pytest.approx([0.25, 0.55, 0.20])


def test_noise_is_the_seeds_alone(task: ModuleType) -> None:
    assert (corrupted(task, (0.3, 0.5, 0.2))[1] == corrupted(task, (0.3, 0.5, 0.2))[1]).all()


def test_shares_sum_to_one(task: ModuleType) -> None:
    for kind in ("mixed", "symmetric", "pair", "boundary"):
        assert sum(task.draw_shares(kind, np.random.default_rng(0))) == pytest.approx(1.0)


def test_even_draw_is_as_even_as_sizes_allow(task: ModuleType) -> None:
    labels = np.array([0] * 50 + [1] * 50 + [2] * 5)
    rows = task.draw_evenly(labels, 3, 45, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 45
    assert np.bincount(labels[rows]).tolist() == [20, 20, 5]


def test_repeated_texts_go_and_the_test_part_wins(task: ModuleType) -> None:
    train = task.Texts(("one two", "One, two!", "three", "four"), np.arange(4))
    test = task.Texts(("three.", "five", "Five"), np.arange(3))
    left, kept = task.distinct(train, test)
    assert left.texts == ("one two", "four")
    assert left.labels.tolist() == [0, 3]
    assert kept.texts == ("three.", "five")


def test_cut_ends_at_a_word(task: ModuleType) -> None:
    assert task.cut(["one two three", "short"], 8) == ("one two", "short")
    assert task.cut(["one two three"], 0) == ("one two three",)


def test_an_instance_depends_on_its_seed_alone(task: ModuleType) -> None:
    one, same, other = (task.prepare(Bench(seed)) for seed in (1, 1, 2))
    first, again, differs = (i.stages[0].requests[0].arguments for i in (one, same, other))
    assert first["texts"] == again["texts"]
    assert (first["labels"] == again["labels"]).all()
    assert first["texts"] != differs["texts"]


def test_only_the_trained_model_passes_from_training_to_serving(task: ModuleType) -> None:
    train, serve = task.prepare(Bench()).stages
    (trained,) = train.requests
    assert trained.phase == "train"
    assert isinstance(trained.returns, BlobSpec)
    (loaded,) = serve.each
    assert (loaded.phase, loaded.label, loaded.returns) == ("load", "ready", None)
    assert loaded.arguments == {"model": FromItem(trained.item)}
    assert all(set(request.arguments) == {"texts"} for request in serve.requests)
    assert serve.paired


def test_a_pair_predicts_first_ones_then_in_bulk_then_one_by_one_each_text_once(task: ModuleType) -> None:
    train, serve = task.prepare(Bench()).stages
    (block,) = base_blocks(serve, 1)
    kinds = [(request.label, request.timed, request.warmup) for request in block]
    assert kinds[:5] == [("ready", False, False)] * 3 + [("single", True, True)] * 2
    assert kinds.count(("bulk", False, False)) == 5
    assert kinds.count(("single", True, False)) == 6
    assert [request.count for request in block if request.label == "bulk"] == [12] * 5
    texts = [text for request in (*train.requests, *block) for text in request.arguments["texts"]]
    assert len(set(texts)) == len(texts) == 200 + 60 + 6 + 2 + 3
    assert block[-1].returns == ArraySpec("int64", (1,), low=0, high=3)


def test_further_pairs_are_asked_what_counts_and_no_pair_one_text_twice(task: ModuleType) -> None:
    instance = task.prepare(Bench(pairs=2, max_pairs=4))
    serve = instance.stages[1]
    more = reserve_blocks(serve, 2, 4)
    assert len(more) == 2
    for block in (*base_blocks(serve, 2), *more):
        kinds = [(request.label, request.warmup) for request in block]
        assert kinds.count(("single", False)) == 3
        assert kinds.count(("single", True)) == 2
        assert kinds.count(("ready", False)) == 3
        assert 2 <= kinds.count(("bulk", False)) <= 3
        texts = [text for request in block for text in request.arguments["texts"]]
        assert len(set(texts)) == len(texts)
    scored = {r.item for r in serve.requests if not r.warmup}
    assert scored == set(instance.hidden["labels"])
    assert {r.again for r in serve.reserve if not r.warmup} <= scored


def test_where_every_class_is_chosen_the_unscored_texts_are_taken_from_the_test_part(
    task: ModuleType,
) -> None:
    instance = task.prepare(
        Bench(size=SIZE | {"n_bulk": 0, "n_classes": 0, "n_train": 0}, pairs=2, max_pairs=4)
    )
    serve = instance.stages[1]
    assert sum(r.label == "ready" for r in serve.requests) == 6
    assert sum(len(labels) for labels in instance.hidden["labels"].values()) == 150 - 2 * 2


def test_the_bulk_gets_what_is_left_in_parts_as_equal_as_they_can_be(task: ModuleType) -> None:
    instance = task.prepare(Bench(size=SIZE | {"n_bulk": 0, "n_classes": 0}))
    parts = [request.count for request in instance.requests() if request.label == "bulk"]
    assert len(parts) == 5
    assert sum(parts) == 150 - 6 - 3  # those that warm up come from training texts that were not drawn
    assert max(parts) - min(parts) <= 1


def test_the_given_labels_are_noisy_and_nothing_else_crosses(task: ModuleType) -> None:
    bench = Bench()
    instance = task.prepare(bench)
    for request in instance.requests():
        assert set(request.arguments) <= {"texts", "labels", "num_classes", "model"}
    assert 39 <= instance.facts["wrong_labels_percent"] <= 45
    assert set(instance.facts) == {
        "training_texts", "test_texts", "altered_texts", "classes", "near_duplicates_dropped", "noise",
        "wrong_labels_percent",
    }  # fmt: skip


def test_real_noise_is_given_as_it_is(task: ModuleType) -> None:
    data = Data(part(400, 1, noisy=True), part(150, 2))
    instance = task.prepare(Bench(data=data))
    arguments = instance.stages[0].requests[0].arguments
    given = dict(zip(data.train.texts, data.train.noisy_labels, strict=True))
    assert instance.facts["noise"] == "real"
    assert [given[text] for text in arguments["texts"]] == arguments["labels"].tolist()


def test_what_the_data_cannot_support_is_said(task: ModuleType) -> None:
    with pytest.raises(DataError, match="no noisy labels"):
        task.prepare(Bench(size=SIZE | {"noise": "real"}))
    with pytest.raises(DataError, match="must say one of"):
        task.prepare(Bench(size=SIZE | {"noise": "loud"}))
    with pytest.raises(DataError, match="at least 2 are needed"):
        task.prepare(Bench(data=Data(part(20, 1), part(10, 2))))
    with pytest.raises(DataError, match="too few"):
        task.prepare(Bench(size=SIZE | {"n_single": 1000}))


def perfect(instance: Instance) -> dict[str, Any]:
    return {item: labels.copy() for item, labels in instance.hidden["labels"].items()}


def test_perfect_answers_measure_one(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    evaluation = task.evaluate(instance, perfect(instance))
    assert {m.name: m.value for m in evaluation.measurements} == {
        "macro_f1": 1.0, "accuracy": 1.0, "untouched_accuracy": 1.0, "altered_accuracy": 1.0, "canary_gap": 0.0,
    }  # fmt: skip
    assert evaluation.series[0].y == (1.0,) * 4


def test_every_scored_item_is_asked_for_and_none_of_the_others(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    serve = instance.stages[1]
    scored = {r.item for r in serve.requests if not r.warmup}
    assert set(instance.hidden["labels"]) == scored
    assert instance.facts["test_texts"] == sum(len(part) for part in instance.hidden["labels"].values()) == 69


def test_answers_that_are_not_scored_change_nothing(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    more = perfect(instance) | {"trained": b"model", "warm-0": np.array([3])}
    assert task.evaluate(instance, more) == task.evaluate(instance, perfect(instance))


def test_what_was_answered_is_scored_and_nothing_answered_is_the_tasks_fault(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    answers = perfect(instance)
    part = {item: answers[item] for item in ("bulk-1", "single-0")}
    part["single-0"] = (part["single-0"] + 1) % 4
    found = {m.name: m.value for m in task.evaluate(instance, part).measurements}
    assert found["accuracy"] == pytest.approx(12 / 13)
    with pytest.raises(TaskError, match="no scored request"):
        task.evaluate(instance, {"trained": b"model"})


def test_single_and_bulk_predictions_both_count(task: ModuleType) -> None:
    from sklearn.metrics import f1_score

    instance = task.prepare(Bench())
    answers = perfect(instance)
    answers["bulk-2"][:10] = (answers["bulk-2"][:10] + 1) % 4
    answers["single-0"] = (answers["single-0"] + 1) % 4
    actual = np.concatenate(list(instance.hidden["labels"].values()))
    predicted = np.concatenate(list(answers.values()))
    found = {m.name: m for m in task.evaluate(instance, answers).measurements}
    assert found["macro_f1"].value == pytest.approx(f1_score(actual, predicted, average="macro"))
    assert found["accuracy"].value == pytest.approx(1 - 11 / 69)
    assert found["macro_f1"].low < found["macro_f1"].value < found["macro_f1"].high


def test_one_class_for_everything_is_no_attempt(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    answers = {item: np.zeros_like(answer) for item, answer in perfect(instance).items()}
    with pytest.raises(Fault, match="every one of 69 predictions is class 0"):
        task.evaluate(instance, answers)


def test_no_test_text_has_a_near_duplicate_in_training_and_the_facts_say_what_went(task: ModuleType) -> None:
    """Half of the test texts differ from a training text in their last word alone."""
    train, test = part(400, 1), part(150, 2)
    copied = tuple(text.rpartition(" ")[0] + " other" for text in train.texts[:75])
    labels = np.concatenate([train.labels[:75], test.labels[75:]])
    bench = Bench(data=Data(train, Part((*copied, *test.texts[75:]), labels)))
    instance = task.prepare(bench)
    given = instance.stages[0].requests[0].arguments["texts"]
    assert not set(given) & set(train.texts[:75])
    assert instance.facts["near_duplicates_dropped"] == "75 of 400 training texts"
    assert task.prepare(Bench()).facts["near_duplicates_dropped"] == "0 of 400 training texts"
