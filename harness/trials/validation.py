"""Checks of an answer's bytes, before any measure sees them: length, finiteness, range, uniqueness."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.errors import Fault
from harness.instances import Answer, Array, ArraySpec

# So many of the inputs that warm a worker up are asked again, after its last timed call.
ASKED_AGAIN = 4


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
    if spec.unique_rows:
        ordered = np.sort(array, axis=-1)
        if (ordered[..., 1:] == ordered[..., :-1]).any():
            raise Fault("malformed", f"{phase} returned the same value twice in one row")
    return array


@dataclass
class Twice:
    """Whether inputs that only warm a worker up are answered alike when they are asked again, after the timed ones."""

    answers: dict[str, Array] = field(default_factory=dict)
    agreed: list[bool] = field(default_factory=list)

    def keep(self, item: str, answer: Answer) -> None:
        """Keeps an answer: which of them are asked again is drawn afterwards."""
        if not isinstance(answer, bytes):
            self.answers[item] = answer

    def compare(self, item: str, again: Answer | None) -> Fault | None:
        """The fault of answers that were made up, once all have been asked again and most are others."""
        self.agreed.append(not isinstance(again, bytes | None) and agrees(self.answers[item], again))
        if len(self.agreed) < max(2, min(ASKED_AGAIN, len(self.answers))) or 2 * sum(self.agreed) >= len(
            self.agreed
        ):
            return None  # of a single one nothing is said: an honest program may draw at random
        return Fault(
            "wrong",
            f"{len(self.agreed) - sum(self.agreed)} of {len(self.agreed)} inputs that only warm up were answered "
            "otherwise when they were asked again after the timed ones",
        )


def agrees(first: Array, again: Array) -> bool:
    """Whether two answers to one input are those of one program: at least half of their values.

    Values are the same if they are equal; floating ones, if they differ by at most a twentieth of the first
    answer's largest. Wide, since an honest program may draw at random; answers that were made up agree by chance.
    """
    if first.dtype.kind == "f":
        close = np.abs(first - again) <= 0.05 * np.abs(first).max(initial=0.0)
    else:
        close = first == again
    return not close.size or float(np.mean(close)) >= 0.5


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
