"""The expert without skipping documents: every key up to a strip's own last one, other documents masked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

TILE_SCORES = {"cpu": 1 << 17, "cuda": 1 << 24}
STRIP = {"cpu": 128, "cuda": 1024}


class Solution:
    """One strip of queries after another, over all keys before it."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device
        kind = "cuda" if "cuda" in context.device else "cpu"
        self.strip, self.scores = STRIP[kind], TILE_SCORES[kind]

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> NDArray[np.float32]:
        """float32[heads, n, width], as the contract's formula says."""
        n, width = q.shape[1:]
        q, k, v, slopes, starts = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes, starts))
        q = q * (1 / (math.sqrt(width) * softcap))
        self.k, self.v, self.softcap = k.transpose(1, 2), v, softcap
        self.position = torch.arange(n, device=self.device)
        self.begin = starts[torch.searchsorted(starts, self.position, right=True) - 1]
        self.slopes = slopes[:, None, None]
        out = torch.empty_like(v)
        for first in range(0, n, self.strip):
            rows = slice(first, min(first + self.strip, n))
            out[:, rows] = self._strip(q[:, rows], rows)
        return out.cpu().numpy()

    def _strip(self, q: torch.Tensor, rows: slice) -> torch.Tensor:
        """The answer of a strip of queries; tiles of keys from the last back."""
        wide = max(self.strip, self.scores // (len(q) * self.strip))
        position, begin = self.position[rows, None], self.begin[rows, None]
        end, largest, total, sums = rows.stop, None, None, None
        while end > 0:
            keys = slice(max(0, end - wide), end)
            here = self.position[keys]
            scores = torch.bmm(q, self.k[:, :, keys]).tanh_().mul_(self.softcap)
            # From the strip's own begin: a bias that counts all tokens would be too coarse far away.
            scores.add_(self.slopes * (here - rows.start))
            scores.masked_fill_((here < begin) | (here > position), -math.inf)
            if largest is None:
                largest = scores.amax(dim=-1, keepdim=True)
                weights = scores.sub_(largest).exp_()
                total, sums = weights.sum(dim=-1, keepdim=True), torch.bmm(weights, self.v[:, keys])
            else:
                now = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
                shrink = largest.sub_(now).exp_()
                weights = scores.sub_(now).exp_()
                total.mul_(shrink).add_(weights.sum(dim=-1, keepdim=True))
                sums.mul_(shrink).baddbmm_(weights, self.v[:, keys])
                largest = now
            end = keys.start
        return sums.div_(total)
