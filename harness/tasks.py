"""For the files of a task: how they import each other, and how the harness imports them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from harness.errors import TaskError


def beside(file: str, name: str) -> ModuleType:
    """The module `name`.py next to a task's `file`, as in `beside(__file__, "inputs")`; names may recur among tasks."""
    path = Path(file).with_name(f"{name}.py")
    return imported(f"harness_task_{path.parent.name.replace('-', '_')}_{name}", path)


def imported(name: str, path: Path) -> ModuleType:
    """The module in the file `path`, executed anew under `name`; raises TaskError where it cannot be read."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} cannot be read")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
