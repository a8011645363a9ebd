"""The plots of a calibration: tasks on the scale of the tiers, and the standard error over skill."""

from __future__ import annotations

from harness.analysis.calibration.results import Calibration
from harness.reports.parts import clean
from harness.reports.parts.svg import MARKERS, Scale, el, figure, marker, path, rule, text, text_width

TIERS_AT = (("baseline", -1.5), ("competent", 0.0), ("expert", 1.5))
MOST_ERROR = 3.0  # in skill: twice the step from one tier to the next


def difficulties(c: Calibration, width: float, uid: str) -> str:
    """Difficulties and their intervals on the scale that the tiers fix."""
    gutter = max(text_width(clean.short(t.task, 22)) for t in c.tasks) + 16
    ends = [v for t in c.tasks for v in (t.difficulty.low, t.difficulty.high) if v is not None]
    scale = Scale(max(-6.0, min(-2.0, *ends)), min(6.0, max(2.0, *ends)), gutter, width - 12)
    bottom = 28.0 + 26 * len(c.tasks)
    body = rule(gutter, bottom, width, bottom, "axis")
    for name, at in TIERS_AT:
        body += rule(scale(at), 20, scale(at), bottom, "grid strong") + text(
            scale(at), 12, name, "middle", "tick"
        )
    body += "".join(text(scale(v), bottom + 16, label, "middle", "tick") for v, label in scale.ticks(""))
    for i, t in enumerate(c.tasks):
        y, d = 38.0 + 26 * i, t.difficulty
        if d.value is not None and d.low is not None and d.high is not None:
            body += rule(scale(d.low), y, scale(d.high), y, "own-bar") + marker(
                MARKERS[0], scale(d.value), y, "s0"
            )
        body += text(0, y + 4, clean.short(t.task, 22), "start", "name")
    return figure(
        width,
        bottom + 24,
        body,
        uid=uid,
        title="Difficulty",
        description="Skill at which 50 points are expected.",
    )


def errors(c: Calibration, width: float, uid: str) -> str:
    """The standard error of skill over skill: a 95 % band with its median, if there is one; otherwise ""."""
    known = [
        (p.skill, p.error.low, p.error.value, p.error.high)
        for p in c.curve
        if p.error.low is not None and p.error.high is not None
    ]
    if not known:
        return ""
    top, bottom, left = 30.0, 230.0, 46.0
    most = min(MOST_ERROR, 1.1 * max(high for _, _, _, high in known))
    across = Scale(known[0][0], known[-1][0], left, width - 14)
    up = Scale(0.0, most, bottom, top)
    body = "".join(
        rule(left, up(v), width - 14, up(v), "grid") + text(left - 6, up(v) + 4, label, "end", "tick")
        for v, label in up.ticks("", 22.0)
    )
    for name, at in TIERS_AT:
        body += rule(across(at), top - 8, across(at), bottom, "grid strong")
        body += text(across(at), top - 14, name, "middle", "tick")
    edge = [(across(x), up(high)) for x, _, _, high in known]
    edge += [(across(x), up(low)) for x, low, _, _ in reversed(known)]
    body += el("polygon", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in edge), class_="band s0")
    middle = [(across(x), up(value)) for x, _, value, _ in known if value is not None]
    body += path(middle, "line s0") if middle else ""
    body += rule(left, bottom, width - 14, bottom, "axis")
    body += "".join(text(across(v), bottom + 16, label, "middle", "tick") for v, label in across.ticks(""))
    body += text(width - 14, bottom + 34, "skill", "end", "tick")
    in_words = "; ".join(f"skill {x:+.1f}: {low:.2f} to {high:.2f}" for x, low, _, high in known[::4])
    return figure(
        width, bottom + 42, body, uid=uid, title="Standard error of skill over skill", description=in_words
    )
