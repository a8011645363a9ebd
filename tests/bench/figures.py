"""Pure: shares with their intervals, spreads, and tables in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

Z95 = 1.959964


def wilson(hits: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); it behaves at 0 and at 1, where others do not."""
    if n == 0:
        return 0.0, 1.0
    share, square = hits / n, Z95 * Z95
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = Z95 / (1 + square / n) * math.sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def share(flags: Iterable[bool]) -> str:
    """`hits of n (share; interval)` in words."""
    told = list(flags)
    if not told:
        return "none run"
    low, high = wilson(sum(told), len(told))
    return f"{sum(told)} of {len(told)} ({low:.0%} to {high:.0%})"


def spread(ratios: Sequence[float]) -> float:
    """The standard deviation of the logs of ratios: their coefficient of variation; NaN below two."""
    return float(np.std(np.log(ratios), ddof=1)) if len(ratios) > 1 else math.nan


def per_cent(value: float, digits: int = 2) -> str:
    """A share as a percentage; a dash where it is not known."""
    return f"{100 * value:.{digits}f} %" if math.isfinite(value) else "-"


def middle(values: Iterable[float]) -> float:
    """The median; NaN of nothing."""
    told = list(values)
    return float(np.median(told)) if told else math.nan


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A Markdown table; the first `left` columns are words, the others figures."""
    marks = ["---" if i < left else "---:" for i in range(len(head))]
    lines = [head, marks, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
