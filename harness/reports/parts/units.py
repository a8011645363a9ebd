"""Numbers with their units, as people read them; pure, and the same in every report."""

from __future__ import annotations

import re
from collections.abc import Callable

ABSENT = "not measured"
BYTE_STEPS = ("B", "KiB", "MiB", "GiB", "TiB")


def significant(value: float, digits: int = 3) -> str:
    """`digits` significant digits, never in scientific notation: 0.0123, 1.23, 12.3, 123, 1,234."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = int(f"{rounded:e}".split("e")[1])
    if exponent < -6:
        return f"{value:.{digits - 1}e}"
    return f"{rounded if exponent < digits else value:,.{max(0, digits - 1 - exponent)}f}"


def seconds(value: float) -> str:
    """A duration: 30.0 µs, 14.2 ms, 3.05 s, 2 min 05 s, 1 h 02 min."""
    size = abs(value)
    if size == 0:
        return "0 s"
    if size < 0.9995e-6:
        return f"{significant(value * 1e9)} ns"
    if size < 0.9995e-3:
        return f"{significant(value * 1e6)} µs"
    if size < 0.9995:
        return f"{significant(value * 1e3)} ms"
    if size < 119.5:
        return f"{significant(value)} s"
    return _minutes(value)


def _minutes(value: float) -> str:
    sign, whole = ("-" if value < 0 else ""), round(abs(value))
    if whole < 3600:
        return f"{sign}{whole // 60} min {whole % 60:02d} s"
    minutes = round(whole / 60)
    return f"{sign}{minutes // 60:,} h {minutes % 60:02d} min"


def size(value: float) -> str:
    """A number of bytes in binary steps: 512 B, 23.4 KiB, 812 MiB, 1.32 GiB."""
    step = 0
    while abs(value) >= 999.5 and step < len(BYTE_STEPS) - 1:
        value, step = value / 1024, step + 1
    return f"{value:.0f} B" if step == 0 else f"{significant(value)} {BYTE_STEPS[step]}"


def ratio(value: float) -> str:
    """A ratio: 1.32x, 12.3x, 0.870x."""
    return f"{value:.2f}x" if 0.995 <= abs(value) < 9.995 else f"{significant(value)}x"


def rate(value: float) -> str:
    """A throughput: 107/s."""
    return f"{significant(value)}/s"


def fraction(value: float) -> str:
    """A number without a unit: three decimals below ten (0.812), otherwise three significant digits."""
    if float(value).is_integer() and abs(value) >= 2:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 10 else significant(value)


def percent(share: float) -> str:
    """A share as a percentage, as people write it: 3 %, 5.3 %."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def count(value: float) -> str:
    """A whole number: 1,200."""
    return f"{value:,.0f}"


def points(value: float | None, digits: int = 0) -> str:
    """Points of a score: 78; "none" where there are none."""
    if value is None:
        return "none"
    shown = f"{value:.{digits}f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


FORMATS: dict[str, Callable[[float], str]] = {
    "": fraction,
    "s": seconds,
    "B": size,
    "bytes": size,
    "x": ratio,
    "ratio": ratio,
    "1/s": rate,
    "points": points,
    "count": count,
}
TIMED = ("s", "1/s")


def quantity(value: float | None, unit: str, absent: str = ABSENT) -> str:
    """`value` with its unit; `absent` if there is no value."""
    if value is None:
        return absent
    known = FORMATS.get(unit)
    return known(value) if known else f"{significant(value)} {unit}"


def short(value: float, unit: str) -> str:
    """`value` with its unit and without trailing zeros, for the ticks of an axis: 1 ms, 0.5, 2 min, 512 MiB."""
    shown = re.sub(r"\.0+(?=\D|$)|(\.\d*?[1-9])0+(?=\D|$)", r"\1", quantity(value, unit))
    return shown.removesuffix(" 00 s").removesuffix(" 00 min")


def interval(low: float | None, high: float | None, unit: str, absent: str = "") -> str:
    """A 95 % interval: "13.9 to 14.6 ms", "exact" if both ends are equal, `absent` if it is unknown."""
    if low is None or high is None:
        return absent
    if low == high:
        return "exact"
    first, last = quantity(low, unit), quantity(high, unit)
    number, _, suffix = first.partition(" ")
    shared = suffix and " " not in suffix and last.endswith(f" {suffix}")
    return f"{number if shared else first} to {last}"


def spread(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    """A value and its interval in one line: "0.812 (0.801 to 0.823)"."""
    shown = quantity(value, unit)
    if value is None or low is None or high is None or low == high:
        return shown
    return f"{shown} ({interval(low, high, unit)})"
