"""How a trial is written as a row, wherever it was measured."""

from __future__ import annotations

import zlib

from harness.records import Trial
from harness.store.rows import trial_key, trial_row
from tests.fixtures.reports import trial


def test_a_trial_is_its_instance_role_and_label_and_all_of_it_is_kept() -> None:
    one = trial(7, "expert", (("single", 0.01),))
    assert trial_key(one) == "7/reference/expert"
    row = trial_row("run-1", one)
    assert (row["run_id"], row["key"]) == ("run-1", "7/reference/expert")
    assert Trial.model_validate_json(zlib.decompress(row["packed"])) == one  # type: ignore[arg-type]
    assert set(row) == {"run_id", "key", "packed"}
