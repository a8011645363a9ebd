"""The verb `rescore`: stored runs scored again, one or a whole suite; launches nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import strangers
from harness.cli.options import AsJson, TasksRoot, assessment_named, kept_store, login
from harness.cli.output import as_values, print_json, say, show, write_out
from harness.errors import EXIT_FAILED, EXIT_INCONCLUSIVE, EXIT_OK, EXIT_OURS, UsageError
from harness.strangers import shows

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.assessment.rescoring import Reassessed
    from harness.inputs.tasks import Task
    from harness.records import Run, Score
    from harness.reports.assessment.rescored import RescoreSummary
    from harness.sheets import Suite


def add(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(rescore)


def rescore(
    run_name: Annotated[
        str, typer.Argument(metavar="RUN", help='A run id or its beginning, or "last".')
    ] = "",
    suite: Annotated[
        str | None, typer.Option("--suite", metavar="SUITE", help="Every cell of this suite (or .toml file).")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; kept with --suite.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who; default: your login name.")] = "",
    weight: Annotated[
        list[str] | None,
        typer.Option("--weight", metavar="TASK=N", help="A task's new weight, with --suite."),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Show what was replaced; score nothing again.")
    ] = False,
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Score stored runs again from their raw records; launches nothing."""
    if suite is None:
        if not run_name or why or by or weight or history:
            raise UsageError("give a RUN, or --suite SUITE with --why TEXT or --history")
        _one(run_name, as_json, tasks)
        return
    if run_name:
        raise UsageError("give a RUN or --suite, not both")
    if history:
        _history(suite, as_json)
        return
    if not shows(why):
        raise UsageError("--suite needs --why TEXT: it is kept beside every score that changes")
    _all(suite, (by or login(), why), weight or [], as_json, tasks)


def _one(run_name: str, as_json: bool, tasks: Path | None) -> None:
    from harness.looks import over
    from harness.runs import rescore as rescoring
    from harness.store.looks import Looks

    store = kept_store()
    runs = rescoring.rescore(run_name, store, _finder(tasks))
    look = Looks(store).holding({runs.new.head.run_id}).get(runs.new.head.run_id)
    old, new = over(runs.old, look), over(runs.new, look)
    if as_json:
        from harness.reports.run.summary import summary

        known = old.score is not None and not old.score.withheld
        before = old.score.points if old.score and known else None
        print_json({**as_values(summary(new)), "points_before": before})
    else:
        from harness.reports.assessment.rescored import limits
        from harness.reports.run import text

        show(text.render_run(new))
        say(f"Before: {_was(old.score)}.")
        for sentence in limits(old.score, new.score) if old.score and new.score else ():
            say(sentence)
    raise typer.Exit(status(new))


def _was(score: Score | None) -> str:
    if score is None:
        return "not scored"
    return f"{'no points' if score.withheld else f'{score.points:.1f} points'}, {score.outcome}"


def _all(name: str, who: tuple[str, str], weight: list[str], as_json: bool, tasks: Path | None) -> None:
    from harness.assessment.rescoring import reassess, reweighted
    from harness.store.ledger import Ledger

    ledger = Ledger(kept_store())
    assessment = assessment_named(ledger, name)
    suite = reweighted(_suite_now(assessment.suite, name), _weights(weight))
    by, why = who
    done = reassess(ledger, assessment, _finder(tasks), suite=suite, by=by, why=why)
    faults = [change for change in done.changes if change.fault]
    if as_json:
        print_json(_summary(done, by, why))
    else:
        from harness.reports.assessment import rescored

        write_out(rescored.render_changes((c.before, c.after, c.fault) for c in done.changes))
        if sentences := rescored.render_weights(done.suite_before, done.assessment.suite):
            say(sentences)
        changed = sum(change.changed for change in done.changes)
        say(
            f"{changed} of {len(done.changes)} cells changed, {len(faults)} could not be scored again, "
            f"{done.left} have nothing to score. What they were: harness rescore --suite {name} --history"
        )
    raise typer.Exit(EXIT_OURS if faults else EXIT_OK)


def _summary(done: Reassessed, by: str, why: str) -> RescoreSummary:
    from harness.reports.assessment import rescored

    return rescored.RescoreSummary(
        assessment=done.assessment.id,
        suite=done.assessment.suite,
        suite_before=done.suite_before,
        by=by,
        why=why,
        cells=tuple(rescored.cell_summary(c.before, c.after, c.fault) for c in done.changes),
        left=done.left,
    )


def _history(name: str, as_json: bool) -> None:
    from harness.reports.assessment import rescored
    from harness.store.ledger import Ledger

    ledger = Ledger(kept_store())
    assessment = assessment_named(ledger, name)
    cells, suites = ledger.history(assessment.id), ledger.amendments(assessment.id)
    if as_json:
        print_json(
            {
                "assessment": assessment.id,
                "cells": [replaced.model_dump(mode="json") for replaced in cells],
                "assessments": [replaced.model_dump(mode="json") for replaced in suites],
            }
        )
        return
    rows = [rescored.Replaced(f.replaced_at, f.by, f.why, rescored.was(f.cell)) for f in cells]
    rows += [rescored.Replaced(f.replaced_at, f.by, f.why, rescored.suite_was(f.was.suite)) for f in suites]
    write_out(rescored.render_history(sorted(rows)))


def _suite_now(stored: Suite, name: str) -> Suite:
    """The suite with the weights and the cut that its file has now; the stored suite if it has no file.

    A file that sets no cut leaves the cut of the stored suite.
    """
    from harness.inputs import profiles

    if not name.endswith(".toml") and stored.name not in profiles.suite_names():
        return stored
    file = profiles.suite(name if name.endswith(".toml") else stored.name)
    known = {task.id for task in stored.tasks}
    weights = {task.id: task.weight for task in file.tasks if task.id in known}
    from harness.assessment.rescoring import reweighted

    return reweighted(stored, weights).model_copy(update={"cut": file.cut or stored.cut})


def _weights(options: list[str]) -> dict[str, float]:
    weights = {}
    for text in options:
        task, _, number = text.partition("=")
        try:
            weights[task] = float(number)
        except ValueError:
            raise UsageError(f"--weight {text!r} is not TASK=NUMBER") from None
        if not 0 < weights[task] < float("inf"):
            raise UsageError(f"--weight {text!r}: a weight is above 0")
    return weights


def _finder(tasks: Path | None) -> Callable[[str, Path], Task]:
    """What finds a run's task: in `tasks` where that is named, else what is installed, which holds today's limits.

    Only where neither knows the task is it read from the folder of which it was run, and that is said.
    """
    from harness.errors import TaskError
    from harness.inputs.tasks import find, read

    told: set[Path] = set()

    def found(name: str, folder: Path) -> Task:
        if tasks is not None:
            return find(name, tasks)
        try:
            return find(name)
        except TaskError:
            if not (folder / "task.toml").is_file():
                raise
        if folder not in told:
            told.add(folder)
            note = f"{name} is not installed: limits are read where it was run from, {folder}; name another by --tasks"
            typer.echo(strangers.seen(note), err=True)  # --json is alone on the standard output
        return read(folder)

    return found


def status(done: Run) -> int:
    """The exit code for a run's outcome."""
    from harness.records import OURS

    outcome = done.score.outcome if done.score else "harness_error"
    if outcome in OURS:
        return EXIT_OURS
    return {"ok": EXIT_OK, "inconclusive": EXIT_INCONCLUSIVE}.get(outcome, EXIT_FAILED)
