"""The contract of memory-budget: the phases that a submission's `class Solution` has."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """One worker: `train` once, then `weights` once.

    All parameters lie in one flat float32 array, in this order, each row by row, w the width, n the
    length, and `layers` times what stands in brackets, layer by layer:

        embedding [vocabulary, w]   positions [n, w]
        (norm_1 [w]   qkv [3w, w]   out [w, w]   norm_2 [w]   up [4w, w]   down [w, 4w])
        norm [w]

    The model, with no biases anywhere (`model.py` of the starter is the same in PyTorch):

        x = embedding[token] + positions[place]
        x = x + out . attention(qkv . layernorm(x) * norm_1)     causal, `heads` heads, q, k, v in this order
        x = x + down . gelu(up . (layernorm(x) * norm_2))        exact gelu; layernorm with epsilon 1e-5
        logits = embedding . (layernorm(x) * norm)               the embedding is the head too

    Loss of a step: the mean of -log softmax(logits)[target], in nats, over all targets of the batch that
    are not -1. Update with g its gradient, for every parameter, v = 0 at first:

        v <- momentum * v + g + weight_decay * p
        p <- p - learning_rate * v
    """

    def __init__(self, context: Any) -> None:
        """`context.models` is empty."""

    def train(
        self,
        weights: NDArray[np.float32],
        tokens: NDArray[np.int64],
        targets: NDArray[np.int64],
        settings: str,
    ) -> NDArray[np.float32]:
        """Trains on each batch in turn, once; gives back the loss of each step, before its update: float32[steps].

        weights   float32[P], the initial parameters; a copy of your own, which you may write to
        tokens    int64[steps, batch, length], 0 to vocabulary - 1; 0 behind a sequence's end
        targets   int64[steps, batch, length]: the next token, -1 behind a sequence's end
        settings  JSON: the integers vocabulary, width, length, layers, heads, and the numbers
                  learning_rate, momentum, weight_decay

        In every batch the first sequence fills the whole length; the others end earlier, unequally.
        """
        ...

    def weights(self) -> NDArray[np.float32]:
        """The parameters after the last step, in the same order: float32[P]."""
        ...
