"""The content of a run's report, section by section, as tables of printable cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from harness import records
from harness.records import ConstraintResult, Measurement, Run, Score, Trial
from harness.reports.parts import clean, plain, units, words
from harness.reports.parts.tables import Cell, Facts, Table, cell, facts, row
from harness.reports.run import run_series, trust
from harness.reports.run.run_series import Subject, Times

MAX_LOGS = 12
QUANTILES = (0.5, 0.95, 0.99, 1.0)
ARROWS = {"higher": " ↑", "lower": " ↓", "neither": ""}
BOUNDS = {"at_most": "at most", "at_least": "at least"}
INTERVAL = "95 % interval"


@dataclass(frozen=True)
class Log:
    """The output of one trial of the submission and its traceback."""

    title: str
    reason: str
    detail: str
    output: str
    failed: bool


def moment(started_at: str) -> str:
    """A time stamp for people; unchanged if it is not ISO 8601."""
    try:
        at = datetime.fromisoformat(started_at)
    except ValueError:
        return clean.line(started_at, 40)
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or ''}".strip()


def short_digest(digest: str) -> str:
    """The first twelve digits of a digest."""
    return clean.line(digest.split(":")[-1], 200)[:12]


def objective(run: Run) -> str:
    """The objective's name and value: "macro-F1 0.812 (0.801 to 0.823)"."""
    if run.score is None:
        return ""
    m = run.score.objective
    value = absent(m) if m.value is None else units.spread(m.value, m.low, m.high, m.unit)
    return f"{words.measure(m.name)} {value}"


def absent(m: Measurement) -> str:
    """Why a measurement is absent."""
    return f"{units.ABSENT}: {m.absent_because}" if m.absent_because else units.ABSENT


def points_note(run: Run) -> str:
    """The note beside the points: their interval, or the points there would have been."""
    score = run.score
    if score is None:
        return "no points: the run was not scored"
    if score.withheld:
        beyond = "" if score.open_by in ("evaluator", "data") else ", on what was measured beyond its limit"
        return f"no points: a verdict is open, {words.OPEN_BY[score.open_by]}{beyond}"
    if score.outcome == "inconclusive" and score.points_uncapped is not None:
        return "of 100 points, provisional: a verdict is open"
    if score.outcome != "ok":
        if score.points_uncapped is None:
            return "points: nothing could be placed on the ladder"
        return f"points; {units.points(score.points_uncapped)} {words.before(score)}"
    parts = ["of 100 points"]
    if score.points_low is not None and score.points_high is not None:
        parts.append(f"{INTERVAL} {units.points(score.points_low)} to {units.points(score.points_high)}")
    if score.points_uncapped is not None and abs(score.points_uncapped - score.points) >= 0.5:
        parts.append(f"{units.points(score.points_uncapped)} uncut")
    return ", ".join(parts)


def place(run: Run) -> str:
    """How the submission compares with the references, in one sentence."""
    rungs = sorted((r.points, r.tier) for r in run.ladder if r.points is not None)
    if run.score is None or run.score.points_uncapped is None or run.score.withheld or not rungs:
        return ""
    own = run.score.points_uncapped
    lead = (
        f"{words.before(run.score).capitalize()} the submission stands"
        if run.score.outcome != "ok"
        else "The submission stands"
    )
    below = [f"{tier} ({units.points(p)})" for p, tier in rungs if p <= own]
    above = [f"{tier} ({units.points(p)})" for p, tier in rungs if p > own]
    if below and above:
        return f"{lead} between {below[-1]} and {above[0]}."
    return f"{lead} at or above {below[-1]}." if below else f"{lead} below {above[0]}."


def rungs(run: Run) -> Table:
    """The ladder from the top down, with the submission in its place."""
    own = run.score
    unit = own.objective.unit if own else ""
    entries: list[tuple[float, tuple[Cell, ...]]] = []
    for rung in run.ladder:
        note = f"quality taken over from run {clean.short(rung.reused_from, 60)}" if rung.reused_from else ""
        ended = "" if rung.outcome == "ok" else words.OUTCOMES[rung.outcome][0]
        shown = cell(rung.tier.capitalize(), ended or note)
        value = units.quantity(rung.objective, unit)
        entries.append((_or_last(rung.points), row(shown, units.points(rung.points), value)))
    if own is not None:
        at = None if own.withheld else own.points_uncapped
        entries.append((_or_last(at), _own_rung(own, run.head.submission)))
    entries.sort(key=lambda entry: -entry[0])
    name = words.measure(own.objective.name) if own else "Objective"
    return Table(
        caption="Ladder",
        columns=("Who", "Points", name),
        rows=tuple(r for _, r in entries),
        numeric=(1, 2),
        compact=True,
    )


def _own_rung(own: Score, label: str) -> tuple[Cell, ...]:
    m = own.objective
    early = "" if own.outcome == "ok" or own.points_uncapped is None else words.before(own)
    shown = cell(words.OPEN) if own.withheld else cell(units.points(own.points_uncapped), early)
    value = cell(units.quantity(m.value, m.unit), units.interval(m.low, m.high, m.unit))
    return row(cell(run_series.CANDIDATE, clean.short(label, 40)), shown, value)


