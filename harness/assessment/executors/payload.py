"""What an engine sends to the place where a unit runs: plain JSON, from which the same order is built anywhere."""

from __future__ import annotations

from typing import Any

from harness.readings import Record


class Payload(Record):
    """One candidate on one task.

    `root` is the root of the task's seeds in hex, `digest` the submission's as it was read when the unit
    was planned. `profile` has a concrete device. `instead_of` names the run that is measured again.
    """

    candidate: str
    task: str
    task_folder: str
    folder: str
    digest: str
    profile: dict[str, Any]
    root: str
    assessment: str
    instead_of: str = ""
