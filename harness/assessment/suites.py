"""A suite as it will be scored: the file's list, filled in from the tasks and profiles that it names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.digests import of_value
from harness.inputs import profiles, tasks
from harness.inputs.profiles import Profile
from harness.inputs.tasks import Task
from harness.machine import devices, fingerprint
from harness.runs.order import require_known_isolation
from harness.sheets import Suite, TaskInSuite


@dataclass(frozen=True)
class Planned:
    """A suite with its tasks and profiles, by the task's id."""

    suite: Suite
    tasks: dict[str, Task]
    profiles: dict[str, Profile]


def read(name: str, tasks_root: Path | None = None) -> Suite:
    """The suite called `name`, or in the file `name`; raises UsageError with what is wrong in it."""
    return plan(name, tasks_root).suite


def plan(name: str, tasks_root: Path | None = None, isolation: str | None = None) -> Planned:
    """The suite with all that is needed to score it; `isolation` takes the place of the profiles' own."""
    content = profiles.suite(name)
    chosen: dict[str, Task] = {}
    settings: dict[str, Profile] = {}
    listed: list[TaskInSuite] = []
    for line in content.tasks:
        task, profile = tasks.find(line.id, tasks_root), profiles.read(line.profile)
        task.size(profile.size)
        if isolation is not None:
            profile = profile.model_copy(update={"isolation": require_known_isolation(isolation)})
        chosen[task.id], settings[task.id] = task, profile
        listed.append(
            TaskInSuite(
                id=task.id,
                title=task.definition.title,
                profile=profile.name,
                weight=line.weight,
                minutes=line.minutes or task.definition.minutes,
                competencies=task.definition.competencies,
                task_digest=task.digest,
            )
        )
    described = [
        [
            task.id,
            task.task_digest,
            task.weight,
            settings[task.id].model_dump(mode="json", exclude={"description"}),
        ]
        for task in listed
    ]
    suite = Suite(
        name=content.name,
        title=content.title or content.name,
        description=content.description,
        tasks=tuple(listed),
        digest=of_value(described),
        cut=content.cut,
    )
    return Planned(suite, chosen, settings)


def machines(suite: Suite) -> dict[str, str]:
    """The id of this machine under each task's profile: device and threads are part of it."""
    used = {task.id: profiles.read(task.profile) for task in suite.tasks}
    return {
        name: fingerprint.fingerprint(devices.resolve(p.device), p.threads).id for name, p in used.items()
    }
