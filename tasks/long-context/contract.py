"""What a submission to long-context must offer: read by people, by `check` and by the worker itself."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One method, called many times, with several lengths, each length in a process of its own.

    `context.device` is "cpu" or "cuda"; arguments and answers are numpy arrays on the host either way.
    """

    def __init__(self, context: Any) -> None: ...

    def attend(
        self,
        q: NDArray[np.float32],
        k: NDArray[np.float32],
        v: NDArray[np.float32],
        slopes: NDArray[np.float32],
        starts: NDArray[np.int64],
        softcap: float,
    ) -> NDArray[np.float32]:
        """Causal attention within documents, float32[heads, n, width].

        q, k, v   float32[heads, n, width]: queries, keys and values of n tokens
        slopes    float32[heads], 2**-9 to 2**-3: how steeply each head's bias falls with distance
        starts    int64[documents], ascending, the first 0: where each document begins; it ends where
                  the next begins, the last at n
        softcap   100 to 140: no score is larger than this, or smaller than its negative

        Token i of head h sees the tokens j of its own document with j <= i, with the score
            softcap * tanh(q_i . k_j / (sqrt(width) * softcap)) - slopes[h] * (i - j)
        and its answer is the mean of v_j, weighted by the softmax of these scores. Timed at the
        longest length.
        """
        ...
