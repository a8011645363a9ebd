"""The judge of lora: reads the matrices that were handed over, merges them into its own encoder, predicts.

It trusts nothing in the file. No pickle is read, no header is evaluated, an entry is opened only after its size and
packing are known, and whatever does not fit is answered with a number that says why.
"""

from __future__ import annotations

import copy
import io
import math
import re
import zipfile
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

BATCH = 64
MAX_TOKENS = 128
MAX_RANK = 64
MAX_ENTRIES = 1024
MAX_BYTES = 64 * 2**20  # of all arrays, unpacked
# What numpy.savez and savez_compressed write, and all that is read: entries packed in these ways, and an array
# behind the first version's magic and this header (the only form numpy.lib.format writes for a plain array).
PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
MAGIC = b"\x93NUMPY\x01\x00"
HEADER = re.compile(
    rb"\{'descr': '(?P<dtype>[<>|=]?\w{1,8})', 'fortran_order': (?P<fortran>True|False), "
    rb"'shape': \((?P<shape>|\d{1,9},|\d{1,9}(, \d{1,9}){1,31})\), \} *\n"
)
# What is wrong; task.py has the words for each number.
FINE, UNREADABLE, UNKNOWN, UNPAIRED, SHAPE, NOT_FINITE, HEAD = range(7)

Floats = NDArray[np.float32]


class Refused(Exception):
    """What was handed over does not fit; `number` says why."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Solution:
    """Its own copy of the encoder, in evaluation mode; each call merges into a copy of that."""

    def __init__(self, context: Any) -> None:
        self.device = torch.device(context.device)
        self.tokenizer = AutoTokenizer.from_pretrained(context.models["encoder"])
        self.plain = AutoModel.from_pretrained(context.models["encoder"]).eval()
        self.encoder = self.plain

    @torch.inference_mode()
    def predict(self, adapters: bytes, texts: list[str], num_classes: int) -> NDArray[np.int64]:
        """Verdict, number of parameters, and a class for each text (-1 where the file was refused)."""
        answer = np.full(2 + len(texts), -1, dtype=np.int64)
        self.encoder = copy.deepcopy(self.plain)
        try:
            arrays = read(adapters)
            weight, bias = self.head(arrays, num_classes)
            answer[1] = self.merge(arrays)
        except Refused as refused:
            answer[:2] = refused.number, 0
            return answer
        self.encoder.to(self.device)
        scores = self.encode(texts) @ weight.T + bias
        if not torch.isfinite(scores).all():
            answer[:2] = NOT_FINITE, 0
            return answer
        answer[0] = FINE
        answer[2:] = scores.argmax(dim=1).numpy()
        return answer

    def head(self, arrays: dict[str, Floats], classes: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The classifier, taken out of `arrays`: float32[classes, width] and float32[classes]."""
        weight, bias = arrays.pop("head.weight", None), arrays.pop("head.bias", None)
        if weight is None or bias is None:
            raise Refused(HEAD)
        if weight.shape != (classes, self.encoder.config.hidden_size) or bias.shape != (classes,):
            raise Refused(HEAD)
        return torch.from_numpy(weight), torch.from_numpy(bias)

    def merge(self, arrays: dict[str, Floats]) -> int:
        """Adds B @ A to each named weight; how many values all A and B hold."""
        linears = {
            name: module
            for name, module in self.encoder.named_modules()
            if isinstance(module, torch.nn.Linear)
        }
        names = {key.removesuffix(".A").removesuffix(".B") for key in arrays}
        if names - linears.keys():
            raise Refused(UNKNOWN)
        parameters = 0
        for name in sorted(names):
            a, b = arrays.get(f"{name}.A"), arrays.get(f"{name}.B")
            if a is None or b is None:
                raise Refused(UNPAIRED)
            out, width = linears[name].weight.shape
            rank = len(a) if a.ndim else 0
            if not 1 <= rank <= MAX_RANK or a.shape != (rank, width) or b.shape != (out, rank):
                raise Refused(SHAPE)
            # A product in float64 cannot overflow; what is no float32 then is told by the scores.
            product = torch.from_numpy(b.astype(np.float64) @ a.astype(np.float64))
            linears[name].weight += product.to(linears[name].weight.dtype)
            parameters += a.size + b.size
        return parameters

    def encode(self, texts: list[str]) -> torch.Tensor:
        """float32[n, width] of length 1: the mean over the tokens of the last layer, on the CPU."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = torch.empty(len(texts), self.encoder.config.hidden_size)
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            tokens = self.tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(self.device)
            mask = tokens["attention_mask"].unsqueeze(-1)
            hidden = self.encoder(**tokens).last_hidden_state * mask
            vectors[rows] = (hidden.sum(dim=1) / mask.sum(dim=1)).float().cpu()
        return torch.nn.functional.normalize(vectors, dim=1)


def read(adapters: bytes) -> dict[str, Floats]:
    """The arrays of a .npz by name, each float32 and finite; raises Refused.

    Only what numpy.savez and savez_compressed write is read: entries stored or deflated, and headers of one form.
    """
    entries: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(adapters)) as archive:
            for entry in listed(archive):
                with archive.open(entry) as opened:
                    entries[entry.filename] = opened.read(entry.file_size)
    except Refused:
        raise
    except Exception as error:
        raise Refused(UNREADABLE) from error
    arrays = {name.removesuffix(".npy"): array_of(content) for name, content in entries.items()}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise Refused(NOT_FINITE)
    return arrays


def listed(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The archive's entries, none of them opened yet: plainly packed, small enough together, each named once."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise Refused(UNREADABLE)
    for entry in entries:
        if entry.compress_type not in PACKED or entry.flag_bits & ENCRYPTED:
            raise Refused(UNREADABLE)
    if len({entry.filename.removesuffix(".npy") for entry in entries}) != len(entries):
        raise Refused(UNREADABLE)
    return entries


def array_of(content: bytes) -> Floats:
    """One entry, if it is a plain float32 array as large as its header says."""
    start = len(MAGIC) + 2
    size = int.from_bytes(content[len(MAGIC) : start], "little")
    header = HEADER.fullmatch(content, start, start + size)
    if not content.startswith(MAGIC) or header is None:
        raise Refused(UNREADABLE)
    shape = tuple(int(part) for part in header["shape"].replace(b" ", b"").split(b",") if part)
    if header["dtype"] != b"<f4" or len(shape) > 2:
        raise Refused(SHAPE)
    if math.prod(shape) * 4 != len(content) - start - size:
        raise Refused(UNREADABLE)
    flat = np.frombuffer(content, dtype="<f4", offset=start + size)
    order: Literal["F", "C"] = "F" if header["fortran"] == b"True" else "C"
    return flat.reshape(shape, order=order).astype(np.float32)
