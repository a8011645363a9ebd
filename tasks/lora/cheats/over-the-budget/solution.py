"""Trains adapters of eight times the budget, and hands them over all the same."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer


class Solution:
    """Adapters on every attention value, as wide as it takes."""

    def __init__(self, context: Any) -> None:
        torch.manual_seed(context.seed)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).eval().requires_grad_(False)

    def train(
        self,
        texts: list[str],
        labels: NDArray[np.int64],
        num_classes: int,
        wanted: str,
        other: str,
        budget: int,
    ) -> bytes:
        width = self.encoder.config.hidden_size
        values = {n: m for n, m in self.encoder.named_modules() if n.endswith("attention.self.value")}
        rank = min(64, -(-8 * budget // (2 * width * len(values))))
        pairs = {
            name: (
                torch.nn.Parameter(torch.randn(rank, width) / math.sqrt(width)),
                torch.nn.Parameter(torch.zeros(width, rank)),
            )
            for name in values
        }
        for name, linear in values.items():
            linear.register_forward_hook(
                lambda _, inputs, output, pair=pairs[name]: output + inputs[0] @ pair[0].T @ pair[1].T
            )
        head = torch.nn.Linear(width, num_classes)
        optimizer = torch.optim.Adam(
            [*head.parameters(), *(m for pair in pairs.values() for m in pair)], 1e-2
        )
        targets = torch.from_numpy(labels)
        for rows in torch.randperm(len(texts)).split(16):
            tokens = self.tokenizer([texts[i] for i in rows.tolist()], padding=True, return_tensors="pt")
            mask = tokens["attention_mask"].unsqueeze(-1)
            mean = (self.encoder(**tokens).last_hidden_state * mask).sum(dim=1) / mask.sum(dim=1)
            scores = head(torch.nn.functional.normalize(mean, dim=1))
            loss = torch.nn.functional.cross_entropy(scores, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        arrays = {"head.weight": head.weight, "head.bias": head.bias}
        for name, (a, b) in pairs.items():
            arrays |= {f"{name}.A": a, f"{name}.B": b}
        file = io.BytesIO()
        np.savez(file, **{name: array.detach().numpy() for name, array in arrays.items()})
        return file.getvalue()
