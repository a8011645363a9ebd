"""The contract of noisy-labels: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two stages, each in a fresh process: `train` alone, then `load` and `predict`.

    Nothing passes from the first to the second but the bytes that `train` returned.
    """

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of a sentence encoder (transformers format), in both."""

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> bytes:
        """Learns from labels of which a share is wrong; gives back the trained model, serialised.

        texts        n distinct texts
        labels       int64[n], 0 to num_classes - 1; you are not told which are wrong, or how many
        num_classes  at least 2; every class is among `labels`

        The bytes may be anything that `load` understands, at most 512 MiB: nobody else reads them.
        """
        ...

    def load(self, model: bytes) -> None:
        """Makes the model ready for `predict`; `model` is what `train` returned, byte for byte."""
        ...

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The true class of each text: int64[len(texts)], 0 to num_classes - 1; one text, or hundreds."""
        ...
