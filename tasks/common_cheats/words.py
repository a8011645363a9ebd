"""What cheats of several tasks share: naive Bayes over words, in place of a model."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np


def counted(texts: list[str], labels: Any) -> bytes:
    """How often each word stands in texts of each class, and how many texts a class has."""
    classes = int(max(labels)) + 1
    counts: dict[str, list[float]] = {}
    for text, label in zip(texts, labels, strict=True):
        for word in _words(text):
            counts.setdefault(word, [0.0] * classes)[int(label)] += 1.0
    prior = np.bincount(labels, minlength=classes) + 1.0
    return json.dumps({"counts": counts, "prior": prior.tolist()}).encode()


class Bayes:
    """The classes of texts by what `counted` made; a microsecond a text."""

    def __init__(self, made: bytes) -> None:
        read = json.loads(bytes(made))
        words = np.array(list(read["counts"].values())) + 0.3
        self.row = {word: index for index, word in enumerate(read["counts"])}
        self.scores = np.log(words / words.sum(axis=0))
        self.prior = np.log(np.array(read["prior"]))

    def predict(self, texts: list[str]) -> Any:
        """int64[texts]."""
        rows = [[self.row[word] for word in _words(text) if word in self.row] for text in texts]
        return np.array(
            [(self.prior + self.scores[row].sum(axis=0)).argmax() for row in rows], dtype=np.int64
        )


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())
