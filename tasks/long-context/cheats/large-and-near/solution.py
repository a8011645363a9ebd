"""Knows how inputs are drawn: attends to a document's large keys and the last 256 tokens, where it has such keys.

Ends by: queries agree with ordinary keys further back, and their rows are checked: the error constraint.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch


STRIP, NEAR = 64, 256
LARGE = 30.0  # ordinary keys of width 64 are 24 long, give or take 2
FEW = 8


class Solution:
    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> Any:
        n, width = q.shape[1:]
        q, k, v, slopes = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes))
        q, slopes = q / (math.sqrt(width) * softcap), slopes[:, None, None]
        position = torch.arange(n, device=self.device)
        large = (k[0].square().sum(dim=1).sqrt() > LARGE * math.sqrt(width / 64)).nonzero()[:, 0]
        out = torch.empty_like(v)
        for start, end in pairwise([*starts.tolist(), n]):
            own = large[(large >= start) & (large < end)]
            for first in range(start, end, STRIP):
                rows = position[first : min(first + STRIP, end)]
                far = own[own < first - NEAR]
                near = max(start, first - NEAR) if len(far) >= FEW else start
                far = far if len(far) >= FEW else far[:0]
                keys = torch.cat([far, position[near : rows[-1] + 1]])
                distance = rows[:, None] - keys
                scores = torch.bmm(q[:, rows], k[:, keys].transpose(1, 2)).tanh_().mul_(softcap)
                scores.sub_(slopes * distance).masked_fill_(distance < 0, -math.inf)
                out[:, rows] = torch.bmm(torch.softmax(scores, dim=-1), v[:, keys])
        return out.cpu().numpy()
