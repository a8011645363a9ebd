"""Runs pytest in forks of a process that has imported the slow packages already, so that a run costs less to start.

Started in a copy of the checkout. Each line of standard input is one run, as JSON: `arguments` of pytest, `printed` (a
file for what it prints) and `limit` in seconds; each is answered by a line with `code` (None where the limit ended
it) and `seconds`. Nothing of the harness or of its tests is imported here: each fork meets their text as it is then.
As root on Linux each run has mounts and process numbers of its own, like a command behind `running.wall`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import sys
import time
import traceback

SLOW = (
    "numpy",
    "torch",
    "scipy.stats",
    "hypothesis",
    "hypothesis.strategies",
    "_hypothesis_pytestplugin",
    "pydantic",
    "pydantic_core",
    "sqlalchemy",
    "sqlalchemy.dialects.sqlite",
    "rich.console",
    "rich.table",
    "typer",
    "jinja2",
    "cryptography",
    "psutil",
    "pytest",
    "_pytest.assertion.rewrite",
    "sklearn.linear_model",
    "faiss",
)
_NEW_MOUNTS, _NEW_PIDS = 0x00020000, 0x20000000
_PRIVATE = 0x00004000 | 0x00040000  # MS_REC | MS_PRIVATE
# A run that ended by a fault of this module, and says nothing of any mutant.
BROKEN = 70
FIRST_PID = 20000  # as in running: small numbers would meet those of boxes inside


def main() -> None:
    """Serves until standard input ends."""
    for name in SLOW:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    walled = sys.argv[1:] == ["--walled"]
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        order = json.loads(line)
        began = time.monotonic()
        code = _run(order["arguments"], order["printed"], order["limit"], walled)
        answers.write(json.dumps({"code": code, "seconds": time.monotonic() - began}) + "\n")
        answers.flush()


def _run(arguments: list[str], printed: str, limit: float, walled: bool) -> int | None:
    """One run in a fork; its exit code, or None where it was ended at `limit` seconds."""
    child = os.fork()
    if child == 0:
        code = BROKEN
        try:
            os.setsid()
            _redirect(printed)
            code = _walled(arguments) if walled else _tested(arguments)
        except:  # noqa: E722 - whatever it is, this fork ends here and says why
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    ends = time.monotonic() + limit
    while time.monotonic() < ends:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _redirect(printed: str) -> None:
    out = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, number in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(target, number)


def _walled(arguments: list[str]) -> int:
    """The tests in a fork that is the first process of a namespace: whatever it leaves running ends with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | _NEW_PIDS) or libc.mount(None, b"/", None, _PRIVATE, None):
        raise OSError(ctypes.get_errno(), "no namespaces")
    first = os.fork()
    if first:
        # This process may be killed for its time: the namespace must not outlive it.
        return os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if libc.mount(b"proc", b"/proc", b"proc", 0, None):
        raise OSError(ctypes.get_errno(), "no /proc of its own")
    with contextlib.suppress(OSError), open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(FIRST_PID))
    tests = (
        os.fork()
    )  # not the first process itself: that one ignores signals without a handler, and adopts orphans
    if tests == 0:
        os._exit(_tested(arguments))
    while True:
        ended, status = os.wait()
        if ended == tests:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _tested(arguments: list[str]) -> int:
    import pytest

    try:
        return int(pytest.main(arguments))
    except pytest.PytestUnraisableExceptionWarning:  # of what a test left open, seen after the last of them
        traceback.print_exc()
        return int(pytest.ExitCode.TESTS_FAILED)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


if __name__ == "__main__":
    main()
