"""What `harness verify --json` prints: what a receipt was tested for, and what was found."""

from __future__ import annotations

from harness.analysis.agreement import Finding
from harness.analysis.fresh import Fresh
from harness.readings import Record


class FilesSummary(Record):
    """Files of the submission that differ from those the receipt names, by their paths in it."""

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]


class VerifySummary(Record):
    """A receipt's test. `run_id` and `task` are None unless the signature holds.

    `new_run` is None unless it was run again on its own seed, and so is `fresh`, what a fresh seed showed beside it.
    """

    verdict: str
    signature: str
    key_id: str
    official: bool
    run_id: str | None
    task: str | None
    files: FilesSummary
    new_run: str | None
    fresh: Fresh | None
    findings: tuple[Finding, ...]
