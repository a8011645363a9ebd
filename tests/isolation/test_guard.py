"""The harness is protected as long as one confined level lives, and put back as it was."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from harness.isolation.box import guard

# As <linux/prctl.h> numbers them.
GET_DUMPABLE, SET_DUMPABLE = 3, 4


class Kernel:
    """What the guard asks of the kernel; nothing of it is done."""

    def __init__(self, score: Path) -> None:
        self.calls: list[tuple[int, ...]] = []
        self.score = score
        self.score.write_text("17\n")

    def prctl(self, *words: int) -> int:
        self.calls.append(words)
        return 1 if words[0] == GET_DUMPABLE else 0

    def state(self) -> tuple[list[tuple[int, ...]], str]:
        return self.calls, self.score.read_text()


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path / "oom_score_adj")


def fresh(kernel: Kernel, platform: str = "linux") -> ModuleType:
    """The module as a new process has it: another level of this one may be guarded already."""
    spec = importlib.util.spec_from_file_location("fresh_guard", guard.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.__dict__.update(
        ctypes=SimpleNamespace(CDLL=lambda name: kernel),
        sys=SimpleNamespace(platform=platform),
        _SCORE=kernel.score,
    )
    return module


READ, HIDE, SHOW = (GET_DUMPABLE, 0, 0, 0, 0), (SET_DUMPABLE, 0, 0, 0, 0), (SET_DUMPABLE, 1, 0, 0, 0)


def test_the_first_level_raises_the_guard_and_the_last_lowers_it(kernel: Kernel) -> None:
    module = fresh(kernel)
    module.raise_guard()
    assert kernel.state() == ([READ, HIDE], "-500")
    module.raise_guard()
    module.lower_guard()
    assert kernel.state() == ([READ, HIDE], "-500")
    module.lower_guard()
    assert kernel.state() == ([READ, HIDE, SHOW], "17\n")
    module.raise_guard()
    assert kernel.state() == ([READ, HIDE, SHOW, READ, HIDE], "-500")
    module.lower_guard()
    assert kernel.state() == ([READ, HIDE, SHOW, READ, HIDE, SHOW], "17\n")


def test_elsewhere_than_on_linux_there_is_nothing_to_raise(kernel: Kernel) -> None:
    module = fresh(kernel, "darwin")
    for step in (module.raise_guard, module.raise_guard, module.lower_guard, module.lower_guard):
        step()
    assert kernel.state() == ([], "17\n")


def test_a_score_that_may_not_be_lowered_is_let_be(kernel: Kernel) -> None:
    class Refusing:
        def read_text(self) -> str:
            return "0\n"

        def write_text(self, text: str) -> int:
            raise PermissionError(13, "Permission denied")

    module = fresh(kernel)
    module.__dict__["_SCORE"] = Refusing()
    module.raise_guard()
    module.lower_guard()
    assert kernel.calls == [READ, HIDE, SHOW]
