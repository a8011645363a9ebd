"""The fastest server we know: int8 or fp16 over fused weights, and nothing loaded that an answer does not need.

`optimise` writes one artefact for the engine that suits the machine:
    onnx         CPU with ONNX Runtime: hand-written graphs; the server imports neither torch nor transformers
    torch int8   CPU without it: the same forward pass over torch's int8 product
    torch        CPU without it and without int8 instructions: the same in fp32
    cuda         fp16 and CUDA graphs
ONNX Runtime's int8 is the fastest and the least exact: one scale for a whole tensor. Its noise changes the class
of a text only where the two best classes are close, so a text whose margin is among the lowest few per cent of
the calibration texts' is computed again in fp32. That keeps the accuracy, and few requests pay for it.
"""

from __future__ import annotations

import json
from typing import Any

import fused
import numpy as np
import onnx_engine
from numpy.typing import NDArray

SMOOTHING_TEXTS = 64
DOUBTED_SHARE = 0.04
WARM_BATCHES = (1, 16, 32)

Ints = NDArray[np.int64]


class Solution:
    """Quantise in `optimise`; rebuild in `load`; tokenise, sort into buckets and run in `predict`."""

    def __init__(self, context: Any) -> None:
        self.folder = context.models["classifier"]
        self.device = context.device
        self.threads = int(context.threads)
        self.shape = fused.shape_of(self.folder)
        self._start_tokenizer()

    def optimise(self, texts: list[str], labels: Ints) -> bytes:
        """The words' vectors once, and what the engines packed."""
        weights = fused.read(self.folder, self.shape)
        words = weights["words"].astype(np.float16)
        if self.device == "cpu" and onnx_engine.available():
            return self._onnx(weights, words, self._tokens(texts))
        import torch_engines

        if self.device == "cpu" and fused.has_int8_products():
            return _joined("torch int8", 0.0, words, torch_engines.pack(weights, "int8"), b"")
        kind = "cuda" if self.device == "cuda" else "torch"
        return _joined(kind, 0.0, words, torch_engines.pack(weights, "fp16"), b"")

    def _onnx(self, weights: dict[str, fused.Array], words: fused.Half, tokens: list[list[int]]) -> bytes:
        """An int8 graph, an fp32 graph, and the margin below which the first is doubted."""
        from smoothing import smoothed

        fast = onnx_engine.build(self.shape, smoothed(self.shape, weights, tokens[:SMOOTHING_TEXTS]))
        precise = onnx_engine.build(self.shape, weights, precise=True)
        margins = _margins(self._logits(self._engine("onnx", fast, words), tokens))
        return _joined("onnx", float(np.quantile(margins, DOUBTED_SHARE)), words, fast, precise)

    def load(self, artefact: bytes) -> None:
        """Start the engines that the artefact names, and meet every kind of request once."""
        header, words, fast, precise = _parted(artefact)
        self.doubt = header["doubt"]
        self.fast = self._engine(header["kind"], fast, words)
        self.precise = self._engine(header["kind"], precise, words) if precise else None
        for count in WARM_BATCHES:
            tokens = self._tokens(["a first request, which finds everything cold"] * count)
            for engine in (self.fast, self.precise):
                if engine is not None:
                    self._logits(engine, tokens)

    def predict(self, texts: list[str]) -> Ints:
        """The fast engine's classes, those in doubt replaced by the precise one's."""
        tokens = self._tokens(texts)
        logits = self._logits(self.fast, tokens)
        if self.precise is not None:
            unsure = np.flatnonzero(_margins(logits) < self.doubt)
            if len(unsure):
                logits[unsure] = self._logits(self.precise, [tokens[index] for index in unsure])
        return logits.argmax(axis=-1)

    def _engine(self, kind: str, packed: bytes, words: fused.Half) -> Any:
        if kind == "onnx":
            return onnx_engine.OnnxEngine(packed, words, self.threads)
        import torch
        import torch_engines

        torch.set_num_threads(self.threads)
        if kind == "cuda":
            engine = torch_engines.CudaEngine(self.shape, packed, words, self.device)
            engine.warm(WARM_BATCHES)
            return engine
        engines = {"torch int8": torch_engines.Int8Engine, "torch": torch_engines.CpuEngine}
        return engines[kind](self.shape, packed, words)

    def _logits(self, engine: Any, tokens: list[list[int]]) -> NDArray[np.float32]:
        """Texts of like length together, so that padding them to the longest of their bucket costs little."""
        counts = np.array([len(ids) for ids in tokens], dtype=np.int64)
        order = np.argsort(counts, kind="stable")
        parts = []
        for start in range(0, len(order), engine.bucket):
            chosen = order[start : start + engine.bucket]
            lengths = counts[chosen]
            ids = np.zeros((len(chosen), int(lengths[-1])), dtype=np.int64)  # 0 is BERT's padding
            for row, index in enumerate(chosen):
                ids[row, : counts[index]] = tokens[index]
            parts.append(engine.logits(ids, lengths))
        logits = np.concatenate(parts)
        result = np.empty_like(logits)
        result[order] = logits
        return result

    def _start_tokenizer(self) -> None:
        """The Rust tokenizer itself; the transformers wrapper costs more time than a layer of the model."""
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.shape.max_length)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]


def _margins(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the best class is ahead of the second best."""
    best = np.partition(logits, -2, axis=-1)
    return best[:, -1] - best[:, -2]


def _joined(kind: str, doubt: float, words: fused.Half, fast: bytes, precise: bytes) -> bytes:
    """The artefact: a line of JSON, the words' vectors, the fast engine, the precise one."""
    header = {"kind": kind, "doubt": doubt, "words": words.shape, "fast_bytes": len(fast)}
    return json.dumps(header).encode() + b"\n" + words.tobytes() + fast + precise


def _parted(artefact: bytes) -> tuple[dict[str, Any], fused.Half, bytes, bytes]:
    line = artefact.index(b"\n") + 1
    header = json.loads(artefact[:line])
    rows, width = header["words"]
    words = np.frombuffer(artefact, np.float16, rows * width, offset=line).reshape(rows, width).copy()
    fast = line + words.nbytes
    precise = fast + header["fast_bytes"]
    return header, words, artefact[fast:precise], artefact[precise:]
