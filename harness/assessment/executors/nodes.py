"""What a node of a cluster does: it says what it is, and it measures one unit and hands the whole run back.

The functions here run on the node, in a process that Ray started there, from the harness that is installed
there. What they are given and what they return is JSON and bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import harness
from harness.digests import of_bytes, of_value
from harness.errors import HarnessError, StoreError, SubmissionError
from harness.inputs import submissions, tasks
from harness.machine import fingerprint as machine
from harness.machine import lease
from harness.machine.program import whole_digest
from harness.machine.temporary import remove
from harness.readings import Record
from harness.store import packets, transfer
from harness.store.results import Store

Do = Callable[[str, str], str]
HOME = "HARNESS_NODE_HOME"
_KEPT = timedelta(days=7)


class TaskThere(Record):
    """A task that units need: its `folder`, empty where it is installed, and its `digest`."""

    id: str
    folder: str = ""
    digest: str = ""


class About(Record):
    """What a node says of itself. `machine` is equal where times may be compared.

    `tasks` holds the digest of each task that was asked about, or why it has none, as a sentence.
    """

    machine: str
    version: str
    program: str
    tasks: dict[str, str]


def about(wanted: Sequence[TaskThere], device: str) -> About:
    """This node, as far as it matters to units on `device` ("cpu" or "cuda")."""
    return About(
        machine=machine.fingerprint(device, 1).id,
        version=harness.__version__,
        program=whole_digest(),
        tasks={task.id: _digest(task) for task in wanted},
    )


def probe(tasks_json: str, device: str) -> str:
    """`about`, from JSON to JSON; it first removes stores and submissions that were not used for a week."""
    _sweep(_top())
    answer = about([TaskThere.model_validate(task) for task in json.loads(tasks_json)], device)
    return answer.model_dump_json()


def task_there(name: str, folder: Path) -> TaskThere:
    """The task `name`, which lies in `folder` here, in the form in which nodes look it up."""
    try:
        installed = tasks.find(name).folder.resolve() == folder.resolve()
    except HarnessError:
        installed = False
    there = TaskThere(id=name, folder="" if installed else str(folder))
    return there.model_copy(update={"digest": _digest(there)})


def _read(task: TaskThere) -> tasks.Task:
    return tasks.read(Path(task.folder)) if task.folder else tasks.find(task.id)


def _digest(task: TaskThere) -> str:
    """One digest of the task and its references (not part of the task's own digest); or why there is none."""
    try:
        present = _read(task)
        tiers = submissions.references(present.id, present.folder)
    except HarnessError as error:
        return str(error)
    return of_value([present.digest, {tier: reference.digest for tier, reference in tiers.items()}])


def parcel(task: str, folder: Path) -> bytes:
    """A submission's folder as bytes; raises SubmissionError where it may not be staged."""
    submission = submissions.read(task, folder)
    names = [file.as_posix() for file in submission.files]
    head = {"task": task, "name": submission.label, "digest": submission.digest, "files": names}
    return packets.sealed("submission", head, [(folder / name).read_bytes() for name in names])


def unparcelled(content: bytes, top: Path) -> Path:
    """The folder that `parcel` was made of, under `top`, in a folder named by the digest of the parcel.

    Raises HarnessError where it is not what it says, or a name in it leads elsewhere.
    """
    head, parts = packets.opened("submission", content)
    names = [Path(name) for name in head["files"]]
    if len(names) != len(parts) or any(name.is_absolute() or ".." in name.parts for name in names):
        raise HarnessError("a submission that was sent holds a name that leads out of its folder")
    folder = top / of_bytes(content)[:32] / submissions.alias(head["name"])
    if not folder.is_dir():
        made = Path(tempfile.mkdtemp(prefix=".part-", dir=_folder(top)))
        for name, part in zip(names, parts, strict=True):
            target = made / folder.name / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(part)
        try:
            made.rename(folder.parent)
        except OSError:  # another process of this node was quicker
            remove(made)
    if submissions.read(head["task"], folder).digest != head["digest"]:
        raise SubmissionError(f"the copy of a submission in {folder} is not what was sent; remove it")
    return folder


def measure(do: Do, payload: str, task: str, content: bytes, alone: bool) -> bytes:
    """Runs one unit on this node and returns its cell, with the whole run where no database is shared.

    `task` is a TaskThere as JSON, or empty; `content` is the submission's parcel, or empty. The machine's lease
    is held meanwhile, `alone` for a unit with a clock: a harness command that is started there by hand waits for
    it, and this waits for such a command.
    """
    began = time.monotonic()
    with contextlib.suppress(OSError):  # Ray starts its workers at a low priority; only root may raise it
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    request: dict[str, Any] = json.loads(payload)
    top = _top()
    if content:
        request["folder"] = str(unparcelled(content, top / "submissions"))
    if task:
        request["task_folder"] = str(_read(TaskThere.model_validate_json(task)).folder)
    # One store for each assessment: a unit that is tried again on this node continues from what was measured.
    home = _folder(top / "stores") / of_bytes(str(request.get("assessment", "")).encode())[:16]
    with lease.machine(alone):
        cell = do(json.dumps(request), str(home))
    run_id, store, parts = json.loads(cell).get("run_id", ""), Store.open(home), []
    if run_id and not store.shared:
        parts.append(transfer.packed(store, run_id))
    head = {"cell": cell, "seconds": time.monotonic() - began, "shared": store.where if store.shared else ""}
    return packets.sealed("unit", head, parts)


def _top() -> Path:
    """Where this node keeps what it is working on: $HARNESS_NODE_HOME, or a private temporary folder."""
    chosen = os.environ.get(HOME)
    user = os.getuid() if hasattr(os, "getuid") else 0
    return _folder(Path(chosen) if chosen else Path(tempfile.gettempdir()) / f"harness-node-{user}")


def _folder(path: Path) -> Path:
    """The folder, made where it is missing; raises StoreError where another user could have made it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise StoreError(f"{path} is not this user's own folder; set {HOME} to one that is")
    return path


def _sweep(top: Path) -> None:
    """Removes stores and submissions that no unit has used for a week."""
    oldest = (datetime.now() - _KEPT).timestamp()
    for folder in [*top.glob("stores/*"), *top.glob("submissions/*")]:
        inside = [folder, *folder.glob("*")]
        if max(path.lstat().st_mtime for path in inside) < oldest:
            remove(folder)
