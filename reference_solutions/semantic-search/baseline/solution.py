"""Baseline: plain mean-pooled vectors, kept as float32 and compared exactly by inner product.

What most first attempts look like. It searches exactly, and still finds little, for three reasons:
the mean runs over the padding too, vectors are compared without bringing them to unit length, so
that long vectors win every query, and texts are cut at 128 tokens in whatever order they come.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

BATCH = 32
MAX_TOKENS = 128


class Solution:
    """Encodes every text to one vector; the index is the matrix of them."""

    def __init__(self, context):
        torch.set_num_threads(context.threads)
        self.device = context.device
        folder = context.models["encoder"]
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).to(self.device).eval()
        self.vectors = None

    def build(self, passages):
        """The vectors' raw bytes."""
        return self._encode(passages).tobytes()

    def load(self, index):
        """The vectors again, one row for each passage."""
        self.vectors = np.frombuffer(index, dtype=np.float32).reshape(-1, self.model.config.hidden_size)

    def search(self, queries, k):
        """The k passages with the largest inner product."""
        scores = self._encode(queries) @ self.vectors.T
        return np.argsort(-scores, axis=1)[:, :k].astype(np.int64)

    def _encode(self, texts):
        parts = []
        with torch.inference_mode():
            for start in range(0, len(texts), BATCH):
                batch = self.tokenizer(
                    texts[start : start + BATCH],
                    padding=True,
                    truncation=True,
                    max_length=MAX_TOKENS,
                    return_tensors="pt",
                ).to(self.device)
                parts.append(self.model(**batch).last_hidden_state.mean(dim=1).cpu().numpy())
        return np.concatenate(parts)
