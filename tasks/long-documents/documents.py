"""The documents of an instance: composed from short texts of several classes, or whole ones drawn from a data set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.instances import LabelledTexts, MultiLabel, TextClassification, Workbench
from harness.measures.shingles import apart

# Without them the ladder of built-in documents does not stand, and to look them up gains nothing (notes.md).
KEPT = "none: a document is composed of many texts"
FEWEST_TRAINED, FEWEST_TESTED = 20, 8  # texts of a class, or documents with and without a label
TOKENS_A_WORD = 1.7  # of the built-in texts, by the built-in encoder's tokenizer
SPREAD = 0.2  # a document has up to this share more or fewer paragraphs than the size says

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Documents:
    """Texts, and which labels each has: int64[n, labels], 0 or 1."""

    texts: tuple[str, ...]
    marks: Ints

    def take(self, rows: Ints) -> Documents:
        """The rows, in the order asked for."""
        return Documents(tuple(self.texts[i] for i in rows.tolist()), self.marks[rows])


@dataclass(frozen=True)
class Collection:
    """What an instance is made of; `spare` documents only warm up and are never scored.

    `dropped` says in words how many texts went because they are near-duplicates of the other part's.
    """

    train: Documents
    test: Documents
    spare: tuple[str, ...]
    dropped: str


@dataclass(frozen=True)
class Plan:
    """How documents are composed. `near` is the share of evidence that lies within the window."""

    paragraphs: int
    window: int
    near: float
    share: float  # of the documents that have a label
    evidence: int  # paragraphs that earn it, at most; at least one

    @classmethod
    def of(cls, size: Mapping[str, Any]) -> Plan:
        """From a size table."""
        return cls(
            int(size["paragraphs"]),
            int(size["window"]),
            float(size["near"]),
            float(size["label_share"]),
            int(size["evidence"]),
        )


def normalised(text: str) -> str:
    """The text's words in lower case: texts that agree in them count as the same."""
    return " ".join(re.findall(r"\w+", text.lower()))


def composed(
    data: TextClassification, size: Mapping[str, Any], spare: int, workbench: Workbench
) -> Collection:
    """Documents made of short texts; `data` is what `workbench.text_classification()` gave.

    A label stands for a class of texts. A document that has it holds a few texts of the class, each as a
    paragraph among those of other classes, which no label stands for; one that has not, holds none.
    """
    plan, labels = Plan.of(size), int(size["n_labels"])
    train, test = distinct(data.train, data.test)
    chosen = choose_classes(train, test, labels, workbench.rng("classes"))
    test = recurring(test, chosen, plan, workbench.rng("recurring"))
    n_train, n_test = int(size["n_train"]), int(size["n_test"])
    trained = compose(train, chosen, plan, n_train, workbench.rng("train"))
    tested = compose(test, chosen, plan, n_test, workbench.rng("test"))
    unscored = compose(test, chosen, plan, spare, workbench.rng("spare")) if spare else None
    return Collection(trained, tested, unscored.texts if unscored else (), KEPT)


def distinct(train: LabelledTexts, test: LabelledTexts) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    """Class -> its texts on one line, for both parts: no text twice, and none of the test part in train."""
    seen: set[str] = set()
    parts: list[dict[int, list[str]]] = []
    for part in (test, train):
        classes: dict[int, list[str]] = {}
        for text, label in zip(part.texts, part.labels.tolist(), strict=True):
            key = normalised(text)
            if key and key not in seen:
                seen.add(key)
                classes.setdefault(label, []).append(" ".join(text.split()))
        parts.append(classes)
    return parts[1], parts[0]


def choose_classes(
    train: Mapping[int, Sequence[str]],
    test: Mapping[int, Sequence[str]],
    labels: int,
    rng: np.random.Generator,
) -> list[int]:
    """The classes that labels stand for, drawn from those with enough texts; at least as many are left over."""
    able = [
        label
        for label in sorted(train)
        if len(train[label]) >= FEWEST_TRAINED and len(test.get(label, ())) >= FEWEST_TESTED
    ]
    if len(able) < 2 * labels:
        raise DataError(
            f"{len(able)} classes have {FEWEST_TRAINED} training and {FEWEST_TESTED} test texts, "
            f"{labels} labels need {2 * labels}: use a data set of more classes"
        )
    return [able[i] for i in rng.permutation(len(able))[:labels].tolist()]


def recurring(
    texts: Mapping[int, Sequence[str]], chosen: Sequence[int], plan: Plan, rng: np.random.Generator
) -> dict[int, list[str]]:
    """As many texts of each chosen class as make evidence recur as often as other paragraphs do.

    Or else one who counts the paragraphs of earlier documents while scoring knows the evidence by its rarity.
    """
    others = sum(len(own) for label, own in texts.items() if label not in chosen)
    a_label = plan.share * (1 + plan.evidence) / 2  # of its evidence in a document, on average
    rest = max(plan.paragraphs - len(chosen) * a_label, 1.0)
    wanted = max(FEWEST_TESTED, round(others * a_label / rest))
    fewer = {
        label: [texts[label][i] for i in rng.permutation(len(texts[label]))[:wanted].tolist()]
        for label in chosen
    }
    return {label: list(own) for label, own in texts.items()} | fewer


