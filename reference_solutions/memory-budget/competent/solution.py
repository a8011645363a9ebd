"""Competent: gradients accumulated one sequence at a time, each weighed by its share of the targets."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from model import IGNORED, Decoder
from numpy.typing import NDArray


class Solution:
    """Holds the activations and logits of one sequence at a time."""

    def __init__(self, context: Any) -> None:
        self.device = torch.device(context.device)

    def train(
        self,
        weights: NDArray[np.float32],
        tokens: NDArray[np.int64],
        targets: NDArray[np.int64],
        settings: str,
    ) -> NDArray[np.float32]:
        given = json.loads(settings)
        self.flat = torch.tensor(weights, device=self.device)
        decoder = Decoder(self.flat, given)
        optimizer = torch.optim.SGD(
            decoder.parameters(),
            lr=given["learning_rate"],
            momentum=given["momentum"],
            weight_decay=given["weight_decay"],
        )
        losses = []
        for batch, wanted in zip(torch.from_numpy(tokens), torch.from_numpy(targets), strict=True):
            optimizer.zero_grad()
            losses.append(backward(decoder, batch.to(self.device), wanted.to(self.device)))
            optimizer.step()
        return np.array(losses, dtype=np.float32)

    def weights(self) -> NDArray[np.float32]:
        return self.flat.cpu().numpy()


def backward(decoder: Decoder, batch: torch.Tensor, wanted: torch.Tensor) -> float:
    """Adds the gradient of the batch's mean loss, sequence by sequence, and gives that loss.

    The mean is over all targets of the batch, and sequences hold unequal numbers of them: a mean of
    the sequences' own means would weigh the short ones too much. So sums are added up, and divided
    by the number of targets of the whole batch.
    """
    count = int((wanted != IGNORED).sum())
    total = 0.0
    for sequence, target in zip(batch, wanted, strict=True):
        logits = decoder(sequence[None])[0]
        loss = F.cross_entropy(logits, target, ignore_index=IGNORED, reduction="sum") / count
        loss.backward()
        total += loss.item()
    return total
