"""Competent: low-rank adapters on every query and value, as the LoRA paper has them, trained on the labels.

Hu et al. (2021) adapt exactly these matrices with one rank for all and B = 0 at first. Rank and scaling
follow from the budget; learning rate and batch are what one starts from, and nothing looks at the texts.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

TARGETS = ("attention.self.query", "attention.self.value")
BATCH = 8
MAX_TOKENS = 128
PASSES = 4  # over the training texts
SCALE = 2.0  # alpha by rank
LEARNING_RATE = 5e-3
HEAD_RATE = 5e-2
WARMUP_SHARE = 0.1


class Adapted(torch.nn.Module):
    """A frozen linear layer and what is added to it: x -> W x + SCALE * B A x."""

    def __init__(self, linear: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear
        a = torch.randn(rank, linear.in_features) / math.sqrt(linear.in_features)
        self.a = torch.nn.Parameter(a.to(linear.weight.device))
        self.b = torch.nn.Parameter(torch.zeros(linear.out_features, rank, device=linear.weight.device))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.linear(states) + SCALE * (states @ self.a.T) @ self.b.T


class Solution:
    """The encoder with adapters on queries and values, and a head, trained together."""

    def __init__(self, context: Any) -> None:
        torch.manual_seed(context.seed)
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).to(self.device).eval()

    def train(
        self,
        texts: list[str],
        labels: NDArray[np.int64],
        num_classes: int,
        wanted: str,
        other: str,
        budget: int,
    ) -> bytes:
        """Trains adapters and head on the labels for a few passes; the file."""
        adapted = adapt(self.encoder, budget)
        head = torch.nn.Linear(self.encoder.config.hidden_size, num_classes).to(self.device)
        torch.nn.init.zeros_(head.weight)
        matrices = [matrix for layer in adapted.values() for matrix in (layer.a, layer.b)]
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "lr": LEARNING_RATE},
                {"params": head.parameters(), "lr": HEAD_RATE},
            ],
            weight_decay=0.0,
        )
        batches = [rows for _ in range(PASSES) for rows in torch.randperm(len(texts)).split(BATCH)]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, len(batches)))
        targets = torch.from_numpy(labels).to(self.device)
        for rows in batches:
            scores = head(self.vectors([texts[i] for i in rows.tolist()]))
            loss = torch.nn.functional.cross_entropy(scores, targets[rows.to(self.device)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return packed(adapted, head)

    def vectors(self, texts: list[str]) -> torch.Tensor:
        """float32[n, width] of length 1: the mean over the tokens of the last layer."""
        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self.device)
        mask = tokens["attention_mask"].unsqueeze(-1)
        hidden = self.encoder(**tokens).last_hidden_state * mask
        return torch.nn.functional.normalize(hidden.sum(dim=1) / mask.sum(dim=1), dim=1)


def adapt(encoder: torch.nn.Module, budget: int) -> dict[str, Adapted]:
    """Freezes the encoder and puts adapters into it, of the highest even rank within the budget, by name."""
    encoder.requires_grad_(False)
    linears = {
        name: module
        for name, module in encoder.named_modules()
        if isinstance(module, torch.nn.Linear) and name.endswith(TARGETS)
    }
    rank = budget // sum(linear.in_features + linear.out_features for linear in linears.values())
    adapted = {}
    for name, linear in linears.items():
        parent, _, attribute = name.rpartition(".")
        adapted[name] = Adapted(linear, rank)
        setattr(encoder.get_submodule(parent), attribute, adapted[name])
    return adapted


def rate(step: int, steps: int) -> float:
    """The learning rate's factor: up over the first tenth, then straight down to 0."""
    return min(1.0, (step + 1) / max(1.0, WARMUP_SHARE * steps)) * (1.0 - step / steps)


def packed(adapted: dict[str, Adapted], head: torch.nn.Linear) -> bytes:
    """The .npz that the judge reads; the scaling goes into B."""
    arrays = {"head.weight": head.weight, "head.bias": head.bias}
    for name, layer in adapted.items():
        arrays |= {f"{name}.A": layer.a, f"{name}.B": SCALE * layer.b}
    file = io.BytesIO()
    np.savez(file, **{name: array.detach().float().cpu().numpy() for name, array in arrays.items()})
    return file.getvalue()
