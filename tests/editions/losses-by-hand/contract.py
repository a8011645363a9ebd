"""The contract of losses-by-hand: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Contract(Protocol):
    """Three losses, each forward and backward in one call; every value that comes back is finite.

    What comes in and goes out is float32; what happens in between is up to you. p is the target's probability:
    softmax(logits[i])[targets[i]] for the first two, a sigmoid for the third.
    """

    def __init__(self, context: Any) -> None: ...

    def power_loss(self, logits: Floats, targets: NDArray[np.int64], exponent: float) -> Floats:
        """Generalised cross-entropy (Zhang and Sabuncu 2018) of each row, and its gradient.

        logits      float32[n, c]
        targets     int64[n], 0 to c - 1
        exponent    q, 0.05 to 1

        loss[i] = (1 - p^q) / q. Gives back float32[n, 1 + c]: loss[i], then d loss[i] / d logits[i].
        """
        ...

    def poly_loss(self, logits: Floats, targets: NDArray[np.int64], epsilon: float) -> Floats:
        """Poly-1 cross-entropy (Leng et al. 2022) of each row, and its gradient.

        logits      float32[n, c]
        targets     int64[n], 0 to c - 1
        epsilon     0 to 2

        loss[i] = -log p + epsilon (1 - p). Gives back float32[n, 1 + c]: loss[i], then d loss[i] / d logits[i].
        """
        ...

    def soft_margin(self, logits: Floats, targets: NDArray[np.int64], sharpness: float) -> Floats:
        """The soft margin loss of each logit, and its derivative.

        logits      float32[n]
        targets     int64[n], 0 or 1
        sharpness   b, 0.25 to 4

        loss[i] = log(1 + exp(-b m)) / b, with m = logits[i] for target 1 and -logits[i] for target 0.
        Gives back float32[2, n]: the losses, then d loss[i] / d logits[i].
        """
        ...
