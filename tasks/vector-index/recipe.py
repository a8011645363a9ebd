"""The trusted recipe of the real vectors: texts through the encoder, mean over tokens, unit length.

Run once by the harness in a worker of its own and cached, so it may import torch. It writes
`vectors.npy`, float32[texts, width], in the order of the texts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

BATCH = 32
MAX_TOKENS = 32  # the texts are cut at about 100 characters


class Solution:
    """One phase, `make`."""

    def __init__(self, context: Any) -> None:
        folder = context.models["encoder"]
        self.out = context.scratch / "out"
        self.device = context.device
        torch.set_num_threads(context.threads)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).to(self.device).eval()

    @torch.inference_mode()
    def make(self, texts: list[str]) -> None:
        """Encodes longest first, so that a batch holds texts of like length."""
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        vectors = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            batch = self.tokenizer(
                [texts[i] for i in chosen],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.device)
            hidden = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
            vectors[chosen] = torch.nn.functional.normalize(pooled, dim=1).cpu().numpy()
        self.out.mkdir(parents=True, exist_ok=True)
        np.save(self.out / "vectors.npy", vectors)
