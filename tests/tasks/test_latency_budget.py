"""latency-budget's own parts: what is drawn, how it is laid out in requests, and how answers are scored."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError
from harness.inputs import tasks
from harness.instances import BlobSpec, FromItem, Instance
from harness.measures.canaries import NUMBERS
from harness.records import Trial
from harness.runs.evaluate import assess
from harness.trials.schedule import reserve_blocks
from tests.tasks.benches import Seeded

TASK = tasks.find("latency-budget")
module = TASK.module
SIZE = {
    "classes": 3,
    "max_length": 16,
    "train_texts": 20,
    "frozen_layers": 5,
    "epochs": 1,
    "calibration_texts": 10,
    "singles": 5,
    "batches": 2,
    "batch_size": 4,
}


class Bench(Seeded):
    """A workbench over made-up data: class c of 5 has texts of its own, the lower classes more of them."""

    def __init__(
        self, seed: int, size: dict[str, int] | None = None, pairs: int = 2, max_pairs: int = 4
    ) -> None:
        self.pairs, self.max_pairs = pairs, max_pairs
        self.seed = seed
        self.size = size or SIZE
        self.device = "cpu"
        self.derived: list[dict[str, Any]] = []

    def text_classification(self) -> Any:
        def part(name: str, scale: int) -> Any:
            labels = [label for label in range(5) for _ in range(scale * (6 - label))]
            texts = tuple(f"{name} text {index} of class {label}" for index, label in enumerate(labels))
            return SimpleNamespace(texts=texts, labels=np.array(labels, dtype=np.int64), noisy_labels=None)

        return SimpleNamespace(train=part("train", 10), test=part("test", 8), label_names=tuple("abcde"))

    def model(self, name: str = "encoder") -> Path:
        return Path("/nowhere/encoder")

    def derive(self, name: str, recipe: Path, arguments: dict[str, Any]) -> Path:
        assert recipe.is_file()
        self.derived.append(arguments)
        return Path("/nowhere/classifier")


def prepared(seed: int = 1) -> Instance:
    return TASK.prepare(Bench(seed))


def served_texts(instance: Instance) -> list[str]:
    serve = instance.stages[1]
    return [text for r in (*serve.requests, *serve.reserve) for text in r.arguments["texts"]]


def test_the_same_seed_gives_the_same_instance_and_another_seed_another() -> None:
    assert served_texts(prepared(1)) == served_texts(prepared(1))
    assert served_texts(prepared(1)) != served_texts(prepared(2))


def test_the_classifier_is_the_same_for_every_seed() -> None:
    first, second = Bench(1), Bench(2)
    TASK.prepare(first)
    TASK.prepare(second)
    assert first.derived[0]["texts"] == second.derived[0]["texts"]
    assert first.derived[0]["num_classes"] == 3


def test_no_text_is_met_twice_anywhere() -> None:
    bench = Bench(1)
    instance = TASK.prepare(bench)
    calibration = instance.stages[0].requests[0].arguments["texts"]
    everything = [*served_texts(instance), *calibration, *bench.derived[0]["texts"]]
    assert len(set(everything)) == len(everything)


def test_the_server_starts_fresh_from_the_artefact() -> None:
    optimise, serve = prepared().stages
    assert isinstance(optimise.requests[0].returns, BlobSpec)
    assert [request.arguments for request in serve.each] == [{"artefact": FromItem("artefact")}]
    assert serve.paired
    assert not optimise.paired


def test_requests_warm_up_first_and_are_then_mixed() -> None:
    requests = prepared().stages[1].requests
    warm = [request.warmup for request in requests]
    assert warm == sorted(warm, reverse=True)
    timed = [request for request in requests if not request.warmup]
    assert [r.group for r in timed].count("single") == SIZE["singles"] + 1  # so that two pairs share evenly
    assert [r.group for r in timed].count("batch") == SIZE["batches"]
    assert {request.count for request in requests} == {1, SIZE["batch_size"]}


def test_labels_follow_their_texts_through_the_shuffle() -> None:
    instance = prepared()
    for request in (*instance.stages[1].requests, *instance.stages[1].reserve):
        if not request.warmup:
            last = [text.rsplit(" ", 1)[1].rstrip(".") for text in request.arguments["texts"]]
            told = [NUMBERS.index(word) if word in NUMBERS else int(word) for word in last]  # altered, or not
            assert instance.hidden["labels"][request.item].tolist() == told


def test_a_reserve_is_as_large_as_the_pairs_that_may_be_added_and_as_the_texts_allow() -> None:
    serve = prepared().stages[1]
    for pairs, most, added in ((2, 4, 2), (2, 2, 0), (2, 99, 4)):  # 240 texts serve, 39 a pair
        serve = TASK.prepare(Bench(1, pairs=pairs, max_pairs=most)).stages[1]
        assert len(reserve_blocks(serve, pairs, most)) == added
        assert len(serve.reserve) * pairs == len(serve.requests) * added


def test_accuracy_is_the_share_of_timed_answers_that_are_right() -> None:
    instance = prepared()
    answers = {
        item: labels.copy() for item, labels in instance.hidden["labels"].items() if "more" not in item
    }
    assert value(instance, answers, "accuracy") == 1.0
    answers["batch-0001"] = (answers["batch-0001"] + 1) % 3
    assert value(instance, answers, "accuracy") == pytest.approx(10 / 14)
    assert value(instance, answers, "single_accuracy") == 1.0
    assert value(instance, answers, "batch_accuracy") == 0.5


def test_a_cheap_answer_to_half_of_the_single_texts_shows_in_their_own_accuracy() -> None:
    instance = TASK.prepare(Bench(1, SIZE | {"singles": 60, "batches": 15}, pairs=1, max_pairs=1))
    right = instance.hidden["labels"]
    singles = sorted(item for item in right if item.startswith("single"))
    cheap = {item: (right[item] + (item in singles[::2])) % 3 for item in right}
    assert value(instance, cheap, "batch_accuracy") == 1.0
    assert value(instance, cheap, "single_accuracy") == 0.5
    assert value(instance, cheap, "accuracy") == 0.75
    single = next(m for m in TASK.evaluate(instance, cheap).measurements if m.name == "single_accuracy")
    assert len(single.draws) == 1000
    assert single.low is not None
    assert single.high is not None
    assert single.low < 0.5 < single.high


def test_accuracy_of_added_pairs_counts_to_its_group() -> None:
    assert [TASK.module.group_of(item) for item in ("single-0001", "more-single-0001", "more-batch-0000")] == [
        "single", "single", "batch",
    ]  # fmt: skip


def test_answers_in_added_pairs_must_be_as_good_as_in_the_first() -> None:
    instance = TASK.prepare(Bench(1, SIZE | {"singles": 20, "batches": 8}, pairs=2, max_pairs=3))
    answers = {item: labels.copy() for item, labels in instance.hidden["labels"].items()}
    trial = Trial(
        number=0, role="candidate", label="x", tier=None, submission_digest="d", instance_id="i", outcome="ok"
    )
    assert assess(TASK, instance, trial, answers).outcome == "ok"
    for item in answers:
        if item.startswith("more-"):
            answers[item] = (answers[item] + 1) % 3
    found = assess(TASK, instance, trial, answers)
    assert found.outcome == "wrong"
    assert "accuracy fell from 1 to 0 in the pairs that were added" in found.reason


def value(instance: Instance, answers: dict[str, Any], name: str) -> float | None:
    found = TASK.evaluate(instance, answers)
    return next(m.value for m in found.measurements if m.name == name)


def test_most_frequent_keeps_ascending_order_and_zero_means_all() -> None:
    labels = np.array([4, 4, 4, 1, 1, 0, 2, 2])
    assert module.most_frequent(labels, 2).tolist() == [1, 4]
    assert module.most_frequent(labels, 0).tolist() == [0, 1, 2, 4]


def test_pool_renumbers_and_drops_repeats_and_the_unwanted() -> None:
    texts, labels = ("a", "b", "a", "c", " ", "d"), np.array([7, 3, 3, 9, 3, 3])
    made = module.pool(texts, labels, np.array([3, 7]), without=frozenset("d"))
    assert made.texts == ("a", "b")
    assert made.labels.tolist() == [1, 0]


def test_too_little_data_is_said_in_one_sentence() -> None:
    with pytest.raises(DataError, match="latency-budget needs 500 different texts"):
        TASK.prepare(Bench(1, SIZE | {"train_texts": 500}))


def test_every_size_scores_enough_texts_for_one_answer_to_weigh_little() -> None:
    for name in ("ci-smoke", "laptop-cpu", "gpu-box"):
        size = TASK.size(name)
        assert int(size["singles"]) + int(size["batches"]) * int(size["batch_size"]) > 400


def test_as_many_single_texts_are_scored_as_texts_in_batches() -> None:
    for name in ("check", "ci-smoke", "laptop-cpu", "gpu-box"):
        size = TASK.size(name)
        assert int(size["singles"]) == int(size["batches"]) * int(size["batch_size"])


def test_means_are_scored_so_that_every_call_counts() -> None:
    assert TASK.criteria.objective.ratio_of == ("single_mean", "batch_mean")
    judged = {c.measure: c for c in TASK.criteria.constraints}
    assert {"single_p95", "batch_p95"} <= set(judged)
    assert all(judged[f"{group}_accuracy"].interval for group in ("single", "batch"))
