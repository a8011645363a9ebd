"""Markdown for issues, mails and wikis: the same tables as every other report, with everything escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.proofs import Proof
from harness.records import Run
from harness.reports.parts import clean, words
from harness.reports.parts.tables import Cell, Facts, Table
from harness.reports.run import comparison, proofs, run_series, run_tables, trust

SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#$@!&])")


def escape(text: str) -> str:
    """`text` with everything escaped that has a meaning in Markdown or HTML."""
    shown = SPECIAL.sub(r"\\\1", clean.line(text))
    return shown.replace("://", ":\\//")


def render_run(run: Run) -> str:
    """A run's report."""
    head, stamp = run.head, words.stamp(run.head)
    outcome = words.OUTCOMES[run.score.outcome][0] if run.score else "Not scored"
    points = words.points(run.score) if run.score else "none"
    tier = run.score.tier if run.score else "none"
    objective = escape(run_tables.objective(run)) or "No objective"
    lines = [
        f"# {escape(head.task_title)}: {escape(head.submission)}",
        f"**{outcome}: {points}** {escape(run_tables.points_note(run))}. Tier: {tier}. {objective}.",
        *([_items(run.score.reasons)] if run.score and run.score.reasons else [escape(words.sentence(run))]),
        f"**{stamp[0]}.** {stamp[1]}",
    ]
    return _document([*lines, *_tables(run), *_logs(run), *_about(run)])


def _tables(run: Run) -> list[str]:
    times = [run_tables.latency(group, rows) for group, rows in run_series.latencies(run).items()]
    own = (
        run_tables.rungs(run),
        run_tables.constraints(run),
        trust.checks(run),
        run_tables.measurements(run),
    )
    others = (run_tables.memory_kinds(run), run_tables.phases(run), run_tables.trials(run))
    return [section(t) for t in (*own, *times, *others) if t.rows]


def _about(run: Run) -> list[str]:
    lists = (run_tables.provenance(run), run_tables.machine(run), run_tables.instance_facts(run))
    sources = run_tables.sources(run)
    return [*(_facts(f) for f in lists if f.rows), *([section(sources)] if sources.rows else [])]


def _logs(run: Run) -> list[str]:
    parts = []
    for log in run_tables.logs(run):
        if log.failed:
            body = "\n\n".join(part for part in (log.detail, log.output) if part)
            parts.append(f"## {escape(log.title)}\n\n{fenced(body)}")
    return parts


def fenced(body: str) -> str:
    """A block of verbatim text, with a fence longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"


def render_compare(runs: Sequence[Run]) -> str:
    """Two or more runs side by side, with the cautions first."""
    compared = comparison.compare(runs)
    cautions = [f"> {escape(caution)}" for caution in compared.cautions]
    return _document(["# Comparison", *cautions, table(compared.table)])


def render_proof(proof: Proof) -> str:
    """A task's proof of itself."""
    reasons = [_items(proof.reasons)] if proof.reasons else []
    head = [f"# Proof of {escape(proof.task)}", escape(proofs.verdict(proof))]
    return _document([*head, *reasons, *(section(t) for t in proofs.everything(proof))])


def _document(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _items(reasons: Sequence[str]) -> str:
    return "\n".join(f"- {escape(reason)}" for reason in reasons)


def section(content: Table) -> str:
    """A table under its own heading, with its footnote."""
    foot = f"\n\n{escape(content.footnote)}" if content.footnote else ""
    return f"## {escape(content.caption)}\n\n{table(content)}{foot}"


def table(content: Table) -> str:
    """A pipe table; columns of numbers are right-aligned."""
    rule = ["---:" if i in content.numeric else "---" for i in range(len(content.columns))]
    rows = [[escape(name) for name in content.columns], rule, *([_cell(c) for c in r] for r in content.rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _cell(value: Cell) -> str:
    shown = f"**{escape(value.text)}**" if value.mark else escape(value.text)
    return f"{shown}<br>{escape(value.note)}" if value.note else shown


def _facts(content: Facts) -> str:
    rows = "\n".join(f"- {escape(name)}: {_fact(value)}" for name, value in content.rows)
    return f"## {escape(content.caption)}\n\n{rows}"


def _fact(value: Cell) -> str:
    return f"{escape(value.text)}. {escape(value.note)}" if value.note else escape(value.text)
