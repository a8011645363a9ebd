"""What the judge of memory-budget serves."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """The plain loop's answers, computed when the submission has ended."""

    def __init__(self, context: Any) -> None:
        """Nothing is read but the device."""

    def replay(
        self,
        weights: NDArray[np.float32],
        tokens: NDArray[np.int64],
        targets: NDArray[np.int64],
        settings: str,
    ) -> NDArray[np.float32]:
        """The losses of the plain loop, float32[steps]; the arguments are those of `train`."""
        ...

    def replayed(self) -> NDArray[np.float32]:
        """The plain loop's trained weights, float32[P]."""
        ...
