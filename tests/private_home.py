"""The folders of a whole test process: results, locks and database of nobody else.

The fixture `_private_home` gives every test folders of its own, but fixtures of a module or of the session are made
before it. Without this they would write to a person's results, and wait for the locks of any other program.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from harness.inputs.data import sources


def begin(config: pytest.Config) -> pytest.MonkeyPatch:
    """Sets the places until `config` ends; then the folder goes, and all that the returned patch changed comes back."""
    folder = tempfile.TemporaryDirectory(prefix="pytest-of-harness-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    patch.setenv("HARNESS_HOME", str(Path(folder.name) / "home"))
    patch.setenv("HARNESS_LOCKS", str(Path(folder.name) / "locks"))
    patch.setenv("HARNESS_CACHE", str(sources.cache_folder()))  # made by content, so it may be shared
    patch.delenv("HARNESS_DATABASE_URL", raising=False)
    return patch
