"""The plain model, as a tutorial serves it: eager fp32, every text padded to the longest allowed length."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Solution:
    """Prepares nothing: `load` reads the given classifier, `predict` runs it."""

    def __init__(self, context: Any) -> None:
        self.folder = context.models["classifier"]
        self.device = context.device

    def optimise(self, texts: list[str], labels: NDArray[np.int64]) -> bytes:
        """Nothing to prepare."""
        return b""

    def load(self, artefact: bytes) -> None:
        """Read the tokenizer and the model from the given folder."""
        # Imported here and not above: the process that optimises has no use for these four seconds.
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(self.folder, dtype=torch.float32)
        self.model.to(self.device).eval()

    def predict(self, texts: list[str]) -> NDArray[np.int64]:
        """One forward pass over the texts as they come."""
        encoded = self.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
        with torch.no_grad():
            logits = self.model(**encoded.to(self.device)).logits
        return logits.argmax(dim=-1).cpu().numpy()
