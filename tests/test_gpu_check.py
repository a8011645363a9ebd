"""The GPU check itself, run dry on a CPU: a check that cannot run is found before a GPU is lent."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.store.results import Store
from tests.gpu.__main__ import Check, Row, attempted, table


@pytest.mark.slow
@pytest.mark.timed
def test_freezing_and_the_table_on_a_cpu(store: Store) -> None:
    check = Check("cpu", "ci-smoke", True, store)
    (freeze,) = attempted("freeze", check)
    assert freeze.good, freeze.found
    (meter,) = attempted("nvml", check)
    assert meter.good is None
    assert "not run" in meter.found
    shown = table([freeze, meter], "cpu")
    assert shown.count("\n|") == 4


def test_a_part_that_breaks_is_a_row(tmp_path: Path, store: Store) -> None:
    rows = list(attempted("ladders", Check("cpu", "no-such-profile", True, store)))
    assert rows == [Row("ladders", "the part runs", rows[0].found, False)]
    assert "no-such-profile" in rows[0].found
