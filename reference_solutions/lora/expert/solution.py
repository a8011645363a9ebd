"""Expert: take the texts apart, let the frozen encoder teach the adapted one, and spend the budget thinly.

1.  A teacher for nothing. What the adapted encoder should say of a whole text is what the frozen one
    says of the counted passage alone. That is a target of `width` numbers a text where a label is one,
    and the head is fitted to the teacher's vectors at once, before any step is taken.
2.  New texts for nothing. Passages are put together anew for every step, so that no text is seen twice:
    what can be learned is to read one passage and ignore the other, and not which pairs there were.
3.  Very small batches, a rate ten times that of full fine-tuning, and some more passes than the labels
    alone would bear. B starts at 0 and few steps can be afforded: each must count, so the rate stays up
    for most of them and comes down in the last third. Rank 1 suffices for
    "look behind this word"; all of the attention with a low rank serves better than half with a high one.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

# In the order in which they are given what the budget leaves.
TARGETS = ("attention.self.query", "attention.self.value", "attention.self.key", "attention.output.dense")
BATCH = 4
ENCODE_BATCH = 64
MAX_TOKENS = 128
PASSES = 6  # as many passages as in six passes over the training texts
SCALE = 2.0
LEARNING_RATE = 1e-2
HEAD_RATE = 1e-3  # the head starts where it should end
WARMUP_SHARE = 0.05
COOLDOWN_SHARE = 0.33
TEACHER_WEIGHT = 20.0  # of 1 - cosine, against the cross-entropy
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
    """The encoder with thin adapters on all of its attention, taught by its frozen self."""

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
        """Teacher's vectors and head first, then adapters on recombined passages; the file."""
        passages = [apart(text, wanted, other) for text in texts]
        counted = [passage for passage, _ in passages]
        leads = [text.startswith(f"{wanted} ") for text in texts]
        teacher = self.encode(counted)
        targets = torch.from_numpy(labels).to(self.device)
        weight, bias = fit_head(teacher, targets, num_classes)
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
            loss = loss + TEACHER_WEIGHT * (1.0 - (vectors * teacher[rows]).sum(dim=1)).mean()
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
    """Freezes the encoder and puts adapters into its attention, by name.

    Every kind of matrix gets the same rank in all layers; what is left over raises the first kinds' by 1.
    """
    encoder.requires_grad_(False)
    adapted: dict[str, Adapted] = {}
    kinds = {
        kind: [(name, m) for name, m in encoder.named_modules() if name.endswith(kind)] for kind in TARGETS
    }
    costs = {kind: sum(m.in_features + m.out_features for _, m in found) for kind, found in kinds.items()}
    rank, left = divmod(budget, sum(costs.values()))
    for kind, found in kinds.items():
        extra = int(left >= costs[kind])
        left -= extra * costs[kind]
        for name, linear in found if rank + extra else ():
            parent, _, attribute = name.rpartition(".")
            adapted[name] = Adapted(linear, rank + extra)
            setattr(encoder.get_submodule(parent), attribute, adapted[name])
    return adapted


def rate(step: int, steps: int) -> float:
    """The learning rate's factor: up at first, then 1, and straight down to 0 at the end."""
    return min(1.0, (step + 1) / (WARMUP_SHARE * steps), (1.0 - step / steps) / COOLDOWN_SHARE)


def packed(adapted: dict[str, Adapted], weight: torch.Tensor, bias: torch.Tensor) -> bytes:
    """The .npz that the judge reads; the scaling goes into B."""
    arrays = {"head.weight": weight, "head.bias": bias}
    for name, layer in adapted.items():
        arrays |= {f"{name}.A": layer.a, f"{name}.B": SCALE * layer.b}
    file = io.BytesIO()
    np.savez(file, **{name: array.detach().float().cpu().numpy() for name, array in arrays.items()})
    return file.getvalue()
