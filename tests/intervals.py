"""While tests run: a value outside its own interval is a fault of the program, wherever it is made.

Many verdicts read only one end of an interval, so ends that are swapped turn a fail into a pass without a word. The
program itself does not check this: a candidate's run should not end because a bootstrap came out a digit below. Here
every estimate and every record with `value`, `low` and `high` is looked at as it is made, in the tests' own process
(workers and slots of an engine are processes of their own and are not seen).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import pytest

from harness.measures.estimates import Estimate
from harness.readings import Record

ROUNDING = 1e-9  # of the value: ends and value may be sums of the same numbers in another order


class IntervalUpsideDown(AssertionError):
    """A value that lies outside its own interval."""


def check(made: object) -> None:
    """Raises IntervalUpsideDown unless low <= value <= high, as far as each is there; NaN has tests of its own."""
    value, low, high = ends = tuple(getattr(made, name, None) for name in ("value", "low", "high"))
    if not all(end is None or isinstance(end, int | float) for end in ends):
        return
    if any(end is not None and math.isnan(end) for end in ends):
        return
    for below, above in ((low, value), (value, high), (low, high)):
        if below is None or above is None:
            continue
        if below > above and not math.isclose(below, above, rel_tol=ROUNDING, abs_tol=1e-12):
            raise IntervalUpsideDown(f"{below!r} should not be above {above!r}: {made!r}")


def unchecked(value: float, low: float, high: float) -> Estimate:
    """An estimate that need not be sound, for tests of what happens to such a one."""
    made = object.__new__(Estimate)
    for name, end in (("value", value), ("low", low), ("high", high)):
        object.__setattr__(made, name, end)
    return made


def enforce(patch: pytest.MonkeyPatch) -> None:
    """Looks at every Estimate and Record from now on, until `patch` is undone."""
    patch.setattr(Estimate, "__init__", _looked_at(Estimate.__init__))
    initial = _looked_at(Record.__init__)
    initial.__pydantic_base_init__ = True  # ty: ignore[unresolved-attribute]  # as pydantic marks its own
    patch.setattr(Record, "__init__", initial)


def _looked_at(initial: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(initial)
    def wrapped(self: Any, /, *args: Any, **options: Any) -> None:
        initial(self, *args, **options)
        check(self)

    return wrapped
