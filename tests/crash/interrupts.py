"""Ctrl-C at a chosen moment of a real run: how soon it ends, what it says, and what it leaves."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from harness.store.results import Store
from tests.conftest import TOYS

SLOW_IMPORT = """
import time
from pathlib import Path

Path({mark!r}).touch()
time.sleep(3600)
"""
SLOW_CALL = """
import time
from pathlib import Path


class Solution:
    def __init__(self, context):
        pass

    def learn(self, numbers):
        Path({mark!r}).touch()
        time.sleep(3600)

    def answer(self, numbers):
        return numbers
"""
SLOW_SECOND = """
from pathlib import Path as _Path
_first, _begun = prepare, []


def prepare(workbench):
    if _begun:
        import time

        _Path({mark!r}).touch()
        time.sleep(3600)
    _begun.append(True)
    return _first(workbench)
"""
MOMENTS = (
    "while the zygote imports",
    "while a worker starts",
    "while a call is answered",
    "while an instance is prepared",
)


@dataclass(frozen=True)
class Interrupt:
    """What came of one: `reached` seconds after the start the signal was sent, `seconds` later it ended."""

    moment: str
    code: int
    said: str
    reached: float
    seconds: float
    kept: int
    left: list[str]


def interrupted(moment: str, folder: Path) -> Interrupt:
    """One run, interrupted at that moment."""
    submission = _arranged(moment, folder)
    temporary = folder / "tmp"
    temporary.mkdir()
    command = [sys.executable, "-m", "harness", "run", "toy-squares", str(submission)]
    command += ["--tasks", str(folder / "tasks"), "--profile", "ci-smoke", "--isolation", "process"]
    command += ["--trials", "2", "--out", str(folder / "out")]
    # A shell starts background jobs with SIGINT ignored, and whoever runs this may be one.
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HARNESS_HOME": str(folder / "home"), "TMPDIR": str(temporary)},
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    said, listener = _listened(process)
    began = time.monotonic()
    try:
        while not _has_come(moment, folder, said):
            if process.poll() is not None:
                raise RuntimeError(f"the run never came to where it is interrupted: {''.join(said)}")
            time.sleep(0.01)
        reached = time.monotonic() - began
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        code = process.wait(timeout=120)
        seconds = time.monotonic() - sent
        listener.join()
    finally:
        process.kill()
        process.wait()
    return Interrupt(moment, code, said[-1], reached, seconds, _kept(folder / "home"), _left(temporary))


def _arranged(moment: str, folder: Path) -> Path:
    """The tasks and the submission by which the moment lasts until the signal comes."""
    shutil.copytree(TOYS, folder / "tasks")
    task = folder / "tasks" / "toy-squares"
    definition = (task / "task.toml").read_text().replace("wall_seconds = 2", "wall_seconds = 3600")
    definition = definition.replace("start_seconds = 20", "start_seconds = 3600").replace("= 5\n", "= 3600\n")
    if "zygote" in moment:
        definition = f'stack = ["torch", "transformers:AutoModel"]\n{definition}'
    (task / "task.toml").write_text(definition)
    mark = str(folder / "mark")
    if "prepared" in moment:
        code = (task / "task.py").read_text()
        (task / "task.py").write_text(code + SLOW_SECOND.format(mark=mark))
    candidate = folder / "candidate"
    candidate.mkdir()
    competent = TOYS / "toy-squares" / "reference_solutions" / "competent" / "solution.py"
    slow = SLOW_IMPORT if "worker" in moment else SLOW_CALL if "call" in moment else None
    (candidate / "solution.py").write_text(slow.format(mark=mark) if slow else competent.read_text())
    return candidate


def _has_come(moment: str, folder: Path, said: list[str]) -> bool:
    """Whether the moment is there: the program says so itself, or the run waits for its first worker."""
    if "zygote" in moment:
        return any(": start (main)" in line for line in said)
    return (folder / "mark").exists()


def _listened(process: subprocess.Popen[str]) -> tuple[list[str], threading.Thread]:
    """The lines of its standard error as they come, and the thread that gathers them."""
    said: list[str] = []

    def listen() -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                said.append(line)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    return said, thread


def _kept(home: Path) -> int:
    """How many instances are measured."""
    store = Store.open(home)
    with store.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM instances WHERE state = 'measured'").scalar()
    store.engine.dispose()
    return int(found or 0)


def _left(temporary: Path) -> list[str]:
    left = [str(path) for path in temporary.glob("harness-*")]
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME", "").startswith(str(temporary)):
                left.append(f"process {process.pid}")
    return left
