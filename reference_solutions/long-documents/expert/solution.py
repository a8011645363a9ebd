"""Expert: infer which paragraphs earned the labels, learn from those, and weigh them against the whole document.

Five ideas, in the order of what they bring on documents of which a few paragraphs count:

1.  Which paragraph earned a label is a hidden variable (multiple-instance learning: Dietterich et al. 1997;
    the alternation is mi-SVM's, Andrews et al. 2002, with logistic regression). A paragraph that a document
    without the label also holds cannot have earned it; of the others, the best few of each labelled
    document are taken as positive, a classifier is fitted, and the best few are chosen anew.
2.  Paragraphs, not chunks: a chunk that runs over the ends of paragraphs mixes what counts with what does not.
3.  A document's score is a soft maximum over paragraphs: the logarithm of the sum of their odds, since two
    fair paragraphs say more than one, and forty poor ones still say little.
4.  More than single words: their beginnings, which tie forms of a word together, and pairs of neighbours.
5.  What kind of document it is as a whole may tell as much as any paragraph, or nothing: a third of the
    documents, held out once, says how much of each view to believe.

The encoder is left out, after trying: reading with it the dozen paragraphs that the words rank first takes
some forty times as long as counting, and adds little where several hundred documents are labelled.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

MOST_WORDS = 60  # of a piece: a longer paragraph is cut
MOST_TERMS = 60_000  # the most frequent ones: real documents have a million pairs of words
MOST_INNOCENT = 6_000  # pieces that a classifier sees of documents without the label; a sample of more
STRENGTH, WHOLE_STRENGTH = 3.0, 10.0
ROUNDS = 2  # of choosing the pieces that earned a label
EARNED_BY = 2  # pieces of a document that has the label
HELD_OUT = 3  # one document in so many says how much of each view to believe
SHARES = (
    0.0,
    0.25,
    0.5,
    0.75,
    1.0,
)  # of the paragraphs' view; the whole document's has the rest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Solution:
    """Two views of a document, by its paragraphs and as a whole, and how much of each to believe."""

    def __init__(self, context: Any) -> None:
        self.seed = int(context.seed)

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """Weighs the views on documents held out, then fits both to all."""
        order = np.random.default_rng(self.seed).permutation(len(documents))
        held, kept = order[: len(order) // HELD_OUT], order[len(order) // HELD_OUT :]
        views = self.fit([documents[i] for i in kept], marks[kept])
        scores = [view.score([documents[i] for i in held]) for view in views]
        spreads = [np.maximum(own.std(axis=0), 1e-9) for own in scores]
        share = believed(scores[0] / spreads[0], scores[1] / spreads[1], marks[held])
        self.weights = share / spreads[0], (1 - share) / spreads[1]
        self.paragraphs, self.whole = self.fit(documents, marks)
        return pickle.dumps((self.weights, self.paragraphs.state(), self.whole.state()))

    def fit(self, documents: list[str], marks: NDArray[np.int64]) -> tuple[Paragraphs, Whole]:
        """Both views of the documents."""
        return Paragraphs.of(documents, marks, self.seed), Whole.of(documents, marks)

    def load(self, model: bytes) -> None:
        """Both views again."""
        self.weights, paragraphs, whole = pickle.loads(model)
        self.paragraphs, self.whole = Paragraphs(*paragraphs), Whole(*whole)

    def score(self, documents: list[str]) -> Floats:
        """What the views say of each label, each by its share."""
        first, second = self.paragraphs.score(documents), self.whole.score(documents)
        return self.weights[0] * first + self.weights[1] * second


class Paragraphs:
    """TF-IDF of pieces, one inferred classifier of pieces for each label, a soft maximum over pieces."""

    def __init__(self, vocabulary: dict[str, int], idf: Floats, weights: Floats, offsets: Floats) -> None:
        self.words = TfidfVectorizer(
            analyzer=terms, sublinear_tf=True, dtype=np.float32, vocabulary=vocabulary
        )
        self.words.idf_ = idf
        self.weights, self.offsets = weights, offsets

    @classmethod
    def of(cls, documents: Sequence[str], marks: NDArray[np.int64], seed: int) -> Paragraphs:
        """Counts words in all distinct pieces and infers, label by label, which of them count."""
        pieces, bags = numbered(documents)
        words = TfidfVectorizer(
            analyzer=terms,
            sublinear_tf=True,
            min_df=2,
            max_features=MOST_TERMS,
            dtype=np.float32,
        )
        counted = words.fit_transform(pieces)
        fitted = [infer(counted, bags, column, seed) for column in marks.T]
        weights = np.stack([own for own, _ in fitted], axis=1)
        return cls(
            words.vocabulary_,
            words.idf_,
            weights,
            np.array([offset for _, offset in fitted]),
        )

    def state(self) -> tuple[Any, ...]:
        """What the constructor takes."""
        return self.words.vocabulary_, self.words.idf_, self.weights, self.offsets

    def score(self, documents: Sequence[str]) -> Floats:
        """float64[documents, labels]: each label's soft maximum over all pieces of a document."""
        counted = [self.words.transform(in_pieces(document)) for document in documents]
        return np.stack([soft_maximum(pieces @ self.weights + self.offsets) for pieces in counted])


