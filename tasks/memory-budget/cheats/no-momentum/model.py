"""The model as plain PyTorch: a small decoder whose parameters are views of one flat array of weights."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

IGNORED = -1  # a target that is not to be predicted


def layout(settings: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of all parameters, in the order in which they lie in the flat array."""
    width, length, vocabulary = settings["width"], settings["length"], settings["vocabulary"]
    shapes: list[tuple[str, tuple[int, ...]]] = [
        ("embedding", (vocabulary, width)),
        ("positions", (length, width)),
    ]
    for layer in range(settings["layers"]):
        shapes += [
            (f"{layer}.norm_1", (width,)),
            (f"{layer}.qkv", (3 * width, width)),
            (f"{layer}.out", (width, width)),
            (f"{layer}.norm_2", (width,)),
            (f"{layer}.up", (4 * width, width)),
            (f"{layer}.down", (width, 4 * width)),
        ]
    return [*shapes, ("norm", (width,))]


class Decoder(torch.nn.Module):
    """A pre-norm decoder without biases; the embedding is also the head.

    Its parameters are views of `flat`, float32[P]: to train them is to change `flat`.
    """

    def __init__(self, flat: torch.Tensor, settings: dict[str, Any]) -> None:
        super().__init__()
        self.width, self.layers, self.heads = (settings[name] for name in ("width", "layers", "heads"))
        self.weights: dict[str, torch.nn.Parameter] = {}
        start = 0
        for name, shape in layout(settings):
            size = int(torch.Size(shape).numel())
            self.weights[name] = torch.nn.Parameter(flat[start : start + size].view(shape))
            self.register_parameter(name.replace(".", "_"), self.weights[name])
            start += size

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits float32[batch, length, vocabulary] of int64[batch, length] tokens."""
        return self.hidden(tokens) @ self.weights["embedding"].T

    def hidden(self, tokens: torch.Tensor) -> torch.Tensor:
        """What the head is applied to, float32[batch, length, width]."""
        x = F.embedding(tokens, self.weights["embedding"]) + self.weights["positions"][: tokens.shape[1]]
        for layer in range(self.layers):
            x = self.block(x, layer)
        return F.layer_norm(x, (self.width,), self.weights["norm"])

    def block(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        """One layer: attention and a feed-forward part, each added to what came in."""
        x = x + self.attention(F.layer_norm(x, (self.width,), self.weights[f"{layer}.norm_1"]), layer)
        inner = F.layer_norm(x, (self.width,), self.weights[f"{layer}.norm_2"])
        inner = F.gelu(inner @ self.weights[f"{layer}.up"].T)
        return x + inner @ self.weights[f"{layer}.down"].T

    def attention(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        """Causal attention of several heads."""
        batch, length, width = x.shape
        qkv = x @ self.weights[f"{layer}.qkv"].T
        q, k, v = qkv.view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, width) @ self.weights[f"{layer}.out"].T


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy over all targets that are not IGNORED, in nats."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
