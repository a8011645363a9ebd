"""What a submission to latency-budget must offer: read by people, by `check` and by the worker itself."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """Two stages, each in a fresh process: `optimise` once; then `load`, and `predict` many times.

    `context.models["classifier"]` is the plain model in transformers format, with its tokenizer,
    readable in both stages; `context.models["encoder"]` is the encoder it was made from.
    """

    def __init__(self, context: Any) -> None: ...

    def optimise(self, texts: list[str], labels: NDArray[np.int64]) -> bytes:
        """Prepare whatever `load` will need, and return it as bytes (it may be empty).

        texts    a few hundred texts from the distribution that is served, none of them served later
        labels   int64[len(texts)], their classes
        Not timed for the score, but limited: see `context.limits["optimise_seconds"]`.
        """
        ...

    def load(self, artefact: bytes) -> None:
        """Get ready to serve, in a fresh process, from what `optimise` returned."""
        ...

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The class of each text, int64[len(texts)]; 1 text or a batch of mixed lengths. Timed."""
        ...
