"""Competent: a small residual network, augmented images, and training stopped by a held-out fifth.

What a convolution learns of a stroke holds wherever the stroke lies, and each augmented image is one
that the network has not seen; so the few labels last longer. A fifth of them tells when to stop, and is
lost to training. The pool is left aside.
"""

from __future__ import annotations

import copy
import io
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

WIDTH = 16  # channels of the first layer
BATCH = 64
RATE = 3e-3
DECAY = 1e-3
ROUND = 20  # steps between two looks at the held-out images
ROUNDS = 6
HELD_OUT = 5  # every so many-th labelled image
LOOKS = 8  # augmented versions of each held-out image
TURN = 25.0  # degrees, at most, either way
MOVE = 2.0  # pixels, at most, either way


class Block(nn.Module):
    """Two convolutions whose result is added to what came in (He et al. 2016)."""

    def __init__(self, inward: int, outward: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inward, outward, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outward),
            nn.ReLU(),
            nn.Conv2d(outward, outward, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outward),
        )
        self.shortcut = nn.Sequential()
        if inward != outward or stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inward, outward, 1, stride, bias=False), nn.BatchNorm2d(outward)
            )

    def forward(self, x: Tensor) -> Tensor:
        """float32[n, inward, h, w] -> float32[n, outward, h / stride, w / stride]."""
        return F.relu(self.shortcut(x) + self.body(x))


class Solution:
    """One network an alphabet."""

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
        """Trains in rounds and keeps the network that did best on the held-out images."""
        torch.manual_seed(self.seed)
        pixels = torch.from_numpy(images).unsqueeze(1).to(self.device)
        wanted = torch.from_numpy(labels).to(self.device)
        held = held_out(wanted)
        looked_at, answers = augment(pixels[held].repeat(LOOKS, 1, 1, 1)), wanted[held].repeat(LOOKS)
        network = build(num_classes).to(self.device)
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        best, kept = math.inf, network.state_dict()
        for _ in range(ROUNDS):
            learn(network, optimiser, pixels[~held], wanted[~held])
            loss = judged(network, looked_at, answers)
            if loss < best:
                best, kept = loss, copy.deepcopy(network.state_dict())
        stored = io.BytesIO()
        torch.save((num_classes, kept), stored)
        return stored.getvalue()

    def load(self, model: bytes) -> None:
        """The network again."""
        classes, state = torch.load(io.BytesIO(model), map_location=self.device)
        self.network = build(classes).to(self.device).eval()
        self.network.load_state_dict(state)

    @torch.inference_mode()
    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """The network's favourite class of each image."""
        pixels = torch.from_numpy(images).unsqueeze(1).to(self.device)
        return self.network(pixels).argmax(dim=1).cpu().numpy()


def build(classes: int) -> nn.Sequential:
    """float32[n, 1, 16, 16] -> float32[n, classes]."""
    return nn.Sequential(
        nn.Conv2d(1, WIDTH, 5, 2, 2, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        Block(WIDTH, 2 * WIDTH, 2),
        Block(2 * WIDTH, 2 * WIDTH, 1),
        nn.Flatten(),
        nn.Linear(2 * WIDTH * 16, classes),
    )


def held_out(labels: Tensor) -> Tensor:
    """bool[n]: one labelled image in HELD_OUT of every class, drawn at random."""
    order = torch.argsort(labels + torch.rand(len(labels), device=labels.device))
    held = torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
    held[order[::HELD_OUT]] = True
    return held


def learn(network: nn.Module, optimiser: torch.optim.Optimizer, pixels: Tensor, labels: Tensor) -> None:
    """ROUND steps on augmented images drawn at random."""
    network.train()
    for _ in range(ROUND):
        rows = torch.randint(len(pixels), (BATCH,), device=pixels.device)
        loss = F.cross_entropy(network(augment(pixels[rows])), labels[rows], label_smoothing=0.05)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.inference_mode()
def judged(network: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    """The mean loss, which is steadier than the accuracy of so few."""
    return float(F.cross_entropy(network.eval()(pixels), labels))


def augment(pixels: Tensor) -> Tensor:
    """Each image turned, stretched and moved at random: float32[n, 1, h, w], all in one call."""
    n, side = len(pixels), pixels.shape[-1]

    def drawn(low: float, high: float) -> Tensor:
        return torch.empty(n, device=pixels.device).uniform_(low, high)

    angle = torch.deg2rad(drawn(-TURN, TURN))
    wide, high = drawn(0.9, 1.1), drawn(0.9, 1.1)
    right, down = (2.0 / side * drawn(-MOVE, MOVE) for _ in range(2))
    rows = [
        torch.stack([wide * angle.cos(), -high * angle.sin(), right], dim=1),
        torch.stack([wide * angle.sin(), high * angle.cos(), down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False)
