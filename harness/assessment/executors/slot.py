"""A slot of the local engine: a process that does one unit after another, as lines of JSON ask it to.

In:   {"payload": "...", "home": "..."}     one unit
Out:  {"cell": "..."}                       its cell
      {"note": "..."}                       what it is doing meanwhile

It ends when its input does, whatever it is doing: a parent that was killed leaves nothing behind. An
exception that nobody foresaw ends it with a traceback on standard error, and costs this one unit.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import threading
from typing import Any

GRACE_SECONDS = 1.5


def main() -> None:
    """Serves until the input ends, or until it is interrupted."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not be mistaken for an answer
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    over = threading.Event()
    threading.Thread(target=_listen, args=(requests, over), daemon=True).start()
    signal.signal(signal.SIGINT, _once)
    try:
        while (line := requests.get()) is not None:
            _serve(json.loads(line), answers)
    except KeyboardInterrupt:
        return  # the parent interrupted it, or ended: the running unit was stopped while the exception rose
    finally:
        over.set()


def _serve(request: dict[str, str], answers: int) -> None:
    from harness.assessment.executors import work

    cell = work.do(request["payload"], request["home"], _Telling(answers))
    _tell(answers, {"cell": cell})


def _listen(requests: queue.SimpleQueue[bytes | None], over: threading.Event) -> None:
    """Takes in lines; at the end of the input it interrupts the main thread, and then ends the process."""
    rest = b""
    while content := os.read(0, 65536):
        *lines, rest = (rest + content).split(b"\n")
        for line in lines:
            requests.put(line)
    requests.put(None)
    if not over.wait(0.05):
        os.kill(os.getpid(), signal.SIGINT)
    if not over.wait(GRACE_SECONDS):
        os.kill(os.getpid(), signal.SIGKILL)


def _once(_number: int, _frame: Any) -> None:
    """The first interrupt ends what runs; a second would cut the tidying up short."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _tell(answers: int, what: dict[str, str]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the parent is gone: the input has ended as well
        content = json.dumps(what).encode() + b"\n"
        while content:
            content = content[os.write(answers, content) :]


class _Telling:
    """An observer that sends notes to the parent, and leaves the count of requests out."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def step(self, trial: int, stage: str, label: str, phase: str, done: int, total: int) -> None:
        """Nothing: a unit's own progress is not shown."""

    def note(self, text: str) -> None:
        """Passes it on."""
        _tell(self.answers, {"note": text})


if __name__ == "__main__":
    main()
