"""The data of each plot, taken from a Run: subjects, times, memory and curves as plain series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Self

import numpy as np

from harness.grading.comparison import beyond
from harness.measures.cost import STARTS
from harness.measures.paired import median_log_ratio
from harness.readings import MemoryPoint
from harness.records import TIERS, Assessed, Certificate, ConstraintResult, Run, Series, Tier, Trial
from harness.reports.parts import clean, words

CANDIDATE = "Submission"


@dataclass(frozen=True)
class Subject:
    """The program that a series belongs to; `style` selects dash and marker (0 is the submission)."""

    name: str
    style: int


@dataclass(frozen=True)
class Line:
    """One line of a plot."""

    subject: Subject
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Lines on one pair of axes."""

    title: str
    x_label: str
    y_label: str
    x_unit: str
    y_unit: str
    lines: tuple[Line, ...]
    marks: bool = False


@dataclass(frozen=True)
class Times:
    """One subject's timed requests of one group, in seconds."""

    subject: Subject
    seconds: tuple[float, ...]

    def quantile(self, q: float) -> float:
        """Quantile by linear interpolation, as numpy's default."""
        ordered = sorted(self.seconds)
        place = q * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def subject(trial: Trial | Assessed) -> Subject:
    """The subject of a trial: the submission, or a reference by its label."""
    if trial.role == "candidate":
        return Subject(CANDIDATE, 0)
    style = 1 + TIERS.index(trial.tier) if trial.tier else 1
    name = clean.short(trial.label or trial.tier or "reference", 24)
    return Subject(name[:1].upper() + name[1:], style)


def rivals(run: Run) -> list[Trial]:
    """The trials that are compared; a copy of a reference is left out, as it only serves the certificate."""
    return [trial for trial in run.trials if trial.role != "copy"]


def subjects(run: Run) -> list[Subject]:
    """Everyone in the run: the submission first, then the references from baseline to expert."""
    everyone = {subject(t) for t in (*rivals(run), *(a for a in run.assessed if a.role != "copy"))}
    return sorted(everyone, key=lambda s: (s.style, s.name))


def latencies(run: Run) -> dict[str, list[Times]]:
    """For each timed group, each subject's samples from all its trials that were timed beside the others."""
    seconds: dict[str, dict[Subject, list[float]]] = {}
    for trial in (t for t in rivals(run) if t.timed):
        for sample in trial.samples:
            seconds.setdefault(sample.group, {}).setdefault(subject(trial), []).append(sample.seconds)
    return {
        group: [Times(s, tuple(by_subject[s])) for s in subjects(run) if s in by_subject]
        for group, by_subject in seconds.items()
    }


def _first_instance(run: Run) -> list[Trial]:
    everyone = rivals(run)
    own = [t for t in everyone if t.memory and t.role == "candidate"] or [t for t in everyone if t.memory]
    shown: dict[Subject, Trial] = {}
    for trial in everyone:
        if own and trial.memory and trial.instance_id == own[0].instance_id:
            shown.setdefault(subject(trial), trial)
    return [shown[s] for s in sorted(shown, key=lambda s: s.style)]


def memory(run: Run) -> list[Chart]:
    """Memory over time on the first instance: one chart for each stage, host and device apart."""
    trials = _first_instance(run)
    stages = list(dict.fromkeys(point.stage for trial in trials for point in trial.memory))
    charts = [_memory(trials, stage, where) for where in ("host", "device") for stage in stages]
    return [chart for chart in charts if chart.lines]


def first_worker(trial: Trial, stage: str) -> list[MemoryPoint]:
    """A stage's readings from one worker, because those of several process pairs would overlap.

    The first of those that were read most: of process pairs beside a memory pass only the highest are kept.
    """
    points = [point for point in trial.memory if point.stage == stage]
    counts = Counter(point.pair for point in points)
    first = min(counts, key=lambda pair: (-counts[pair], pair), default=0)
    return [point for point in points if point.pair == first]


def memory_kinds(run: Run) -> list[tuple[Subject, str, MemoryPoint]]:
    """Each subject's highest reading of each stage on the first instance."""
    return [
        (subject(trial), stage, max(points, key=lambda p: p.host_bytes + (p.device_bytes or 0)))
        for trial in _first_instance(run)
        for stage in dict.fromkeys(point.stage for point in trial.memory)
        if (points := first_worker(trial, stage))
    ]


def _memory(trials: Iterable[Trial], stage: str, where: str) -> Chart:
    lines = []
    for trial in trials:
        read = [
            (p.seconds, float(b))
            for p in first_worker(trial, stage)
            if (b := p.host_bytes if where == "host" else p.device_bytes) is not None
        ]
        if read:
            lines.append(Line(subject(trial), tuple(s for s, _ in read), tuple(b for _, b in read)))
    title = f"{where.capitalize()} memory, stage {clean.line(stage, 40)}"
    return Chart(
        title=title,
        x_label="time since the worker was launched",
        y_label="memory in use",
        x_unit="s",
        y_unit="B",
        lines=tuple(lines),
    )


def _empty(series: Series) -> Chart:
    whole = "count" if all(float(x).is_integer() for x in series.x) else ""
    return Chart(
        title=words.measure(series.name),
        x_label=series.x_label,
        y_label=series.y_label,
        x_unit=whole,
        y_unit="",
        lines=(),
        marks=True,
    )


