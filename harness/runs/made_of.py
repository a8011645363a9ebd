"""What a task's proof was made of: its files, data, models, packages and program, as digests."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from harness.digests import of_bytes, of_value
from harness.errors import DataError, ModelError, TaskError
from harness.inputs import submissions
from harness.inputs.data import sources
from harness.machine.program import program_digest
from harness.proofs import MadeOf, Proof
from harness.records import Source
from harness.runs.order import Order


def made_of(order: Order, used: Iterable[Source] = ()) -> MadeOf:
    """What a proof of this order would be made of here and now; `used` are the data and models it would use."""
    task = order.task
    base = submissions.references(task.id, task.folder)["baseline"].folder.parent
    settings = order.profile.model_dump(mode="json", exclude_defaults=True, exclude={"description"})
    return MadeOf(
        task=_of_folder(task.folder),
        references=_of_folder(base),
        common=_of_common(task.folder.parent),
        seed=of_bytes(order.root)[:12],
        profile=of_value(settings),
        sources=digests_of(used),
        stack={name: version for module in task.definition.stack for name, version in _versions(module)},
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        program=program_digest(),
    )


def made_of_now(order: Order, kept: Proof) -> MadeOf:
    """What the kept proof of this order would be made of today: its data and models are looked up again.

    Data that were brought along count as they were: they are not here to be looked at.
    """
    return made_of(order, (_today(source, order.cache) for source in kept.sources))


@cache  # twenty tasks ask for the same texts
def _today(source: Source, cache: Path) -> Source:
    """A built-in data set or model as it is today, its digest '' where it is missing; any other as it was."""
    if source.kind != "builtin":
        return source
    try:
        if source.role != "data":
            return sources.model_folder(sources.ModelSpec(name=source.name), cache).source
        if source.name in sources.TABLES:
            return sources.tabular(source.name).source
        return sources.text_classification(sources.DataSpec(name=source.name), cache).source
    except (DataError, ModelError):
        return source.model_copy(update={"digest": ""})


def digests_of(used: Iterable[Source]) -> dict[str, str]:
    """Each source's digest, by role and name, less what was derived: the others and the task's folder decide that."""
    return {f"{s.role} {s.name}": s.digest for s in used if s.kind not in ("derived", "made")}


def _files(folder: Path) -> list[Path]:
    """Everything in a folder that could change a proof, in a fixed order; raises TaskError for a link.

    What Python compiled for itself is left out, and nothing else that a program could read: not a folder's name,
    nor a file's ending, keeps code from being run.
    """
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.relative_to(folder).parts]
    for path in paths:
        if path.is_symlink():
            raise TaskError(
                f"{path} is a link, and a proof cannot vouch for what it leads to; put the files themselves there"
            )
    return sorted(path for path in paths if path.is_file() and path != folder / "notes.md")


def _of_folder(folder: Path) -> str:
    return of_value(
        [[path.relative_to(folder).as_posix(), of_bytes(path.read_bytes())] for path in _files(folder)]
    )


def _of_common(tasks: Path) -> str:
    """Over all of `common_*` beside the tasks, which is staged beside every cheat; '' where there is none."""
    files = [path for shared in sorted(tasks.glob("common_*")) for path in _files(shared)]
    named = [[path.relative_to(tasks).as_posix(), of_bytes(path.read_bytes())] for path in files]
    return of_value(named) if named else ""


def _versions(module: str) -> Iterator[tuple[str, str]]:
    """The packages that the module `a.b` or `a.b:attribute` comes from, each with its version."""
    top = module.partition(":")[0].partition(".")[0]
    for name in sorted(set(_distributions().get(top, ()))):
        yield name, metadata.version(name)


@cache
def _distributions() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()
