"""The contract of noisy-labels: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One process: `train` once, then `predict` often, first on many texts at once, then one by one."""

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of a sentence encoder (transformers format)."""

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> None:
        """Learns from labels of which a share is wrong.

        texts        n distinct texts
        labels       int64[n], 0 to num_classes - 1; nobody says which are wrong, or how many
        num_classes  at least 2; every class is among `labels`
        """
        ...

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The true class of each text: int64[len(texts)], 0 to num_classes - 1."""
        ...
