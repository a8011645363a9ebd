"""Predicts the most frequent class whatever the text says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np


class Solution:
    """A head of zeros and one bias."""

    def __init__(self, context: Any) -> None:
        config = json.loads((Path(context.models["encoder"]) / "config.json").read_text("utf-8"))
        self.width, self.layers = config["hidden_size"], config["num_hidden_layers"]

    def train(
        self, texts: list[str], labels: Any, num_classes: int, wanted: str, other: str, budget: int
    ) -> bytes:
        bias = np.bincount(labels, minlength=num_classes).astype(np.float32)
        file = io.BytesIO()
        np.savez(file, **{"head.weight": np.zeros((num_classes, self.width), np.float32), "head.bias": bias})
        return file.getvalue()
