"""Hides an object in the file whose unpickling would run code in the judge."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np


class Payload:
    """Would print in whatever process unpickles it; harmless, and told by the record if it happened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("unpickled in the judge",)


class Solution:
    """An array of objects beside an honest head."""

    def __init__(self, context: Any) -> None:
        config = json.loads((Path(context.models["encoder"]) / "config.json").read_text("utf-8"))
        self.width, self.layers = config["hidden_size"], config["num_hidden_layers"]

    def train(
        self, texts: list[str], labels: Any, num_classes: int, wanted: str, other: str, budget: int
    ) -> bytes:
        head = np.random.default_rng(0).normal(size=(num_classes, self.width)).astype(np.float32)
        payload = np.empty(1, dtype=object)
        payload[0] = Payload()
        file = io.BytesIO()
        np.savez(
            file,
            allow_pickle=True,
            **{"head.weight": head, "head.bias": np.zeros(num_classes, np.float32), "payload": payload},
        )
        return file.getvalue()
