"""Competent: low-rank adapters on every query and value, as the LoRA paper has them, trained on the labels.

Hu et al. (2021) adapt exactly these matrices with one rank for all and B = 0 at first. Two things make it
work on so few texts: the head is fitted first, to the passages that count, so that from the first
step on the adapters are told where to go; and the passages are put together anew for every step, so that
there is little to learn by heart.
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
ENCODE_BATCH = 64
MAX_TOKENS = 128
PASSES = 4  # over the training texts
SCALE = 2.0  # alpha by rank
LEARNING_RATE = 1e-2
HEAD_RATE = 1e-3  # the head starts where it should end
WARMUP_SHARE = 0.1
STRENGTH = 10.0  # of the head's fit: the summed loss against half the squared weights


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
    """The encoder with adapters on queries and values, trained on recombined passages."""

    def __init__(self, context: Any) -> None:
        torch.manual_seed(context.seed)
        self.rng = np.random.default_rng(context.seed)
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
        """The head on passages alone first, then adapters on recombined ones; the file."""
        passages = [apart(text, wanted, other) for text in texts]
        counted = [passage for passage, _ in passages]
        leads = [text.startswith(f"{wanted} ") for text in texts]
        targets = torch.from_numpy(labels).to(self.device)
        weight, bias = fit_head(self.encode(counted), targets, num_classes)
        adapted = adapt(self.encoder, budget)
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": [m for layer in adapted.values() for m in (layer.a, layer.b)],
                    "lr": LEARNING_RATE,
                },
                {"params": [weight, bias], "lr": HEAD_RATE},
            ],
            weight_decay=0.0,
        )
        batches = [rows for _ in range(PASSES) for rows in torch.randperm(len(texts)).split(BATCH)]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, len(batches)))
        for rows in batches:
            made = [
                f"{marked(wanted, counted[i])} {marked(other, beside)}"
                if first
                else f"{marked(other, beside)} {marked(wanted, counted[i])}"
                for i, beside, first in zip(
                    rows.tolist(), self.some(counted, len(rows)), self.some(leads, len(rows)), strict=True
                )
            ]
            vectors, rows = self.vectors(made), rows.to(self.device)
            loss = torch.nn.functional.cross_entropy(vectors @ weight.T + bias, targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return packed(adapted, weight, bias)

    def some(self, things: list[Any], count: int) -> list[Any]:
        """`count` of the things, drawn with replacement."""
        return [things[i] for i in self.rng.integers(len(things), size=count).tolist()]

    def vectors(self, texts: list[str]) -> torch.Tensor:
        """float32[n, width] of length 1: the mean over the tokens of the last layer."""
        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        ).to(self.device)
        mask = tokens["attention_mask"].unsqueeze(-1)
        hidden = self.encoder(**tokens).last_hidden_state * mask
        return torch.nn.functional.normalize(hidden.sum(dim=1) / mask.sum(dim=1), dim=1)

    @torch.no_grad()
    def encode(self, texts: list[str]) -> torch.Tensor:
        """The vectors of many texts, in batches of like length."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found = torch.empty(len(texts), self.encoder.config.hidden_size, device=self.device)
        for start in range(0, len(texts), ENCODE_BATCH):
            rows = order[start : start + ENCODE_BATCH]
            found[rows] = self.vectors([texts[i] for i in rows])
        return found


def apart(text: str, wanted: str, other: str) -> tuple[str, str]:
    """The passage that counts, and the one beside it: each word stands behind its opening word."""
    words = text.split()
    pairs = list(zip(words[::2], words[1::2], strict=True))
    counted, beside = (" ".join(word for opener, word in pairs if opener == one) for one in (wanted, other))
    return counted, beside


def marked(opener: str, passage: str) -> str:
    """The passage with the opening word before each of its words."""
    return " ".join(f"{opener} {word}" for word in passage.split())


def fit_head(vectors: torch.Tensor, labels: torch.Tensor, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Softmax regression with a quadratic penalty, by L-BFGS: float32[classes, width], float32[classes]."""
    weight = torch.zeros(classes, vectors.shape[1], device=vectors.device, requires_grad=True)
    bias = torch.zeros(classes, device=vectors.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=60)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        scores = vectors @ weight.T + bias
        value = torch.nn.functional.cross_entropy(scores, labels)
        value = value + weight.square().sum() / (2 * STRENGTH * len(labels))
        value.backward()
        return value

    optimizer.step(loss)
    return weight, bias


def adapt(encoder: torch.nn.Module, budget: int) -> dict[str, Adapted]:
    """Freezes the encoder and puts adapters into it, all of the highest rank within the budget, by name."""
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


def packed(adapted: dict[str, Adapted], weight: torch.Tensor, bias: torch.Tensor) -> bytes:
    """The .npz that the judge reads; the scaling goes into B."""
    arrays = {"head.weight": weight, "head.bias": bias}
    for name, layer in adapted.items():
        arrays |= {f"{name}.A": layer.a, f"{name}.B": SCALE * layer.b}
    file = io.BytesIO()
    np.savez(file, **{name: array.detach().float().cpu().numpy() for name, array in arrays.items()})
    return file.getvalue()
