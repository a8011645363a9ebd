"""The usual toolbox: inference mode, length buckets instead of padding to the maximum, int8 or fp16 where safe.

Int8 is not taken on trust: `optimise` compares its classes with the plain model's on the calibration texts,
and keeps fp32 where too many differ. (Of this task's built-in classifier it changes one class in twenty, which
costs one to two points of accuracy: the feed-forward layers have channels far larger than the others.)
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer

BUCKET = {"cpu": 4, "cuda": 32}  # texts per forward pass: small on a CPU, where padding costs most
NEEDED_AGREEMENT = 0.99

Ints = NDArray[np.int64]


class Solution:
    """Try int8 in `optimise`; `load` its result or the plain model; sort, bucket and run in `predict`."""

    def __init__(self, context: Any) -> None:
        self.folder = context.models["classifier"]
        self.device = context.device
        torch.set_num_threads(context.threads)
        self.tokenizer = AutoTokenizer.from_pretrained(self.folder)

    def optimise(self, texts: list[str], labels: Ints) -> bytes:
        """The pickled int8 classifier where it agrees with the plain one; else nothing."""
        if self.device == "cuda":
            return b""
        self.model = self._plain()
        expected = self.predict(texts)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.ao announces its successor; this needs no other package
            self.model = torch.ao.quantization.quantize_dynamic(
                self.model, {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
            )
        if (self.predict(texts) == expected).mean() < NEEDED_AGREEMENT:
            return b""
        buffer = io.BytesIO()
        torch.save(self.model, buffer)
        return buffer.getvalue()

    def load(self, artefact: bytes) -> None:
        """Our own pickle back into a model, or the plain model; then one request of each kind to warm up."""
        if artefact:
            self.model = torch.load(io.BytesIO(artefact), weights_only=False)
        else:
            self.model = self._plain()
        for count in (1, 2 * BUCKET[self.device]):
            self.predict(["a first request"] * count)

    @torch.inference_mode()
    def predict(self, texts: list[str]) -> Ints:
        """Texts of like length together, each bucket padded to its own longest text only."""
        tokens = self.tokenizer(texts, truncation=True, return_token_type_ids=False)["input_ids"]
        order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
        classes = np.empty(len(texts), dtype=np.int64)
        for start in range(0, len(order), BUCKET[self.device]):
            chosen = order[start : start + BUCKET[self.device]]
            batch = self.tokenizer.pad({"input_ids": [tokens[index] for index in chosen]}, return_tensors="pt")
            logits = self.model(**batch.to(self.device)).logits
            classes[chosen] = logits.argmax(dim=-1).cpu().numpy()
        return classes

    def _plain(self) -> Any:
        """The given model; half precision on CUDA, whose kernels are made for it."""
        dtype = torch.float16 if self.device == "cuda" else torch.float32
        model = AutoModelForSequenceClassification.from_pretrained(self.folder, dtype=dtype)
        return model.to(self.device).eval()
