"""Hand-written SVG: the ladder, response times, and lines over time; each drawn for a given width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.records import SHOWN, TIERS, Run, Rung, Score
from harness.reports.parts import units, words
from harness.reports.parts.svg import (
    DASHES,
    MARKERS,
    Scale,
    el,
    figure,
    marker,
    part,
    path,
    rule,
    text,
    text_width,
)
from harness.reports.run.run_series import CANDIDATE, Chart, Line, Times

WIDE, NARROW = 720.0, 330.0
ROW = 46.0
ROOM = 22.0  # between the ticks of an upright axis
BOLD = 13.5  # the size at which plain glyphs are as wide as bold ones at 12
BINS = 60
MAX_RUG = 200


def ladder(run: Run, width: float, uid: str) -> str:
    """The score on a line from the baseline (0) to the expert (100); "" when there is no ladder."""
    rungs = [rung for rung in run.ladder if rung.points is not None]
    if run.score is None or not rungs:
        return ""
    score = run.score
    scale = Scale(*_extent(score, rungs), 12.0, width - 12.0)
    body = _ladder_frame(scale, width) + _rungs(rungs, scale, score.objective.unit) + _own(score, scale)
    description = _ladder_words(score, rungs)
    return figure(width, 168, body, uid=uid, title="Score against the ladder", description=description)


def _extent(score: Score, rungs: list[Rung]) -> tuple[float, float]:
    own = [] if score.withheld else [score.points_uncapped, score.points_low, score.points_high]
    known = [*own, *(r.points for r in rungs)]
    values = [min(max(v, SHOWN.low), SHOWN.high) for v in known if v is not None]
    return min(-8.0, *(v - 4 for v in values)), max(108.0, *(v + 4 for v in values))


def _ladder_words(score: Score, rungs: list[Rung]) -> str:
    own = words.OPEN if score.withheld else units.points(score.points_uncapped, 1)
    others = words.join([f"{r.tier} {units.points(r.points)}" for r in rungs])
    return f"Points: {CANDIDATE.lower()} {own}; references: {others}."


def _ladder_frame(scale: Scale, width: float) -> str:
    ticks = [v for v in (-25, 0, 25, 50, 75, 100, 125) if scale.low <= v <= scale.high]
    kinds = {0: "grid strong", 100: "grid strong"}
    grid = "".join(rule(scale(v), 52, scale(v), 144, kinds.get(v, "grid")) for v in ticks)
    names = "".join(text(scale(v), 162, str(v), "middle", "tick") for v in ticks)
    axis = "".join(rule(scale(v), 144, scale(v), 149, "axis") for v in ticks)
    return grid + rule(0, 60, width, 60, "axis") + rule(0, 144, width, 144, "axis") + axis + names


def _rungs(rungs: list[Rung], scale: Scale, unit: str) -> str:
    labels = [(rung.tier.capitalize(), units.quantity(rung.objective, unit)) for rung in rungs]
    widths = [max(text_width(line) for line in pair) + 12 for pair in labels]
    at = [scale(rung.points or 0.0) for rung in rungs]
    parts = []
    for rung, x, centre, (name, value) in zip(
        rungs, at, part(at, widths, 0.0, scale.end + 12), labels, strict=True
    ):
        style = 1 + TIERS.index(rung.tier)
        parts += [
            text(centre, 12, name, "middle", "name"),
            text(centre, 27, value, "middle", "tick"),
            path([(centre, 32), (centre, 38), (x, 50), (x, 60)], "leader"),
            marker(MARKERS[style], x, 60, f"s{style}", 5.5),
        ]
    return "".join(parts)


def _own(score: Score, scale: Scale) -> str:
    """The submission's marker and interval; hollow if the points do not count."""
    if score.points_uncapped is None or score.withheld:
        middle = (scale.start + scale.end) / 2
        missing = (
            "A verdict is open: no points." if score.withheld else "The submission has no value to place."
        )
        return text(middle, 96, missing, "middle", "name")
    value = score.points_uncapped
    x = scale(min(max(value, SHOWN.low), SHOWN.high))
    beyond = "right" if value > SHOWN.high else "left" if value < SHOWN.low else ""
    counts = "s0" if score.outcome == "ok" else "s0 void"
    bar = "" if beyond else _interval_bar(score, scale)
    shown = bar + marker(beyond or MARKERS[0], x, 92, counts, 7.0)
    label = _own_label(score)
    half = text_width(label, BOLD) / 2
    centre = min(max(x, scale.start + half - 10), scale.end + 10 - half)
    return shown + path([(x, 101), (x, 108)], "leader") + text(centre, 122, label, "middle", "own")


