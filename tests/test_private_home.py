"""No test reads or writes what belongs to a person or to another program, not even by a fixture of its module."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from harness.inputs.data import sources
from harness.machine import lease
from harness.store import results as store
from tests import private_home

PLACES = ("HARNESS_HOME", "HARNESS_LOCKS", "HARNESS_CACHE", "HARNESS_DATABASE_URL")


@pytest.fixture(scope="module")
def early() -> dict[str, str | None]:
    """What a fixture of a module sees, which is made before the folders of a single test."""
    return {name: os.environ.get(name) for name in PLACES}


def test_a_fixture_of_a_module_sees_private_places(early: dict[str, str | None]) -> None:
    for name in ("HARNESS_HOME", "HARNESS_LOCKS"):
        place = early[name]
        assert place is not None
        assert Path(place).parent.name.startswith("pytest-of-harness-")
        assert Path(place).parent.is_dir()
        assert os.environ[name] != place, "each test has folders of its own"
    assert early["HARNESS_CACHE"] == str(sources.cache_folder())
    assert early["HARNESS_DATABASE_URL"] is None


def test_the_program_uses_these_places(early: dict[str, str | None], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HARNESS_HOME", "HARNESS_LOCKS"):
        monkeypatch.setenv(name, str(early[name]))
    assert str(store.home()) == early["HARNESS_HOME"]
    assert str(lease.place()) == early["HARNESS_LOCKS"]


def test_what_was_set_before_comes_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Config:
        """As much of pytest's own as is used."""

        def __init__(self) -> None:
            self.ends: list = []

        def add_cleanup(self, end: object) -> None:
            self.ends.append(end)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("HARNESS_HOME", "a-person's")
    monkeypatch.setenv("HARNESS_DATABASE_URL", "postgresql://a-person's")
    config = Config()
    private_home.begin(config)  # ty: ignore[invalid-argument-type]
    place = Path(os.environ["HARNESS_HOME"]).parent
    assert place.parent == tmp_path
    assert place.is_dir()
    assert "HARNESS_DATABASE_URL" not in os.environ
    for end in reversed(config.ends):
        end()
    assert os.environ["HARNESS_HOME"] == "a-person's"
    assert os.environ["HARNESS_DATABASE_URL"] == "postgresql://a-person's"
    assert not place.exists()
