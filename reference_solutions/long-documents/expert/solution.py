"""Expert: count words everywhere, infer which pieces earned the labels, and read only those with the encoder.

Four ideas, in the order of what they bring:

1.  Which piece earned a label is a hidden variable (multiple-instance learning: Dietterich et al. 1997;
    the alternation is mi-SVM's, Andrews et al. 2002, with logistic regression). A piece that a document
    without the label also holds cannot have earned it; of the others, the best few of each labelled
    document are taken as positive, a classifier is fitted, and the best few are chosen anew.
2.  Retrieval before reading. That classifier, on words, their beginnings and pairs of words, runs over the
    whole document for less than a window costs. Only the pieces it ranks first for some label are encoded.
3.  Counting and reading decide together: a second classifier is fitted to the words and the vectors of the
    pieces that were read, again without knowing which of them count.
4.  A document's score is a soft maximum over pieces, since two fair pieces say more than one.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoTokenizer

MOST_WORDS = 60  # of a piece: a longer paragraph is cut
BATCH = 32
STRENGTH = 3.0
ROUNDS = 2  # of choosing the pieces that earned a label
EARNED_BY = 2  # pieces of a document that has the label
LEARN_ROOM, ROOM = 2.5, 5.0  # windows of tokens to read of a document: in `train`, and in `score`
MOST_TERMS = 60_000  # the most frequent ones: real documents have a million pairs of words
MOST_INNOCENT = 6_000  # pieces without a label that a classifier sees; a sample where there are more
WORDS_WEIGHT, VECTOR_WEIGHT = 2.0, 2.0  # lengths of the two parts of what the second classifier sees

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Solution:
    """Two rounds of multiple-instance learning: on words alone, then on words and vectors of what was read."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).to(self.device).eval()
        self.window = int(self.encoder.config.max_position_embeddings)

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """The words' weights, then which pieces to read, then the weights of words and vectors together."""
        pieces, bags = numbered(documents)
        self.words = TfidfVectorizer(
            analyzer=terms, sublinear_tf=True, min_df=2, max_features=MOST_TERMS, dtype=np.float32
        )
        counted = self.words.fit_transform(pieces)
        self.counting = self.fit(counted, bags, marks, None)
        found = linear(counted, self.counting)
        self.spread = found.std(axis=0)
        read = [bag[self.choose([pieces[i] for i in bag], found[bag], LEARN_ROOM)] for bag in bags]
        used = np.unique(np.concatenate(read))
        vectors = self.encode([pieces[i] for i in used])
        self.centre = vectors.mean(axis=0)
        self.scale = float(np.sqrt(((vectors - self.centre) ** 2).sum(axis=1).mean()))
        bags = [np.searchsorted(used, bag) for bag in read]
        both = self.joined(counted[used], vectors)
        self.reading = self.fit(both, bags, marks, found[used])
        self.read_spread = linear(both, self.reading).std(axis=0)
        kept = (self.words.vocabulary_, self.words.idf_, self.counting, self.spread)
        return pickle.dumps((*kept, self.centre, self.scale, self.reading, self.read_spread))

    def load(self, model: bytes) -> None:
        """The vocabulary and both classifiers again."""
        vocabulary, idf, self.counting, self.spread, *rest = pickle.loads(model)
        self.centre, self.scale, self.reading, self.read_spread = rest
        self.words = TfidfVectorizer(
            analyzer=terms, sublinear_tf=True, dtype=np.float32, vocabulary=vocabulary
        )
        self.words.idf_ = idf

    def score(self, documents: list[str]) -> Floats:
        """Each label's soft maximum over the pieces that were read, and over all by their words."""
        return np.stack([self.score_one(in_pieces(document)) for document in documents])

    def score_one(self, pieces: list[str]) -> Floats:
        """float64[labels] for the pieces of one document."""
        counted = self.words.transform(pieces)
        found = linear(counted, self.counting)
        read = self.choose(pieces, found, ROOM)
        both = self.joined(counted[read], self.encode([pieces[i] for i in read]))
        said = linear(both, self.reading) / self.read_spread
        return soft_maximum(found / self.spread) + soft_maximum(said)

    def fit(
        self, features: sp.csr_matrix, bags: Sequence[Ints], marks: NDArray[np.int64], start: Floats | None
    ) -> tuple[Floats, Floats]:
        """Weights [features, labels] and offsets [labels] of one classifier of pieces for each label."""
        fitted = [
            infer(features, bags, marks[:, label], None if start is None else start[:, label], ROUNDS)
            for label in range(marks.shape[1])
        ]
        return np.stack([weights for weights, _ in fitted], axis=1), np.array([b for _, b in fitted])

    def choose(self, pieces: Sequence[str], found: Floats, windows: float) -> Ints:
        """Which pieces to read: the best of every label, then the second best, while there is room."""
        room = windows * self.window
        standard = found / self.spread
        order = np.argsort(-standard, axis=0, kind="stable")[:EARNED_BY]
        chosen: list[int] = []
        for best in order:
            leading = standard[best, np.arange(standard.shape[1])]
            for piece in best[np.argsort(-leading)].tolist():
                room -= 0 if piece in chosen else min(self.window, 2 + 1.5 * pieces[piece].count(" "))
                if piece not in chosen and (room >= 0 or not chosen):
                    chosen.append(piece)
        return np.sort(np.array(chosen, dtype=np.int64))

    def joined(self, counted: sp.csr_matrix, vectors: NDArray[np.float32]) -> sp.csr_matrix:
        """Words and vectors side by side, each of the length that its weight says."""
        dense = (vectors - self.centre) * (VECTOR_WEIGHT / self.scale)
        return sp.hstack([WORDS_WEIGHT * counted, sp.csr_matrix(dense)], format="csr")

    @torch.inference_mode()
    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """float32[n, width] of length 1: the mean over the tokens of each text."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), self.encoder.config.hidden_size), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            tokens = self.tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=self.window,
                return_tensors="pt",
            ).to(self.device)
            mask = tokens["attention_mask"].unsqueeze(-1)
            hidden = self.encoder(**tokens).last_hidden_state * mask
            pooled = torch.nn.functional.normalize(hidden.sum(dim=1) / mask.sum(dim=1), dim=1)
            vectors[rows] = pooled.cpu().numpy()
        return vectors


def infer(
    features: sp.csr_matrix, bags: Sequence[Ints], marks: NDArray[np.int64], found: Floats | None, rounds: int
) -> tuple[Floats, float]:
    """Weights and offset for one label: fitted to the pieces that can have earned it, then to the best of them."""
    labelled = [bag for bag, mark in zip(bags, marks, strict=True) if mark]
    innocent = np.unique(np.concatenate([bag for bag, mark in zip(bags, marks, strict=True) if not mark]))
    seen = innocent
    if len(innocent) > MOST_INNOCENT:
        seen = np.random.default_rng(0).choice(innocent, MOST_INNOCENT, replace=False)
    weights, offset = np.zeros(features.shape[1]), 0.0
    for _ in range(rounds + (found is None)):
        if found is None:
            earned = np.concatenate(labelled)
        else:
            earned = np.concatenate([bag[np.argsort(-found[bag])[:EARNED_BY]] for bag in labelled])
        suspects = np.setdiff1d(earned, innocent)
        if len(suspects) == 0:  # whatever labelled documents hold, others hold too
            suspects = np.unique(earned)
        rows = np.concatenate([suspects, seen])
        truth = np.arange(len(rows)) < len(suspects)
        head = LogisticRegression(C=STRENGTH, max_iter=100, class_weight="balanced").fit(
            features[rows], truth
        )
        weights, offset = head.coef_[0], float(head.intercept_[0])
        found = features @ weights + offset
    return weights, offset


def linear(features: sp.csr_matrix, classifier: tuple[Floats, Floats]) -> Floats:
    """Log odds of every piece for every label: float64[pieces, labels]."""
    return np.asarray(features @ classifier[0]) + classifier[1]


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