def curves(run: Run) -> list[Chart]:
    """Learning or recall curves: one chart for each series, with everyone's first curve of it."""
    charts: dict[str, Chart] = {}
    for assessed in sorted(run.assessed, key=lambda a: (subject(a).style, a.number)):
        for series in assessed.series:
            chart = charts.setdefault(series.name, _empty(series))
            if series.x and all(line.subject != subject(assessed) for line in chart.lines):
                line = Line(subject(assessed), series.x, series.y)
                charts[series.name] = replace(chart, lines=(*chart.lines, line))
    return [chart for chart in charts.values() if chart.lines]


def phase_seconds(run: Run) -> dict[str, dict[Subject, float]]:
    """For each phase group and subject, the seconds in one process; the median of its trials' means.

    Counted as in the measurements: calls in one process are added up, each start is counted by itself.
    """
    totals: dict[str, dict[Subject, list[float]]] = {}
    for trial in rivals(run):
        sums: dict[str, dict[object, float]] = {}
        for phase in trial.phases:
            own = sums.setdefault(phase.group, {})
            key: object = ("start", len(own)) if phase.group in STARTS else phase.pair
            own[key] = own.get(key, 0.0) + phase.seconds
        for group, values in sums.items():
            totals.setdefault(group, {}).setdefault(subject(trial), []).append(fmean(values.values()))
    return {group: {s: median(v) for s, v in by.items()} for group, by in totals.items()}


def reference_values(run: Run) -> dict[str, dict[Subject, float]]:
    """Each reference's value of each measure: the mean over the instances that count, as the submission's is."""
    values: dict[str, dict[Subject, list[float]]] = {}
    for assessed in (one for one in run.assessed if one.number < run.head.profile.trials):
        for m in assessed.measurements:
            if assessed.role == "reference" and m.value is not None:
                values.setdefault(m.name, {}).setdefault(subject(assessed), []).append(m.value)
    return {name: {s: fmean(v) for s, v in by.items()} for name, by in values.items()}


def over_instances(run: Run) -> str:
    """Of how many instances the figures are the mean; those that were added for an open verdict are no part of it."""
    counted = min(run.head.profile.trials, len({trial.number for trial in run.trials}))
    added = len({trial.number for trial in run.trials}) - counted
    mean = "Of one instance." if counted == 1 else f"All figures are means over {counted} instances."
    return mean + (
        f" {added} instance{'' if added == 1 else 's'} more decided an open verdict alone." if added else ""
    )


@dataclass(frozen=True, kw_only=True)
class PairRatios:
    """One program's times divided by the anchor's in each process pair, with the tolerance and what was judged.

    `value`, `low` and `high` are those that were judged; None if this ratio was not judged.
    """

    name: str
    style: int
    ratios: tuple[float, ...]
    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(
        cls, name: str, style: int, ratios: tuple[float, ...], judged: ConstraintResult | Certificate | None
    ) -> Self:
        """The ratios with the value and the interval of what was judged, if it was."""
        return cls(
            name=name,
            style=style,
            ratios=ratios,
            value=judged.value if judged else None,
            low=judged.low if judged else None,
            high=judged.high if judged else None,
        )


@dataclass(frozen=True)
class PairChart:
    """The ratios of one timed group; `limit` is the constraint's threshold, if it has one."""

    group: str
    anchor: str
    margin: float
    rows: tuple[PairRatios, ...]
    limit: float | None


def anchor(run: Run) -> Tier | None:
    """The tier whose copy was timed beside it (the anchor)."""
    return next((trial.tier for trial in run.trials if trial.role == "copy"), None)


def pair_charts(run: Run) -> list[PairChart]:
    """For each timed group, the ratios of submission and copy to the anchor in each pair; none without a copy."""
    tier, certificate = anchor(run), run.score.timing.certificate if run.score and run.score.timing else None
    if tier is None or certificate is None or run.score is None:
        return []
    charts = []
    for group in dict.fromkeys(sample.group for trial in run.trials for sample in trial.samples):
        measure = f"{group}_p50"
        own, copy = _ratios(run, "candidate", tier, group), _ratios(run, "copy", tier, group)
        if len(own) < 2 or len(copy) < 2:
            continue
        judged = next(
            (c for c in run.score.constraints if (c.measure, c.unit, c.reference) == (measure, "x", tier)),
            None,
        )
        certified = certificate if certificate.measure == measure else None
        rows = (
            PairRatios.of(CANDIDATE, 0, own, judged),
            PairRatios.of(f"Copy of the {tier}", 1, copy, certified),
        )
        charts.append(PairChart(group, tier, certificate.margin, rows, judged.threshold if judged else None))
    return charts


def _ratios(run: Run, role: str, tier: Tier, group: str) -> tuple[float, ...]:
    """The median ratio of the requests that both answered, for each pair, minus the floor, as it was judged."""
    ratios: list[float] = []
    for number in dict.fromkeys(trial.number for trial in run.trials):
        these = [trial for trial in run.trials if trial.number == number]
        floors = {p.pair: median(p.floor) for trial in these for p in trial.pairs if p.floor}
        top = next((trial for trial in these if trial.role == role), None)
        bottom = next((trial for trial in these if trial.role == "reference" and trial.tier == tier), None)
        if top is None or bottom is None:
            continue
        under = {s.item: s.seconds for s in bottom.samples if s.group == group}
        pairs: dict[int, list[tuple[float, float]]] = {}
        for s in (s for s in top.samples if s.group == group and s.item in under):
            floor = floors.get(s.pair, 0.0)
            pairs.setdefault(s.pair, []).append((beyond(s.seconds, floor), beyond(under[s.item], floor)))
        ratios += [float(np.exp(median_log_ratio(np.array(rows)))) for _, rows in sorted(pairs.items())]
    return tuple(ratios)
