"""Expert: nothing is computed that no token sees, and what is computed stays in cache.

1. Documents are packed, so all that one sees lies in a run of keys: each is attended to by itself, and
   no tile outside of it is made. That leaves about half of what the causal mask leaves.
2. Within a document, a strip of queries meets only the keys up to its own last one.
3. Only the square on the diagonal needs a mask; it is the same triangle each time, added once.
4. A constant of a row leaves a softmax as it is: of the bias -slope * (i - j) only slope * j is kept,
   a vector for each document, and the scale and the cap's division go into the queries beforehand.
5. Tiles are sized so that one stays in a core's cache for all of its passes, which work in place;
   on a GPU so that it fills the device.

Scores are capped, yet near the cap exp overflows in float32: the largest score so far is subtracted,
and sums are shrunk as it rises (online softmax). The diagonal comes first, where every query sees
itself, so that no strip ever meets a tile without having seen a key.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

# Scores of a tile over all heads: 512 KiB of float32 on a CPU, 64 MiB on a GPU.
TILE_SCORES = {"cpu": 1 << 17, "cuda": 1 << 24}
STRIP = {"cpu": 128, "cuda": 1024}  # queries of a strip


class Solution:
    """One document after another, one strip of queries after another."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device
        kind = "cuda" if "cuda" in context.device else "cpu"
        self.strip, self.scores = STRIP[kind], TILE_SCORES[kind]
        above = torch.ones(self.strip, self.strip, device=self.device).triu(1).bool()
        self.triangle = torch.zeros_like(above, dtype=torch.float32).masked_fill_(above, -math.inf)

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> NDArray[np.float32]:
        """float32[heads, n, width], as the contract's formula says."""
        n, width = q.shape[1:]
        bounds = [*starts.tolist(), n]
        q, k, v, slopes = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes))
        q = q * (1 / (math.sqrt(width) * softcap))
        k = k.transpose(1, 2)
        # Rising by slope a token: only differences within a document matter, so it may start anywhere.
        longest = max(end - start for start, end in pairwise(bounds))
        bias = slopes[:, None, None] * torch.arange(longest, device=self.device)
        out = torch.empty_like(v)
        for start, end in pairwise(bounds):
            for first in range(start, end, self.strip):
                last = min(first + self.strip, end)
                own = (k[:, :, start:last], v[:, start:last], bias[:, :, : last - start])
                out[:, first:last] = self._strip(q[:, first:last], own, softcap)
        return out.cpu().numpy()

    def _strip(
        self, q: torch.Tensor, own: tuple[torch.Tensor, torch.Tensor, torch.Tensor], softcap: float
    ) -> torch.Tensor:
        """The answer of a strip of queries that ends where its keys end; tiles of keys from the last back."""
        k, v, bias = own
        heads, rows, _ = q.shape
        wide = max(rows, self.scores // (heads * self.strip))
        end = k.shape[2]
        largest = total = sums = None
        while end > 0:
            keys = slice(max(0, end - wide), end)
            scores = torch.bmm(q, k[:, :, keys]).tanh_().mul_(softcap).add_(bias[:, :, keys])
            if largest is None:
                scores[:, :, -rows:].add_(self.triangle[:rows, :rows])
                largest = scores.amax(dim=-1, keepdim=True)
                weights = scores.sub_(largest).exp_()
                total, sums = weights.sum(dim=-1, keepdim=True), torch.bmm(weights, v[:, keys])
            else:
                now = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
                shrink = largest.sub_(now).exp_()
                weights = scores.sub_(now).exp_()
                total.mul_(shrink).add_(weights.sum(dim=-1, keepdim=True))
                sums.mul_(shrink).baddbmm_(weights, v[:, keys])
                largest = now
            end = keys.start
        return sums.div_(total)
