"""Imports a submission's `solution.py` and checks it against the task's contract."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any


class ContractError(Exception):
    """The submission lacks something that the contract requires; the message says what and where."""


def load_module(name: str, path: Path) -> ModuleType:
    """The module at `path`, registered as `name`; raises whatever the module raises."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ContractError(f"{path.name} cannot be read as a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def phases_of(contract: ModuleType) -> dict[str, list[str]]:
    """The contract's phases, each with its parameter names, in the order they are declared."""
    protocol = contract.Contract
    return {
        name: [p for p in inspect.signature(method).parameters if p != "self"]
        for name, method in vars(protocol).items()
        if inspect.isfunction(method) and not name.startswith("_")
    }


def load_solution(folder: Path, contract_file: Path) -> Any:
    """The submission's class `Solution`, after checking that it has every method of the contract.

    The folder goes to the end of the import path, so that a file called torch.py does not hide the real
    torch.
    """
    phases = phases_of(load_module("contract", contract_file))
    sys.path.append(str(folder))
    # A submission has no business with the harness; the modules that serve it are already loaded.
    sys.modules.update({"harness": None})  # type: ignore[dict-item]  # ty: ignore[no-matching-overload]
    module = load_module("solution", folder / "solution.py")
    solution = getattr(module, "Solution", None)
    if not inspect.isclass(solution):
        raise ContractError("solution.py defines no class called Solution")
    for phase, parameters in phases.items():
        _check_phase(solution, phase, parameters)
    return solution


def _check_phase(solution: type, phase: str, parameters: list[str]) -> None:
    method = getattr(solution, phase, None)
    signature = f"{phase}({', '.join(['self', *parameters])})"
    if not callable(method):
        raise ContractError(f"class Solution has no method {phase}; the contract asks for {signature}")
    try:
        inspect.signature(method).bind(None, **dict.fromkeys(parameters))
    except TypeError as error:
        raise ContractError(f"Solution.{phase} does not accept {signature}: {error}") from None
    except ValueError:
        return  # a builtin without a signature: the call itself will tell


def trimmed(error: BaseException, folder: Path) -> str:
    """The traceback with only the submission's own frames, and paths relative to its folder."""
    lines = ["Traceback (the submission's own files only, most recent call last):"]
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if not path.is_relative_to(folder):
            continue
        lines.append(f"  {path.relative_to(folder)}, line {frame.lineno}, in {frame.name}")
        if frame.line:
            lines.append(f"    {frame.line}")
    text = "".join(traceback.format_exception_only(type(error), error)).rstrip()
    return "\n".join([*lines, text.replace(f"{folder}/", "")])
