"""The engines that need torch: int8 on a CPU where ONNX Runtime is missing, and CUDA.

Both are the same lean forward pass over the fused weights: no module tree, no configuration, and a last
layer that computes the first token only. Importing torch without transformers also saves the server
two seconds and a hundred megabytes.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from fused import Array, Half, Shape, quantised
from numpy.typing import NDArray

ALL = slice(None)


def pack(weights: dict[str, Array], precision: str) -> bytes:
    """The weights but the words' as bytes: matrices of layers in "int8" with scales, or all in "fp16"."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in weights.items():
        if precision == "int8" and name[0].isdigit() and name.endswith(".weight"):
            arrays[name], arrays[f"{name}.scale"] = quantised(value)
        elif name != "words":
            arrays[name] = value.astype(np.float16) if precision == "fp16" else value
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _unpack(packed: bytes, device: str) -> dict[str, torch.Tensor]:
    """The tensors on the device; on a CPU, which computes in fp32, half precision is widened."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        tensors = {name: torch.from_numpy(arrays[name]).to(device) for name in arrays.files}
    if device != "cpu":
        return tensors
    return {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}


class _Forward:
    """BERT over fused weights; a subclass may say otherwise how a product with a layer's weights is computed."""

    def __init__(self, shape: Shape, tensors: dict[str, torch.Tensor]) -> None:
        self.shape = shape
        self.tensors = tensors
        self.width = tensors["positions"].shape[1]

    def columns(self, part: str) -> slice:
        """The query's columns, or the key's and value's, of `qkv`; or all."""
        return {"all": ALL, "query": slice(0, self.width), "rest": slice(self.width, None)}[part]

    def dense(self, x: torch.Tensor, name: str, part: str = "all") -> torch.Tensor:
        """x @ weight + bias, or a part of the columns of it."""
        columns = self.columns(part)
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return F.linear(x, weight[:, columns].T, bias[columns])

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        gain, shift = self.tensors[f"{name}.gain"], self.tensors[f"{name}.shift"]
        return F.layer_norm(x, (self.width,), gain, shift, self.shape.epsilon)

    def heads(self, x: torch.Tensor, count: int) -> tuple[torch.Tensor, ...]:
        b, t, _ = x.shape
        return x.view(b, t, count, self.shape.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)

    def attention(self, x: torch.Tensor, mask: torch.Tensor | None, number: int, last: bool) -> torch.Tensor:
        """The scale is 1 because the query's weights already hold 1/sqrt(d)."""
        name = f"{number}.qkv"
        if last:
            (query,) = self.heads(self.dense(x[:, :1], name, "query"), 1)
            key, value = self.heads(self.dense(x, name, "rest"), 2)
        else:
            query, key, value = self.heads(self.dense(x, name), 3)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
        return mixed.transpose(1, 2).reshape(x.shape[0], -1, self.width)

    def forward(self, words: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Words' vectors [b, t, width] and, where rows differ in length, a mask [b, 1, 1, t] -> [b, classes]."""
        t = self.tensors
        x = self.norm(words + t["positions"][: words.shape[1]], "norm")
        for number in range(self.shape.layers):
            last = number == self.shape.layers - 1
            mixed = self.dense(self.attention(x, mask, number, last), f"{number}.mix")
            x = self.norm((x[:, :1] if last else x) + mixed, f"{number}.norm1")
            up = F.gelu(self.dense(x, f"{number}.up"))
            x = self.norm(x + self.dense(up, f"{number}.down"), f"{number}.norm2")
        pooled = torch.tanh(x[:, 0] @ t["pool.weight"] + t["pool.bias"])
        return pooled @ t["head.weight"] + t["head.bias"]


class CpuEngine(_Forward):
    """A CPU without ONNX Runtime, in fp32."""

    bucket = 8

    def __init__(self, shape: Shape, packed: bytes, words: Half) -> None:
        super().__init__(shape, _unpack(packed, "cpu"))
        self.words = words

    @torch.inference_mode()
    def logits(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Array:
        """float32[b, classes] for padded ids int64[b, t] whose rows hold `lengths` tokens."""
        mask = None
        if (lengths < ids.shape[1]).any():
            present = np.arange(ids.shape[1]) < lengths[:, None]
            mask = torch.from_numpy(present[:, None, None, :])
        return self.forward(torch.from_numpy(self.words[ids].astype(np.float32)), mask).numpy()


class Int8Engine(CpuEngine):
    """The same with int8 products, one scale for each token: as precise as one could wish, no second look needed."""

    def __init__(self, shape: Shape, packed: bytes, words: Half) -> None:
        super().__init__(shape, packed, words)
        name = f"{shape.layers - 1}.qkv"
        for part in ("query", "rest"):  # the last layer takes them apart
            columns = self.columns(part)
            self.tensors[f"{name}.weight.{part}"] = self.tensors[f"{name}.weight"][:, columns].contiguous()

    def dense(self, x: torch.Tensor, name: str, part: str = "all") -> torch.Tensor:
        """x @ weight + bias, or a part of the columns of it."""
        columns = self.columns(part)
        weight = self.tensors[f"{name}.weight" if part == "all" else f"{name}.weight.{part}"]
        scale, bias = self.tensors[f"{name}.weight.scale"][columns], self.tensors[f"{name}.bias"][columns]
        rows = x.reshape(-1, x.shape[-1])
        steps = rows.abs().amax(dim=1, keepdim=True).clamp_min_(1e-8).div_(127)
        product = torch._int_mm((rows / steps).round_().to(torch.int8), weight)
        return torch.addcmul(bias, product * steps, scale).view(*x.shape[:-1], -1)


class CudaEngine(_Forward):
    """Half precision, replayed as CUDA graphs: one for each padded batch size and length, captured at load.

    At batch 1 such a model spends its time launching some eighty kernels; a graph launches them as one.
    fp16 and not bf16: the activations stay far below its range, and its three more bits keep the classes.
    """

    bucket = 64
    batch_steps = (1, 2, 4, 8, 16, 32, 64)
    length_step = 16

    def __init__(self, shape: Shape, packed: bytes, words: Half, device: str) -> None:
        super().__init__(shape, _unpack(packed, device))
        self.words = torch.from_numpy(words).to(device)
        self.device = device
        self.pool: Any = None
        self.graphs: dict[tuple[int, int], tuple[Any, ...]] = {}

    def _padded(self, count: int, longest: int) -> tuple[int, int]:
        batch = next(step for step in self.batch_steps if step >= count)
        length = -(-longest // self.length_step) * self.length_step
        return batch, min(length, self.shape.max_length)

    def _static(self, ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(ids.shape[1], device=self.device)
        return self.forward(
            F.embedding(ids, self.words), (steps < lengths[:, None])[:, None, None, :]
        ).float()

    @torch.inference_mode()
    def _capture(self, batch: int, length: int) -> tuple[Any, ...]:
        """Run a few times on a side stream, as capturing asks, then record. Graphs share one memory pool."""
        ids = torch.zeros((batch, length), dtype=torch.long, device=self.device)
        lengths = torch.full((batch,), length, dtype=torch.long, device=self.device)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._static(ids, lengths)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            out = self._static(ids, lengths)
        self.pool = self.pool or graph.pool()
        return graph, ids, lengths, out

    def warm(self, batches: tuple[int, ...]) -> None:
        """Capture the graphs that these batch sizes will meet, the largest first: it sizes the pool."""
        for batch in sorted({self._padded(count, 1)[0] for count in batches}, reverse=True):
            for length in range(self.shape.max_length, 0, -self.length_step):
                self._graph(*self._padded(batch, length))

    def _graph(self, batch: int, length: int) -> tuple[Any, ...]:
        if (batch, length) not in self.graphs:
            self.graphs[batch, length] = self._capture(batch, length)
        return self.graphs[batch, length]

    @torch.inference_mode()
    def logits(self, ids: NDArray[np.int64], lengths: NDArray[np.int64]) -> Array:
        """float32[b, classes]: copies the inputs into the graph's own tensors, replays it, and waits for the answer."""
        count, longest = ids.shape
        graph, static_ids, static_lengths, out = self._graph(*self._padded(count, longest))
        static_ids[:count, :longest].copy_(torch.from_numpy(ids))
        static_lengths[:count].copy_(torch.from_numpy(lengths))
        graph.replay()
        return out[:count].cpu().numpy()
