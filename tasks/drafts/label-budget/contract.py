"""The contract of label-budget: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One fresh process for each collection of texts and each budget of labels: `train` once, then `predict`.

    Nothing passes from one process to another, and no process is told which collection it serves.
    """

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of a sentence encoder (transformers format)."""

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> None:
        """Learns to classify texts like these.

        texts        num_classes * b distinct texts in random order, b between 2 and some hundreds
        labels       int64[len(texts)], 0 to num_classes - 1; all right, every class b times
        num_classes  at least 2
        """
        ...

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The class of each text: int64[len(texts)], 0 to num_classes - 1; some dozens in a call."""
        ...
