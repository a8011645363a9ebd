"""The verbs of assessments: score a suite, and look at suites."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson, SuiteName, TasksRoot
from harness.cli.output import print_json, say, show
from harness.errors import EXIT_INCONCLUSIVE, EXIT_OK, EXIT_OURS, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.assessment.executors.base import Executor
    from harness.cli.progress import Table
    from harness.sheets import Sheet
    from harness.store.results import Store


def add(app: typer.Typer) -> None:
    """Registers `score` and `suite`."""
    app.command("score")(score_verb)
    suite = typer.Typer(help="List the suites, or look at one.", no_args_is_help=True, rich_markup_mode=None)
    suite.command("list")(list_verb)
    suite.command("check")(check_verb)
    app.add_typer(suite, name="suite")


def score_verb(
    suite: SuiteName,
    place: Annotated[
        Path, typer.Argument(metavar="SUBMISSIONS", help="A folder of candidates, a CSV, or an archive.")
    ],
    secret_seed_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-seed-file", metavar="FILE", help="The secret, as `harness keys secret FILE` makes it."
        ),
    ] = None,
    variants: Annotated[str, typer.Option("--variants", help="same or per-candidate instances.")] = "same",
    executor: Annotated[str, typer.Option("--executor", help="local or ray.")] = "local",
    address: Annotated[str | None, typer.Option("--address", help="Of a ray cluster.")] = None,
    mix_machines: Annotated[
        bool, typer.Option("--mix-machines", help="Use a cluster's nodes of different hardware together.")
    ] = False,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Most untimed units at once.")] = None,
    isolation: Annotated[str | None, typer.Option("--isolation", help="Instead of the profiles'.")] = None,
    retry_open: Annotated[
        bool,
        typer.Option("--retry-open", help="Also measure what is open again (once, if by its own doing)."),
    ] = False,
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Score every candidate on every task of a suite; the same command goes on where it stopped."""
    from harness.assessment import scoring
    from harness.cli.progress import Table
    from harness.runs.order import require_known_isolation
    from harness.store.results import Store, home

    if variants not in ("same", "per-candidate"):
        raise UsageError(f"--variants {variants} is not known; give same or per-candidate")
    request = scoring.ScoreRequest(
        suite=suite,
        place=place,
        tasks_root=tasks,
        secret_file=secret_seed_file,
        variants=variants,
        isolation=require_known_isolation(isolation) if isolation else None,
        retry_open=retry_open,
    )
    store = Store.open(home())
    with Table(f"score {suite}", quiet=as_json) as table:
        engine = _engine(executor, store, jobs, _Cluster(address, mix_machines), table.note)
        sheet = scoring.score(request, store, engine, table)
    _report(sheet, _why_not_official(sheet, store), table, as_json)
    raise typer.Exit(_status(sheet, table.disputes))


@dataclass(frozen=True)
class _Cluster:
    """The options of a cluster: its address, and whether nodes of different hardware are used together."""

    address: str | None
    mix: bool


def _engine(
    name: str, store: Store, jobs: int | None, cluster: _Cluster, note: Callable[[str], object]
) -> Executor:
    if name == "local":
        if cluster.address is not None or cluster.mix:
            raise UsageError("--address and --mix-machines go with --executor ray")
        from harness.assessment.executors.local import Local

        return Local(store.folder, jobs, note)
    if name == "ray":
        if jobs is not None:
            raise UsageError(
                "--jobs goes with --executor local; a node's processors say how many it does at once"
            )
        from harness.assessment.executors.cluster import RayExecutor
        from harness.assessment.executors.work import do

        return RayExecutor(store, do, cluster.address or "", mix=cluster.mix, warn=note)
    raise UsageError(f"--executor {name} is not known; give local or ray")


@dataclass(frozen=True)
class _NotOfficial:
    """Why results are not official, by data or by pairs; '' each where it is not for that."""

    practice: str
    few_pairs: str


def _why_not_official(sheet: Sheet, store: Store) -> _NotOfficial:
    from harness.reports.assessment import practice

    heads = list(store.heads(practice.runs(sheet)))
    return _NotOfficial(practice.because(heads), practice.few_pairs(heads))