def _or_last(points: float | None) -> float:
    return float("-inf") if points is None else points


def bound(constraint: ConstraintResult) -> str:
    """A constraint's threshold: "at most 6.00x"."""
    return f"{BOUNDS[constraint.bound]} {units.quantity(constraint.threshold, constraint.unit)}"


def constraints(run: Run) -> Table:
    """Every constraint with its verdict, the value that was judged, and the sentence that says why."""
    results = run.score.constraints if run.score else ()
    rows = tuple(
        row(
            cell(
                plain.constraint(c),
                " ".join(part for part in (records.as_sentence(c.words), trust.explained(c)) if part),
            ),
            cell(c.verdict, mark=c.verdict),
            cell(units.quantity(c.value, c.unit), units.interval(c.low, c.high, c.unit)),
            cell(bound(c), trust.basis(c)),
            words.measure(c.reference) or "a fixed bound",
        )
        for c in results
    )
    return Table(
        caption="Constraints",
        columns=("Constraint", "Verdict", "Measured", "Allowed", "Against"),
        rows=rows,
        numeric=(2, 3),
        footnote=trust.openness(results),
    )


def measurements(run: Run) -> Table:
    """The submission's measurements beside the references', and who measured them."""
    if run.score is None:
        return Table(caption="Measurements", columns=(), rows=())
    others = [s for s in run_series.subjects(run) if s.style]
    values = run_series.reference_values(run)
    others = [s for s in others if any(s in by for by in values.values())]
    rows = tuple(_measured(m, others, values.get(m.name, {})) for m in _objective_first(run))
    columns = ("Measure", run_series.CANDIDATE, *(s.name for s in others), "Measured by")
    note = (
        "↑ higher is better, ↓ lower is better. With a value, its 95 % interval; without, a single reading. "
        f"{run_series.over_instances(run)}"
    )
    alone = sorted({run_series.subject(t).name.lower() for t in run_series.rivals(run) if not t.timed})
    if alone:
        note += f" Not timed beside the submission, but alone for its answers: {words.join(alone)}."
    return Table(
        caption="Measurements",
        columns=columns,
        rows=rows,
        numeric=tuple(range(1, 2 + len(others))),
        footnote=note,
    )


def _objective_first(run: Run) -> list[Measurement]:
    if run.score is None:
        return []
    first = run.score.objective
    return [first, *(m for m in run.score.measurements if m.name != first.name)]


def _measured(m: Measurement, others: Sequence[Subject], values: dict[Subject, float]) -> tuple[Cell, ...]:
    name = cell(words.measure(m.name) + ARROWS[m.direction], absent(m) if m.value is None else "")
    value = cell(units.quantity(m.value, m.unit, "absent"), units.interval(m.low, m.high, m.unit))
    shown = (units.quantity(values.get(s), m.unit, "absent") for s in others)
    return row(name, value, *shown, words.measurer(m.measured_by))


def latency(group: str, times: Sequence[Times]) -> Table:
    """The quantiles of one timed group."""
    rows = tuple(
        row(
            cell(t.subject.name, f"{len(t.seconds):,} requests"),
            *(units.seconds(t.quantile(q)) for q in QUANTILES),
        )
        for t in times
    )
    columns = ("Who", "p50", "p95", "p99", "Slowest")
    return Table(
        caption=f"Response times of {words.measure(group)}",
        columns=columns,
        rows=rows,
        numeric=(1, 2, 3, 4),
        compact=True,
    )


def phases(run: Run) -> Table:
    """Seconds of each untimed phase, for everyone."""
    seconds = run_series.phase_seconds(run)
    everyone = [s for s in run_series.subjects(run) if any(s in by for by in seconds.values())]
    rows = tuple(
        row(words.measure(group), *(units.quantity(by.get(s), "s", "did not run") for s in everyone))
        for group, by in seconds.items()
    )
    columns = ("Phase", *(s.name for s in everyone))
    return Table(
        caption="Phase times",
        columns=columns,
        rows=rows,
        numeric=tuple(range(1, len(columns))),
        compact=len(columns) < 6,
    )


def memory_kinds(run: Run) -> Table:
    """Each subject's highest reading and its kinds of memory; empty if kinds were not distinguished."""
    readings = run_series.memory_kinds(run)
    kinds = (
        ("Anonymous", lambda p: p.anonymous_bytes),
        ("File-backed", lambda p: p.file_bytes),
        ("Shared", lambda p: p.shared_bytes),
        ("Device", lambda p: p.device_bytes),
    )
    kinds_read = [
        (name, read) for name, read in kinds if any(read(point) is not None for _, _, point in readings)
    ]
    if not any(name != "Device" for name, _ in kinds_read):
        return Table(caption="Memory at its peak, by kind", columns=(), rows=())
    rows = tuple(
        row(
            cell(who.name, f"stage {clean.line(stage, 40)}"),
            units.quantity(point.host_bytes, "B"),
            *(units.quantity(read(point), "B", "not told") for _, read in kinds_read),
        )
        for who, stage, point in readings
    )
    columns = ("Who", "Host", *(name for name, _ in kinds_read))
    note = "Host: anonymous (what the program allocated), file-backed (mapped files, libraries) and shared together."
    return Table(
        caption="Memory at its peak, by kind",
        columns=columns,
        rows=rows,
        numeric=tuple(range(1, len(columns))),
        footnote=note,
    )


