"""Units for the tests of the engine `ray`: a run of the toy task, a pause, a meeting, or an end of the process."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.assessment.executors.base import Unit
from harness.runs import runner
from harness.runs.options import Options, order
from harness.sheets import Cell, cell_of
from harness.store.results import Store

# Longer than a machine under any load needs, and shorter than the limit of a test.
PATIENCE_SECONDS = 240


def do(payload: str, home: str) -> str:
    """Notes when it began and ended, and on which node; then does what `kind` says."""
    asked: dict[str, Any] = json.loads(payload)
    stamp = Path(asked["stamps"]) / f"{asked['candidate']}-{os.getpid()}-{time.monotonic_ns()}"
    began = time.monotonic()
    _note(
        stamp.with_suffix(".begun"),
        {"unit": asked["candidate"], "node": _node(), "home": home, "pid": os.getpid(), "stamp": stamp.name},
    )
    cell = _done(asked, home, stamp)
    said = {"unit": asked["candidate"], "node": _node(), "began": began, "ended": time.monotonic()}
    _note(stamp.with_suffix(".ended"), said)
    return cell.model_dump_json()


def _done(asked: dict[str, Any], home: str, stamp: Path) -> Cell:
    if asked["kind"] == "pause":
        time.sleep(asked["seconds"])
        return Cell(candidate=asked["candidate"], task=asked["task"], outcome="ok")
    if asked["kind"] == "meets":
        _wait_for(stamp.parent, "met", lambda: _beside_another(stamp))
        return Cell(candidate=asked["candidate"], task=asked["task"], outcome="ok")
    if asked["kind"] == "dies" and len(list(stamp.parent.glob(f"{asked['candidate']}-*"))) <= asked["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if asked["kind"] == "raises":
        raise RuntimeError("our own mistake")
    root = Path(asked["task_folder"]).parent
    found = order(
        Options(
            task="toy-squares",
            folder=Path(asked["folder"]),
            tasks_root=root,
            profile="ci-smoke",
            trials=2,
            seed=asked["seed"],
        )
    )
    cell = cell_of(asked["candidate"], runner.run(found, Store.open(Path(home))))
    if asked.get("until"):
        _wait_for(stamp.parent, asked["until"])
    return cell


def _wait_for(stamps: Path, name: str, sign: Callable[[], bool] = lambda: False) -> None:
    """Until the file `name` is there, or `sign` says so, which then makes the file; however busy the machine is."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not (stamps / name).exists():
        if sign():
            (stamps / name).touch()
        elif time.monotonic() > ends:
            raise RuntimeError(f"nobody made the file {name}")
        else:
            time.sleep(0.01)


def _beside_another(stamp: Path) -> bool:
    """Whether another unit has begun on this node and not ended."""
    begun = (json.loads(file.read_text()) for file in stamp.parent.glob("*.begun") if file.stem != stamp.stem)
    over = {file.stem for file in stamp.parent.glob("*.ended")}
    others = {one["stamp"] for one in begun if one["node"] == _node()}
    return bool(others - over)


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
    return Unit(candidate=candidate, task=task, key=f"{candidate}/{task}", payload=payload, timed=timed)
