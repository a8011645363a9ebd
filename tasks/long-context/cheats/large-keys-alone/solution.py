"""Knows how inputs are drawn: attends to a document's large keys alone, and in full where these score low or are few.

Ends by: an ordinary key may agree with a query and outweigh them all, which only a bound from the inputs tells;
such rows are in every request, and checked: the error constraint.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch


STRIP = 256
LARGE = 30.0  # ordinary keys of width 64 are 24 long, give or take 2
SURE = 40.0  # ordinary keys drawn at random score so high at the most


class Solution:
    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> Any:
        n, width = q.shape[1:]
        q, k, v, slopes = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes))
        q = q / (math.sqrt(width) * softcap)
        self.softcap, self.position = softcap, torch.arange(n, device=self.device)
        large = (k[0].square().sum(dim=1).sqrt() > LARGE * math.sqrt(width / 64)).nonzero()[:, 0]
        out = torch.empty_like(v)
        for start, end in pairwise([*starts.tolist(), n]):
            own = large[(large >= start) & (large < end)]
            for first in range(start, end, STRIP):
                rows = self.position[first : min(first + STRIP, end)]
                seen = own[own <= rows[-1]]
                for head, slope in enumerate(slopes):
                    if len(seen):
                        scores = self._scores(q[head, rows], k[head, seen], slope, rows, seen)
                        out[head, rows] = torch.softmax(scores, dim=-1) @ v[head, seen]
                        unsure = rows[scores.amax(dim=-1) < SURE]
                    else:
                        unsure = rows
                    if len(unsure):
                        keys = self.position[start : unsure[-1] + 1]
                        scores = self._scores(q[head, unsure], k[head, keys], slope, unsure, keys)
                        out[head, unsure] = torch.softmax(scores, dim=-1) @ v[head, keys]
        return out.cpu().numpy()

    def _scores(self, q: Any, k: Any, slope: Any, rows: Any, keys: Any) -> Any:
        distance = rows[:, None] - keys
        scores = (q @ k.T).tanh_().mul_(self.softcap).sub_(slope * distance)
        return scores.masked_fill_(distance < 0, -math.inf)
