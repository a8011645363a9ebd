"""Units for the tests of the engine `ray`: a run of the toy task, a pause, or an end of the process."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from harness.assessment.executors.base import Unit
from harness.runs import runner
from harness.runs.options import Asked, order
from harness.sheets import Cell, cell_of
from harness.store.results import Store


def do(payload: str, home: str) -> str:
    """Notes when it began and ended, and on which node; then does what `kind` says."""
    asked: dict[str, Any] = json.loads(payload)
    stamp = Path(asked["stamps"]) / f"{asked['candidate']}-{os.getpid()}-{time.monotonic_ns()}"
    began = time.monotonic()
    _note(
        stamp.with_suffix(".begun"),
        {"unit": asked["candidate"], "node": _node(), "home": home, "pid": os.getpid()},
    )
    cell = _done(asked, home, stamp)
    said = {"unit": asked["candidate"], "node": _node(), "began": began, "ended": time.monotonic()}
    _note(stamp.with_suffix(".ended"), said)
    return cell.model_dump_json()


def _done(asked: dict[str, Any], home: str, stamp: Path) -> Cell:
    if asked["kind"] == "pause":
        time.sleep(asked["seconds"])
        return Cell(candidate=asked["candidate"], task=asked["task"], outcome="ok")
    if asked["kind"] == "dies" and len(list(stamp.parent.glob(f"{asked['candidate']}-*"))) <= asked["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if asked["kind"] == "raises":
        raise RuntimeError("our own mistake")
    root = Path(asked["task_folder"]).parent
    found = order(Asked("toy-squares", Path(asked["folder"]), root, "ci-smoke", trials=2, seed=asked["seed"]))
    return cell_of(asked["candidate"], runner.run(found, Store(Path(home))))


def _note(file: Path, said: dict[str, Any]) -> None:
    part = file.with_suffix(".part")
    part.write_text(json.dumps(said))
    part.rename(file)


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id()) if ray.is_initialized() else ""


def unit(candidate: str, stamps: Path, kind: str = "run", *, timed: bool = True, **more: Any) -> Unit:
    """A unit of this `kind`."""
    task = more.pop("task", "toy-squares")
    asked = {"candidate": candidate, "task": task, "stamps": str(stamps), "kind": kind, "seed": 1, **more}
    payload = json.dumps(asked)
    return Unit(candidate, task, f"{candidate}/{task}", payload, timed=timed)
