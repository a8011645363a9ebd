"""The verbs that read what is stored: leaderboard, report, compare and export; they launch nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.options import AsJson, assessment_named, kept_store
from harness.cli.output import print_json, rendered, say, show, to_json, write_file, write_out
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.records import Run
    from harness.sheets import Sheet

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write here, not to the screen.")]
InSuite = Annotated[
    str,
    typer.Option("--suite", metavar="SUITE", help="A suite's name, an assessment's id, or last (default)."),
]
NAMES = "NAME NAME..."


def add(app: typer.Typer) -> None:
    """Registers the verbs."""
    app.command("leaderboard")(leaderboard)
    app.command("report")(report)
    app.command("compare")(compare)
    app.command("export")(export)


def leaderboard(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="A suite's name, an assessment's id, or \"last\".")
    ] = "last",
    task: Annotated[
        list[str] | None, typer.Option("--task", metavar="TASK", help="Only this task; may be given again.")
    ] = None,
    competency: Annotated[str | None, typer.Option("--competency", help="Only tasks of it.")] = None,
    failed_task: Annotated[
        str, typer.Option("--failed-task", help="apart: such candidates are not ranked; zero: it counts 0.")
    ] = "apart",
    form: Annotated[str, typer.Option("--format", help="text, csv, html or json.")] = "text",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Rank the candidates of an assessment, ties as ties."""
    from harness.analysis.standings import standings
    from harness.reports.assessment import leaderboard as board
    from harness.reports.assessment import leaderboard_csv, leaderboard_html
    from harness.reports.run.text import to_text

    if failed_task not in ("apart", "zero"):
        raise UsageError(f"--failed-task {failed_task} is not known; give apart or zero")
    form = _form("json" if as_json else form, ("text", "csv", "html", "json"))
    sheet = _sheet(suite)
    ranking = standings(sheet, task, competency, _counted(failed_task))
    if form == "text" and out is None:
        show(board.render_text(sheet, ranking))
        return
    body = {
        "text": lambda: to_text(board.render_text(sheet, ranking)),
        "csv": lambda: leaderboard_csv.render_csv(sheet, ranking),
        "html": lambda: leaderboard_html.render_html(sheet, ranking),
        "json": lambda: to_json(board.summary(sheet, ranking)),
    }[form]()
    _deliver(body, out, "Leaderboard")


