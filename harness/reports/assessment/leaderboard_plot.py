"""Dots with intervals, one row each: candidates on a scale of points, or one candidate's competencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.standings import Span
from harness.reports.parts import plain
from harness.reports.parts.svg import Scale, el, figure, path, rule, text, text_width

ROW, TOP = 26.0, 34.0
TALL = 44.0  # a row with its label above its interval
BESIDE = 560.0  # from this width on labels are beside the intervals
AXIS = (-25, 0, 25, 50, 75, 100, 125)
NAMES = {0: "baseline", 50: "", 100: "expert"}


@dataclass(frozen=True)
class Dot:
    """A row: its label, a shorter label for the right margin, and points with their interval or None."""

    label: str
    note: str
    points: Span | None


def dots(rows: Sequence[Dot], width: float, uid: str, title: str, cut: float | None = None) -> str:
    """The drawing; `cut` draws a line at the passing score. "" if there is no row."""
    if not rows:
        return ""
    beside = width >= BESIDE
    step = ROW if beside else TALL
    gutter = min(max(text_width(row.label, 13) for row in rows) + 16, width * 0.45) if beside else 10.0
    right = width - (max(text_width(row.note) for row in rows) + 14 if beside else 10.0)
    scale = Scale(*_extent(rows, cut), gutter, right)
    bottom = TOP + step * len(rows) + 4
    body = _axis(scale, bottom) + _cut(scale, cut, bottom)
    body += "".join(_row(row, scale, TOP + step * i, width, beside) for i, row in enumerate(rows))
    return figure(width, bottom + 24, body, uid=uid, title=title, description=_description(rows, cut))


def _extent(rows: Sequence[Dot], cut: float | None) -> tuple[float, float]:
    known = [edge for row in rows if row.points for edge in (row.points.low, row.points.high)]
    known += [cut] if cut is not None else []
    return min(-4.0, *(edge - 3 for edge in known), 0.0), max(104.0, *(edge + 3 for edge in known), 0.0)


def _axis(scale: Scale, bottom: float) -> str:
    parts = []
    for value in (v for v in AXIS if scale.low <= v <= scale.high):
        x = scale(value)
        parts.append(rule(x, TOP - 6, x, bottom, "grid strong" if value in (0, 100) else "grid"))
        parts.append(text(x, bottom + 17, str(value).replace("-", "\N{MINUS SIGN}"), "middle", "tick"))
        if value in (0, 100):
            parts.append(text(x, TOP - 12, NAMES[value], "middle" if value else "start", "tick"))
    return "".join(parts) + rule(scale.start, bottom, scale.end, bottom, "axis")


def _cut(scale: Scale, cut: float | None, bottom: float) -> str:
    if cut is None:
        return ""
    name = f"cut {plain.points(cut)}"
    x, half = scale(cut), text_width(name) / 2 + 4
    lowest, highest = scale(0) + text_width("baseline") + half, scale(100) - text_width("expert") / 2 - half
    label = text(min(max(x, lowest), highest), TOP - 12, name, "middle", "tick")
    return path([(x, TOP - 6), (x, bottom)], "limit", "5 3") + label


def _row(row: Dot, scale: Scale, top: float, width: float, beside: bool) -> str:
    middle = top + (ROW / 2 if beside else TALL - 14)
    label = _fitted(row.label, (scale.start if beside else width * 0.62) - 14)
    at = (scale.start - 10, middle + 4) if beside else (0.0, top + 15)
    parts = [text(*at, label, "end" if beside else "start", "name haloed")]
    parts.append(text(width, middle + 4 if beside else top + 15, row.note, "end", "tick haloed"))
    if row.points is not None:
        low, high = scale(row.points.low), scale(row.points.high)
        parts.append(rule(low, middle, high, middle, "own-bar"))
        parts += [rule(x, middle - 4, x, middle + 4, "own-bar") for x in (low, high)]
        parts.append(el("circle", cx=scale(row.points.points), cy=middle, r=4.5, class_="mark disc s0"))
    return "".join(parts)


def _fitted(label: str, room: float) -> str:
    """The label, cut at its end if it is longer than its room."""
    fitting = int(room / text_width("m", 12))
    return label if len(label) <= fitting else f"{label[: max(fitting - 1, 1)]}…"


def _description(rows: Sequence[Dot], cut: float | None) -> str:
    in_words = "; ".join(f"{row.label}: {plain.span(row.points)}" for row in rows)
    return f"{in_words}." + (f" Cut: {plain.points(cut)}." if cut is not None else "")
