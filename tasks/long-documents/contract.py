"""The contract of long-documents: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two stages, each in a fresh process: `train` alone, then `load` and `score`.

    Nothing passes from the first to the second but the bytes that `train` returned. Arguments are passed by
    name, so the parameters' names are fixed.
    """

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of the encoder (transformers format), in both.

        Its config's `max_position_embeddings` is the window: it cannot read more tokens at once.
        """

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """Learns which labels a document has; gives back the trained model, serialised.

        documents  n texts, most of them many times longer than the window; paragraphs end in line breaks
        marks      int64[n, labels], 1 where the document has the label, else 0; a document may have any
                   number of the labels, and you are not told which parts are the reason for them

        The bytes may be anything that `load` understands, at most 512 MiB: nobody else reads them.
        """
        ...

    def load(self, model: bytes) -> None:
        """Makes the model ready for `score`; `model` is what `train` returned, byte for byte."""
        ...

    def score(self, documents: list[str]) -> NDArray[np.float64]:
        """A score for each label, on any scale, the higher the more likely: float64[len(documents), labels].

        Only the order of the documents within each label counts. Each call has one document.
        """
        ...
