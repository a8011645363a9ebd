"""The contract of matmul."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """`learn` in one process; `load`, then `answer` many times, in another."""

    def __init__(self, context: Any) -> None: ...

    def learn(self, width: int) -> bytes:
        """The matrix, as float32 bytes."""
        ...

    def load(self, model: bytes) -> None:
        """Puts the matrix on the device."""
        ...

    def answer(self, vector: NDArray[np.float32], loops: int) -> NDArray[np.float32]:
        """The vector after `loops` products with the matrix: float32[width]."""
        ...
