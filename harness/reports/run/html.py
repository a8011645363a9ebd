"""One self-contained HTML file for a run: no script, no network, everything from outside escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from harness.records import OURS, Run, as_sentence
from harness.reports.parts import clean, words
from harness.reports.parts.tables import Facts, Table
from harness.reports.run import pair_plot, plots, run_series, run_tables, trust
from harness.reports.run.run_tables import Log

LADDER_LEAD = (
    "The baseline reference is 0 and the expert reference 100, both measured on this machine. "
    "What counts is held between -25 and 125."
)
TIMES_LEAD = (
    "Service time as the harness's own clock saw it, one request at a time, all trials together. "
    "Each stroke under a curve is one request."
)
MEMORY_LEAD = (
    "The whole process tree as the harness read it, in one worker of each stage on the first instance; "
    "the mark is the peak."
)
PAIRS_LEAD = (
    "Each small mark is one process pair, from the first at the top to the last; the bar is the interval over "
    "pairs, by which verdicts go. The copy is the same program as the reference: whatever it shows beside 1 is the "
    "clock's own error. The band is the tolerance, within which no difference is claimed."
)
TRIALS_LEAD = "Each trial is one instance of the data in fresh processes."


@dataclass(frozen=True)
class Plot:
    """A drawing at both widths; the style sheet shows the one that fits."""

    caption: str
    wide: Markup
    narrow: Markup


@dataclass(frozen=True)
class Section:
    """A heading and the content below it."""

    id: str
    title: str
    lead: str = ""
    parts: tuple[Plot | Table | Facts | Log, ...] = ()


def render_html(run: Run) -> str:
    """The report as one HTML document."""
    return _template().render(
        run=run.head,
        label=clean.short(run.head.submission, 80),
        headline=_headline(run),
        stamp=words.stamp(run.head),
        started=run_tables.moment(run.head.started_at),
        sections=[section for section in _sections(run) if section.parts or section.lead],
        kind=lambda part: type(part).__name__.lower(),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("harness.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _headline(run: Run) -> dict[str, object]:
    score = run.score
    outcome = score.outcome if score else "inconclusive"
    mark = "pass" if outcome == "ok" else "inconclusive" if outcome in ("inconclusive", *OURS) else "fail"
    title = words.OUTCOMES[outcome][0] if score else "Not scored"
    reasons = [as_sentence(clean.line(reason)) for reason in score.reasons[1:]] if score else []
    return {
        "points": words.points(score).replace("-", "\N{MINUS SIGN}") if score else "–",
        "note": run_tables.points_note(run),
        "mark": mark,
        "outcome": title,
        "tier": score.tier if score else "none",
        "objective": run_tables.objective(run) or "none",
        "sentence": clean.line(words.sentence(run)),
        "reasons": reasons,
        "times": trust.state(run),
        "logged": any(log.failed for log in run_tables.logs(run)),
    }


def _sections(run: Run) -> list[Section]:
    return [
        _ladder(run),
        _constraints(run),
        *_trust(run),
        Section("times", "Response times", TIMES_LEAD, parts)
        if (parts := _latency(run))
        else Section("times", "Response times", "This run has no timed requests."),
        Section(
            "memory",
            "Memory over time",
            MEMORY_LEAD if (drawings := _memory(run)) else "No memory readings were kept.",
            drawings,
        ),
        _curves(run),
        _table("measurements", "Measurements", run_tables.measurements(run)),
        _table(
            "phases", "Phase times", run_tables.phases(run), "Untimed phases, by the harness's own clock."
        ),
        Section(
            "trials", "How each trial ended", TRIALS_LEAD, (run_tables.trials(run), *run_tables.logs(run))
        ),
        _provenance(run),
    ]


def _table(id_: str, title: str, table: Table, lead: str = "") -> Section:
    return Section(id_, title, lead, (table,)) if table.rows else Section(id_, title)


def _both(caption: str, draw: Callable[[float, str], str], uid: str) -> Plot:
    """The drawing at both widths; the text that `draw` returns was escaped by svg.py."""
    wide, narrow = draw(plots.WIDE, f"{uid}w"), draw(plots.NARROW, f"{uid}n")
    return Plot(clean.line(caption), Markup(wide), Markup(narrow))


def _ladder(run: Run) -> Section:
    plot = _both("", partial(plots.ladder, run), "ladder")
    if not plot.wide:
        return Section("ladder", "Score against the ladder", "There is no ladder to place it on.")
    lead = f"{run_tables.place(run)} {LADDER_LEAD}".strip()
    return Section("ladder", "Score against the ladder", lead, (plot, run_tables.rungs(run)))


def _constraints(run: Run) -> Section:
    table = run_tables.constraints(run)
    if not table.rows:
        return Section("constraints", "Constraints", "No constraint was judged.")
    counts = [sum(c.verdict == v for c in run.score.constraints) for v in VERDICTS] if run.score else []
    counted = [
        f"{n} {name}" for n, name in zip(counts, ("passed", "failed", "inconclusive"), strict=True) if n
    ]
    return Section("constraints", "Constraints", f"{words.join(counted).capitalize()}.", (table,))


def _trust(run: Run) -> list[Section]:
    table, lead = trust.checks(run), trust.lead(run)
    if not lead:
        return []
    parts: list[Plot | Table] = [table] if table.rows else []
    for i, chart in enumerate(run_series.pair_charts(run)):
        parts.append(
            _both(
                f"Median time of {words.measure(chart.group)} in each pair, by the {chart.anchor}'s",
                partial(pair_plot.pairs, chart),
                f"pairs{i}",
            )
        )
    pairs = [Section("pairs", "Pair by pair", PAIRS_LEAD, tuple(p for p in parts if isinstance(p, Plot)))]
    shown = [Section("trust", trust.TITLE, lead, tuple(p for p in parts if isinstance(p, Table)))]
    return [*shown, *(s for s in pairs if s.parts)]


VERDICTS = ("pass", "fail", "inconclusive")


def _latency(run: Run) -> tuple[Plot | Table, ...]:
    parts: list[Plot | Table] = []
    for i, (group, times) in enumerate(run_series.latencies(run).items()):
        draw = partial(plots.latency, clean.line(group, 40), times)
        parts += [_both(words.measure(group), draw, f"times{i}"), run_tables.latency(group, times)]
    return tuple(parts)


def _memory(run: Run) -> tuple[Plot | Table, ...]:
    kinds = run_tables.memory_kinds(run)
    return (*_charts(run_series.memory(run), "memory"), *([kinds] if kinds.rows else []))


def _charts(charts: list[run_series.Chart], uid: str) -> tuple[Plot, ...]:
    return tuple(
        _both(chart.title, partial(plots.lines, chart), f"{uid}{i}") for i, chart in enumerate(charts)
    )


def _curves(run: Run) -> Section:
    return Section("curves", "Curves", "", _charts(run_series.curves(run), "curve"))


def _provenance(run: Run) -> Section:
    parts = [run_tables.provenance(run), run_tables.sources(run), run_tables.machine(run)]
    parts += [run_tables.instance_facts(run), run_tables.worker_says(run)]
    return Section("provenance", "Machine and provenance", "", tuple(p for p in parts if p.rows))
