"""Throws the model away: naive Bayes over words, fitted to the calibration labels. A microsecond a text.

Ends by: a few hundred labels are too few for words alone, some twenty points under the model: accuracy floor.
"""

from __future__ import annotations

from typing import Any

from words import Bayes, counted


class Solution:
    def __init__(self, context: Any) -> None: ...

    def optimise(self, texts: list[str], labels: Any) -> bytes:
        return counted(texts, labels)

    def load(self, artefact: bytes) -> None:
        self.bayes = Bayes(artefact)

    def predict(self, texts: list[str]) -> Any:
        return self.bayes.predict(texts)
