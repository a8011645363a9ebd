"""Reads docs/proofs: the kept proof of each task on each profile, as it is published with the project."""

from __future__ import annotations

from pydantic import ValidationError

from harness.errors import HarnessError, first_of
from harness.inputs import layout
from harness.proofs import Proof


def kept_proofs(task: str, profile: str) -> list[Proof]:
    """The kept proofs of a task on a profile: on its own data, then on those that were brought along.

    None where none is published. Raises HarnessError for a file that holds no proof.
    """
    folder = layout.folder("docs") / "proofs"
    proofs = []
    for file in sorted(folder.glob("*.json")):
        if file.stem != f"{task}.{profile}" and not file.stem.startswith(f"{task}.{profile}.on-"):
            continue
        try:
            proofs.append(Proof.model_validate_json(file.read_text("utf-8")))
        except (OSError, ValidationError) as error:
            why = first_of(error) if isinstance(error, ValidationError) else error.strerror
            raise HarnessError(f"the kept proof {file} cannot be read: {why}") from error
    return proofs
