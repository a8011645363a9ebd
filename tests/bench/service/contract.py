"""The contract of bench-service."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One phase to prepare, two to serve."""

    def __init__(self, context: Any) -> None: ...

    def learn(self, matrix: NDArray[np.float32]) -> bytes:
        """Whatever is to be kept of the matrix; float32[128, 128] -> bytes."""
        ...

    def load(self, artefact: bytes) -> None:
        """Takes back what was kept."""
        ...

    def answer(self, numbers: NDArray[np.float32], loops: int) -> NDArray[np.float32]:
        """The mean row of `numbers` times the matrix to the power `loops`; float32[32, 128] -> float32[128]."""
        ...
