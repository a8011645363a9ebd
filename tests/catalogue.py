"""Writes docs/tasks.md from the proofs that are kept under docs/proofs: `python -m tests.catalogue`.

`docs/proofs/notes.md`, which people write, comes after the proofs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness.proofs import Proof
from harness.reports.run.catalogue import render

DOCS = Path(__file__).parent.parent / "docs"


def proofs(folder: Path) -> list[Proof]:
    """Every proof that is kept there."""
    return [Proof.model_validate_json(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]


def page(folder: Path) -> str:
    """What docs/tasks.md must say."""
    notes = folder / "notes.md"
    return render(proofs(folder), notes.read_text("utf-8") if notes.is_file() else "")


if __name__ == "__main__":
    (DOCS / "tasks.md").write_text(page(DOCS / "proofs"), "utf-8")
    sys.stdout.write("docs/tasks.md is written.\n")
