"""How a trial is written as a row, both where it is measured and where its run is brought in."""

from __future__ import annotations

import zlib

from harness.records import Trial


def trial_key(trial: Trial) -> str:
    """The name of a trial within its run: instance, role and label."""
    return f"{trial.number}/{trial.role}/{trial.label}"


def trial_row(run_id: str, trial: Trial) -> dict[str, str | bytes]:
    """The trial's row in the table TRIALS."""
    packed = zlib.compress(trial.model_dump_json().encode(), 6)
    return {"run_id": run_id, "key": trial_key(trial), "packed": packed}
