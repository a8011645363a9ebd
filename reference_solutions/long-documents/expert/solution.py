"""Expert: look at every paragraph by its words, infer which paragraphs earned the labels, learn from those.

Four ideas, in the order of what they bring:

1.  Which paragraph earned a label is a hidden variable (multiple-instance learning: Dietterich et al. 1997;
    the alternation is mi-SVM's, Andrews et al. 2002, with logistic regression). A paragraph that a document
    without the label also holds cannot have earned it; of the others, the best few of each labelled
    document are taken as positive, a classifier is fitted, and the best few are chosen anew.
2.  Paragraphs, not chunks: a chunk that runs over the ends of paragraphs mixes what counts with what does not.
3.  A document's score is a soft maximum over paragraphs: the logarithm of the sum of their odds, since two
    fair paragraphs say more than one, and forty poor ones still say little.
4.  More than single words: their beginnings, which tie forms of a word together, and pairs of neighbours.

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

MOST_WORDS = 60  # of a piece: a longer paragraph is cut
MOST_TERMS = 60_000  # the most frequent ones: real documents have a million pairs of words
MOST_INNOCENT = 6_000  # pieces that a classifier sees of documents without the label; a sample of more
STRENGTH = 3.0
ROUNDS = 2  # of choosing the pieces that earned a label
EARNED_BY = 2  # pieces of a document that has the label

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Solution:
    """TF-IDF of pieces, one inferred classifier of pieces for each label, a soft maximum over pieces."""

    def __init__(self, context: Any) -> None:
        self.seed = int(context.seed)

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """Counts words in all distinct pieces and infers, label by label, which of them count."""
        pieces, bags = numbered(documents)
        words = TfidfVectorizer(
            analyzer=terms, sublinear_tf=True, min_df=2, max_features=MOST_TERMS, dtype=np.float32
        )
        counted = words.fit_transform(pieces)
        fitted = [infer(counted, bags, column, self.seed) for column in marks.T]
        weights = np.stack([own for own, _ in fitted], axis=1)
        offsets = np.array([offset for _, offset in fitted])
        return pickle.dumps((words.vocabulary_, words.idf_, weights, offsets))

    def load(self, model: bytes) -> None:
        """The vocabulary and the classifiers again."""
        vocabulary, idf, self.weights, self.offsets = pickle.loads(model)
        self.words = TfidfVectorizer(
            analyzer=terms, sublinear_tf=True, dtype=np.float32, vocabulary=vocabulary
        )
        self.words.idf_ = idf

    def score(self, documents: list[str]) -> Floats:
        """Each label's soft maximum over all pieces of a document."""
        return np.stack([self.score_one(in_pieces(document)) for document in documents])

    def score_one(self, pieces: list[str]) -> Floats:
        """float64[labels] for the pieces of one document."""
        return soft_maximum(self.words.transform(pieces) @ self.weights + self.offsets)


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
