"""The options that several verbs share, and the store that they open."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.sheets import Assessment
    from harness.store.ledger import Ledger
    from harness.store.results import Store

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="A task's id, as `harness tasks` lists it.")]
Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder that holds solution.py.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
TasksRoot = Annotated[Path | None, typer.Option("--tasks", metavar="DIR", help="A folder with more tasks.")]
ProfileName = Annotated[
    str, typer.Option("--profile", help="laptop-cpu, gpu-box, ci-smoke, or a .toml file.")
]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu or cuda; default: the profile's.")]
Data = Annotated[
    str | None,
    typer.Option("--data", help="builtin:NAME, a folder of parquet, CSV or JSONL, or hub:ORG/NAME@REVISION."),
]
Columns = Annotated[
    str | None,
    typer.Option("--columns", metavar="ROLE=COLUMN,...", help="Which column is which, for --data."),
]
Model = Annotated[
    str | None, typer.Option("--model", help="builtin:NAME, a folder, or hub:ORG/NAME@REVISION.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Public seed of the instances (default 0).")]
SecretSeed = Annotated[
    Path | None,
    typer.Option(
        "--secret-seed-file", metavar="FILE", help="The seed, as `harness keys secret FILE` makes it."
    ),
]
Isolation = Annotated[
    str | None, typer.Option("--isolation", help="auto, process, confined, bubblewrap; default: profile's.")
]
Anew = Annotated[bool, typer.Option("--anew", help="Begin a new run, even where this one was cut short.")]
SuiteName = Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or a .toml file.")]


def login() -> str:
    """The user's login name; "" where there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return ""


def open_store() -> Store:
    """The store under the user's home for results; raises StoreError where it cannot be opened."""
    from harness.store.results import Store, home

    return Store.open(home())


def kept_store() -> Store:
    """The same, for verbs that only read: raises UsageError where nothing was ever kept, and makes nothing."""
    from harness.store.connections import is_begun
    from harness.store.results import home

    if not is_begun(home()):
        raise UsageError(
            f"there are no results in {home()} yet: harness run and harness score keep them there, and HARNESS_HOME "
            "names another folder"
        )
    return open_store()


def assessment_named(ledger: Ledger, name: str) -> Assessment:
    """The assessment of that name or id; of a suite's .toml file, the newest of the suite that it describes."""
    from harness.inputs import profiles

    return ledger.assessment(profiles.suite(name).name if name.endswith(".toml") else name)