def trials(run: Run) -> Table:
    """How each trial ended; with the device's column only if its memory was read."""
    device = any(t.peak_device_bytes is not None for t in run.trials)
    rows = tuple(
        row(
            f"{t.number}",
            run_series.subject(t).name + (", its copy" if t.role == "copy" else ""),
            short_digest(t.instance_id),
            cell(words.OUTCOMES[t.outcome][0] if t.outcome != "ok" else "Ran to the end", t.reason),
            units.quantity(t.peak_host_bytes, "B"),
            *([units.quantity(t.peak_device_bytes, "B")] if device else []),
            units.size(t.log_bytes) if t.log_bytes else "none",
        )
        for t in run.trials
    )
    peaks = ("Peak host memory", "Peak device memory") if device else ("Peak memory",)
    columns = ("Trial", "Who", "Instance", "How it ended", *peaks, "Output")
    by = sorted({clean.line(t.memory_measured_by) for t in run.trials if t.memory_measured_by})
    note = f"Memory measured by: {words.join(by)}." if by else ""
    return Table(
        caption="Trials", columns=columns, rows=rows, numeric=tuple(range(4, len(columns))), footnote=note
    )


def logs(run: Run) -> list[Log]:
    """The submission's own output and tracebacks, trial by trial; references' stay private."""
    own = [t for t in run.trials if t.role == "candidate" and (t.detail or t.log_head or t.log_tail)]
    return [_log(t) for t in own[:MAX_LOGS]]


def _log(trial: Trial) -> Log:
    ended = (
        "what the submission printed" if trial.outcome == "ok" else words.OUTCOMES[trial.outcome][0].lower()
    )
    return Log(
        title=f"Trial {trial.number}: {ended}",
        reason=clean.line(trial.reason),
        detail=clean.block(trial.detail),
        output=clean.log(trial.log_head, trial.log_tail, trial.log_bytes),
        failed=trial.outcome != "ok",
    )


def machine(run: Run) -> Facts:
    """The machine on which it ran."""
    m = run.head.machine
    load = "" if m.load_before is None else f"{m.load_before:.2f}"
    return facts(
        "Machine",
        [
            ("System", m.system),
            ("Processor", f"{m.processor}, {m.cores} cores"),
            ("Memory", units.size(m.memory_bytes)),
            ("Device", m.device),
            ("Threads", str(m.threads)),
            ("Load before the run", load),
            ("Python", m.python),
            ("Packages", ", ".join(f"{name} {version}" for name, version in sorted(m.packages.items()))),
            ("Fingerprint", m.id),
        ],
    )


def provenance(run: Run) -> Facts:
    """What was run, with which settings, and the ids and digests that identify it."""
    head, profile = run.head, run.head.profile
    settings = f"{profile.name}: size {profile.size}, split {profile.split}, executor {profile.executor}"
    trials = f"{profile.trials}, at most {profile.max_trials}"
    return facts(
        "Provenance",
        [
            ("Run", head.run_id),
            ("Started", f"{moment(head.started_at)}, took {units.seconds(run.wall_seconds)}"),
            *(("Went on, after it was cut short", moment(when)) for when in head.taken_up),
            ("Profile", settings),
            ("Trials planned", trials),
            ("Device asked for", profile.device),
            ("Isolation", profile.isolation),
            ("Stamp", cell(*words.stamp(head))),
            ("Seed", head.seed_id + (f" (seed {head.seed})" if head.seed is not None else "")),
            ("Task", f"{head.task}, version {head.task_version}"),
            ("Task digest", head.task_digest),
            ("Submission digest", head.submission_digest),
            ("Harness", f"{head.harness_version}, record schema {head.schema_version}"),
        ],
    )


def sources(run: Run) -> Table:
    """Data sets and models, with licence and digest."""
    rows = tuple(
        row(
            cell(s.role, s.kind),
            cell(s.name, "; ".join([*filter(None, [words.revision(s)]), *s.parts])),
            s.license,
            units.size(s.size_bytes),
            "public" if s.public else "not public",
            cell(short_digest(s.digest)),
        )
        for s in run.head.sources
    )
    return Table(
        caption="Data and models",
        columns=("Role", "Name", "Licence", "Size", "Access", "Digest"),
        rows=rows,
        numeric=(3,),
    )


def instance_facts(run: Run) -> Facts:
    """Figures of the task's instance."""
    figures = run.head.facts.items()
    rows = [(words.measure(k), v if isinstance(v, str) else units.fraction(v)) for k, v in figures]
    return facts("The task's data in this run", rows)


def worker_says(run: Run) -> Facts:
    """What the submission's own process reported; this is not checked."""
    reported: dict[str, str] = {}
    for trial in run.trials:
        if trial.role == "candidate":
            reported |= trial.worker_says
    return facts("Said by the submission's process, not checked", sorted(reported.items())[:20])
