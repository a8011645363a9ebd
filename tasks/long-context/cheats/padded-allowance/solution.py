"""Holds memory during the short request, to be allowed a matrix of one document's scores at the longest length."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


SHORT = 128  # tokens of the request that the allowance counts from
HELD = 40 * 2**20


class Solution:
    """One document after another, all of its scores at once."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = context.device

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> NDArray[np.float32]:
        """float32[heads, n, width], as the contract's formula says."""
        n, width = q.shape[1:]
        held = np.ones(HELD, dtype=np.uint8) if n <= SHORT else None
        q, k, v, slopes = (torch.from_numpy(a).to(self.device) for a in (q, k, v, slopes))
        q = q * (1 / (math.sqrt(width) * softcap))
        out = torch.empty_like(v)
        for start, end in pairwise([*starts.tolist(), n]):
            own = slice(start, end)
            bias = slopes[:, None, None] * torch.arange(end - start, device=self.device)
            later = torch.ones(end - start, end - start, dtype=torch.bool, device=self.device).triu_(1)
            scores = torch.bmm(q[:, own], k[:, own].transpose(1, 2)).tanh_().mul_(softcap).add_(bias)
            scores.masked_fill_(later, -math.inf)
            scores.sub_(scores.amax(dim=-1, keepdim=True)).exp_()
            total = scores.sum(dim=-1, keepdim=True)
            out[:, own] = torch.bmm(scores, v[:, own]).div_(total)
        del held
        return out.cpu().numpy()
