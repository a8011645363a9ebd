"""The trusted recipe of the given encoder: the first layers of the whole one, saved as an encoder of its own."""

from __future__ import annotations

from typing import Any

from transformers import AutoModel, AutoTokenizer


class Solution:
    """One phase, `make`, which writes a transformers folder with its tokenizer into `scratch/out`."""

    def __init__(self, context: Any) -> None:
        self.encoder = context.models["encoder"]
        self.out = context.scratch / "out"

    def make(self, layers: int) -> None:
        """Keeps the first `layers` layers; the embeddings stay as they are."""
        model = AutoModel.from_pretrained(self.encoder)
        model.encoder.layer = model.encoder.layer[:layers]
        model.config.num_hidden_layers = layers
        self.out.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(self.out)
        AutoTokenizer.from_pretrained(self.encoder).save_pretrained(self.out)
