"""The pure parts of the task label-budget: sampling, the code, stages and evaluation; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import tasks
from harness.instances import ArraySpec, Instance
from tests.tasks.benches import Data, Part, Seeded, spelt

CLASSES = 7
SIZE: dict[str, Any] = {"budgets": "2,5", "n_classes": 3, "tests_per_class": 20, "characters": 0}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("label-budget").module


def part(per_class: int, name: str) -> Part:
    """Texts of which no two have the same words or are near-duplicates, `per_class` of each class in turn."""
    labels = np.tile(np.arange(CLASSES), per_class)
    texts = tuple(f"{name} number {name}{spelt(i)} of Kind {spelt(label)}" for i, label in enumerate(labels))
    return Part(texts, labels)


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    data: Data = field(default_factory=lambda: Data(part(9, "train"), part(25, "test")))
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))

    def text_classification(self) -> Data:
        return self.data

    def model(self, name: str = "encoder") -> Path:
        return Path("model")


def given(instance: Instance, item: str) -> Any:
    return next(r for r in instance.requests() if r.item == f"{item}-train").arguments


def perfect(instance: Instance) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    start = 0
    for request in instance.requests():
        start = 0 if request.phase == "train" else start
        if request.phase == "predict":
            labels = instance.hidden["labels"][request.item.partition("-")[0]]
            answers[request.item] = labels[start : start + request.count].copy()
            start += request.count
    return answers


def test_labels_arrive_from_few_to_many_and_the_whole_test_part_is_asked_for_each_time(
    task: ModuleType,
) -> None:
    (stage,) = task.prepare(Bench()).stages
    tested = [("predict", 40), ("predict", 20)]
    assert [(r.phase, r.count) for r in stage.requests] == [("train", 6), *tested, ("train", 15), *tested] * 2
    assert {r.label for r in stage.requests} == {"work"}
    assert stage.requests[0].returns is None
    assert stage.requests[2].returns == ArraySpec("int64", (20,), low=0, high=2)


def test_the_seed_says_which_collection_comes_first(task: ModuleType) -> None:
    first = {task.prepare(Bench(seed)).requests()[0].item for seed in range(8)}
    assert first == {"plain-2-train", "coded-2-train"}


def test_a_budget_is_balanced_and_part_of_the_next(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    for name in ("plain", "coded"):
        few, many = given(instance, f"{name}-2"), given(instance, f"{name}-5")
        assert many["texts"][:6] == few["texts"]
        assert np.bincount(few["labels"]).tolist() == [2, 2, 2]
        assert np.bincount(many["labels"]).tolist() == [5, 5, 5]
        told = dict(zip(many["texts"], many["labels"].tolist(), strict=True))
        assert all(told[t] == v for t, v in zip(few["texts"], few["labels"].tolist(), strict=True))


def test_no_text_is_asked_for_that_was_given(task: ModuleType) -> None:
    requests = task.prepare(Bench()).requests()
    for name in ("plain", "coded"):
        trained, tested = (
            {
                text
                for r in requests
                if r.item.startswith(name) and r.phase == phase
                for text in r.arguments["texts"]
            }
            for phase in ("train", "predict")
        )
        assert len(trained) == 15
        assert len(tested) == 60
        assert not trained & tested


def test_the_order_of_the_test_texts_tells_nothing_of_their_classes(task: ModuleType) -> None:
    labels = task.prepare(Bench()).hidden["labels"]["plain"]
    assert np.bincount(labels).tolist() == [20, 20, 20]
    in_turn = sum(len(set(labels[i : i + 3].tolist())) == 3 for i in range(0, 60, 3))
    assert in_turn < 10  # of 20; by chance 2 in 9 are


def test_the_collections_share_no_class(task: ModuleType) -> None:
    data = Data(part(9, "train"), part(25, "test"))
    train, test = (task.Texts(p.texts, p.labels) for p in (data.train, data.test))
    for seed in range(5):
        one, two = task.choose_classes(train, test, 5, 3, np.random.default_rng(seed))
        assert len({*one.tolist(), *two.tolist()}) == 6
    assert [len(g) for g in task.choose_classes(train, test, 5, 0, np.random.default_rng(0))] == [3, 3]


def test_the_code_gives_every_word_another_ones_place_and_leaves_no_punctuation(task: ModuleType) -> None:
    train = task.Texts(("one two of three", "two four, two"), np.array([0, 1]))
    plain = task.Collection("coded", train, task.Texts(("of four three",), np.array([0])))
    code = task.make_code(plain, np.random.default_rng(0))
    assert sorted(code) == sorted(code.values()) == ["four", "of", "one", "three", "two"]
    coded = task.encode(plain, code)
    assert coded.train.texts[0] == " ".join(code[word] for word in ("one", "two", "of", "three"))
    back = task.encode(coded, {v: k for k, v in code.items()})
    assert back.train.texts == ("one two of three", "two four two")
    assert back.test.texts == plain.test.texts


def test_plain_texts_are_the_data_sets_in_lower_case_and_coded_ones_are_not(task: ModuleType) -> None:
    bench = Bench()
    instance = task.prepare(bench)
    known = {text.lower() for text in bench.data.train.texts}
    assert set(given(instance, "plain-5")["texts"]) <= known
    assert not set(given(instance, "coded-5")["texts"]) & known


def test_an_instance_depends_on_its_seed_alone(task: ModuleType) -> None:
    one, same, other = (given(task.prepare(Bench(seed)), "coded-5")["texts"] for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_texts_are_cut_at_a_word(task: ModuleType) -> None:
    assert task.cut(["One two three", "short"], 8) == ("one two", "short")
    assert task.cut(["One two three"], 0) == ("one two three",)


def test_repeated_texts_stay_once_and_in_the_test_part(task: ModuleType) -> None:
    train = task.Texts(("one two", "one, two!", "three", "four"), np.arange(4))
    left, kept = task.distinct(train, task.Texts(("three.", "five"), np.arange(2)))
    assert left.texts == ("one two", "four")
    assert kept.texts == ("three.", "five")


def test_no_test_text_has_a_near_duplicate_in_training_and_the_facts_say_what_went(task: ModuleType) -> None:
    """Texts of the test part that differ from a training text in their last word alone, three of each class."""
    train, test = part(9, "train"), part(25, "test")
    count = 3 * CLASSES
    copied = tuple(text.rpartition(" ")[0] + " other" for text in train.texts[:count])
    data = Data(train, Part((*copied, *test.texts[count:]), test.labels))
    instance = task.prepare(Bench(data=data))
    given_texts = {t for r in instance.requests() if r.phase == "train" for t in r.arguments["texts"]}
    assert not given_texts & {text.lower() for text in train.texts[:count]}
    assert instance.facts["near_duplicates_dropped"] == f"{count} of {9 * CLASSES} training texts"
    assert task.prepare(Bench()).facts["near_duplicates_dropped"] == f"0 of {9 * CLASSES} training texts"


@pytest.mark.parametrize("text", ["", "2,x", "8,2", "1,4", "2,2"])
def test_budgets_that_make_no_curve_are_refused(task: ModuleType, text: str) -> None:
    with pytest.raises(DataError, match="increasing whole numbers from 2 on"):
        task.parse_budgets(text)


def test_what_the_data_cannot_support_is_said(task: ModuleType) -> None:
    with pytest.raises(DataError, match="7 classes have 5 training and 4 test texts"):
        task.prepare(Bench(size=SIZE | {"n_classes": 4}))
    with pytest.raises(DataError, match="0 classes have 50 training"):
        task.prepare(Bench(size=SIZE | {"budgets": "2,50"}))


def test_perfect_answers_measure_one_and_give_flat_curves(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    evaluation = task.evaluate(instance, perfect(instance))
    values = {m.name: m.value for m in evaluation.measurements}
    assert values == {
        "macro_f1": 1.0, "macro_f1_plain": 1.0, "macro_f1_coded": 1.0,
        "untouched_plain_accuracy": 1.0, "altered_plain_accuracy": 1.0, "canary_gap": 0.0,
    }  # fmt: skip
    assert [(s.x, s.y) for s in evaluation.series] == [((2.0, 5.0), (1.0, 1.0))] * 2


def test_the_mean_is_over_collections_and_budgets(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    answers = perfect(instance)
    for item in ("coded-2-0", "coded-2-1"):
        answers[item] = (answers[item] + 1) % 3  # all wrong: 0 at one budget of one collection
    evaluation = task.evaluate(instance, answers)
    assert evaluation.measurements[0].value == pytest.approx(0.75)
    assert evaluation.series[1].y == (0.0, 1.0)
    low, high = evaluation.measurements[0].low, evaluation.measurements[0].high
    assert low <= 0.75 <= high


def test_one_class_at_a_single_budget_counts_and_everywhere_is_no_attempt(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    answers = perfect(instance)
    for item in ("plain-2-0", "plain-2-1"):
        answers[item] = np.zeros_like(answers[item])
    # 20 of 60 right: F1 2 * 20 / (60 + 20) in one class, 0 in two
    assert task.evaluate(instance, answers).series[0].y[0] == pytest.approx(0.5 / 3)
    with pytest.raises(Fault, match="every prediction of every collection is class 1"):
        task.evaluate(instance, {item: np.ones_like(a) for item, a in answers.items()})