def compose(
    texts: Mapping[int, Sequence[str]], chosen: Sequence[int], plan: Plan, n: int, rng: np.random.Generator
) -> Documents:
    """`n` documents, of which every label has the same share; a class's texts recur only when all were used."""
    others = [text for label in sorted(texts) if label not in chosen for text in texts[label]]
    marks = np.zeros((n, len(chosen)), dtype=np.int64)
    evidence: list[list[str]] = [[] for _ in range(n)]
    for column, label in enumerate(chosen):
        having = rng.permutation(n)[: max(1, round(plan.share * n))]
        marks[having, column] = 1
        own = texts[label]
        several = rng.integers(1, plan.evidence + 1, len(having))
        turns = [rng.permutation(len(own)) for _ in range(1 + several.sum() // len(own))]
        rows = np.repeat(having, several)
        for row, place in zip(rows.tolist(), np.concatenate(turns)[: len(rows)].tolist(), strict=True):
            evidence[row].append(own[place])
    made = [document(others, own, plan, rng) for own in evidence]
    return Documents(tuple("\n".join(paragraphs) for paragraphs in made), marks)


def document(
    others: Sequence[str], evidence: Sequence[str], plan: Plan, rng: np.random.Generator
) -> list[str]:
    """Paragraphs of one document: other texts in random order, and the evidence put in among them."""
    low, high = round((1 - SPREAD) * plan.paragraphs), round((1 + SPREAD) * plan.paragraphs)
    # Evidence counts among them, or else a longer document would be one of more labels.
    count = min(int(rng.integers(low, high + 1)), len(others)) - len(evidence)
    paragraphs = [others[i] for i in rng.choice(len(others), count, replace=False).tolist()]
    words = np.cumsum([len(paragraph.split()) for paragraph in paragraphs])
    inside = int((words * TOKENS_A_WORD < plan.window).sum())  # paragraphs that fit the window whole
    spots = [
        int(rng.integers(0, inside))
        if inside and rng.random() < plan.near
        else int(rng.integers(inside, count))
        for _ in evidence
    ]
    for spot, text in sorted(zip(spots, evidence, strict=True), reverse=True):
        paragraphs.insert(spot, text)
    return paragraphs


def drawn(data: MultiLabel, size: Mapping[str, Any], rng: np.random.Generator) -> Collection:
    """Whole documents as they are; `data` is what `workbench.multi_label()` gave.

    Labels that too few documents have, or too few have not, are left out. What is not drawn is spare.
    """
    seen: set[str] = set()
    test, train = (
        once(Documents(part.texts, part.marks.astype(np.int64)), seen) for part in (data.test, data.train)
    )
    parts = apart(train.texts, test.texts, needed=(int(size["n_train"]), int(size["n_test"])))
    train, test = train.take(parts.train), test.take(parts.test)
    train, left = part(train, int(size["n_train"]), rng)
    test, spare = part(test, int(size["n_test"]), rng)
    enough = np.ones(train.marks.shape[1], dtype=bool)
    for marks, fewest in ((train.marks, FEWEST_TRAINED), (test.marks, FEWEST_TESTED)):
        having = marks.sum(axis=0)
        enough &= (having >= fewest) & (len(marks) - having >= fewest)
    able = rng.permutation(np.flatnonzero(enough))[: int(size["n_labels"]) or None]
    if len(able) == 0:
        raise DataError(
            f"no label is had by {FEWEST_TRAINED} training and {FEWEST_TESTED} test documents and "
            "missed by as many: raise n_train and n_test, or use a larger data set"
        )
    own = [Documents(documents.texts, documents.marks[:, able]) for documents in (train, test)]
    return Collection(own[0], own[1], (*spare.texts, *left.texts, *train.texts), parts.words)


def once(documents: Documents, seen: set[str]) -> Documents:
    """Those documents that are not in `seen` yet, to which they are added: real ones are there twice now and then."""
    kept = []
    for row, text in enumerate(documents.texts):
        if (key := normalised(text)) not in seen:
            kept.append(row)
            seen.add(key)
    return documents.take(np.array(kept, dtype=np.int64))


def part(documents: Documents, wanted: int, rng: np.random.Generator) -> tuple[Documents, Documents]:
    """At most `wanted` of the documents (0: all) in random order, and the rest."""
    order = rng.permutation(len(documents.texts)).astype(np.int64)
    cut = wanted or len(order)
    return documents.take(order[:cut]), documents.take(order[cut:])
