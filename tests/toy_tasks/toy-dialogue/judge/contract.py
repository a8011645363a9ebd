"""What the judge of toy-dialogue serves."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One phase."""

    def __init__(self, context: Any) -> None: ...

    def read(self, note: bytes) -> NDArray[np.int64]:
        """The number that the note tells, int64[1]; -1 where it is no number."""
        ...
