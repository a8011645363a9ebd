"""Competent: tiles of scores and an online softmax, none of them above the diagonal.

No matrix is larger than a tile, so memory is the inputs' and the answer's. A tile stays in cache
through all its passes, and half of all tiles, those of keys that come after all of their queries,
are never made. Documents are only masked: most of what is left is still thrown away.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

TILE = {"cpu": 256, "cuda": 2048}  # queries, and keys, of a tile


class Solution:
    """Tiles of queries, and for each all tiles of keys up to it."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device
        self.tile = TILE["cuda" if "cuda" in context.device else "cpu"]

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> NDArray[np.float32]:
        """float32[heads, n, width], as the contract's formula says."""
        q, k, v, slopes, starts = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes, starts))
        self.k, self.v, self.slopes, self.softcap = k, v, slopes[:, None, None], softcap
        self.position = torch.arange(q.shape[1], dtype=torch.float32, device=self.device)
        self.document = torch.searchsorted(starts.float(), self.position, right=True, out_int32=True)
        q = q / (math.sqrt(q.shape[2]) * softcap)  # the cap's division, once
        out = torch.empty_like(v)
        for first in range(0, q.shape[1], self.tile):
            rows = slice(first, min(first + self.tile, q.shape[1]))
            out[:, rows] = self._rows(q[:, rows], rows)
        return out.cpu().numpy()

    def _rows(self, q: torch.Tensor, rows: slice) -> torch.Tensor:
        """The answer of a tile of queries; the running largest score and sum of each go along."""
        # Finite, or a tile in which a query sees nothing would subtract infinity from infinity.
        largest = q.new_full((*q.shape[:2], 1), -1e30)
        total = q.new_zeros((*q.shape[:2], 1))
        sums = torch.zeros_like(q)
        for first in range(0, rows.stop, self.tile):
            keys = slice(first, min(first + self.tile, rows.stop))
            scores = self._scores(q, rows, keys)
            now = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
            weights = scores.sub_(now).exp_()
            shrink = torch.exp(largest - now)
            total.mul_(shrink).add_(weights.sum(dim=-1, keepdim=True))
            sums.mul_(shrink).baddbmm_(weights, self.v[:, keys])
            largest = now
        return sums / total

    def _scores(self, q: torch.Tensor, rows: slice, keys: slice) -> torch.Tensor:
        """A tile of scores, minus infinity where a query does not see a key."""
        distance = self.position[rows, None] - self.position[keys]
        hidden = (self.document[rows, None] != self.document[keys]) | (distance < 0)
        scores = torch.bmm(q, self.k[:, keys].transpose(1, 2)).tanh_().mul_(self.softcap)
        return scores.sub_(self.slopes * distance).masked_fill_(hidden, -math.inf)
