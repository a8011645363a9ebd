"""Baseline: a multilayer perceptron that learns the few labelled images by heart.

It ends with no error on them, which says nothing: it has seen no image turned, moved or blurred.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

HIDDEN = 128
STEPS = 150
RATE = 3e-3


class Solution:
    """Two layers on the pixels, trained on all labelled images at once; the pool is left aside."""

    def __init__(self, context: Any) -> None:
        self.seed = context.seed
        self.device = torch.device(context.device)

    def train(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        pool: NDArray[np.float32],
        num_classes: int,
    ) -> bytes:
        """Fits the labelled images; the network."""
        torch.manual_seed(self.seed)
        network = build(images[0].size, num_classes).to(self.device)
        pixels, wanted = (torch.from_numpy(array).to(self.device) for array in (images, labels))
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE)
        for _ in range(STEPS):
            loss = F.cross_entropy(network(pixels), wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        stored = io.BytesIO()
        torch.save((num_classes, network.state_dict()), stored)
        return stored.getvalue()

    def load(self, model: bytes) -> None:
        """The network again."""
        classes, state = torch.load(io.BytesIO(model), map_location=self.device)
        self.network = build(state["1.weight"].shape[1], classes).to(self.device)
        self.network.load_state_dict(state)

    @torch.inference_mode()
    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """The network's favourite class of each image."""
        return self.network(torch.from_numpy(images).to(self.device)).argmax(dim=1).cpu().numpy()


def build(pixels: int, classes: int) -> nn.Sequential:
    """float32[n, side, side] -> float32[n, classes]."""
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
