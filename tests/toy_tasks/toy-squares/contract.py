"""The contract of toy-squares."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two phases in one worker."""

    def __init__(self, context: Any) -> None: ...

    def learn(self, numbers: NDArray[np.int64]) -> bytes:
        """Notes, at most 4096 bytes; int64[n] -> bytes."""
        ...

    def answer(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Squares modulo 97; int64[n] -> int64[n]."""
        ...
