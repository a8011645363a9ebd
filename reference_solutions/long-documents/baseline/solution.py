"""Baseline: what stands in the first window, and a linear head on its vector.

The encoder reads as much of each document's start as it can; whatever comes later does not exist.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoTokenizer

BATCH = 32
STRENGTH = 3.0
CHARACTERS_A_TOKEN = 12  # more than any text has: what is cut away would not have been read


class Solution:
    """Mean over the tokens of the first window, and one logistic regression for each label."""

    def __init__(self, context: Any) -> None:
        torch.set_num_threads(context.threads)
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.encoder = AutoModel.from_pretrained(context.models["encoder"]).to(self.device).eval()
        self.window = int(self.encoder.config.max_position_embeddings)

    def train(self, documents: list[str], marks: NDArray[np.int64]) -> bytes:
        """Encodes the start of every document once and fits the heads."""
        vectors = self._encode(documents)
        scale = float(vectors.std())
        heads = [
            LogisticRegression(C=STRENGTH, max_iter=300).fit(vectors / scale, column) for column in marks.T
        ]
        weights = np.stack([head.coef_[0] / scale for head in heads], axis=1)
        return pickle.dumps((weights, np.array([head.intercept_[0] for head in heads])))

    def load(self, model: bytes) -> None:
        """The heads again."""
        self.weights, self.offsets = pickle.loads(model)

    def score(self, documents: list[str]) -> NDArray[np.float64]:
        """Each label's log odds, as far as the start of the document tells."""
        return (self._encode(documents) @ self.weights + self.offsets).astype(np.float64)

    @torch.inference_mode()
    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        """float32[n, width]: the mean over the tokens of each text's first window."""
        starts = [text[: self.window * CHARACTERS_A_TOKEN] for text in texts]
        parts = []
        for begin in range(0, len(starts), BATCH):
            tokens = self.tokenizer(
                starts[begin : begin + BATCH],
                padding=True,
                truncation=True,
                max_length=self.window,
                return_tensors="pt",
            ).to(self.device)
            mask = tokens["attention_mask"].unsqueeze(-1)
            hidden = self.encoder(**tokens).last_hidden_state * mask
            parts.append((hidden.sum(dim=1) / mask.sum(dim=1)).cpu().numpy())
        return np.concatenate(parts)