def _interval_bar(score: Score, scale: Scale) -> str:
    if score.points_low is None or score.points_high is None:
        return ""
    low, high = scale(score.points_low), scale(score.points_high)
    ends = rule(low, 86, low, 98, "own-bar") + rule(high, 86, high, 98, "own-bar")
    return rule(low, 92, high, 92, "own-bar") + ends


def _own_label(score: Score) -> str:
    value = units.points(score.points_uncapped)
    if score.outcome == "inconclusive":
        return f"{CANDIDATE} {value}, provisional"
    if score.outcome != "ok":
        return f"{CANDIDATE} would be {value}, counts {units.points(score.points)}"
    if score.points_uncapped is not None and not SHOWN.low <= score.points_uncapped <= SHOWN.high:
        return f"{CANDIDATE} {value}, shown as {units.points(score.points)}"
    if score.points_low is None or score.points_high is None:
        return f"{CANDIDATE} {value}"
    return f"{CANDIDATE} {value} ({units.interval(score.points_low, score.points_high, 'points')})"


def latency(group: str, rows: Sequence[Times], width: float, uid: str) -> str:
    """Each subject's response times: a histogram over a rug of requests, with p50, p95 and p99."""
    every = [max(s, 1e-9) for row in rows for s in row.seconds]
    gutter = max(text_width(row.subject.name, BOLD) for row in rows) + 34
    scale = _time_scale(min(every), max(every), gutter, width - 14)
    bottom = 8 + ROW * len(rows)
    drawn = "".join(_row(row, scale, 8 + ROW * (i + 1), width) for i, row in enumerate(rows))
    description = "; ".join(
        f"{row.subject.name}: p50 {units.seconds(row.quantile(0.5))}, p95 {units.seconds(row.quantile(0.95))}"
        for row in rows
    )
    body = x_axis(scale, "s", 8, bottom, width) + drawn + _quantile_key(gutter, bottom + 40)
    title = f"Response times of {words.measure(group)}"
    return figure(width, bottom + 48, body, uid=uid, title=title, description=description)


def _time_scale(low: float, high: float, start: float, end: float) -> Scale:
    if high > 4 * low:
        return Scale(low / 1.1, high * 1.1, start, end, log=True)
    room = 0.05 * (high - low) or 0.05 * high
    return Scale(max(low - room, 1e-10), high + room, start, end)


def _row(row: Times, scale: Scale, base: float, width: float) -> str:
    style, name = row.subject.style, row.subject.name
    parts = [
        rule(scale.start, base - 10, width, base - 10, "axis faint"),
        marker(MARKERS[style], 8, base - 24, f"s{style}", 4.5),
        text(18, base - 20, name, "start", "own" if style == 0 else "name"),
        _ridge(row, scale, base - 10) if len(row.seconds) >= 12 else "",
        _rug(row, scale, base),
    ]
    p50, p95, p99 = (scale(row.quantile(q)) for q in (0.5, 0.95, 0.99))
    parts += [rule(p50, base - 42, p50, base - 4, "median"), _p95(p95, base - 10), _p99(p99, base - 10)]
    return "".join(parts)


def _p95(x: float, y: float) -> str:
    return marker("triangle", x, y - 5, "quantile", 4.0)


def _p99(x: float, y: float) -> str:
    down = rule(x - 3.5, y - 8.5, x + 3.5, y - 1.5, "cross")
    return down + rule(x - 3.5, y - 1.5, x + 3.5, y - 8.5, "cross")


def _ridge(row: Times, scale: Scale, base: float) -> str:
    counts = [0.0] * (BINS + 2)
    span = scale.end - scale.start
    for value in row.seconds:
        share = (scale(max(value, 1e-9)) - scale.start) / span
        counts[1 + min(BINS - 1, int(share * BINS))] += 1
    for _ in range(2):
        padded = [0.0, *counts, 0.0]
        counts = [(padded[i - 1] + 2 * padded[i] + padded[i + 1]) / 4 for i in range(1, len(padded) - 1)]
    top = max(counts) or 1.0
    points = [
        (min(max(scale.start + (i - 0.5) / BINS * span, scale.start), scale.end), base - 30 * count / top)
        for i, count in enumerate(counts)
    ]
    closed = [(points[0][0], base), *points, (points[-1][0], base)]
    return path(closed, f"ridge r{row.subject.style}")


def _rug(row: Times, scale: Scale, base: float) -> str:
    ordered = sorted(row.seconds)
    step = max(1, math.ceil(len(ordered) / MAX_RUG))
    kept = [*ordered[::step], ordered[-1]]
    strokes = " ".join(f"M{scale(max(value, 1e-9)):.1f} {base - 8:.0f}v6" for value in kept)
    return el("path", d=strokes, class_="rug")


