"""Writes the ids of the instances that every task prepares: `python tests/instance_ids.py FILE`.

fixtures/instance_ids.json was written by it at commit 70c006f, of version 0.1.0, from that commit's folder.
An id says what is asked, so a run can be scored again as long as its instance's id stays.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info, threadpool_limits

from harness.inputs import tasks
from harness.inputs.tasks import Task
from harness.observer import Silent
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.runs.prepare import prepare

NUMBERS = (0, 1)
LINEAR_ALGEBRA = "linear algebra"


def order_of(task: str, root: Path) -> Order:
    """What is asked for: the task of this id under `root`, at the size `check`, on public seed 0."""
    asked = order(Options(task, tasks_root=root, profile="ci-smoke", seed=0))
    return replace(asked, profile=asked.profile.model_copy(update={"size": "check"}))


def identity(asked: Order, number: int) -> dict[str, Any]:
    """The instance's id, and what it rests on beside the task, by name: digests of sources, and numpy's BLAS.

    In one thread, since sums in several are rounded otherwise. Derives nothing: raises DataError where an
    instance grows from a derived model that is not in the cache.
    """
    with threadpool_limits(1):
        prepared = prepare(asked, number, Silent(), may_derive=False)
    rests_on = {source.role: source.digest for source in prepared.sources}
    return {"id": prepared.id, "rests_on": {**rests_on, LINEAR_ALGEBRA: linear_algebra()}}


def linear_algebra() -> str:
    """Which BLAS numpy uses, and for which processors its kernels are: others round otherwise."""
    import numpy  # threadpool_info lists what is loaded

    (blas,) = [i for i in threadpool_info() if i["user_api"] == "blas" and "numpy" in i["filepath"]]
    return f"numpy {numpy.__version__}, {blas['internal_api']} {blas['version']} {blas['architecture']}"


def catalogue(top: Path) -> dict[str, tuple[Path, Task]]:
    """Every task and toy task by id, with the folder of tasks that it lies in."""
    roots = (top / "tasks", top / "tests" / "toy_tasks")
    return {t.id: (root, t) for root in roots for t in map(tasks.read, folders(root))}


def folders(root: Path) -> list[Path]:
    """The folders of the tasks under `root`."""
    return sorted(file.parent for file in root.glob("*/task.toml"))


if __name__ == "__main__":
    written = {
        name: {str(number): identity(order_of(name, root), number) for number in NUMBERS}
        for name, (root, _) in catalogue(Path.cwd()).items()
    }
    Path(sys.argv[1]).write_text(json.dumps(written, indent=1, sort_keys=True) + "\n", "utf-8")
