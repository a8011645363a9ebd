"""Throws the model away: naive Bayes over words, fitted to the calibration labels. A microsecond a text.

Ends by: a few hundred labels are too few for words alone, some twenty points under the model: accuracy floor.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


class Solution:
    def __init__(self, context: Any) -> None: ...

    def optimise(self, texts: list[str], labels: Any) -> bytes:
        classes = int(max(labels)) + 1
        counts: dict[str, list[float]] = {}
        for text, label in zip(texts, labels, strict=True):
            for word in _words(text):
                counts.setdefault(word, [0.0] * classes)[int(label)] += 1.0
        prior = np.bincount(labels, minlength=classes) + 1.0
        return json.dumps({"counts": counts, "prior": prior.tolist()}).encode()

    def load(self, artefact: bytes) -> None:
        made = json.loads(bytes(artefact))
        words = np.array(list(made["counts"].values())) + 0.3
        self.row = {word: index for index, word in enumerate(made["counts"])}
        self.scores = np.log(words / words.sum(axis=0))
        self.prior = np.log(np.array(made["prior"]))

    def predict(self, texts: list[str]) -> Any:
        rows = [[self.row[word] for word in _words(text) if word in self.row] for text in texts]
        return np.array(
            [(self.prior + self.scores[row].sum(axis=0)).argmax() for row in rows], dtype=np.int64
        )
