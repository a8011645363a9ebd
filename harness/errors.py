"""Our own faults, and the one exception that carries a submission's fault to its outcome.

    HarnessError                exit 4: the harness itself failed
    ├── UsageError              exit 2: the call or a file is wrong
    │   ├── TaskError           a task's folder
    │   ├── ProfileError        a profile or a suite
    │   ├── SubmissionError     a submission's folder
    │   ├── DataError           a data set's path, columns or content
    │   ├── ModelError          a model's path, digest or revision
    │   └── DeviceError         a device that this machine lacks
    ├── StoreError              results could not be read or written
    └── SandboxFailed           a worker could not be started as promised
    Fault                       not ours: ends one trial of one submission with an Outcome

Every message is one sentence that names the culprit and the mend.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from harness.records import Outcome

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_OURS = 4
EXIT_INTERRUPTED = 130


class HarnessError(Exception):
    """A fault of the harness itself or of the call; `exit_code` is the process's exit status."""

    exit_code = EXIT_OURS


class UsageError(HarnessError):
    """The call or a file it names is wrong."""

    exit_code = EXIT_USAGE


class TaskError(UsageError):
    """A task's folder is missing, incomplete or contradicts itself."""


class ProfileError(UsageError):
    """A profile cannot be read or names a key that does not exist."""


class SubmissionError(UsageError):
    """A submission's folder is missing, too large, or holds what may not be staged."""


class DataError(UsageError):
    """A data set cannot be found or does not have the columns that were asked for."""


class ModelError(UsageError):
    """A model cannot be found or is not the one it claims to be."""


class DeviceError(UsageError):
    """The device that was asked for is not on this machine."""


class StoreError(HarnessError):
    """Results could not be read or written."""


class SandboxFailed(HarnessError):
    """A worker could not be started the way its isolation level promises."""


class Fault(Exception):
    """A submission's own fault: the trial ends with `outcome`, and `reason` says why in words."""

    def __init__(self, outcome: Outcome, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome
        self.reason = reason
        self.detail = detail


def first_of(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """What a validator objects to first: where in the value, and what is wrong there.

    With the `model` that was validated, a key that it does not know is answered with those that it does.
    """
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    words = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden" and model is not None:
        known = _keys(model, first["loc"][:-1])
        words = f"this key is not known{f'; known are {known}' if known else ''}"
    return f"{where}: {words}" if where else words


def _keys(model: type[BaseModel], path: Iterable[int | str]) -> str:
    """The keys that a model takes at `path` within it, as a list for people; "" where that is no model."""
    models = [model]
    for part in path:
        fields = [m.model_fields[str(part)] for m in models if part in m.model_fields]
        if fields:  # else it is a place in a list or a table, of whose members these are the models
            models = [inner for field in fields for inner in _models(field.annotation)]
    return ", ".join(dict.fromkeys(name for m in models for name in m.model_fields))


def _models(kind: object) -> Iterator[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(kind, type) and hasattr(kind, "model_fields"):
        yield cast("type[BaseModel]", kind)
    for part in get_args(kind):
        yield from _models(part)
