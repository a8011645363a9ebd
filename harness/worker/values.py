"""Turns a phase's return value into the bytes that were asked for, or says in words why it does not fit.

This only helps the candidate: the parent checks everything again on its own copy of the bytes.
"""

from __future__ import annotations

from typing import Any


class Unfit(Exception):
    """A phase returned something other than the contract requires."""


def to_bytes(value: Any, returns: dict[str, Any] | None, phase: str) -> bytes | memoryview:
    """The raw bytes of `value`; raises Unfit if it is not what `returns` describes."""
    if returns is None:
        if value is not None:
            raise Unfit(f"{phase} must return None, not {_named(value)}")
        return b""
    if returns["kind"] == "blob":
        return _blob(value, returns["max_bytes"], phase)
    return _array(value, returns["dtype"], tuple(returns["shape"]), phase)


def _blob(value: Any, most: int, phase: str) -> bytes | memoryview:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise Unfit(f"{phase} must return bytes, not {_named(value)}")
    view = memoryview(value).cast("B")
    if len(view) > most:
        raise Unfit(f"{phase} returned {len(view):,} bytes; at most {most:,} are allowed")
    return view


def _array(value: Any, dtype: str, shape: tuple[int, ...], phase: str) -> memoryview:
    import numpy as np

    wanted = f"a numpy array of {dtype}{list(shape)}"
    if isinstance(value, (list, tuple)):
        try:
            value = np.asarray(value)
        except ValueError:
            raise Unfit(f"{phase} must return {wanted}; its list is ragged") from None
    if not isinstance(value, np.ndarray):
        raise Unfit(f"{phase} must return {wanted}, not {_named(value)}")
    if value.shape != shape:
        raise Unfit(f"{phase} must return {wanted}; its shape is {list(value.shape)}")
    if not np.can_cast(value.dtype, dtype, casting="same_kind" if dtype.startswith("f") else "safe"):
        raise Unfit(f"{phase} must return {wanted}; its dtype is {value.dtype}")
    array = np.ascontiguousarray(value, dtype=dtype)
    return array.data.cast("B") if array.nbytes else memoryview(b"")


def _named(value: Any) -> str:
    kind = type(value)
    return "None" if value is None else f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
