"""Fixtures for what a worker does to its own process, which is the test process here."""

from __future__ import annotations

import sys
from collections.abc import Generator

import pytest


@pytest.fixture
def own_imports() -> Generator[None]:
    """Takes back what loading a submission leaves in this process: modules, and places to import from."""
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in {"solution", "contract", "helper", "harness"} | (sys.modules.keys() - modules.keys()):
        if name in modules:
            sys.modules[name] = modules[name]
        else:
            sys.modules.pop(name, None)
