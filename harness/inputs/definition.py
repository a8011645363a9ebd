"""Pure: what task.toml may say, the schema of a task's definition."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.grading.criteria import Constraint, Objective, Plausible

SizeTable = dict[str, int | float | str]


class Closed(BaseModel):
    """Frozen and closed to unknown keys, so that a misspelt key in task.toml is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PhaseLimit(Closed):
    """The limit of one call of a phase."""

    wall_seconds: float = Field(gt=0)


class TaskLimits(Closed):
    """What kills a worker of this task, besides the phases' own limits.

    A folder of more than `submission_kib` is not started at all: where what was learned elsewhere would pay,
    it leaves room for code and little for weights.
    """

    memory_gib: float = Field(default=8.0, gt=0)
    processes: int = Field(default=64, gt=0)
    start_seconds: float = Field(default=180.0, gt=0)
    printed_mib: int = Field(default=16, gt=0)
    submission_kib: int | None = Field(default=None, gt=0)


class Mutant(Closed):
    """The expert less one idea, in reference_solutions/<id>/mutants/<id>, and where it must come out.

    `without` names the idea. It scores at most `at_most` points and, where that is said, at least
    `at_least` (means over instances, uncapped, every constraint met); or it `breaks` the constraint
    of that name on every instance.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    without: str
    at_most: float | None = None
    at_least: float | None = None
    breaks: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Mutant:
        if bool(self.breaks) == (self.at_most is not None):
            raise ValueError(f"mutant {self.id!r} needs exactly one of at_most and breaks")
        return self


class Definition(Closed):
    """The content of task.toml."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    version: str
    title: str
    summary: str
    competencies: tuple[str, ...] = Field(min_length=1)
    minutes: int = Field(gt=0)
    devices: tuple[str, ...] = Field(min_length=1)
    data: str = "none"
    stack: tuple[str, ...] = ()
    phases: dict[str, PhaseLimit] = Field(min_length=1)
    judge_phases: dict[str, PhaseLimit] = {}
    limits: TaskLimits = TaskLimits()
    objective: Objective
    constraints: tuple[Constraint, ...] = ()
    plausible: tuple[Plausible, ...] = ()
    sizes: dict[str, SizeTable]
    mutants: tuple[Mutant, ...] = ()

    def limited(self) -> dict[str, PhaseLimit]:
        """Every phase that may be asked for, of the submission's contract and of the judge's."""
        return {**self.phases, **self.judge_phases}
