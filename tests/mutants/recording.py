"""A plugin of pytest that records which of the program's functions each test enters, and how long it takes.

`python -m pytest -p tests.mutants.recording --record FILE ...` writes one JSON object for each test that passes. Only
the test process is seen: not a worker, and not what runs in it. What a fixture of a module does counts for every test
that uses the fixture, since each of them would notice a fault in it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FrameType

import pytest

TOP = Path(__file__).parents[2]
_PACKAGE = f"{TOP / 'harness'}/"


class Recorder:
    """What the current test, or the fixture being set up, has entered so far."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.entered: set[CodeType] = set()
        self.shared: dict[tuple[str, str], set[CodeType]] = {}
        self.failed = False
        self.began = 0.0

    def trace(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.entered.add(frame.f_code)

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None]:
        self.entered, self.failed, self.began = set(), False, time.perf_counter()
        sys.setprofile(self.trace)
        threading.setprofile(self.trace)
        yield
        sys.setprofile(None)
        threading.setprofile(None)
        if self.failed:
            return
        for (base, name), codes in self.shared.items():
            if name in getattr(item, "fixturenames", ()) and item.nodeid.startswith(base):
                self.entered |= codes
        row = {
            "test": item.nodeid,
            "seconds": round(time.perf_counter() - self.began, 3),
            "functions": sorted({name for code in self.entered if (name := name_of(code))}),
        }
        with self.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Generator[None]:
        if fixturedef.scope == "function":
            yield
            return
        outer, self.entered = self.entered, set()
        yield
        self.shared[(fixturedef.baseid, fixturedef.argname)] = self.entered
        self.entered = outer | self.entered

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.outcome != "passed"


def name_of(code: CodeType) -> str:
    """`harness/module.py:Class.method`; empty for code that is not the program's."""
    if not code.co_filename.startswith(_PACKAGE):
        return ""
    path = Path(code.co_filename).relative_to(TOP).as_posix()
    return f"{path}:{code.co_qualname.removesuffix('.<locals>.<lambda>')}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", type=Path, help="file for what each test enters")


def pytest_configure(config: pytest.Config) -> None:
    if out := config.getoption("--record"):
        config.pluginmanager.register(Recorder(out), "recorder-of-functions")
