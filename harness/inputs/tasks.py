"""Reads tasks/<id>/ into a Task; the only reader of that folder."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from harness.digests import of_files
from harness.errors import TaskError, first_of
from harness.grading.criteria import Criteria
from harness.inputs import layout
from harness.inputs.definition import Definition, SizeTable
from harness.instances import Answer, Evaluation, Instance, ItemAnswers, Workbench
from harness.records import Measurement
from harness.tasks import imported

# What makes a task what it is; the starter, cheats and notes may change without changing a score.
_NOT_DIGESTED = {"reference_solutions", "starter", "cheats", "notes.md", "__pycache__"}


@dataclass(frozen=True)
class Task:
    """A task as it lies on disk; its code is imported at first use, never on the start-up path."""

    definition: Definition
    folder: Path

    @property
    def id(self) -> str:
        """The task's name on the command line."""
        return self.definition.id

    @property
    def criteria(self) -> Criteria:
        """Objective, constraints and plausible bounds."""
        d = self.definition
        return Criteria(objective=d.objective, constraints=d.constraints, plausible=d.plausible)

    @property
    def statement(self) -> Path:
        """The page that a candidate starts from."""
        return self.folder / "README.md"

    @property
    def contract(self) -> Path:
        """The typed Protocol that a submission fulfils."""
        return self.folder / "contract.py"

    @property
    def starter(self) -> Path:
        """The folder that `init` copies."""
        return self.folder / "starter"

    @property
    def cheats(self) -> tuple[Path, ...]:
        """The folders of submissions that must gain nothing."""
        return tuple(sorted(path.parent for path in self.folder.glob("cheats/*/solution.py")))

    @cached_property
    def digest(self) -> str:
        """sha256 over everything that defines the task."""
        return of_files(
            path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and not _NOT_DIGESTED.intersection(path.relative_to(self.folder).parts)
        )

    @cached_property
    def module(self) -> ModuleType:
        """task.py, imported."""
        return imported(f"harness_task_{self.id.replace('-', '_')}", self.folder / "task.py")

    def size(self, name: str) -> SizeTable:
        """The size table called `name`; raises TaskError when the task has none of that name."""
        sizes = self.definition.sizes
        if name not in sizes:
            raise TaskError(f"task {self.id} has no size {name!r}; it has {', '.join(sorted(sizes))}")
        return dict(sizes[name])

    def prepare(self, workbench: Workbench) -> Instance:
        """The instance for the workbench's seed and size."""
        prepare: Callable[[Workbench], Instance] = self.module.prepare
        return prepare(workbench)

    def evaluate(self, instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
        """Quality measurements of one submission's answers."""
        evaluate: Callable[[Instance, Mapping[str, Answer]], Evaluation] = self.module.evaluate
        return evaluate(instance, answers)

    def conclude(self, instance: Instance, measured: Mapping[str, Measurement]) -> Evaluation:
        """What the task derives from everything measured of a submission, costs too, by name.

        A task.py without `conclude(instance, measured)` derives nothing. Here belongs what `evaluate`
        cannot know: how memory grows over lengths, or a curve of times.
        """
        conclude: Callable[[Instance, Mapping[str, Measurement]], Evaluation] | None
        conclude = getattr(self.module, "conclude", None)
        return conclude(instance, measured) if conclude is not None else Evaluation(())

    @property
    def has_items(self) -> bool:
        """Whether the task says which answers are wrong, item by item."""
        return (self.folder / "items.py").is_file()

    def items(self, instance: Instance, answers: Mapping[str, Answer]) -> ItemAnswers:
        """The scored answers item by item and which are wrong, by the task's items.py; never for a score."""
        module = imported(f"harness_items_{self.id.replace('-', '_')}", self.folder / "items.py")
        items: Callable[[Instance, Mapping[str, Answer]], ItemAnswers] = module.items
        return items(instance, answers)


def read(folder: Path) -> Task:
    """The task in `folder`; raises TaskError with one sentence when something is missing or wrong."""
    folder = folder.absolute()  # workers read the contract from another working directory
    file = folder / "task.toml"
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise TaskError(f"{file} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise TaskError(f"{file} is not TOML: {error}") from error
    try:
        definition = Definition.model_validate(content)
    except ValidationError as error:
        raise TaskError(f"{file}: {first_of(error, Definition)}") from error
    for name in ("task.py", "contract.py", "README.md", "starter/solution.py"):
        if not (folder / name).is_file():
            raise TaskError(f"task {definition.id}: {folder / name} is missing")
    return Task(definition, folder)


def roots(extra: Path | None = None) -> Iterator[Path]:
    """The folders that hold tasks: `extra`, the project's own, and installed packs of other people."""
    if extra is not None:
        if not extra.is_dir():
            raise TaskError(
                f"the tasks folder {extra} {'is no folder' if extra.exists() else 'does not exist'}"
            )
        if not any(extra.glob("*/task.toml")):
            own = "; name the folder above it" if (extra / "task.toml").is_file() else ""
            raise TaskError(f"the tasks folder {extra} holds no task: no folder in it has a task.toml{own}")
        yield extra
    yield layout.folder("tasks")
    for entry in metadata.entry_points(group="harness.tasks"):
        spec = importlib.util.find_spec(entry.value)
        places = spec.submodule_search_locations if spec else None
        yield from (Path(place) for place in places or ())


def all_tasks(extra: Path | None = None) -> dict[str, Task]:
    """Every task by id; the first root that has an id wins."""
    by_id: dict[str, Task] = {}
    for root in roots(extra):
        for file in sorted(root.glob("*/task.toml")):
            task = read(file.parent)
            by_id.setdefault(task.id, task)
    return by_id


def find(name: str, extra: Path | None = None) -> Task:
    """The task called `name`, or in the folder `name`; raises TaskError naming those there are."""
    if (Path(name) / "task.toml").is_file():
        return read(Path(name))
    places = list(roots(extra))
    for root in places:
        if (root / name / "task.toml").is_file():
            return read(root / name)
    known = sorted({file.parent.name for root in places for file in root.glob("*/task.toml")})
    raise TaskError(f"there is no task {name!r}; there are {', '.join(known) or 'none'}")