def _quantile_key(x: float, y: float) -> str:
    parts, at = [], x
    for draw, name in ((_key_median, "p50"), (_p95, "p95"), (_p99, "p99")):
        parts += [draw(at + 5, y), text(at + 14, y, name, "start", "tick")]
        at += 26 + text_width(name)
    return "".join(parts)


def _key_median(x: float, y: float) -> str:
    return rule(x, y - 12, x, y + 2, "median")


def x_axis(scale: Scale, unit: str, top: float, bottom: float, width: float) -> str:
    """The axis below a drawing, with its grid."""
    parts = [rule(scale.start, bottom, width, bottom, "axis")]
    for value, name in scale.ticks(unit):
        x, half = scale(value), text_width(name) / 2
        parts.append(rule(x, top, x, bottom + 4, "grid"))
        parts.append(text(min(x, width - half), bottom + 17, name, "middle", "tick"))
    return "".join(parts)


def lines(chart: Chart, width: float, uid: str) -> str:
    """Lines on common axes, distinguished by dash and marker, with the legend above them."""
    x, y = [v for line in chart.lines for v in line.x], [v for line in chart.lines for v in line.y]
    legend, top = _legend(chart, width)
    bottom = top + 190.0
    upright = _y_scale(min(y), max(y), chart.y_unit, bottom, top + 16)
    gutter = 12 + max((text_width(name) for _, name in upright.ticks(chart.y_unit, ROOM)), default=30)
    along = Scale(
        min(x),
        max(x) if max(x) > min(x) else min(x) + 1,
        gutter,
        width - 14,
        log=min(x) > 0 and max(x) >= 50 * min(x),
    )
    body = x_axis(along, chart.x_unit, bottom, bottom, width)
    body += _y_axis(upright, chart, gutter, width, top)
    body += "".join(_line(line, chart, along, upright) for line in reversed(chart.lines))
    body += text(width, bottom + 36, chart.x_label, "end", "tick") + legend
    return figure(width, bottom + 44, body, uid=uid, title=chart.title, description=_line_words(chart))


def _y_scale(low: float, high: float, unit: str, bottom: float, top: float) -> Scale:
    """The scale of the y axis: sizes start at zero; other values only if zero is near."""
    if unit == "B" or 0 <= low < 0.4 * high:
        return Scale(0.0, high * 1.06 or 1.0, bottom, top)
    room = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    return Scale(low - room, high + room, bottom, top)


def _y_axis(scale: Scale, chart: Chart, gutter: float, width: float, top: float) -> str:
    parts = [text(0, top + 4, chart.y_label, "start", "tick")]
    for value, name in scale.ticks(chart.y_unit, ROOM):
        parts.append(rule(gutter, scale(value), width, scale(value), "grid"))
        parts.append(text(gutter - 8, scale(value) + 4, name, "end", "tick"))
    return "".join(parts)


def _line(line: Line, chart: Chart, along: Scale, upright: Scale) -> str:
    style = line.subject.style
    at = [(along(a), upright(b)) for a, b in zip(line.x, line.y, strict=True)]
    peak = max(range(len(line.y)), key=lambda i: line.y[i])
    few = chart.marks and len(at) <= 14
    marked = at if few else [at[peak]]
    dots = "".join(marker(MARKERS[style], px, py, f"s{style}", 3.5) for px, py in marked)
    return path(at, f"line l{style}", DASHES[style]) + dots


def _legend(chart: Chart, width: float) -> tuple[str, float]:
    """The legend and the height it takes, wrapped at `width`."""
    parts, x, y = [], 0.0, 14.0
    for line in chart.lines:
        style, name = line.subject.style, _legend_name(line, chart)
        room = 38 + text_width(name, BOLD if style == 0 else 12) + 18
        if x and x + room > width:
            x, y = 0.0, y + 20
        parts += [
            path([(x, y - 4), (x + 30, y - 4)], f"line l{style}", DASHES[style]),
            marker(MARKERS[style], x + 15, y - 4, f"s{style}", 3.5),
            text(x + 38, y, name, "start", "own" if style == 0 else "name"),
        ]
        x += room
    return "".join(parts), y + 24


def _legend_name(line: Line, chart: Chart) -> str:
    if chart.y_unit == "B":
        return f"{line.subject.name}, peak {units.size(max(line.y))}"
    return line.subject.name


def _line_words(chart: Chart) -> str:
    ranges = [
        f"{line.subject.name}: from {units.quantity(line.y[0], chart.y_unit)} "
        f"to {units.quantity(line.y[-1], chart.y_unit)}, highest {units.quantity(max(line.y), chart.y_unit)}"
        for line in chart.lines
    ]
    return f"{chart.y_label} against {chart.x_label}. {'; '.join(ranges)}."
