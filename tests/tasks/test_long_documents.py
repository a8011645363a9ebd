"""The pure parts of the task long-documents: composing, drawing, stages, evaluation; nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, Fault
from harness.inputs import tasks
from harness.instances import ArraySpec, BlobSpec, Instance
from tests.tasks.benches import Data, Part, Seeded, spelt

CLASSES = 8
SIZE: dict[str, Any] = {
    "n_train": 40,
    "n_test": 20,
    "n_warmup": 2,
    "n_labels": 3,
    "paragraphs": 20,
    "window": 16,
    "layers": 2,
    "near": 0.2,
    "label_share": 0.4,
    "evidence": 2,
}


@pytest.fixture(scope="module")
def task() -> ModuleType:
    return tasks.find("long-documents").module


@dataclass(frozen=True)
class Marked:
    texts: tuple[str, ...]
    marks: np.ndarray


def short(per_class: int, name: str) -> Part:
    """Texts of six words, of which one names the class and two are no other text's: none is like another."""
    labels = np.tile(np.arange(CLASSES), per_class)
    own = [f"{name}{spelt(i)}" for i in range(len(labels))]
    texts = (
        f"{word} text {word} of kind{spelt(label)} indeed" for word, label in zip(own, labels, strict=True)
    )
    return Part(tuple(texts), labels)


def whole(n: int, name: str) -> Marked:
    """Documents of which half have label 0, half of these label 1, and all label 2."""
    marks = np.stack([np.arange(n) % 2 == 0, np.arange(n) % 4 == 0, np.ones(n, bool)], axis=1)
    return Marked(tuple(f"{name} document {name}{spelt(i)}" for i in range(n)), marks)


@dataclass
class Bench(Seeded):
    """What `prepare` asks of a workbench."""

    seed: int = 1
    data: Data = field(default_factory=lambda: Data(short(40, "train"), short(20, "test")))
    marked: Data | None = None
    size: dict[str, Any] = field(default_factory=lambda: dict(SIZE))
    pairs: int = 1
    max_pairs: int = 1

    def text_classification(self) -> Data:
        return self.data

    def multi_label(self) -> Data | None:
        return self.marked

    def derive(self, name: str, recipe: Path, arguments: dict[str, Any]) -> Path:
        assert recipe.is_file()
        assert set(arguments) == {"layers", "window"}
        return Path("model")


def documents_of(instance: Instance) -> tuple[list[str], np.ndarray]:
    given = instance.stages[0].requests[0].arguments
    return given["documents"], given["marks"]  # type: ignore[return-value]


def kinds(document: str) -> set[str]:
    return {word for word in document.split() if word.startswith("kind")}


def perfect(instance: Instance) -> dict[str, Any]:
    marks = instance.hidden["marks"]
    return {item: row[None, :].astype(np.float64) for item, row in marks.items()}


def test_a_document_has_a_label_where_it_holds_a_paragraph_of_its_class(task: ModuleType) -> None:
    documents, marks = documents_of(task.prepare(Bench()))
    assert marks.sum(axis=0).tolist() == [16, 16, 16]  # 0.4 of 40
    for column in range(3):
        having = [kinds(d) for d, row in zip(documents, marks, strict=True) if row[column]]
        lacking = [kinds(d) for d, row in zip(documents, marks, strict=True) if not row[column]]
        own = set.intersection(*having) - set.union(*lacking)
        assert len(own) == 1


