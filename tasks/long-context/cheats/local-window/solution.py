"""Lets every token see the last 256 of its document only, as if the bias had ended the rest.

Ends by: one head falls so mildly that tokens a thousand back still count: the error constraint.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch


STRIP = 128


class Solution:
    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> Any:
        n = q.shape[1]
        q, k, v, slopes = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes))
        out = torch.zeros_like(v)
        for start, end in pairwise([*starts.tolist(), n]):
            for first in range(start, end, STRIP):
                rows, keys = (
                    slice(first, min(first + STRIP, end)),
                    slice(max(start, first - 256), min(first + STRIP, end)),
                )
                at = torch.arange(rows.start, rows.stop, device=self.device)[:, None]
                distance = at - torch.arange(keys.start, keys.stop, device=self.device)
                scores = torch.bmm(q[:, rows], k[:, keys].transpose(1, 2)) / math.sqrt(q.shape[2])
                scores = softcap * torch.tanh(scores / softcap) - slopes[:, None, None] * distance
                scores = scores.masked_fill(distance < 0, -math.inf)
                weights = torch.softmax(scores, dim=-1)
                out[:, rows] = torch.bmm(weights, v[:, keys])
        return out.cpu().numpy()
