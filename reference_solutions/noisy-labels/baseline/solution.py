"""Baseline: a linear head on frozen sentence vectors, trained on the labels as if they were right.

The head has enough freedom and enough epochs to learn the wrong labels by heart, and it does.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

BATCH = 32
MAX_TOKENS = 128
EPOCHS = 150
LEARNING_RATE = 1e-2


class Solution:
    """Mean-pooled vectors of the encoder, and softmax regression on them."""

    def __init__(self, context: Any) -> None:
        torch.manual_seed(context.seed)
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).to(self.device).eval()

    def train(self, texts: list[str], labels: NDArray[np.int64], num_classes: int) -> bytes:
        """Fits the head to the given labels; its weights."""
        vectors, targets = self._encode(texts), torch.from_numpy(labels).to(self.device)
        head = torch.nn.Linear(vectors.shape[1], num_classes).to(self.device)
        optimizer = torch.optim.Adam(head.parameters(), lr=LEARNING_RATE)
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(texts), device=self.device).split(BATCH):
                loss = torch.nn.functional.cross_entropy(head(vectors[rows]), targets[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        model = io.BytesIO()
        torch.save(head.state_dict(), model)
        return model.getvalue()

    def load(self, model: bytes) -> None:
        """The head again."""
        weights = torch.load(io.BytesIO(model), map_location=self.device, weights_only=True)
        classes, width = weights["weight"].shape
        self.head = torch.nn.Linear(width, classes).to(self.device)
        self.head.load_state_dict(weights)

    @torch.inference_mode()
    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """The head's favourite class of each text."""
        return self.head(self._encode(texts)).argmax(dim=1).cpu().numpy()

    @torch.no_grad()
    def _encode(self, texts: list[str]) -> torch.Tensor:
        """float32[n, width] of length 1: the mean over the tokens of the last layer."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # little padding within a batch
        vectors = torch.empty(len(texts), self.encoder.config.hidden_size, device=self.device)
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            tokens = self.tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.device)
            mask = tokens["attention_mask"].unsqueeze(-1)
            hidden = self.encoder(**tokens).last_hidden_state * mask
            vectors[rows] = hidden.sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.normalize(vectors, dim=1)