def report(
    run_name: Annotated[
        str, typer.Argument(metavar="RUN", help='A run id or its beginning, or "last".')
    ] = "",
    candidate: Annotated[
        str, typer.Option("--candidate", metavar="ALIAS", help="A candidate's page over a suite, not a run.")
    ] = "",
    suite: InSuite = "last",
    feedback: Annotated[
        bool, typer.Option("--feedback", help="The version for the candidate, without hidden data.")
    ] = False,
    form: Annotated[str, typer.Option("--format", help="text, markdown (a run), html or json.")] = "text",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Show a stored run, or a candidate's page, again; launches nothing."""
    form = "json" if as_json else form
    if bool(run_name) == bool(candidate):
        raise UsageError("report needs either a RUN or --candidate ALIAS")
    if run_name and feedback:
        raise UsageError("--feedback is about a candidate; give --candidate ALIAS")
    if run_name:
        body = rendered(_run(run_name), form)
    else:
        body = _candidate(candidate, suite, feedback, _form(form, ("text", "html", "json")))
    _deliver(body, out, "Report")


def _candidate(alias: str, suite: str, for_them: bool, form: str) -> str:
    from harness.reports.assessment import candidate, candidate_html, feedback
    from harness.reports.run.text import to_text

    sheet = _sheet(suite)
    if for_them:
        document = feedback.feedback(sheet, alias)
        return {
            "text": lambda: to_text(feedback.render_text(document)),
            "html": lambda: candidate_html.render_feedback(document),
            "json": lambda: to_json(document),
        }[form]()
    return {
        "text": lambda: to_text(candidate.render_text(candidate.page(sheet, alias))),
        "html": lambda: candidate_html.render_html(sheet, alias),
        "json": lambda: to_json(candidate.summary(sheet, alias)),
    }[form]()


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar=NAMES, help="Two or more runs of one task, or two candidates.")
    ],
    suite: Annotated[
        str | None, typer.Option("--suite", metavar="SUITE", help="Compare candidates of this suite.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show runs of one task, or two candidates, side by side."""
    if suite is None and len(names) < 2:
        raise UsageError("compare needs two runs or more")
    sheet = _sheet(suite) if suite is not None else _sheet_of(names)
    if sheet is None:
        _compare_runs(names, as_json)
        return
    if len(names) != 2:
        raise UsageError("compare takes two candidates at a time; name two of them")
    from harness.analysis import differences
    from harness.reports.assessment import differences as differing

    difference = differences.compare(sheet, *names)
    if as_json:
        print_json({"assessment": sheet.assessment.id, **difference.model_dump(mode="json")})
    else:
        show(differing.render_text(difference))


def _sheet_of(names: list[str]) -> Sheet | None:
    """The newest assessment of which all names are candidates, where the first name is no run; else None."""
    try:
        kept_store().run(names[0])
    except UsageError:
        from harness.store.ledger import Ledger

        ledger = Ledger(kept_store())
        sheets = (ledger.sheet(assessment) for assessment in ledger.assessments())
        return next((sheet for sheet in sheets if set(names) <= set(sheet.candidates)), None)
    return None


def _compare_runs(names: list[str], as_json: bool) -> None:
    runs = [_run(name) for name in names]
    tasks = sorted({done.head.task for done in runs})
    if len(tasks) > 1:
        raise UsageError(f"these runs are of different tasks ({', '.join(tasks)}); compare runs of one task")
    if as_json:
        from harness.reports.run.comparison import comparison_summary

        print_json(comparison_summary(runs))
        return
    from harness.reports.run import text

    show(text.render_compare(runs))


def _run(name: str) -> Run:
    """A stored run, with what somebody decided who looked at its result."""
    from harness.store.looks import Looks

    return Looks(kept_store()).run(name)


def _counted(failed_task: str) -> Literal["apart", "zero"]:
    return "zero" if failed_task == "zero" else "apart"


def _form(form: str, known: tuple[str, ...]) -> str:
    if form not in known:
        raise UsageError(f"--format {form} is not known; give {', '.join(known[:-1])} or {known[-1]}")
    return form


def _deliver(body: str, out: Path | None, name: str) -> None:
    if out is None:
        write_out(body)
    else:
        write_file(out, body)
        say(f"{name}: {out}")


def _sheet(name: str) -> Sheet:
    from harness.store.ledger import Ledger

    ledger = Ledger(kept_store())
    return ledger.sheet(assessment_named(ledger, name))


def _form_of(out: str) -> str:
    """The form that a file's name asks for; parquet for a folder."""
    ending = Path(out).suffix.removeprefix(".")
    return ending if ending in ("csv", "json") and not Path(out).is_dir() else "parquet"


def export(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help='A suite, an assessment\'s id, "last" or "all".')
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="A folder, a file for cells alone, or MLflow's URI.")
    ],
    form: Annotated[
        str,
        typer.Option("--format", help="parquet, csv, json or mlflow; default: by FILE's name, or parquet."),
    ] = "",
    raw: Annotated[bool, typer.Option("--raw", help="Also every timed request, as samples.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write an assessment as tables for other programs; launches nothing."""
    from harness.store.ledger import Ledger

    form = form or _form_of(out)
    ledger = Ledger(kept_store())
    chosen = ledger.assessments() if suite == "all" else [assessment_named(ledger, suite)]
    sheets = [ledger.sheet(assessment) for assessment in chosen]
    if form == "mlflow":
        from harness.assessment.export import mlflow

        if raw:
            raise UsageError("--raw is for parquet, csv and json; MLflow holds one value of a measure")
        uri = mlflow.target(out)
        done = mlflow.export(sheets, uri)
        if as_json:
            print_json(done)
        else:
            say(f"{done.added} runs added to MLflow, {done.there} were there already: {uri}")
        return
    from harness.assessment.export.files import write
    from harness.assessment.export.rows import Table, sample_rows, tables

    names = None if suite == "all" else {cell.run_id for sheet in sheets for cell in sheet.cells}
    chosen_tables = tables(sheets, ledger.store.heads(names))
    if raw:
        store = ledger.store
        samples = (row for h in store.heads(names) for row in sample_rows(h, store.trials(h.run_id)))
        chosen_tables.append(Table("samples", samples))
    written = write(chosen_tables, form, Path(out))
    if as_json:
        print_json({"files": {str(path): count for path, count in written.items()}})
        return
    for path, count in written.items():
        say(f"{count:>9,} rows  {path}")
