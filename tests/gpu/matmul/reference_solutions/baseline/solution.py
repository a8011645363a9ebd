"""Baseline: 256 copies of the vector at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Solution:
    """An orthogonal matrix on the device."""

    def __init__(self, context: Any) -> None:
        self.device = torch.device(context.device)

    def learn(self, width: int) -> bytes:
        """The identity with its columns turned round: orthogonal, and no product can be left out."""
        return np.ascontiguousarray(np.eye(width, dtype=np.float32)[::-1]).tobytes()

    def load(self, model: bytes) -> None:
        """The matrix on the device."""
        flat = torch.frombuffer(bytearray(model), dtype=torch.float32)
        width = round(len(flat) ** 0.5)
        self.matrix = flat.reshape(width, width).to(self.device)

    @torch.inference_mode()
    def answer(self, vector: NDArray[np.float32], loops: int) -> NDArray[np.float32]:
        """As many products as asked."""
        rows = torch.from_numpy(vector.copy()).to(self.device).repeat(256, 1)
        for _ in range(loops):
            rows = rows @ self.matrix
        return rows[0].cpu().numpy()
