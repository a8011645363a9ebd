"""What this program is, as digests: of the rooms that measure and score, and of all of it.

Only Python source counts. What hands out units of an assessment is not in the first; machines that share an
assessment compare the second.
"""

from __future__ import annotations

from pathlib import Path

import harness
from harness.digests import of_files

# `runs` and every room that it or a task can reach. The others only show, sign or gather what is stored.
ROOMS = ("grading", "inputs", "isolation", "machine", "measures", "runs", "store", "trials", "worker")


def whole_digest() -> str:
    """sha256 over every file of the program: what must be equal on machines that share an assessment's work."""
    return of_files(sorted(Path(harness.__file__).parent.rglob("*.py")))


def program_digest(top: Path | None = None) -> str:
    """sha256 over the root's files and those of ROOMS; `top` is the folder of the package."""
    top = top or Path(harness.__file__).parent
    files = [*top.glob("*.py"), *(file for room in ROOMS for file in (top / room).rglob("*.py"))]
    return of_files(sorted(files))
