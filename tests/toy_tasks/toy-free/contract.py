"""The contract of toy-free."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One phase in one worker."""

    def __init__(self, context: Any) -> None: ...

    def answer(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Squares modulo 97; int64[n] -> int64[n]."""
        ...
