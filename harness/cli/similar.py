"""The verb `similar`: which submissions share code, with each other or with what is public; none is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import AsJson
from harness.cli.output import as_values, print_json, say, write_out
from harness.errors import UsageError


def add(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command("similar")(similar_verb)


def similar_verb(
    place: Annotated[
        Path, typer.Argument(metavar="SUBMISSIONS", help="A folder of candidates, a CSV, or an archive.")
    ],
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK", help="Only this task; default: all handed in.")
    ] = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.01, max=1.0, help="Share from which a pair is listed.")
    ] = 0.5,
    as_json: AsJson = False,
    tasks: Annotated[
        Path | None, typer.Option("--tasks", metavar="DIR", help="A folder with more tasks.")
    ] = None,
) -> None:
    """Show which submissions share code, with each other or with public solutions: a hint, never a verdict."""
    from harness.assessment.comparing import compared
    from harness.inputs import comparable, hand_ins
    from harness.inputs.tasks import all_tasks, find
    from harness.machine import temporary
    from harness.reports.assessment import similar

    known = all_tasks(tasks)
    if task is not None:
        chosen = find(task, tasks)
        known[chosen.id] = chosen
    scratch = temporary.private_folder("similar")
    try:
        taken = hand_ins.read(place, list(known), scratch)
        wanted = [chosen.id] if task is not None else sorted({name for _, name in taken.handed})
        notes = list(taken.notes)
        results = []
        for name in wanted:
            handed = comparable.handed_in(taken.handed, name, notes, known[name].definition.limits)
            if handed:
                results.append((name, compared(known[name], handed, threshold)))
    finally:
        temporary.remove(scratch)
    if not results:
        raise UsageError(f"{place} holds no submission that can be read for {task or 'any known task'}")
    if as_json:
        summaries = [as_values(similar.summary(name, result, threshold)) for name, result in results]
        print_json({"hint": similar.HINT, "tasks": summaries, "notes": notes})
        return
    for name, result in results:
        write_out(similar.render(name, result, threshold))
    for note in notes:
        say(similar.note(note))
    say(similar.HINT)
