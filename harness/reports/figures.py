"""What each plot shows, taken from a Run: subjects, times, memory and curves as plain series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from harness.records import TIERS, Assessed, Run, Series, Trial
from harness.reports import clean, words

CANDIDATE = "Submission"


@dataclass(frozen=True)
class Subject:
    """Who a series belongs to; `style` picks dash and marker (0 is the submission)."""

    name: str
    style: int


@dataclass(frozen=True)
class Line:
    """One line of a plot."""

    subject: Subject
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
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


def subjects(run: Run) -> list[Subject]:
    """Everyone in the run: the submission first, then the references from baseline to expert."""
    found = {subject(t) for t in (*run.trials, *run.assessed)}
    return sorted(found, key=lambda s: (s.style, s.name))


def latencies(run: Run) -> dict[str, list[Times]]:
    """Per timed group, each subject's samples of all its trials."""
    found: dict[str, dict[Subject, list[float]]] = {}
    for trial in run.trials:
        for sample in trial.samples:
            found.setdefault(sample.group, {}).setdefault(subject(trial), []).append(sample.seconds)
    return {
        group: [Times(s, tuple(by_subject[s])) for s in subjects(run) if s in by_subject]
        for group, by_subject in found.items()
    }


def _first_instance(run: Run) -> list[Trial]:
    own = [t for t in run.trials if t.memory and t.role == "candidate"] or [t for t in run.trials if t.memory]
    shown: dict[Subject, Trial] = {}
    for trial in run.trials:
        if own and trial.memory and trial.instance_id == own[0].instance_id:
            shown.setdefault(subject(trial), trial)
    return [shown[s] for s in sorted(shown, key=lambda s: s.style)]


def memory(run: Run) -> list[Chart]:
    """Memory over time on the first instance: one chart for each stage, host and device apart."""
    trials = _first_instance(run)
    stages = list(dict.fromkeys(point.stage for trial in trials for point in trial.memory))
    charts = [_memory(trials, stage, where) for where in ("host", "device") for stage in stages]
    return [chart for chart in charts if chart.lines]


def _memory(trials: Iterable[Trial], stage: str, where: str) -> Chart:
    lines = []
    for trial in trials:
        read = [
            (p.seconds, float(b))
            for p in trial.memory
            if p.stage == stage and (b := p.host_bytes if where == "host" else p.device_bytes) is not None
        ]
        if read:
            lines.append(Line(subject(trial), tuple(s for s, _ in read), tuple(b for _, b in read)))
    title = f"{where.capitalize()} memory, stage {clean.line(stage, 40)}"
    return Chart(title, "time since the worker was launched", "memory in use", "s", "B", tuple(lines))


def _empty(series: Series) -> Chart:
    whole = "count" if all(float(x).is_integer() for x in series.x) else ""
    return Chart(words.measure(series.name), series.x_label, series.y_label, whole, "", (), marks=True)


def curves(run: Run) -> list[Chart]:
    """Learning or recall curves: one chart for each series, everyone's first one on it."""
    found: dict[str, Chart] = {}
    for assessed in sorted(run.assessed, key=lambda a: (subject(a).style, a.number)):
        for series in assessed.series:
            chart = found.setdefault(series.name, _empty(series))
            if series.x and all(line.subject != subject(assessed) for line in chart.lines):
                line = Line(subject(assessed), series.x, series.y)
                found[series.name] = replace(chart, lines=(*chart.lines, line))
    return [chart for chart in found.values() if chart.lines]


def phase_seconds(run: Run) -> dict[str, dict[Subject, float]]:
    """Per phase group and subject, the seconds of one trial; the median where there are several."""
    totals: dict[str, dict[Subject, list[float]]] = {}
    for trial in run.trials:
        sums: dict[str, float] = {}
        for phase in trial.phases:
            sums[phase.group] = sums.get(phase.group, 0.0) + phase.seconds
        for group, value in sums.items():
            totals.setdefault(group, {}).setdefault(subject(trial), []).append(value)
    return {group: {s: median(v) for s, v in by.items()} for group, by in totals.items()}


def reference_values(run: Run) -> dict[str, dict[Subject, float]]:
    """Per measure and reference, its value; the median where it was assessed several times."""
    found: dict[str, dict[Subject, list[float]]] = {}
    for assessed in run.assessed:
        for m in assessed.measurements:
            if assessed.role == "reference" and m.value is not None:
                found.setdefault(m.name, {}).setdefault(subject(assessed), []).append(m.value)
    return {name: {s: median(v) for s, v in by.items()} for name, by in found.items()}
