"""Expert: nothing is computed that no token sees or that cannot weigh anything, and what is computed stays in cache.

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
6. In a steep head the bias ends what lies far back. How far is no guess: no score exceeds what the norms
   of query and keys allow, and no row's largest is below that of its nearest tokens. Keys beyond the
   distance at which the first, less the bias, cannot count against the second are left out.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

STRIP = {"cpu": 64, "cuda": 512}  # queries of a strip
LEFT_OUT = 1e-5  # the share of a row's weights that may be left out, at the most
NEAREST = 8  # tokens whose scores bound a row's largest from below
WORTH = 0.25  # of a strip's keys: heads are taken one by one where one of them leaves out more


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
        self.q, self.v, self.softcap = q * (1 / (math.sqrt(width) * softcap)), v, softcap
        strips = [
            (start, first, min(first + self.strip, end))
            for start, end in pairwise(bounds)
            for first in range(start, end, self.strip)
        ]
        begins = self._begins(k, slopes, bounds, [first for _, first, _ in strips])
        self.k = k.transpose(1, 2)
        # Rising by slope a token: only differences within a document matter, so it may start anywhere.
        longest = max(end - start for start, end in pairwise(bounds))
        self.bias = slopes[:, None, None] * torch.arange(longest, device=self.device)
        self.out = torch.empty_like(v)
        for (start, first, last), begin in zip(strips, begins.T.tolist(), strict=True):
            begin = [max(start, one) for one in begin]
            if max(begin) - min(begin) <= WORTH * (last - start):
                self._attend(slice(None), min(begin), first, last)
            else:
                for head, one in enumerate(begin):
                    self._attend(slice(head, head + 1), one, first, last)
        return self.out.cpu().numpy()

    def _attend(self, heads: slice, begin: int, first: int, last: int) -> None:
        """The answers of a strip's queries, from the keys of `begin` on."""
        scores = torch.bmm(self.q[heads, first:last], self.k[heads, :, begin:last])
        scores = scores.tanh_().mul_(self.softcap).add_(self.bias[heads, :, : last - begin])
        scores[:, :, first - begin :].add_(self.triangle[: last - first, : last - first])
        self.out[heads, first:last] = torch.bmm(torch.softmax(scores, dim=-1), self.v[heads, begin:last])

    def _begins(
        self, k: torch.Tensor, slopes: torch.Tensor, bounds: list[int], firsts: list[int]
    ) -> NDArray[np.int64]:
        """The first key that may count for each head and strip, int64[heads, strips]; 0 where nothing bounds it."""
        begins = np.zeros((len(k), len(firsts)), dtype=np.int64)
        longest = max(end - start for start, end in pairwise(bounds))
        largest = k.norm(dim=2)
        for start, end in pairwise(bounds):
            largest[:, start:end] = largest[:, start:end].amax(dim=1, keepdim=True)
        most = torch.tanh(self.q.norm(dim=2) * largest) * self.softcap
        for head, slope in enumerate(slopes.tolist()):
            # Beyond some distance all weights together, a geometric series, are the last one's by 1 - exp(-slope).
            margin = -math.log(LEFT_OUT * -math.expm1(-slope))
            if (float(most[head].mean()) + margin) / slope < longest:
                reach = (most[head] - self._least(self.q[head], k[head], slope, bounds) + margin) / slope
                rows = torch.arange(len(reach), device=self.device) - reach.ceil().long()
                begins[head] = np.minimum.reduceat(rows.cpu().numpy(), firsts)
        return begins

    def _least(self, q: torch.Tensor, k: torch.Tensor, slope: float, bounds: list[int]) -> torch.Tensor:
        """What each row's largest score is at least, float32[n]: the largest of its nearest tokens'."""
        starts = torch.zeros(len(q), dtype=torch.bool, device=self.device)
        starts[bounds[:-1]] = True
        reachable, largest = ~starts, torch.tanh((q * k).sum(dim=1)) * self.softcap
        for back in range(1, min(NEAREST, len(q))):
            scores = torch.tanh((q[back:] * k[:-back]).sum(dim=1)) * self.softcap - slope * back
            here = reachable[back:]
            largest[back:] = torch.where(here, torch.maximum(largest[back:], scores), largest[back:])
            # A document's token `back` + 1 sees no token of its own that far back.
            reachable = reachable & torch.cat([starts.new_zeros(1), reachable[:-1]])
        return largest
