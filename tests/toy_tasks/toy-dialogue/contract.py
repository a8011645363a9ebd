"""The contract of toy-dialogue."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two phases in one worker: guesses in turn, then a note for the judge."""

    def __init__(self, context: Any) -> None: ...

    def guess(self, most: int, told: NDArray[np.int64]) -> NDArray[np.int64]:
        """The next guess, int64[1], 0 to most; `told` is the last one's sign: -1 too low, 1 too high, 0 right."""
        ...

    def note(self) -> bytes:
        """The number in decimal digits."""
        ...
