"""How a submission is imported, what of the contract it may lack, and what of its errors is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from harness.worker import loader
from harness.worker.loader import ContractError

CONTRACT = """
class Contract:
    version = 1

    def learn(self, numbers, labels): ...
    def answer(self, numbers): ...
    def _helps(self): ...
"""
SOLUTION = """
class Solution:
    def learn(self, numbers, labels): return helped
    def answer(self, *numbers, **more): ...
"""
pytestmark = pytest.mark.usefixtures("own_imports")


def loaded(folder: Path, solution: str) -> Any:
    (folder / "contract.py").write_text(CONTRACT)
    (folder / "solution.py").write_text(solution)
    return loader.load_solution(folder, folder / "contract.py")


def test_phases_are_the_contracts_public_methods_in_order(tmp_path: Path) -> None:
    (tmp_path / "contract.py").write_text(CONTRACT)
    phases = loader.phases_of(loader.load_module("contract", tmp_path / "contract.py"))
    assert list(phases.items()) == [("learn", ["numbers", "labels"]), ("answer", ["numbers"])]


def test_a_submission_imports_what_lies_beside_it_and_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("helped = 7")
    (tmp_path / "colorsys.py").write_text("raise ImportError('the wrong one')")
    sys.modules.pop("colorsys", None)
    solution = loaded(tmp_path, f"import colorsys\nfrom helper import helped\n{SOLUTION}")
    assert solution().learn([], []) == 7
    assert sys.modules["solution"].Solution is solution


def test_a_submission_cannot_import_the_harness(tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="harness"):
        loaded(tmp_path, f"import harness\n{SOLUTION}")


@pytest.mark.parametrize(
    ("solution", "words"),
    [
        ("Answer = 1", "solution.py defines no class called Solution"),
        ("def Solution(context): ...", "solution.py defines no class called Solution"),
        (
            "class Solution:\n    learn = 3",
            "class Solution has no method learn; the contract asks for learn(self, numbers, labels)",
        ),
        (
            "class Solution:\n    def learn(self, numbers, labels): ...",
            "class Solution has no method answer; the contract asks for answer(self, numbers)",
        ),
        (
            "class Solution:\n    def learn(self, numbers): ...",
            "Solution.learn does not accept learn(self, numbers, labels): "
            "got an unexpected keyword argument 'labels'",
        ),
    ],
)
def test_what_the_contract_asks_for_and_is_not_there_is_named(
    tmp_path: Path, solution: str, words: str
) -> None:
    with pytest.raises(ContractError) as caught:
        loaded(tmp_path, solution)
    assert str(caught.value) == words


def test_a_method_without_a_signature_is_left_to_its_call(tmp_path: Path) -> None:
    assert loaded(tmp_path, "class Solution:\n    learn = answer = type")


def test_what_is_no_module_is_refused(tmp_path: Path) -> None:
    (tmp_path / "solution.txt").write_text("")
    with pytest.raises(ContractError, match=r"^solution\.txt cannot be read as a Python module$"):
        loader.load_module("solution", tmp_path / "solution.txt")


def test_only_a_submissions_own_frames_are_shown(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def fail(path):\n    open(path)\n")
    gone = compile("def passed_on(work):\n    work()\n", str(tmp_path / "gone.py"), "exec")
    space: dict[str, Any] = {}
    exec(gone, space)
    helper = loader.load_module("helper", tmp_path / "helper.py")
    missing = tmp_path / "no" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        space["passed_on"](lambda: helper.fail(missing))
    assert loader.trimmed(caught.value, tmp_path).splitlines() == [
        "Traceback (the submission's own files only, most recent call last):",
        "  gone.py, line 2, in passed_on",
        "  helper.py, line 2, in fail",
        "    open(path)",
        "FileNotFoundError: [Errno 2] No such file or directory: 'no/file'",
    ]
