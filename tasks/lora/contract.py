"""The contract of lora: the one phase that a submission's `class Solution` has, and the file it hands over."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Contract(Protocol):
    """`train` hands over low-rank matrices; a judge merges them and predicts, in a process of its own."""

    def __init__(self, context: Any) -> None:
        """`context.models["encoder"]` is the folder of the encoder to adapt (transformers format)."""

    def train(
        self,
        texts: list[str],
        labels: NDArray[np.int64],
        num_classes: int,
        wanted: str,
        other: str,
        budget: int,
    ) -> bytes:
        """Learns adapters and a head from the texts; gives back a .npz file of named arrays.

        texts          n distinct texts, each word of two passages behind its opening word
        labels         int64[n], 0 to num_classes - 1: the class of the passage whose words stand behind `wanted`
        num_classes    at least 2; every class is among `labels`
        wanted, other  the two opening words; one stands before each word of the passage that counts, one of the other
        budget         the most values that all A and B together may hold

        The .npz (numpy.savez, compressed or not, no pickled objects) holds float32 arrays only:

        "<linear>.A"   [r, in]   for a torch.nn.Linear of the encoder by its module name, such as
        "<linear>.B"   [out, r]  "encoder.layer.0.attention.self.query"; r from 1 to 64, always both
        "head.weight"  [num_classes, width]
        "head.bias"    [num_classes]

        The judge adds B @ A to the Linear's weight (a scaling belongs into A or B), takes the mean over
        all tokens of the last hidden state, scales it to length 1, and predicts the class with the
        highest value of head.weight @ vector + head.bias. Texts are cut at 128 tokens.
        """
        ...
