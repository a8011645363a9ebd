"""The contract of semantic-search: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two stages, each in a fresh process: `build` alone, then `load` and `search`.

    Nothing passes from the first to the second but the bytes that `build` returned.
    """

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of a sentence encoder (transformers format)."""

    def build(self, passages: list[str]) -> bytes:
        """Everything that search needs, serialised. Its length is the measured index size.

        passages    n texts; a passage's number is its place in this list
        """
        ...

    def load(self, index: bytes) -> None:
        """Makes the index ready for `search`; `index` is what `build` returned, byte for byte."""
        ...

    def search(self, queries: list[str], k: int) -> NDArray[np.int64]:
        """The k best passages for each query, best first: int64[len(queries), k].

        Passage numbers are 0 to n - 1, and no number appears twice in a row. k is at most n.
        """
        ...
