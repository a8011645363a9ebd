"""What a phase may return, and in which words anything else is refused."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from harness.worker.values import Unfit, to_bytes

BLOB = {"kind": "blob", "max_bytes": 3}


def array(dtype: str, *shape: int) -> dict[str, Any]:
    return {"kind": "array", "dtype": dtype, "shape": list(shape)}


@pytest.mark.parametrize(
    ("value", "returns", "due"),
    [
        (None, None, b""),
        (b"abc", BLOB, b"abc"),
        (bytearray(b"ab"), BLOB, b"ab"),
        (memoryview(np.array([1], dtype="int16")), BLOB, b"\1\0"),
        (b"", BLOB, b""),
        (np.array([1, 2], dtype="int64"), array("int64", 2), b"\1" + bytes(7) + b"\2" + bytes(7)),
        (np.array([1, 2], dtype="uint8"), array("int16", 2), b"\1\0\2\0"),
        ([1, 2], array("int64", 2), b"\1" + bytes(7) + b"\2" + bytes(7)),
        ((0.5,), array("float32", 1), np.float32(0.5).tobytes()),
        (np.array([0.5]), array("float32", 1), np.float32(0.5).tobytes()),
        (np.arange(4, dtype="uint8").reshape(2, 2).T, array("uint8", 2, 2), b"\0\2\1\3"),
        (np.zeros((0, 3)), array("float64", 0, 3), b""),
    ],
)
def test_what_is_due_becomes_its_bytes(value: Any, returns: Any, due: bytes) -> None:
    assert bytes(to_bytes(value, returns, "answer")) == due


@pytest.mark.parametrize(
    ("value", "returns", "words"),
    [
        (b"", None, "answer must return None, not bytes"),
        (OrderedDict(), None, "answer must return None, not collections.OrderedDict"),
        (None, BLOB, "answer must return bytes, not None"),
        ("abc", BLOB, "answer must return bytes, not str"),
        (bytes(1234), BLOB, "answer returned 1,234 bytes; at most 3 are allowed"),
        (memoryview(np.zeros(2, "int16")), BLOB, "answer returned 4 bytes; at most 3 are allowed"),
        (None, array("int64", 2), "answer must return a numpy array of int64[2], not None"),
        ("ab", array("int64", 2), "answer must return a numpy array of int64[2], not str"),
        (
            [[1], [2, 3]],
            array("int64", 2),
            "answer must return a numpy array of int64[2]; its list is ragged",
        ),
        ([1], array("int64", 2), "answer must return a numpy array of int64[2]; its shape is [1]"),
        (
            np.zeros((2, 1), "int64"),
            array("int64", 2),
            "answer must return a numpy array of int64[2]; its shape is [2, 1]",
        ),
        ([1], array("int32", 1), "answer must return a numpy array of int32[1]; its dtype is int64"),
        ([1.0], array("int64", 1), "answer must return a numpy array of int64[1]; its dtype is float64"),
        (
            [1j],
            array("float64", 1),
            "answer must return a numpy array of float64[1]; its dtype is complex128",
        ),
    ],
)
def test_anything_else_is_refused_in_words(value: Any, returns: Any, words: str) -> None:
    with pytest.raises(Unfit) as caught:
        to_bytes(value, returns, "answer")
    assert str(caught.value) == words
