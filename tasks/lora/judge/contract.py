"""What the judge of lora serves."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One phase."""

    def __init__(self, context: Any) -> None: ...

    def predict(self, adapters: bytes, texts: list[str], num_classes: int) -> NDArray[np.int64]:
        """The verdict on what was handed over, and what it predicts: int64[2 + len(texts)].

        The first value is 0, or says what is wrong with the file (a key of `REFUSALS` in task.py); the
        second is how many values all A and B hold; then the class of each text, -1 where it was refused.
        """
        ...
