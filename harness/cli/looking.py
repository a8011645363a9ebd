"""The verb `look`: results that wait for somebody to look at them, accepted or rejected; launches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson, assessment_named, kept_store, login
from harness.cli.output import print_json, say, write_out
from harness.errors import UsageError
from harness.strangers import shows

if TYPE_CHECKING:
    from harness.looks import Decision
    from harness.records import Run
    from harness.store.looks import Looks
    from harness.store.results import Store

Which = Annotated[
    list[str], typer.Argument(metavar="CANDIDATE TASK | RUN", help="Whose result on which task; or a run.")
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; kept and shown with the decision.")]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who looked; default: your login name.")]
InSuite = Annotated[
    str,
    typer.Option("--suite", metavar="SUITE", help="A suite's name, an assessment's id, or last (default)."),
]


def add(app: typer.Typer) -> None:
    """Registers `look`."""
    look = typer.Typer(
        help="Accept or reject results that are too good to count unseen.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    look.command("list")(list_verb)
    look.command("accept")(accept)
    look.command("reject")(reject)
    app.add_typer(look, name="look")


def list_verb(
    suite: Annotated[
        str, typer.Argument(metavar="SUITE", help="A suite's name, an assessment's id, or \"last\".")
    ] = "last",
    as_json: AsJson = False,
) -> None:
    """List what waits for somebody to look, where to look first, and what was decided."""
    from harness.reports.assessment import looks as shown
    from harness.store.ledger import Ledger
    from harness.store.looks import Looks

    ledger = Ledger(kept_store())
    assessment = assessment_named(ledger, suite)
    sheet = ledger.sheet(assessment)
    runs = {cell.run_id for cell in sheet.cells}
    history = Looks(ledger.store).history()
    ours = [look for look in history if look.assessment == assessment.id or look.run_id in runs]
    if as_json:
        print_json(shown.summary(sheet, ours))
        return
    write_out(shown.render_text(sheet, ours))
    if waits := shown.waits(sheet):
        say(
            f"Next: harness look accept {waits[0].candidate} {waits[0].task} --why TEXT, or harness look reject"
        )


def accept(
    which: Which, why: Why = "", by: By = "", suite: InSuite = "last", as_json: AsJson = False
) -> None:
    """Let a result count that waited for somebody to look at it."""
    _decide("accepted", which, (by or login(), why), suite, as_json)


def reject(
    which: Which, why: Why = "", by: By = "", suite: InSuite = "last", as_json: AsJson = False
) -> None:
    """Give no points for a result that waited for somebody to look at it."""
    _decide("rejected", which, (by or login(), why), suite, as_json)


def _decide(decision: Decision, which: list[str], who: tuple[str, str], suite: str, as_json: bool) -> None:
    from harness.reports.assessment import looks as shown
    from harness.store.looks import Looks

    by, why = who
    if not shows(why):
        raise UsageError("--why TEXT is missing: the reason is kept and shown with the decision")
    if not shows(by):
        raise UsageError("--by NAME is missing, and this user has no login name: say who looked")
    looks = Looks(kept_store())
    run = _run(which, suite, looks)
    look = looks.add(run, decision, by=by, why=why)
    if as_json:
        print_json(look)
        return
    after = looks.run(run.head.run_id).score
    say(f"{look.candidate} on {look.task}: {shown.in_words(look)}{shown.effect(after) if after else ''}")
    if look.assessment:
        say(f"Next: harness leaderboard {look.assessment}")


def _run(which: list[str], suite: str, looks: Looks) -> Run:
    """The run that is named, once it is known that its result waited; raises UsageError."""
    from harness.looks import waiting

    if len(which) not in (1, 2):
        raise UsageError("name CANDIDATE TASK, or one RUN")
    name = which[0] if len(which) == 1 else _run_of(which[0], which[1], suite, looks.store)
    run = looks.store.run(name)
    whose = " on ".join(which) if len(which) == 2 else f"run {run.head.run_id}"
    if run.score is None:
        raise UsageError(f"{whose} is not scored: there is no result to look at")
    if not waiting(run.score):
        ended = run.score.outcome.replace("_", " ")
        raise UsageError(
            f"{whose} does not wait for somebody to look at it (its outcome is {ended}); `harness look list` shows "
            "what does"
        )
    return run


def _run_of(candidate: str, task: str, suite: str, store: Store) -> str:
    """The id of the run that a candidate's cell stands for; raises UsageError."""
    from harness.analysis.standings import chosen_tasks
    from harness.store.ledger import Ledger

    ledger = Ledger(store)
    sheet = ledger.sheet(assessment_named(ledger, suite))
    chosen_tasks(sheet.assessment.suite, [task])
    if candidate not in sheet.candidates:
        known = ", ".join(sheet.candidates) or "none"
        raise UsageError(
            f"there is no candidate {candidate!r} in {sheet.assessment.suite.name}; there are {known}"
        )
    cell = next((cell for cell in sheet.of(candidate) if cell.task == task), None)
    if cell is None or not cell.run_id:
        ended = "not scored yet" if cell is None else cell.outcome.replace("_", " ")
        raise UsageError(
            f"nothing was run for {candidate} on {task} ({ended}): there is no result to look at"
        )
    return cell.run_id
