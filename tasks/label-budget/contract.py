"""The contract of label-budget: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two collections of texts, one after the other in the same process; you are not told which is which.

    The labels of a collection arrive step by step. At each budget b of labels a class, from few to many,
    `train` is called once, and then `predict` for the collection's test texts, some dozens at a time: the
    same texts at every budget.
    """

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of a sentence encoder (transformers format)."""

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> None:
        """Learns to classify texts like these, from all labels of their collection that there are so far.

        texts        num_classes * b distinct texts, b between 2 and some hundreds; those of the call before
                     (for the same collection) come first, in the same order
        labels       int64[len(texts)], 0 to num_classes - 1; all are right, every class b times
        num_classes  at least 2
        """
        ...

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The class of each text, by what the latest `train` learnt: int64[len(texts)], 0 to num_classes - 1."""
        ...
