"""The contract of bench-service with one phase more: what the submission's own clock read."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """As bench-service, for submissions that are trusted to time themselves."""

    def __init__(self, context: Any) -> None: ...

    def learn(self, matrix: NDArray[np.float32]) -> bytes:
        """Whatever is to be kept of the matrix."""
        ...

    def load(self, artefact: bytes) -> None:
        """Takes back what was kept."""
        ...

    def answer(self, numbers: NDArray[np.float32], loops: int) -> NDArray[np.float32]:
        """The mean row of `numbers` times the matrix to the power `loops`."""
        ...

    def told(self) -> NDArray[np.int64]:
        """Nanoseconds of each `answer` so far, then of the same calls once more in a bare loop; int64[2, 256]."""
        ...
