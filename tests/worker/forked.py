"""A function in a fork of the test process: for what cannot be taken back, such as rights given up."""

from __future__ import annotations

import json
import os
import select
import signal
import time
import warnings
from collections.abc import Callable
from typing import Any

# So long a fork may take before it counts as one that never ends.
SECONDS = 60.0


def forked(work: Callable[[], Any]) -> Any:
    """What `work` returned in a fork of this process, as JSON gives it; its exception's words fail the test."""
    here, there = os.pipe()
    pid = fork()
    if pid == 0:
        os.close(here)
        _reported(there, work)
    os.close(there)
    words = until_gone(here)
    os.waitpid(pid, 0)
    lines = words.splitlines()
    assert len(lines) == 1, "not exactly one process came to the end of it"
    answer = json.loads(lines[0])
    assert "raised" not in answer, answer["raised"]
    return answer["returned"]


def fork() -> int:
    """os.fork, from Python 3.12 on without its warning: the fork runs no code of another thread's library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def until_gone(pipe: int) -> bytes:
    """All that is written to a pipe until the last process that holds its other end is gone; closes this end."""
    words, ends = b"", time.monotonic() + SECONDS
    with os.fdopen(pipe, "rb", 0) as file:
        while True:
            ready, _, _ = select.select([file], [], [], max(0.0, ends - time.monotonic()))
            assert ready, "a process that holds this pipe does not end"
            part = file.read(1 << 16)
            if not part:
                return words
            words += part


def _reported(there: int, work: Callable[[], Any]) -> None:
    """Runs `work`, writes how that went, and ends this process; ends it too if that takes too long."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(SECONDS))
    try:
        answer = {"returned": work()}
    except BaseException as error:  # noqa: BLE001  (a fork of the test process must not go on as one)
        answer = {"raised": f"{type(error).__name__}: {error}"}
    try:
        os.write(there, json.dumps(answer).encode() + b"\n")
    finally:
        os._exit(0)
