"""Checks of an answer's bytes, before any measure sees them: length, finiteness, range, uniqueness."""

from __future__ import annotations

import numpy as np

from harness.errors import Fault
from harness.instances import Array, ArraySpec


def check_array(raw: bytes, spec: ArraySpec, phase: str) -> Array:
    """The array that `raw` holds; raises Fault("malformed") when it is not what `spec` allows.

    Every comparison is written so that NaN fails it.
    """
    if len(raw) != spec.nbytes:
        raise Fault("malformed", f"{phase} returned {len(raw):,} bytes where {spec.nbytes:,} were due")
    array = np.frombuffer(raw, dtype=spec.dtype).reshape(spec.shape)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise Fault("malformed", f"{phase} returned {bad} of {array.size} values that are NaN or infinite")
    _check_range(array, spec, phase)
    if spec.unique_rows and array.size:
        ordered = np.sort(array, axis=-1)
        if (ordered[..., 1:] == ordered[..., :-1]).any():
            raise Fault("malformed", f"{phase} returned the same value twice in one row")
    return array


def _check_range(array: Array, spec: ArraySpec, phase: str) -> None:
    if not array.size:
        return
    for bound, edge, within in (
        (spec.low, array.min(), lambda edge, bound: edge >= bound),
        (spec.high, array.max(), lambda edge, bound: edge <= bound),
    ):
        if bound is not None and not within(edge, bound):
            allowed = f"{spec.low:g} to {spec.high:g}" if None not in (spec.low, spec.high) else f"{bound:g}"
            raise Fault("malformed", f"{phase} returned {edge}, outside the allowed {allowed}")
