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

    A stage may take `stage_factor` times what the slowest reference takes for it in the same run, and
    `stage_floor` seconds in any case, all workers and calls of a submission together.
    A folder of more than `submission_kib` is not taken, nor one with files that are no UTF-8 text, unless
    `binary_files`: it leaves room for code, and little for weights or tables of answers from elsewhere.
    """

    memory_gib: float = Field(default=8.0, gt=0)
    processes: int = Field(default=64, gt=0)
    start_seconds: float = Field(default=180.0, gt=0)
    printed_mib: int = Field(default=16, gt=0)
    stage_factor: float = Field(default=20.0, ge=1)
    stage_floor: float = Field(default=60.0, gt=0)
    submission_kib: int = Field(default=256, gt=0)
    binary_files: bool = False


# Where a task judges no time, a stage may take so many seconds in any case.
FREE_FLOOR = 600.0


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


class Allowed(Closed):
    """A cheat that may score up to `at_most` points, and why that does no harm: its words are shown with the proof."""

    cheat: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    at_most: float = Field(gt=0)
    because: str = Field(min_length=1)


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
    allowed: tuple[Allowed, ...] = ()

    def stage_floor(self, clock: str | None) -> float:
        """Seconds that a stage may take in any case; `clock`: the tier that times are judged against, if any is.

        Never less than twice a budget that the task states in plain seconds.
        """
        plain = [c for c in self.constraints if c.compare == "absolute" and c.measure.endswith("_seconds")]
        twice = [2 * c.threshold for c in plain]
        return max(self.limits.stage_floor, 0.0 if clock else FREE_FLOOR, *twice)

    def limited(self) -> dict[str, PhaseLimit]:
        """Every phase that may be asked for, of the submission's contract and of the judge's."""
        return {**self.phases, **self.judge_phases}
