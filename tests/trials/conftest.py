"""Fixtures of the tests of trials: workers that are no processes."""

from __future__ import annotations

import pytest

from harness.trials import session
from tests.fixtures.workers import Workers


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    """Whatever is started is no process, and noted here."""
    made = Workers()
    monkeypatch.setattr(session, "start", made.start)
    return made
