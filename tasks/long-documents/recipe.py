"""The trusted recipe of the given encoder: the lower layers of a BERT, with a position table of a few rows.

Run once by the harness in a worker of its own and cached, so it may import torch. The table makes the
window real: what is longer than the window has no positions to be read at.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer


class Solution:
    """One phase, `make`, which writes a transformers folder with its tokenizer into `scratch/out`."""

    def __init__(self, context: Any) -> None:
        self.encoder = context.models["encoder"]
        self.out = context.scratch / "out"

    def make(self, layers: int, window: int) -> None:
        """Keep the lowest `layers` layers (0: all) and the first `window` positions (0: all)."""
        model = AutoModel.from_pretrained(self.encoder, dtype=torch.float32)
        config = model.config
        if 0 < layers < config.num_hidden_layers:
            model.encoder.layer = model.encoder.layer[:layers]
            config.num_hidden_layers = layers
        table = model.embeddings.position_embeddings.weight.detach()
        if 0 < window < len(table):
            kept = torch.nn.Embedding(window, table.shape[1], _weight=table[:window].clone())
            model.embeddings.position_embeddings = kept
            config.max_position_embeddings = window
        tokenizer = AutoTokenizer.from_pretrained(
            self.encoder, model_max_length=config.max_position_embeddings
        )
        self.out.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(self.out)
        tokenizer.save_pretrained(self.out)