class Whole:
    """TF-IDF of whole documents and a logistic regression for each label."""

    def __init__(self, words: TfidfVectorizer, weights: Floats) -> None:
        self.words, self.weights = words, weights

    @classmethod
    def of(cls, documents: Sequence[str], marks: NDArray[np.int64]) -> Whole:
        """Fits both to the documents; offsets are left out, since only the order counts."""
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=MOST_TERMS, dtype=np.float32)
        counted = words.fit_transform(documents)
        heads = [
            LogisticRegression(C=WHOLE_STRENGTH, max_iter=100, class_weight="balanced").fit(counted, column)
            for column in marks.T
        ]
        return cls(words, np.stack([head.coef_[0] for head in heads], axis=1))

    def state(self) -> tuple[Any, ...]:
        """What the constructor takes."""
        return self.words, self.weights

    def score(self, documents: Sequence[str]) -> Floats:
        """float64[documents, labels]: log odds, but for the offset."""
        return np.asarray(self.words.transform(documents) @ self.weights, dtype=np.float64)


def believed(first: Floats, second: Floats, marks: NDArray[np.int64]) -> float:
    """The share of the first view at which labels rank these documents best, on average over labels."""
    able = np.flatnonzero(marks.any(axis=0))

    def quality(share: float) -> float:
        mixed = share * first + (1 - share) * second
        return float(np.mean([average_precision_score(marks[:, k], mixed[:, k]) for k in able]))

    return max(SHARES, key=quality)


def infer(
    features: sp.csr_matrix, bags: Sequence[Ints], marks: NDArray[np.int64], seed: int
) -> tuple[Floats, float]:
    """Weights and offset for one label: fitted to all pieces that can have earned it, then to the best of them.

    `bags` holds the rows of `features` that are each document's pieces, `marks` which documents have the label.
    """
    labelled = [bag for bag, mark in zip(bags, marks, strict=True) if mark]
    innocent = np.unique(np.concatenate([bag for bag, mark in zip(bags, marks, strict=True) if not mark]))
    seen = innocent
    if len(innocent) > MOST_INNOCENT:
        seen = np.random.default_rng(seed).choice(innocent, MOST_INNOCENT, replace=False)
    weights, offset = fit(features, np.concatenate(labelled), innocent, seen)
    for _ in range(ROUNDS):
        found = features @ weights + offset
        best = np.concatenate([bag[np.argsort(-found[bag])[:EARNED_BY]] for bag in labelled])
        weights, offset = fit(features, best, innocent, seen)
    return weights, offset


def fit(features: sp.csr_matrix, earned: Ints, innocent: Ints, seen: Ints) -> tuple[Floats, float]:
    """Logistic regression of the pieces `earned`, less those proven innocent, against the innocent ones `seen`."""
    suspects = np.setdiff1d(earned, innocent)
    if len(suspects) == 0:  # whatever labelled documents hold, others hold too
        suspects = np.unique(earned)
    rows = np.concatenate([suspects, seen])
    truth = np.arange(len(rows)) < len(suspects)
    head = LogisticRegression(C=STRENGTH, max_iter=100, class_weight="balanced").fit(features[rows], truth)
    return head.coef_[0], float(head.intercept_[0])


def soft_maximum(scores: Floats) -> Floats:
    """log of the sum of exponentials over pieces: float64[pieces, labels] -> float64[labels]."""
    top = scores.max(axis=0)
    return top + np.log(np.exp(scores - top).sum(axis=0))


def numbered(documents: Sequence[str]) -> tuple[list[str], list[Ints]]:
    """All distinct pieces, and for every document the numbers of its own."""
    numbers: dict[str, int] = {}
    bags = [[numbers.setdefault(piece, len(numbers)) for piece in in_pieces(d)] for d in documents]
    return list(numbers), [np.unique(np.array(bag, dtype=np.int64)) for bag in bags]


def in_pieces(document: str) -> list[str]:
    """The document's paragraphs (between blank lines, or lines where none is), long ones cut at MOST_WORDS words."""
    paragraphs = re.split(r"\n\s*\n", document) if "\n\n" in document else document.splitlines()
    pieces = []
    for paragraph in paragraphs:
        words = paragraph.split()
        pieces += [" ".join(words[i : i + MOST_WORDS]) for i in range(0, len(words), MOST_WORDS)]
    return pieces or [document]


def terms(text: str) -> list[str]:
    """Words in lower case, the beginnings of long ones, and pairs of neighbours."""
    words = re.findall(r"[^\W\d_]{2,}|\d+", text.lower())
    starts = [f"^{word[:5]}" for word in words if len(word) > 5]
    return [*words, *starts, *(f"{a} {b}" for a, b in pairwise(words))]
