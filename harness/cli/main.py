"""The verbs; the only place that prints and exits.

Exit codes: 0 every constraint passed; 1 one failed, or the submission; 2 the call or a file; 3 open; 4 ours; 130.
Heavy modules are imported inside the verb that needs them, so that --help answers at once.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from harness import __version__
from harness.cli import assessments, calibrate, looking, rescoring, results, similar, trust
from harness.cli.options import (
    Anew,
    AsJson,
    Columns,
    Data,
    Device,
    Folder,
    Isolation,
    Model,
    ProfileName,
    SecretSeed,
    Seed,
    TaskName,
    TasksRoot,
    open_store,
)
from harness.cli.output import print_json, say, show, show_check, show_doctor, show_proof, write_reports
from harness.errors import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_OURS,
    EXIT_USAGE,
    HarnessError,
    UsageError,
)

if TYPE_CHECKING:
    from harness.cli.progress import Shown
    from harness.records import Run
    from harness.runs.order import Order

app = typer.Typer(
    name="harness",
    help="Practical, measured assessment of machine-learning engineers.\n\n"
    "Start with: harness tasks, then harness init TASK DIR, harness check TASK DIR, harness run TASK DIR.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes around the help cost a tenth of a second
    epilog="Exit codes: 0 scored and every constraint passed, 1 a constraint or the submission failed, "
    "2 the call or a file is wrong, 3 inconclusive, 4 our fault, 130 interrupted.",
)
assessments.add(app)
calibrate.add(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"harness {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when we fail.")] = False,
) -> None:
    return


@app.command("tasks")
def tasks_verb(as_json: AsJson = False, tasks: TasksRoot = None) -> None:
    """List the tasks: what each asks, and where it runs."""
    from harness.inputs.tasks import all_tasks

    definitions = [t.definition for t in all_tasks(tasks).values()]
    if as_json:
        keys = ("id", "title", "competencies", "minutes", "devices", "summary")
        print_json({"tasks": [{key: getattr(definition, key) for key in keys} for definition in definitions]})
        return
    from harness.reports.run import text

    show(text.render_tasks(cast("list[text.TaskRow]", definitions)))
    say("Next: harness init TASK DIR")


@app.command()
def init(
    task: TaskName,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Write a starter that runs, the statement and the contract."""
    from harness.inputs import statement
    from harness.inputs.tasks import find

    chosen = find(task, tasks)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty; name a new folder")
    try:
        shutil.copytree(
            chosen.starter, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
        words = chosen.statement.read_text("utf-8").rstrip("\n")
        told = statement.limits(chosen.definition, chosen.criteria)
        (folder / "README.md").write_text(f"{words}\n\n{told}", "utf-8")
        shutil.copyfile(chosen.contract, folder / "contract.py")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    following = f"harness check {chosen.id} {folder}"
    if as_json:
        files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        print_json({"task": chosen.id, "folder": str(folder), "files": files, "next": following})
        return
    say(f"{folder} holds the starter solution.py, the statement README.md and the contract contract.py.")
    say(f"Next: {following}")


@app.command()
def check(
    task: TaskName,
    folder: Folder,
    profile: ProfileName = "laptop-cpu",
    device: Device = None,
    data: Data = None,
    columns: Columns = None,
    model: Model = None,
    seed: Seed = None,
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Try a submission on a few examples, in seconds; no score."""
    from harness.runs import options
    from harness.runs.check import check as run_check

    order = options.order(
        options.Options(
            task=task,
            folder=folder,
            tasks_root=tasks,
            profile=profile,
            device=device,
            data=data,
            columns=columns,
            model=model,
            seed=seed,
        )
    )
    with _progress(f"check {order.task.id}", as_json) as shown:
        result = run_check(order, shown)
    show_check(order, result, as_json)
    raise typer.Exit(EXIT_OK if result.passed else EXIT_FAILED)


@app.command()
def run(
    task: TaskName,
    folder: Folder,
    profile: ProfileName = "laptop-cpu",
    device: Device = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Instances to run; default: the profile's.")
    ] = None,
    seed: Seed = None,
    secret_seed_file: SecretSeed = None,
    isolation: Isolation = None,
    data: Data = None,
    columns: Columns = None,
    model: Model = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="TIER,...", help="References to run besides those needed."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run every reference again, remember none.")] = False,
    anew: Anew = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where reports go; default runs/RUN.")
    ] = None,
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Score a submission beside the references on this machine.

    Cut short by a crash or Ctrl-C, the same command goes on where it stopped: instances that were
    measured are kept. A run that was scored is never taken up: the same command then begins a new one.
    """
    from harness.runs import options

    order = options.order(
        options.Options(
            task=task,
            folder=folder,
            tasks_root=tasks,
            profile=profile,
            device=device,
            data=data,
            columns=columns,
            model=model,
            seed=seed,
            secret_seed_file=secret_seed_file,
            isolation=isolation,
            trials=trials,
            against=against,
            fresh=fresh,
            anew=anew,
        )
    )
    done = _run(order, out, as_json)
    raise typer.Exit(rescoring.status(done))


def _run(order: Order, out: Path | None, as_json: bool) -> Run:
    from harness.runs import runner

    pages: list[Path] = []
    signer = trust.signer(order)

    def keep(finished: Run) -> None:
        pages.append(write_reports(finished, out))
        signer.write(finished, pages[0].parent)

    with _measuring("run", order, as_json) as shown:
        done = runner.run(order, open_store(), shown, keep)
    if as_json:
        from harness.reports.run.summary import summary

        print_json(summary(done))
    else:
        from harness.reports.run import text

        show(text.render_run(done))
        say(f"Report: {pages[0]}")
        if done.score is not None and done.score.open_by == "evaluator":
            say(
                f"Next, once you have looked at it: harness look accept {done.head.run_id} --why TEXT, or reject"
            )
    return done


@app.command()
def prove(
    task: TaskName,
    profile: ProfileName = "laptop-cpu",
    device: Device = None,
    instances: Annotated[int, typer.Option("--instances", min=1, help="Instances the ladder is run on.")] = 5,
    data: Data = None,
    columns: Columns = None,
    model: Model = None,
    seed: Seed = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Also write the tables here.")
    ] = None,
    as_json: AsJson = False,
    tasks: TasksRoot = None,
) -> None:
    """Prove a task here: starter runs, tiers apart, no cheat pays."""
    from harness.runs import options
    from harness.runs.prove import prove as run_proof

    order = options.order(
        options.Options(
            task=task,
            tasks_root=tasks,
            profile=profile,
            device=device,
            data=data,
            columns=columns,
            model=model,
            seed=seed,
        )
    )
    with _measuring("prove", order, as_json) as shown:
        proof = run_proof(order, instances, shown)
    show_proof(proof, markdown, as_json)
    raise typer.Exit(EXIT_OK if proof.proven else EXIT_FAILED)


@app.command()
def doctor(
    as_json: AsJson = False,
    only_machine: Annotated[
        bool, typer.Option("--machine", help="Only name the machine, in one line.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the half minute of measuring.")] = False,
) -> None:
    """Look at this machine: packages, GPU, memory, a worker, and how steady its times are."""
    if only_machine:
        from harness.machine.fingerprint import fingerprint, in_words

        say(in_words(fingerprint("cpu", 1)))
        return
    from harness.runs.doctor import examine

    with _progress("doctor", as_json) as shown:
        examination = examine(shown.note, quick)
    show_doctor(examination, as_json)
    raise typer.Exit(EXIT_OK if examination.ready else EXIT_USAGE)


results.add(app)
looking.add(app)
rescoring.add(app)
trust.add(app)
similar.add(app)


def main() -> None:
    """The console script: runs a verb, and turns every fault into one sentence and an exit code."""
    for name in {"SIGTERM", "SIGHUP"} & set(dir(signal)):  # a closed terminal too
        if signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:  # unless under nohup
            signal.signal(getattr(signal, name), signal.default_int_handler)
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        if (code := app(arguments, standalone_mode=False)) == EXIT_INTERRUPTED:
            raise KeyboardInterrupt  # the parser returns this code on Ctrl-C and prints nothing
        sys.exit(code or EXIT_OK)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; every run that was finished is kept", EXIT_INTERRUPTED)
    except HarnessError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        sys.exit(EXIT_OK)
    except Exception as error:  # noqa: BLE001  (the last line: no traceback reaches a user)
        _unexpected(error, debug)


def _unexpected(error: Exception, debug: bool) -> NoReturn:
    message = getattr(error, "format_message", None)
    if callable(message):  # the command line parser's own family: a wrong call
        _fail(f"{str(message()).rstrip('.')}; see harness --help", EXIT_USAGE)
    if debug:
        raise error
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    _fail(f"an error of ours: {what}; run again with --debug for the traceback", EXIT_OURS)


def _fail(sentence: str, code: int) -> NoReturn:
    from harness.reports.parts import clean

    # A file's name, or what a library says, may hold what moves a terminal's cursor.
    typer.echo(f"harness: {clean.sentence(sentence)}", err=True)
    sys.exit(code)


@contextmanager
def _measuring(verb: str, order: Order, as_json: bool) -> Generator[Shown]:
    """Shows progress and holds the machine, exclusively if the task is timed."""
    from harness.machine import lease

    what = f"{verb} {order.task.id}"
    with (
        _progress(what, as_json) as shown,
        lease.measuring(order.task.criteria.is_timed(), order.device, shown.note, what),
    ):
        yield shown


def _progress(title: str, as_json: bool) -> Shown:
    from harness.cli.progress import Shown

    return Shown(title, quiet=as_json)
