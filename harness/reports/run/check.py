"""The result of `harness check`: for the terminal, problems first, then what was measured; and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.readings import Record
from harness.records import Assessed, Outcome, Trial
from harness.reports.parts.clean import block as printable
from harness.reports.parts.units import quantity

_SHOWN_LOG = 2000


class CheckSummary(Record):
    """What `harness check --json` prints; `measurements` holds what could be measured, by name; `read` says of what."""

    task: str
    passed: bool
    outcome: Outcome
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    read: tuple[str, ...] = ()
    measurements: dict[str, float]
    detail: str


def check_summary(
    task: str,
    assessed: Assessed,
    trial: Trial,
    problems: Sequence[str],
    warnings: Sequence[str],
    read: Sequence[str] = (),
) -> CheckSummary:
    """The summary of a check of a submission to `task`; it passed if there is no problem."""
    return CheckSummary(
        task=task,
        passed=not problems,
        outcome=assessed.outcome,
        problems=tuple(problems),
        warnings=tuple(warnings),
        read=tuple(read),
        measurements={m.name: m.value for m in assessed.measurements if m.value is not None},
        detail=trial.detail,
    )


def render_check(
    assessed: Assessed,
    trial: Trial,
    problems: Sequence[str],
    warnings: Sequence[str],
    read: Sequence[str] = (),
) -> RenderableType:
    """What the candidate needs to know before the real run."""
    parts: list[RenderableType] = []
    head = "Check passed: the contract holds and every answer is well formed."
    parts.append(Text(head if not problems else "Check failed: the real run would fail.", style="bold"))
    parts += [Text(f"- {printable(problem)}") for problem in problems]
    parts += [Text(f"- look out: {printable(warning)}") for warning in warnings]
    parts += [Text(f"- read: {printable(part)}") for part in read]
    if trial.detail:
        parts.append(Padding(Text(printable(trial.detail)), (1, 2)))
    if assessed.measurements:
        parts.append(_measured(assessed))
    if trial.log_head.strip():
        parts.append(Text("Your submission printed:"))
        parts.append(Padding(Text(printable(trial.log_head[-_SHOWN_LOG:]).rstrip()), (0, 2)))
    return Group(*parts)


def _measured(assessed: Assessed) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for m in assessed.measurements:
        if m.value is not None and not m.name.endswith(("_p95", "_p99")):
            table.add_row(
                Text(f"  {m.name.replace('_', ' ')}"), Text(quantity(m.value, m.unit), justify="right")
            )
    return table
