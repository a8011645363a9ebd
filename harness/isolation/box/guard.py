"""Protects the harness while confined workers live: its memory cannot be read, and it is not killed first.

Because it is not dumpable, no process of the same user may read its memory, environment or files; because its
score is lower, the kernel's memory killer takes other processes first. Both are put back when the last level
is closed.

What it does not stop: another process of root.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
from pathlib import Path

_GET_DUMPABLE, _SET_DUMPABLE = 3, 4
_SCORE = Path("/proc/self/oom_score_adj")
_SPARED = -500
_lock = threading.Lock()
_before: list[tuple[int, str]] = []
_guards = 0


def raise_guard() -> None:
    """Counts one more level that needs the protection."""
    global _guards
    with _lock:
        _guards += 1
        if _guards == 1 and sys.platform == "linux":
            _before.append((_prctl(_GET_DUMPABLE, 0), _SCORE.read_text()))
            _score(str(_SPARED))
            _prctl(_SET_DUMPABLE, 0)


def lower_guard() -> None:
    """Counts one level less."""
    global _guards
    with _lock:
        _guards -= 1
        if _guards == 0 and _before:
            dumpable, score = _before.pop()
            _prctl(_SET_DUMPABLE, dumpable)
            _score(score)


def _prctl(option: int, value: int) -> int:
    return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0))


def _score(value: str) -> None:
    with contextlib.suppress(OSError):  # lowering it is root's right
        _SCORE.write_text(value)
