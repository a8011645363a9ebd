"""Competent: the whole document in chunks, words counted in each, the best chunk speaks for the document.

Every chunk of a document is taken to have the document's labels. That is wrong for most of them, but
what the chunks of labelled documents have in common is still what earned the label. Counting words
needs no encoder and costs less than one window of it, so nothing of the document is left out.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

CHUNK_WORDS = 20  # wherever paragraphs end
STRENGTH = 3.0


class Solution:
    """TF-IDF of chunks, one logistic regression for each label, the maximum over chunks."""

    def __init__(self, context: Any) -> None:
        del context  # neither the encoder nor chance is needed

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """Fits the heads to all chunks, each with its document's labels."""
        chunks = [in_chunks(document) for document in documents]
        rows = np.repeat(np.arange(len(documents)), [len(own) for own in chunks])
        words = TfidfVectorizer(sublinear_tf=True, min_df=2, dtype=np.float32)
        counted = words.fit_transform([chunk for own in chunks for chunk in own])
        heads = [
            LogisticRegression(C=STRENGTH, max_iter=100, class_weight="balanced").fit(counted, column[rows])
            for column in marks.T
        ]
        weights = np.stack([head.coef_[0] for head in heads], axis=1).astype(np.float32)
        return pickle.dumps((words, weights, np.array([head.intercept_[0] for head in heads])))

    def load(self, model: bytes) -> None:
        """The vocabulary and the heads again."""
        self.words, self.weights, self.offsets = pickle.loads(model)

    def score(self, documents: list[str]) -> NDArray[np.float64]:
        """Each label's log odds in the chunk that has most of it."""
        best = [
            (self.words.transform(in_chunks(document)) @ self.weights).max(axis=0) for document in documents
        ]
        return (np.stack(best) + self.offsets).astype(np.float64)


def in_chunks(document: str) -> list[str]:
    """The document cut after every CHUNK_WORDS words."""
    words = document.split()
    return [" ".join(words[i : i + CHUNK_WORDS]) for i in range(0, len(words), CHUNK_WORDS)] or [document]
