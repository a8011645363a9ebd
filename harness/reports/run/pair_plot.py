"""The drawing of process pairs: each pair's ratio, the interval over pairs, and the tolerance around 1."""

from __future__ import annotations

from harness.reports.parts import units, words
from harness.reports.parts.svg import MARKERS, Scale, el, figure, marker, path, rule, text, text_width
from harness.reports.run.plots import x_axis
from harness.reports.run.run_series import PairChart, PairRatios

TOP, HEAD, STEP = 26.0, 26.0, 7.0


def pairs(chart: PairChart, width: float, uid: str) -> str:
    """One row for the submission and one for the reference's copy; one mark for each pair, in order."""
    scale = _scale(chart, width)
    heights = [HEAD + STEP * (len(row.ratios) + 1) for row in chart.rows]
    bottom = TOP + sum(heights) + 6
    body, top = _band(chart, scale, bottom) + x_axis(scale, "x", TOP, bottom, width), TOP
    body += _limit(chart, scale, bottom, width)
    for row, height in zip(chart.rows, heights, strict=True):
        body += _row(row, scale, top)
        top += height
    body += text(width, bottom + 36, f"times the {chart.anchor}'s: below 1 is faster", "end", "tick")
    title = f"Process pairs: {words.measure(chart.group)} against the {chart.anchor}"
    return figure(width, bottom + 44, body, uid=uid, title=title, description=_description(chart))


def _scale(chart: PairChart, width: float) -> Scale:
    rows = chart.rows
    every = [v for row in rows for v in (*row.ratios, row.low, row.high) if v is not None]
    every += [1 - chart.margin, 1 + chart.margin]
    low, high = min(every), max(every)
    if chart.limit is not None and low / 1.6 <= chart.limit <= 1.6 * high:
        low, high = min(low, chart.limit), max(high, chart.limit)
    if high > 4 * low:
        return Scale(low / 1.1, high * 1.1, 10, width - 10, log=True)
    room = 0.06 * (high - low)
    return Scale(low - room, high + room, 10, width - 10)


def _band(chart: PairChart, scale: Scale, bottom: float) -> str:
    left, right = scale(1 - chart.margin), scale(1 + chart.margin)
    band = el("rect", x=left, y=TOP, width=max(right - left, 1.0), height=bottom - TOP, class_="band")
    return band + rule(scale(1), TOP, scale(1), bottom, "axis")


def _limit(chart: PairChart, scale: Scale, bottom: float, width: float) -> str:
    """The constraint's threshold, if it is close enough to be drawn."""
    if chart.limit is None or not scale.low <= chart.limit <= scale.high:
        return ""
    x, name = scale(chart.limit), f"limit {units.quantity(chart.limit, 'x')}"
    half = text_width(name) / 2
    label = text(min(max(x, half), width - half), 14, name, "middle", "tick")
    return path([(x, TOP - 6), (x, bottom)], "limit", "5 3") + label


def _row(row: PairRatios, scale: Scale, top: float) -> str:
    own = "own" if row.style == 0 else "name"
    judged = units.spread(row.value, row.low, row.high, "x") if row.value is not None else ""
    parts = [
        marker(MARKERS[row.style], 8, top + 12, f"s{row.style}", 4.5),
        text(18, top + 16, f"{row.name} {judged}".strip(), "start", f"{own} haloed"),
    ]
    first = top + HEAD + STEP / 2
    for number, ratio in enumerate(row.ratios):
        parts.append(marker(MARKERS[row.style], scale(ratio), first + STEP * number, f"s{row.style}", 3.0))
    middle = first + STEP * (len(row.ratios) - 1) / 2
    return _bar(row, scale, middle, STEP * len(row.ratios) / 2) + "".join(parts)


def _bar(row: PairRatios, scale: Scale, y: float, half: float) -> str:
    if row.low is None or row.high is None or row.value is None:
        return ""
    low, high = scale(row.low), scale(row.high)
    kind = "own-bar" if row.style == 0 else "copy-bar"
    ends = rule(low, y - half, low, y + half, kind) + rule(high, y - half, high, y + half, kind)
    return rule(low, y, high, y, kind) + ends


def _description(chart: PairChart) -> str:
    series = [
        f"{row.name}: {', '.join(units.ratio(ratio) for ratio in row.ratios)}"
        + (f"; together {units.spread(row.value, row.low, row.high, 'x')}" if row.value is not None else "")
        for row in chart.rows
    ]
    limit = f" Limit: {units.quantity(chart.limit, 'x')}." if chart.limit is not None else ""
    tolerance = f"Tolerance: {units.percent(chart.margin)}."
    return f"Ratio to the {chart.anchor} in each pair. {'. '.join(series)}. {tolerance}{limit}"
