"""Rendering, report files and standard output for the verbs; only the verbs decide exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.proofs import Proof
    from harness.readings import Record
    from harness.records import Run
    from harness.runs.check import Checked
    from harness.runs.doctor import Examined
    from harness.runs.order import Order


def rendered(done: Run, form: str) -> str:
    """The run in one of the report formats; raises UsageError for an unknown one."""
    if form == "json":
        from harness.reports.run.summary import summary

        return to_json(summary(done))
    if form == "html":
        from harness.reports.run.html import render_html

        return render_html(done)
    if form == "markdown":
        from harness.reports.run.markdown import render_run

        return render_run(done)
    if form != "text":
        raise UsageError(f"--format {form} is not known; give text, markdown, html or json")
    from harness.reports.run import text

    return text.to_text(text.render_run(done))


def write_reports(done: Run, out: Path | None) -> Path:
    """Writes every form of a run's report into `out`, and returns the page's path."""
    folder = out or Path("runs") / done.head.run_id
    for name, form in (("report.html", "html"), ("report.md", "markdown"), ("summary.json", "json")):
        write_file(folder / name, rendered(done, form))
    write_file(folder / "run.json", done.model_dump_json(indent=1) + "\n")
    return folder / "report.html"


def write_file(path: Path, body: str) -> None:
    """Writes `body`, making its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; the run itself is kept") from error


def print_json(value: Record | Mapping[str, object]) -> None:
    """One JSON object; NaN and infinity are refused."""
    write_out(to_json(value))


def to_json(value: Record | Mapping[str, object]) -> str:
    """The text of one JSON object, ended by a newline; raises ValueError for NaN and infinity."""
    return json.dumps(as_values(value), indent=2, allow_nan=False) + "\n"


def as_values(value: Record | Mapping[str, object]) -> Mapping[str, object]:
    """What the JSON encoder takes: a record's values under their published names."""
    return value if isinstance(value, Mapping) else value.model_dump(mode="json", by_alias=True)


def show(renderable: Any) -> None:
    """A rich renderable: styled on a terminal, plain text elsewhere."""
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(renderable)
        return
    from harness.reports.run import text

    write_out(text.to_text(renderable))


def write_out(body: str) -> None:
    """`body` on standard output, ended by one newline."""
    sys.stdout.write(body if body.endswith("\n") else body + "\n")


def say(sentence: str) -> None:
    """One sentence on standard output, without what would move a terminal's cursor."""
    from harness.reports.parts import clean

    write_out(clean.printable(sentence))


def show_check(order: Order, result: Checked, as_json: bool) -> None:
    """What `harness check` found, for people or for machines."""
    from harness.reports.run.check import check_summary, render_check

    found = (result.assessed, result.trial, result.problems, result.warnings, result.read)
    if as_json:
        print_json(check_summary(order.task.id, *found))
        return
    show(render_check(*found))
    if result.passed:
        say(f"Next: harness run {order.task.id} {order.submission.folder}")


def show_proof(proof: Proof, markdown: Path | None, as_json: bool) -> None:
    """A proof on the screen, and as Markdown into a file when one is named."""
    from harness.reports.run import markdown as md
    from harness.reports.run import text

    if markdown is not None:
        write_file(markdown, md.render_proof(proof))
    if as_json:
        print_json(proof)
    else:
        show(text.render_proof(proof))


def show_doctor(examination: Examined, as_json: bool) -> None:
    """What `harness doctor` found, for people or for machines."""
    if as_json:
        from harness.reports.run.doctor import DoctorSummary

        print_json(DoctorSummary.model_validate(examination))
        return
    steady = examination.steadiness
    for finding in examination.findings:
        say(f"{finding.state:<5}{finding.name:<22}{finding.words}")
    times = f" Grade of its times now: {steady.condition.grade}." if steady else ""
    say(("This machine is ready." if examination.ready else "This machine is not ready.") + times)