def _report(sheet: Sheet, why: _NotOfficial, table: Table, as_json: bool) -> None:
    from harness.analysis import equating

    own = sheet.assessment.variants == "per-candidate"
    rows = equating.equating(sheet) if own else ()
    if as_json:
        print_json(
            {
                **sheet.model_dump(mode="json"),
                "equating": [row.model_dump(mode="json") for row in rows],
                "practice": why.practice,
                "few_pairs": why.few_pairs,
                "overtaken": table.disputes,
                "tried_again": table.retried,
            }
        )
        return
    from harness.cli.progress import table_of
    from harness.reports.parts import plain

    show(table_of(sheet))
    for line in equating.in_words(rows):
        say(f"equating: {line}")
    for cell in (c for c in sheet.cells if c.outcome in ("harness_error", "sandbox_failed")):
        say(f"ours: {cell.candidate} on {cell.task}: {cell.reasons[0] if cell.reasons else cell.outcome}")
    for sentence in filter(None, (*table.retried, *table.disputes, why.practice, why.few_pairs)):
        say(sentence)
    if waits := sum(cell.open_by == "evaluator" for cell in sheet.cells):
        say(
            f"Somebody has to look before they count: {plain.count(waits, 'result')}; harness look list says where"
        )
    for task in dict.fromkeys(cell.task for cell in sheet.cells if cell.open_by == "data"):
        first = next(cell for cell in sheet.cells if cell.task == task and cell.open_by == "data")
        why_not = next((c.words for c in first.constraints if c.open_by == "data"), "")
        say(f"{task}: {why_not}")
    say(f"Next: harness leaderboard {sheet.assessment.suite.name}")


def _status(sheet: Sheet, disputes: Sequence[str]) -> int:
    outcomes = {cell.outcome for cell in sheet.cells}
    if outcomes & {"harness_error", "sandbox_failed"}:
        return EXIT_OURS
    return EXIT_INCONCLUSIVE if "inconclusive" in outcomes or disputes else EXIT_OK


def list_verb(as_json: AsJson = False) -> None:
    """List the suites that come with the project."""
    from harness.inputs import profiles

    known = [profiles.suite(name) for name in profiles.suite_names()]
    if as_json:
        print_json({"suites": [suite.model_dump(mode="json") for suite in known]})
        return
    width = max(len(suite.name) for suite in known)
    for suite in known:
        say(f"{suite.name:<{width}}  {len(suite.tasks)} tasks  {suite.title}")
    say("Next: harness suite check SUITE")


def check_verb(
    suite: SuiteName,
    measure: Annotated[
        bool, typer.Option("--measure", help="Score each task's expert once, to see how long it takes here.")
    ] = False,
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Say what a suite covers and how long it takes."""
    if measure:
        _measure(suite, tasks, as_json)
    from harness.assessment import suites
    from harness.store.connections import is_begun
    from harness.store.ledger import Ledger
    from harness.store.results import Store, home

    chosen = suites.read(suite, tasks)
    whole = sum(task.weight for task in chosen.tasks)
    begun = is_begun(home())
    minutes = Ledger(Store.open(home())).minutes(chosen, suites.machines(chosen)) if begun else {}
    if as_json:
        from harness.reports.assessment.suite import SuiteSummary, TaskSummary

        rows = [
            TaskSummary(
                **task.model_dump(),
                share=task.weight / whole,
                scoring_minutes=astuple(minutes[task.id]) if task.id in minutes else None,
            )
            for task in chosen.tasks
        ]
        print_json(SuiteSummary(suite=chosen.name, digest=chosen.digest, tasks=tuple(rows)))
        return
    count = "1 task" if len(chosen.tasks) == 1 else f"{len(chosen.tasks)} tasks"
    say(f"{chosen.title}: {count}, {sum(t.minutes for t in chosen.tasks)} min for a candidate.")
    if len(minutes) == len(chosen.tasks):
        middle = sum(took.median for took in minutes.values())
        say(f"Scoring a candidate takes {middle:.1f} minutes here, one task after the other.")
    for task in chosen.tasks:
        took = minutes.get(task.id)
        here = (
            f"scoring a candidate took {took.median:.1f} minutes here ({took.least:.1f} to {took.most:.1f})"
            if took
            else f"not measured here yet: harness suite check {suite} --measure{f' --tasks {tasks}' if tasks else ''}"
        )
        say(
            f"{task.id}  profile {task.profile}, weight {task.weight / whole:.0%}, {task.minutes} min; {here}"
        )
        say(f"    covers {', '.join(task.competencies)}")


def _measure(suite: str, tasks: Path | None, as_json: bool) -> None:
    from harness.assessment import scoring
    from harness.assessment.executors.local import Local
    from harness.cli.progress import Table
    from harness.store.results import Store, home

    store = Store.open(home())
    with Table(f"measure {suite}", quiet=as_json) as table:
        scoring.measure(suite, tasks, store, Local(store.folder, note=table.note), table)
