"""Reads the given BERT classifier and rearranges its weights for serving; numpy only, nothing approximate.

Every change here leaves the function that the model computes as it was:
- query, key and value become one matrix, so that a layer starts with one product instead of three;
- the attention's 1/sqrt(d) goes into the query weights;
- the token-type embedding, the same for every token of a single text, goes into the positions.
Matrices are stored transposed, as (in, out).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Half = NDArray[np.float16]


@dataclass(frozen=True)
class Shape:
    """The sizes of the model that its weights alone do not tell."""

    layers: int
    heads: int
    epsilon: float
    max_length: int


def read(folder: Path, shape: Shape) -> dict[str, Array]:
    """The model's fused weights by name."""
    from safetensors.numpy import load_file

    return _fuse(load_file(folder / "model.safetensors"), shape)


def shape_of(folder: Path) -> Shape:
    """The model's shape, from its configuration and its tokenizer's."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if config["model_type"] != "bert" or config["hidden_act"] != "gelu":
        raise ValueError(f"this engine serves BERT with GELU, not {config['model_type']}")
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    return Shape(
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        epsilon=config["layer_norm_eps"],
        max_length=min(int(tokenizer["model_max_length"]), config["max_position_embeddings"]),
    )


def _fuse(given: dict[str, Array], shape: Shape) -> dict[str, Array]:
    def dense(name: str) -> tuple[Array, Array]:
        return given[f"{name}.weight"].T, given[f"{name}.bias"]

    table = "bert.embeddings"
    positions = given[f"{table}.position_embeddings.weight"][: shape.max_length]
    fused = {
        "words": given[f"{table}.word_embeddings.weight"],
        "positions": positions + given[f"{table}.token_type_embeddings.weight"][0],
        "norm.gain": given[f"{table}.LayerNorm.weight"],
        "norm.shift": given[f"{table}.LayerNorm.bias"],
    }
    for number in range(shape.layers):
        layer, short = f"bert.encoder.layer.{number}", f"{number}"
        parts = [dense(f"{layer}.attention.self.{part}") for part in ("query", "key", "value")]
        factor = 1.0 / np.sqrt(parts[0][0].shape[1] / shape.heads)
        parts[0] = (parts[0][0] * factor, parts[0][1] * factor)
        fused[f"{short}.qkv.weight"] = np.concatenate([weight for weight, _ in parts], axis=1)
        fused[f"{short}.qkv.bias"] = np.concatenate([bias for _, bias in parts])
        for ours, theirs in (("mix", "attention.output"), ("up", "intermediate"), ("down", "output")):
            fused[f"{short}.{ours}.weight"], fused[f"{short}.{ours}.bias"] = dense(f"{layer}.{theirs}.dense")
        for ours, theirs in (("norm1", "attention.output"), ("norm2", "output")):
            fused[f"{short}.{ours}.gain"] = given[f"{layer}.{theirs}.LayerNorm.weight"]
            fused[f"{short}.{ours}.shift"] = given[f"{layer}.{theirs}.LayerNorm.bias"]
    fused["pool.weight"], fused["pool.bias"] = dense("bert.pooler.dense")
    fused["head.weight"], fused["head.bias"] = dense("classifier")
    return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in fused.items()}


def has_int8_products() -> bool:
    """Whether the CPU multiplies int8 into 32 bits at once (VNNI, or Arm's dot product)."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return "vnni" in flags or "asimddp" in flags


def quantised(weight: Array, bits: int = 8) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 with one scale for each output column: int8[in, out], float32[out]."""
    top = 2 ** (bits - 1) - 1
    scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / top
    return np.clip(np.rint(weight / scale), -top, top).astype(np.int8), scale.astype(np.float32)
