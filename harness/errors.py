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

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

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


def first_of(error: ValidationError) -> str:
    """What a validator objects to first: where in the value, and what is wrong there."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    words = first["msg"].removeprefix("Value error, ")
    return f"{where}: {words}" if where else words
