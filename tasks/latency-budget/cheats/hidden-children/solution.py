"""Keeps its own process tiny and the weights in two child processes, where a meter of one process sees nothing.

Ends by: memory is summed over the process tree, and the children hold twice the plain model. Where the
isolation allows no children, it crashes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np

SERVER = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
for line in sys.stdin:
    encoded = tokenizer(json.loads(line), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        print(json.dumps(model(**encoded).logits.argmax(dim=-1).tolist()), flush=True)
"""


class Solution:
    def __init__(self, context: Any) -> None:
        self.folder = context.models["classifier"]

    def optimise(self, texts: Any, labels: Any) -> bytes:
        return b""

    def load(self, artefact: bytes) -> None:
        command = [sys.executable, "-c", SERVER, str(self.folder)]
        pipe = subprocess.PIPE
        self.children = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
        for child in self.children:
            self._send(child, ["ready?"])
            self._receive(child)

    def predict(self, texts: list[str]) -> Any:
        half = (len(texts) + 1) // 2
        parts = [part for part in (texts[:half], texts[half:]) if part]
        for child, part in zip(self.children, parts, strict=False):
            self._send(child, part)
        answers = [self._receive(child) for child, _ in zip(self.children, parts, strict=False)]
        return np.array([label for answer in answers for label in answer], dtype=np.int64)

    def _send(self, child: Any, texts: list[str]) -> None:
        child.stdin.write(json.dumps(texts) + "\n")
        child.stdin.flush()

    def _receive(self, child: Any) -> list[int]:
        return json.loads(child.stdout.readline())