def test_test_documents_hold_no_paragraph_of_training_documents(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    trained = {p for d in documents_of(instance)[0] for p in d.split("\n")}
    tested = {
        p
        for r in instance.stages[1].all_requests()
        if r.phase == "score"
        for d in r.arguments["documents"]
        for p in d.split("\n")
    }
    assert trained
    assert tested
    assert not trained & tested


def test_evidence_in_the_test_recurs_as_often_as_other_paragraphs(task: ModuleType) -> None:
    inputs = task.documents
    plan = inputs.Plan(paragraphs=20, window=16, near=0.2, share=0.4, evidence=2)
    texts = {label: [f"{label} {spelt(i)}" for i in range(100)] for label in range(CLASSES)}
    fewer = inputs.recurring(texts, [0, 1, 2], plan, np.random.default_rng(0))
    # 500 other texts fill 18.2 places of a document, a label's fill 0.6: 500 * 0.6 / 18.2 = 16.5 texts
    assert [len(fewer[label]) for label in range(CLASSES)] == [16, 16, 16, 100, 100, 100, 100, 100]
    assert all({*fewer[label]} <= {*texts[label]} for label in range(CLASSES))


def test_labels_do_not_make_a_document_longer(task: ModuleType) -> None:
    inputs = task.documents
    plan = inputs.Plan(paragraphs=20, window=16, near=0.2, share=0.4, evidence=1)
    others = [f"text {spelt(i)}" for i in range(60)]
    lengths = [
        [len(inputs.document(others, ["x"] * n, plan, np.random.default_rng(s))) for s in range(20)]
        for n in (0, 3)
    ]
    assert lengths[0] == lengths[1]
    assert {*lengths[0]} <= set(range(16, 25))


@pytest.mark.parametrize(("near", "inside"), [(0.0, 0), (1.0, 50)])
def test_near_says_how_much_evidence_lies_in_the_window(task: ModuleType, near: float, inside: int) -> None:
    inputs = task.documents
    plan = inputs.Plan(
        paragraphs=20, window=34, near=near, share=0.4, evidence=1
    )  # 34 / 1.7 = 20 words: 4 paragraphs
    others = [f"one two three four {spelt(i)}" for i in range(60)]
    made = [inputs.document(others, ["evidence"], plan, np.random.default_rng(s)) for s in range(50)]
    assert sum(paragraphs.index("evidence") < 3 for paragraphs in made) == inside


def test_whole_documents_are_taken_as_they_are_and_labels_that_all_have_are_left_out(
    task: ModuleType,
) -> None:
    bench = Bench(
        marked=Data(whole(90, "train"), whole(48, "test")), size=SIZE | {"n_train": 88, "n_test": 40}
    )
    instance = task.prepare(bench)
    documents, marks = documents_of(instance)
    assert len(documents) == 88
    assert sorted(marks.mean(axis=0)) == pytest.approx([0.25, 0.5], abs=0.03)
    assert len(instance.hidden["marks"]) == 42


def test_few_whole_documents_are_refused(task: ModuleType) -> None:
    bench = Bench(marked=Data(whole(24, "train"), whole(20, "test")), size=SIZE | {"n_train": 0, "n_test": 0})
    with pytest.raises(DataError, match="no label is had by 20 training and 8 test documents"):
        task.prepare(bench)


def test_too_few_classes_are_refused(task: ModuleType) -> None:
    with pytest.raises(DataError, match="8 classes have 20 training and 8 test texts, 5 labels need 10"):
        task.prepare(Bench(size=SIZE | {"n_labels": 5}))


def test_stages_and_what_must_come_back(task: ModuleType) -> None:
    train, serve = task.prepare(Bench(pairs=2, max_pairs=4)).stages
    assert train.requests[0].returns == BlobSpec(task.MODEL_BYTES)
    groups = [(r.label, r.warmup) for r in serve.requests]
    assert groups == [("ready", False)] * 4 + [("single", True)] * 4 + [("single", False)] * 20
    assert [(r.label, r.warmup) for r in serve.reserve].count(("single", False)) == 20  # 10 for each pair
    assert serve.requests[-1].returns == ArraySpec("float64", (1, 3))
    assert serve.each[0].phase == "load"


def test_an_instance_depends_on_its_seed_alone(task: ModuleType) -> None:
    one, same, other = (documents_of(task.prepare(Bench(seed)))[0] for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_average_precision_by_hand_and_as_scikit_learn_has_it(task: ModuleType) -> None:
    from sklearn.metrics import average_precision_score

    marks = np.array([[1], [0], [1], [0]])
    # hits at ranks 1 and 3: 1/2 * 1 + 1/2 * 2/3
    assert task.average_precisions(np.array([[4.0], [3], [2], [1]]), marks)[0] == pytest.approx(5 / 6)
    assert task.average_precisions(np.ones((4, 1)), marks)[0] == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    scores, marks = rng.integers(0, 6, (60, 3)).astype(float), rng.integers(0, 2, (60, 3))
    expected = [average_precision_score(marks[:, k], scores[:, k]) for k in range(3)]
    assert task.average_precisions(scores, marks) == pytest.approx(np.array(expected))


def test_a_label_that_no_document_has_counts_nothing(task: ModuleType) -> None:
    assert task.average_precisions(np.arange(3.0)[:, None], np.zeros((3, 1))).tolist() == [0.0]


def test_marks_as_scores_measure_one(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    evaluation = task.evaluate(instance, perfect(instance))
    measured = evaluation.measurements[0]
    assert (measured.name, measured.value, measured.high) == ("macro_ap", 1.0, 1.0)
    assert {m.name for m in evaluation.measurements[1:]} == {
        "untouched_macro_ap",
        "altered_macro_ap",
        "canary_gap",
    }
    assert evaluation.series[0].y == (1.0, 1.0, 1.0)


def test_the_same_scores_for_all_are_no_attempt(task: ModuleType) -> None:
    instance = task.prepare(Bench())
    answers = {item: np.array([[0.1, 0.2, 0.3]]) for item in instance.hidden["marks"]}
    with pytest.raises(Fault, match="all 22 documents got the same scores"):
        task.evaluate(instance, answers)


def test_repeated_texts_are_taken_once_and_from_the_test_part(task: ModuleType) -> None:
    part = Part(("one two", "One, two!", "three"), np.array([0, 1, 0]))
    train, test = task.documents.distinct(part, replace(part, texts=("three.", "five\nsix", "five six")))
    assert train == {0: ["one two"]}
    assert test == {0: ["three."], 1: ["five six"]}


def test_whole_documents_that_are_there_twice_are_asked_for_once(task: ModuleType) -> None:
    def twice(one: Marked) -> Marked:
        return Marked(one.texts * 2, np.concatenate([one.marks, one.marks]))

    size = SIZE | {"n_train": 88, "n_test": 40}
    bench = Bench(
        marked=Data(twice(whole(90, "train")), twice(whole(48, "test"))), size=size, pairs=2, max_pairs=4
    )
    serve = task.prepare(bench).stages[1]
    asked = [r.arguments["documents"][0] for r in serve.requests]
    assert len(set(asked)) == len(asked)


def test_no_whole_document_of_the_test_has_a_near_duplicate_in_training(task: ModuleType) -> None:
    train, test = whole(90, "train"), whole(48, "test")
    copied = tuple(f"{text} in another copy" for text in train.texts[:4])
    marked = Data(train, Marked((*copied, *test.texts[4:]), test.marks))
    instance = task.prepare(Bench(marked=marked, size=SIZE | {"n_train": 60, "n_test": 40}))
    assert not set(documents_of(instance)[0]) & set(train.texts[:4])
    assert instance.facts["near_duplicates_dropped"] == "4 of 90 training texts"
