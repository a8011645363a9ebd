"""Workers forked from a process that has imported the stack: as fresh as any, only sooner."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.errors import Fault, SandboxFailed
from harness.instances import ArraySpec, Request
from harness.isolation import process as level_process
from harness.isolation.process import ProcessLevel
from harness.trials import session
from harness.trials.watch import Limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
STACK = ("numpy", "json", "tempfile:gettempdir", "no_such_module_anywhere")
SOLUTION = """
import os, sys, tempfile
import numpy as np


class Solution:
    def __init__(self, context):
        self.context = context

    def tell(self, numbers):
        print("HOME", os.environ["HOME"])
        print("TMP", tempfile.gettempdir())
        print("CWD", os.getcwd())
        print("FDS", sorted(int(n) for n in os.listdir("/proc/self/fd")))
        print("CHANCE", np.random.random())
        print("MODULES", "harness.worker.zygote" in sys.modules, "harness.trials.session" in sys.modules)
        print("SID", os.getsid(0) == os.getpid())
        print("OUTSIDE", os.environ.get("SECRET_TOKEN"))
        return numbers

    def die(self, numbers):
        os._exit(3)

    def keep(self, numbers):
        self.kept = np.ones(int(numbers[0]) << 17)  # so many MiB
        return numbers
"""
CONTRACT = "class Contract:\n" + "".join(
    f"    def {n}(self, numbers): ...\n" for n in ("tell", "die", "keep")
)
LIMITS = Limits(2**31, 32, 60.0, {"tell": 20.0, "die": 20.0, "keep": 20.0})


@pytest.fixture
def level() -> Iterator[ProcessLevel]:
    found = ProcessLevel()
    yield found
    found.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "solution.py").write_text(SOLUTION)
    (tmp_path / "contract.py").write_text(CONTRACT)
    return tmp_path


def started(level: ProcessLevel, folder: Path, stack: tuple[str, ...] = STACK) -> session.Session:
    seat = session.WorkerSpec(
        submission=folder,
        contract=folder / "contract.py",
        models={},
        device="cpu",
        threads=1,
        seed=0,
        limits=LIMITS,
        stack=stack,
    )
    return session.start(level, seat, "main")


def asked(worker: session.Session, phase: str, number: float = 1.0) -> None:
    import numpy as np

    request = Request("x", phase, {"numbers": np.array([number])}, ArraySpec("float64", (1,)))
    worker.call(request, request.arguments)


def told(worker: session.Session) -> dict[str, str]:
    asked(worker, "tell")
    worker.close()
    return dict(line.split(" ", 1) for line in worker.watch.log.head.decode().splitlines())


def test_a_forked_worker_has_its_own_folders_session_descriptors_and_chance(
    level: ProcessLevel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    workers = [started(level, folder) for _ in range(2)]
    homes = [str(worker.home) for worker in workers]
    assert all(worker.launched.inherited.stack for worker in workers)
    parents = {psutil.Process(worker.launched.pid).ppid() for worker in workers}
    assert len(parents) == 1
    assert parents != {os.getpid()}
    found = [told(worker) for worker in workers]
    assert [f["HOME"] for f in found] == homes
    assert [f["TMP"] for f in found] == [f"{home}/scratch" for home in homes]
    assert [f["CWD"] for f in found] == [f"{home}/scratch" for home in homes]
    for one in found:
        # standard input, output and error, the socket, and the listing's own
        assert len(one["FDS"].split(",")) == 5
        assert (one["SID"], one["OUTSIDE"]) == ("True", "None")
        assert one["MODULES"].endswith("False")
    assert found[0]["CHANCE"] != found[1]["CHANCE"]


def test_a_fresh_interpreter_and_a_forked_worker_hold_the_same_memory(
    level: ProcessLevel, folder: Path
) -> None:
    peaks = {}
    for stack in ((), ("numpy", "numpy.testing")):
        worker = started(level, folder, stack)
        asked(worker, "keep", 64)
        worker.watch.read_now()
        peaks[bool(stack)] = worker.watch.peak_host
        assert ("cgroup" in worker.watch.measured_by) == (worker.launched.cgroup is not None)
        worker.close()
    fresh, forked = peaks[False], peaks[True]
    assert fresh is not None
    assert forked is not None
    # numpy.testing comes on top of it: a little more, never less
    assert 0.95 * fresh < forked < 1.25 * fresh


def test_how_a_forked_worker_ends_is_told_as_of_any_other(level: ProcessLevel, folder: Path) -> None:
    worker = started(level, folder)
    with pytest.raises(Fault, match="ended by itself with status 3 during die"):
        asked(worker, "die")
    worker.close()
    worker = started(level, folder)
    os.kill(worker.launched.pid, signal.SIGKILL)
    with pytest.raises(Fault, match="killed by signal 9"):
        asked(worker, "tell")
    worker.close()
    worker = started(level, folder)
    worker.close()
    # it leaves by itself after its last word, unless it is killed a moment before
    assert worker.launched.process.poll() in (0, -signal.SIGKILL)


def test_nothing_is_left_when_the_level_is_closed(folder: Path) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    level = ProcessLevel()
    worker = started(level, folder)
    zygote = psutil.Process(psutil.Process(worker.launched.pid).ppid())
    home = Path(zygote.cwd())
    level.close()
    assert worker.launched.process.poll() != 0
    worker.close()
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert not home.exists()


@pytest.mark.parametrize("fault", ["threads", "dead", "impossible"])
def test_where_nothing_can_be_forked_a_fresh_interpreter_serves(
    level: ProcessLevel, folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = STACK
    if fault == "threads":
        monkeypatch.setattr("harness.isolation.zygotes.Zygote.ready", _refuses)
    if fault == "impossible":
        monkeypatch.setattr(level_process, "possible", lambda: False)
    if fault == "dead":
        worker = started(level, folder, stack)
        os.kill(psutil.Process(worker.launched.pid).ppid(), signal.SIGKILL)
        worker.close()
    worker = started(level, folder, stack)
    assert not worker.launched.inherited.stack
    assert told(worker)["SID"] == "True"


def _refuses(self: object) -> None:
    from harness.isolation.zygotes import ZygoteLost

    raise ZygoteLost("its imports started 1 threads")


def test_nobody_is_blamed_when_the_zygote_is_killed(level: ProcessLevel, folder: Path) -> None:
    worker = started(level, folder)
    zygote = psutil.Process(worker.launched.pid).parent()
    assert zygote is not None
    zygote.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, zygote.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(SandboxFailed, match="was killed from outside"):
        asked(worker, "tell")
    worker.close()
    assert not worker.home.exists()


def test_a_worker_that_is_killed_while_the_zygote_lives_is_the_submissions_fault(
    level: ProcessLevel, folder: Path
) -> None:
    worker = started(level, folder)
    psutil.Process(worker.launched.pid).send_signal(signal.SIGKILL)
    with pytest.raises(Fault, match="killed by signal 9"):
        asked(worker, "tell")
    worker.close()
