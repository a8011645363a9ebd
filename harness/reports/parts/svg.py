"""The parts of every plot: escaped elements, scales with ticks, markers, labels that do not overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from harness.reports.parts import units

GLYPH = 0.58  # mean advance of a glyph of a system font, in ems; on the generous side
DASHES = ("", "2 3", "7 4", "8 3 2 3")
MARKERS = ("disc", "circle", "diamond", "square")
BINARY_STEPS = tuple(2.0**power for power in range(45))
CLOCK_STEPS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 36000.0)


def el(name: str, content: str = "", **attributes: str | float | None) -> str:
    """One element; `class_` is class, `_` is a hyphen, values are escaped, None is left out."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{shown}>{content}</{name}>" if content else f"<{name}{shown}/>"


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, content: str, anchor: str = "start", class_: str | None = None) -> str:
    """A label; `content` is escaped."""
    return el("text", escape(content), x=x, y=y, text_anchor=anchor, class_=class_)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """A straight line."""
    return el("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def path(points: Sequence[tuple[float, float]], class_: str, dash: str = "") -> str:
    """A line through points."""
    steps = " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return el("path", d=f"M{steps}", class_=class_, stroke_dasharray=dash or None)


def text_width(content: str, size: float = 12.0) -> float:
    """About how wide a label is, in pixels."""
    return len(content) * size * GLYPH


def marker(kind: str, x: float, y: float, class_: str, radius: float = 5.0) -> str:
    """A marker whose shape identifies a series without colour."""
    if kind in ("disc", "circle"):
        return el("circle", cx=x, cy=y, r=radius, class_=f"mark {kind} {class_}")
    r = radius * 1.15
    corners = {
        "diamond": ((x, y - r), (x + r, y), (x, y + r), (x - r, y)),
        "square": (
            (x - r * 0.8, y - r * 0.8),
            (x + r * 0.8, y - r * 0.8),
            (x + r * 0.8, y + r * 0.8),
            (x - r * 0.8, y + r * 0.8),
        ),
        "triangle": ((x, y - r), (x + r, y + r * 0.8), (x - r, y + r * 0.8)),
        "right": ((x - r * 0.8, y - r), (x + r, y), (x - r * 0.8, y + r)),
        "left": ((x + r * 0.8, y - r), (x - r, y), (x + r * 0.8, y + r)),
    }[kind]
    shape = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    return el("polygon", points=shape, class_=f"mark {kind} {class_}")


def figure(width: float, height: float, body: str, *, uid: str, title: str, description: str) -> str:
    """A complete drawing, with title and description for people who cannot see it."""
    head = el("title", escape(title), id=f"{uid}-t") + el("desc", escape(description), id=f"{uid}-d")
    return el(
        "svg",
        head + body,
        viewBox=f"0 0 {width:.0f} {height:.0f}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{uid}-t {uid}-d",
        class_="plot",
    )


def part(centres: Sequence[float], widths: Sequence[float], low: float, high: float) -> list[float]:
    """Centres moved as little as possible so that labels of `widths` do not overlap between low and high."""
    order = sorted(range(len(centres)), key=lambda i: centres[i])
    placed = list(centres)
    edge = low
    for i in order:
        placed[i] = max(placed[i], edge + widths[i] / 2)
        edge = placed[i] + widths[i] / 2
    edge = high
    for i in reversed(order):
        placed[i] = min(placed[i], edge - widths[i] / 2)
        edge = placed[i] - widths[i] / 2
    return placed


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` to pixels from `start` to `end`, linearly or logarithmically."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of `value`; values outside are placed at the edge."""
        low, high = self._bend(self.low), self._bend(self.high)
        share = (self._bend(max(value, self.low)) - low) / ((high - low) or 1.0)
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def _bend(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def ticks(self, unit: str, room: float = 24.0) -> list[tuple[float, str]]:
        """Round values along the scale with their labels, as many as fit with `room` pixels between them."""
        tries = [*(_decades(self.low, self.high) if self.log else []), *_rounds(self.low, self.high, unit)]
        shown = [[(v, units.short(v, unit)) for v in values] for values in tries]
        fitting = [labels for labels in shown if labels and self._fits(labels, room)]
        enough = [labels for labels in fitting if len(labels) >= 3]
        ends = [(v, units.short(v, unit)) for v in (self.low, self.high)]
        return (enough or sorted(fitting, key=len, reverse=True) or [ends])[0]

    def _fits(self, labels: list[tuple[float, str]], room: float) -> bool:
        upright = self.start > self.end
        spans = sorted((self(v), 13.0 if upright else text_width(name)) for v, name in labels)
        return all(b - a >= (first + second) / 2 + room for (a, first), (b, second) in pairwise(spans))


def _decades(low: float, high: float) -> list[list[float]]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    choices = [
        [m * 10.0**e for e in range(first, last + 1) for m in steps if low <= m * 10.0**e <= high]
        for steps in ((1, 2, 5), (1, 3), (1,))
    ]
    return [*choices, choices[-1][::2], choices[-1][::3]]


def _rounds(low: float, high: float, unit: str) -> list[list[float]]:
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 10))
    steps = [power * m for m in (1, 2, 5, 10, 20, 50, 100)]
    if unit in ("B", "bytes"):
        steps = [step for step in BINARY_STEPS if span / 10 <= step <= span]
    if unit == "s" and span > 120:
        steps = [step for step in CLOCK_STEPS if span / 10 <= step <= span] or steps
    if unit == "count":
        steps = [step for step in steps if step >= 1]
    return [_multiples(low, high, step) for step in steps]


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
