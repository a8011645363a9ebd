"""What this program is: one digest over every file that can change a score."""

from __future__ import annotations

from pathlib import Path

import harness
from harness.digests import of_files

# What can change no score: how results are shown, kept together and asked for.
_SHOWS = {"reports", "web", "executors", "calibration", "assessment", "analysis", "receipts", "cli"}


def program_digest(top: Path | None = None) -> str:
    """sha256 over the program's files that can change a score; `top` is the folder of the package."""
    top = top or Path(harness.__file__).parent
    files = (p for p in sorted(top.rglob("*.py")) if p.relative_to(top).parts[0] not in _SHOWS)
    return of_files(p for p in files if not p.name.startswith(("cli", "output", "progress")))
