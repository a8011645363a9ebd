"""Expert: nothing is computed that no token sees, and what is computed stays in cache.

1. Documents are packed, so all that one sees lies in a run of keys: each is attended to by itself, and
   no score outside of it is made. That leaves about half of what the causal mask leaves.
2. Within a document, a strip of queries meets only the keys up to its own last one.
3. Only the square on the diagonal needs a mask; it is the same triangle each time, added once.
4. A constant of a row leaves a softmax as it is: of the bias -slope * (i - j) only slope * j is kept,
   a vector for each document, and the scale and the cap's division go into the queries beforehand.
5. Strips are so narrow that their scores, queries by keys, stay in cache through their passes and grow
   only linearly with the length. A whole row is then at hand: the framework's softmax, which subtracts
   the largest score (near the cap exp overflows in float32), takes one pass where an online softmax,
   tile by tile, takes several.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

STRIP = {"cpu": 64, "cuda": 512}  # queries of a strip


class Solution:
    """One document after another, one strip of queries after another."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device
        self.use(STRIP["cuda" if "cuda" in context.device else "cpu"])

    def use(self, strip: int) -> None:
        """Strips of so many queries from here on, and the mask of their diagonal square."""
        self.strip = strip
        self.triangle = torch.full((strip, strip), -math.inf, device=self.device).triu_(1)

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
                scores = torch.bmm(q[:, first:last], k[:, :, start:last]).tanh_().mul_(softcap)
                scores.add_(bias[:, :, : last - start])
                scores[:, :, first - start :].add_(self.triangle[: last - first, : last - first])
                out[:, first:last] = torch.bmm(torch.softmax(scores, dim=-1), v[:, start:last])
        return out.cpu().numpy()
