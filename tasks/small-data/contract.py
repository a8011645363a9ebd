"""The contract of small-data: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two stages, each in a fresh process: `train` for every alphabet, then `load` and `predict`.

    Nothing passes from the first to the second but the bytes that `train` returned.
    """

    def __init__(self, context: Any) -> None:
        """`context` has `device`, `threads`, `seed` and `scratch`, a folder of this process alone."""

    def train(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        pool: NDArray[np.float32],
        num_classes: int,
    ) -> bytes:
        """Learns one alphabet from a few labelled and some more unlabelled images; the trained model.

        images       float32[n, 16, 16], 0 (paper) to 1 (ink), upright
        labels       int64[n], 0 to num_classes - 1, equally many of each
        pool         float32[m, 16, 16] of the same alphabet, upright, by other hands
        num_classes  4 to 20, by the profile

        Called once for each alphabet, in one process; every alphabet has classes of its own. The bytes
        may be anything that `load` understands.
        """
        ...

    def load(self, model: bytes) -> None:
        """Makes the model ready for `predict`; `model` is what `train` returned, byte for byte."""
        ...

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """The class of each image, by the model loaded last: float32[k, 16, 16] -> int64[k].

        The images are new, and most of them are rotated, moved and blurred.
        """
        ...
