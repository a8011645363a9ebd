"""Says what training must give: the plain loop, with nothing of a submission in it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from model import IGNORED, Decoder
from numpy.typing import NDArray


class Solution:
    """The plain loop's sums, taken one sequence at a time and up to its end, so that judging is short."""

    def __init__(self, context: Any) -> None:
        self.device = torch.device(context.device)

    def replay(
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

    def replayed(self) -> NDArray[np.float32]:
        return self.flat.cpu().numpy()


def backward(decoder: Decoder, batch: torch.Tensor, wanted: torch.Tensor) -> float:
    """Adds the gradient of the mean loss over the batch's targets, and gives that loss."""
    count = int((wanted != IGNORED).sum())
    total = 0.0
    for sequence, target in zip(batch, wanted, strict=True):
        used = int(torch.nonzero(target != IGNORED).max()) + 1
        logits = decoder(sequence[None, :used])[0]
        loss = F.cross_entropy(logits, target[:used], ignore_index=IGNORED, reduction="sum") / count
        loss.backward()
        total += loss.item()
    return total
