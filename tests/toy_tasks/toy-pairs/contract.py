"""The contract of toy-pairs."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Learns in one worker; loads and answers in others, each fresh."""

    def __init__(self, context: Any) -> None: ...

    def learn(self, numbers: NDArray[np.int64]) -> bytes:
        """Notes, at most 64 bytes; int64[n] -> bytes."""
        ...

    def load(self, notes: bytes) -> None:
        """Takes the notes of `learn` back."""
        ...

    def answer(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Squares modulo 97; int64[n] -> int64[n]."""
        ...
