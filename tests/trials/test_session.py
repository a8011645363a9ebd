"""A worker's surroundings, its stages and its end, seen by a submission that looks around."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.errors import Fault
from harness.inputs import tasks
from harness.inputs.submissions import read, staged
from harness.instances import ArraySpec, BlobSpec, FromItem, Instance, Request, Stage
from harness.isolation.levels import level
from harness.trials import channel, session
from harness.trials.participant import Entry, Setting
from harness.trials.round import Round
from harness.trials.watch import Limits

LIMITS = Limits(2**31, 16, 60.0, {"look": 30.0, "double": 30.0, "wait": 0.3})
CONTRACT = """
class Contract:
    def look(self, numbers): ...
    def double(self, numbers): ...
    def wait(self): ...
"""
SPY = """
import importlib.util, json, os, sys, time
from pathlib import Path

def where(name):
    spec = importlib.util.find_spec(name)
    return spec.origin if spec else None

class Solution:
    def __init__(self, context):
        self.context = context
    def look(self, numbers):
        numbers[:1] = 0
        here = Path(__file__).parent
        fds = {}
        for fd in os.listdir("/proc/self/fd"):
            try:
                fds[int(fd)] = os.readlink(f"/proc/self/fd/{fd}")
            except OSError:
                pass  # the listing's own
        try:
            import harness
            ours = True
        except ImportError:
            ours = False
        return json.dumps({
            "environment": dict(os.environ), "cwd": os.getcwd(), "path": sys.path, "fds": fds,
            "session": os.getsid(0), "pid": os.getpid(), "parent": os.getppid(), "here": str(here),
            "modes": {str(p.relative_to(here)): p.stat().st_mode for p in [here, *here.rglob("*")]},
            "torch": where("torch"), "numpy": where("numpy"), "helper": where("helper"), "harness": ours,
            "scratch": str(self.context.scratch), "left": os.listdir(self.context.scratch),
            "seed": self.context.seed, "limits": self.context.limits, "main": sys.argv,
        }).encode()
    def double(self, numbers):
        return numbers * 2
    def wait(self):
        time.sleep(3600)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """The spy's staged copy, beside files that would shadow libraries."""
    folder = tmp_path_factory.mktemp("spy")
    (folder / "solution.py").write_text(SPY)
    for name in ("torch.py", "numpy.py", "json.py", "harness.py"):
        (folder / name).write_text("raise RuntimeError('shadowed')\n")
    (folder / "helper").mkdir()
    (folder / "helper" / "__init__.py").write_text("VALUE = 1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o777)
    with staged(read("toy", folder)) as copied:
        yield copied


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("contract") / "contract.py"
    file.write_text(CONTRACT)
    return file


def _start(copy: Path, contract: Path) -> session.Session:
    seat = session.WorkerSpec(
        submission=copy, contract=contract, models={}, device="cpu", threads=1, seed=77, limits=LIMITS
    )
    return session.start(level("process"), seat, "main")


@pytest.fixture(scope="module")
def worker(copy: Path, contract: Path) -> Generator[session.Session]:
    """One worker for all that only looks; secrets and an open file stand in the parent meanwhile."""
    patch = pytest.MonkeyPatch()
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "HARNESS_HOME", "PYTHONPATH", "LD_PRELOAD_TOKEN"):
        patch.setenv(name, "hunter2")
    file = os.open(contract, os.O_RDONLY)
    os.set_inheritable(file, True)
    started = _start(copy, contract)
    os.close(file)
    patch.undo()
    yield started
    started.close()


@pytest.fixture(scope="module")
def seen(worker: session.Session) -> dict[str, Any]:
    answer, _ = worker.call(Request("look", "look", {}, BlobSpec(60_000)), {"numbers": np.arange(4)})
    assert isinstance(answer, bytes)
    found: dict[str, Any] = json.loads(answer)
    return found


def test_the_environment_is_made_from_nothing(seen: dict[str, Any]) -> None:
    environment = seen["environment"]
    assert "hunter2" not in environment.values()
    assert not [
        name for name in environment if name.endswith("TOKEN") or "SECRET" in name or "HARNESS" in name
    ]
    home = Path(seen["scratch"]).parent
    for name in ("HOME", "TMPDIR", "HF_HOME", "XDG_CACHE_HOME"):
        assert Path(environment[name]).is_relative_to(home), name
    assert environment["OMP_NUM_THREADS"] == "1"
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_no_descriptor_is_inherited_but_the_socket(seen: dict[str, Any], contract: Path) -> None:
    extra = {fd: target for fd, target in seen["fds"].items() if int(fd) > 2}
    assert str(contract) not in extra.values()
    assert [target.split(":")[0] for target in extra.values()] == ["socket"]
    assert seen["fds"]["0"] == "/dev/null"
    assert seen["fds"]["1"].startswith("pipe:")
    assert seen["fds"]["2"].startswith("pipe:")


def test_it_stands_in_its_own_session_and_in_its_scratch(seen: dict[str, Any]) -> None:
    assert seen["session"] == seen["pid"]
    assert seen["session"] != os.getsid(0)
    assert seen["parent"] == os.getpid()
    assert seen["cwd"] == seen["scratch"]
    assert seen["left"] == []


def test_the_submission_comes_last_on_the_import_path_and_shadows_nothing(seen: dict[str, Any]) -> None:
    assert seen["path"][-1] == seen["here"]
    assert seen["path"].count(seen["here"]) == 1
    assert "" not in seen["path"]
    for name in ("torch", "numpy"):
        assert not Path(seen[name]).is_relative_to(seen["here"])
    assert Path(seen["helper"]).is_relative_to(seen["here"])
    assert seen["harness"] is False


def test_the_staged_copy_is_read_only_and_not_executable(seen: dict[str, Any]) -> None:
    modes = {name: stat.S_IMODE(mode) for name, mode in seen["modes"].items()}
    assert modes["."] == 0o555
    assert modes["helper"] == 0o555
    assert {modes[n] for n in ("solution.py", "run.sh", "helper/__init__.py")} == {0o444}


def test_the_command_line_and_the_copys_path_tell_nothing(seen: dict[str, Any], copy: Path) -> None:
    assert "spy" not in seen["here"]
    assert seen["here"] == str(copy)
    assert len(seen["main"]) == 2
    assert seen["main"][1].isdigit()


def test_the_context_holds_its_own_seed_and_limits(seen: dict[str, Any]) -> None:
    assert seen["seed"] == 77
    assert seen["limits"] == {
        "memory_bytes": 2**31,
        "processes": 16,
        "look_seconds": 30.0,
        "double_seconds": 30.0,
        "wait_seconds": 0.3,
    }


@pytest.mark.parametrize("count", [0, 3, 8_192, 8_193, 2_000_000])
def test_arrays_of_any_size_go_both_ways(worker: session.Session, count: int) -> None:
    sent = np.arange(count, dtype="float32") / 3
    request = Request(f"d{count}", "double", {}, ArraySpec("float32", (count,)))
    answer, seconds = worker.call(request, {"numbers": sent})
    assert isinstance(answer, np.ndarray)
    assert (answer == sent * 2).all()
    assert seconds > 0


def test_an_overrun_ends_the_worker_and_everything_of_it_is_gone(copy: Path, contract: Path) -> None:
    started = _start(copy, contract)
    pid, home = started.launched.pid, started.home
    with pytest.raises(Fault, match="wait took longer than its limit") as caught:
        started.call(Request("w", "wait", {}), {})
    assert caught.value.outcome == "timeout"
    assert not psutil.pid_exists(pid)
    assert home.is_dir()
    started.close()
    assert not home.exists()
    started.close()  # a second time does nothing


def test_an_interrupted_worker_is_ended_without_asking_it(
    copy: Path, contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = _start(copy, contract)

    def interrupted(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(channel.Channel, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            started.call(Request("l", "double", {}, BlobSpec(9)), {"numbers": np.arange(2)})
        started.close()  # would raise KeyboardInterrupt again if it said STOP and listened
    assert not psutil.pid_exists(started.launched.pid)
    assert not started.home.exists()


WORKS_AHEAD = """
import os

class Solution:
    def __init__(self, context):
        pass
    def look(self, numbers):
        children = []
        for other_session in (False, True):
            pid = os.fork()
            if pid == 0:
                if other_session:
                    os.setsid()
                while True:
                    pass
            children.append(pid)
        return b"%d %d" % tuple(children)
    def double(self, numbers):
        return numbers * 2
    def wait(self):
        pass
"""

LEAVES_TRACES = """
import os
from pathlib import Path
SEEN = []

class Solution:
    def __init__(self, context):
        self.context = context
    def learn(self, numbers):
        if isinstance(numbers, bytes):
            return b"%d %d %d %s" % (os.getpid(), len(SEEN), len(os.listdir(self.context.scratch)), numbers)
        SEEN.append(1)
        (self.context.scratch / "trace").write_text("x")
        return b"%d" % os.getpid()
    def answer(self, numbers):
        return numbers
"""


def test_a_later_stage_is_a_fresh_process_that_gets_earlier_answers(tmp_path: Path, toy: tasks.Task) -> None:
    (tmp_path / "solution.py").write_text(LEAVES_TRACES)
    first = Request("notes", "learn", {"numbers": np.arange(2)}, BlobSpec(100))
    second = Request("again", "learn", {"numbers": FromItem("notes")}, BlobSpec(100))
    instance = Instance((Stage("one", (first,)), Stage("two", (second,))), hidden={})
    setting = Setting(task=toy, level=level("process"), device="cpu", threads=1)
    order = np.random.default_rng(0)
    (outcome,) = Round(
        setting=setting, instance=instance, instance_id="i", number=0, worker_seed=1, order=order
    ).run([Entry(read(toy.id, tmp_path))])
    assert outcome.trial.outcome == "ok", outcome.trial.detail
    pid = outcome.answers["notes"]
    later, traces, files, given = bytes(outcome.answers["again"]).split()
    assert given == pid
    assert later != pid
    assert (traces, files) == (b"0", b"0")
    items = [phase.item for phase in outcome.trial.phases]
    assert items == ["shim one", "start one", "notes", "shim two", "start two", "again"]
    assert {point.stage for point in outcome.trial.memory} == {"one", "two"}


def test_a_worker_that_cannot_load_keeps_its_log_and_leaves_nothing(
    tmp_path: Path, contract: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "solution.py").write_text("print('so far')\nimport nonsense_module\n")
    with pytest.raises(session.StartFault) as caught:
        _start(tmp_path, contract)
    failed = caught.value
    failed.session.close()
    assert failed.fault.outcome == "crashed"
    assert "nonsense_module" in failed.fault.reason
    assert failed.session.watch.log.head == b"so far\n"
    assert not failed.session.home.exists()


def _all_stopped(processes: list[psutil.Process]) -> bool:
    """Whether all of them stop: a signal is acted upon when its process is next given a core."""
    patience = time.monotonic() + 120
    while time.monotonic() < patience:
        if all(process.status() == psutil.STATUS_STOPPED for process in processes):
            return True
        time.sleep(0.005)
    return False


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_paused_worker_and_its_children_do_nothing_until_resumed(tmp_path: Path, contract: Path) -> None:
    (tmp_path / "solution.py").write_text(WORKS_AHEAD)
    worker = _start(tmp_path, contract)
    try:
        answer, _ = worker.call(Request("n", "look", {}, BlobSpec(100)), {"numbers": np.arange(2)})
        assert isinstance(answer, bytes)
        worker.pause()
        tree = [psutil.Process(worker.launched.pid), *map(psutil.Process, map(int, answer.split()))]
        assert len(tree) == 3
        stopped = _all_stopped(tree)
        before = [process.cpu_times().user for process in tree]
        time.sleep(0.2)
        after = [process.cpu_times().user for process in tree]
        worker.resume()
        running = [process.status() for process in tree]
        doubled, _ = worker.call(
            Request("d", "double", {}, ArraySpec("int64", (2,))), {"numbers": np.arange(2)}
        )
    finally:
        worker.close()
    assert stopped
    assert after == before
    assert psutil.STATUS_STOPPED not in running
    assert list(np.asarray(doubled)) == [0, 2]
    assert not [process for process in tree if _alive(process)]


def test_every_worker_is_paused_but_the_one_whose_turn_it_is(
    tmp_path: Path, toy: tasks.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, bool]] = []
    call = session.Session.call
    workers: list[session.Session] = []

    def watched(self: session.Session, request: Request, arguments: Any, most: float) -> Any:
        workers.append(self)
        others = {w.launched.pid for w in workers} - {self.launched.pid}
        seen.append((len(others), _all_stopped([psutil.Process(pid) for pid in others])))
        return call(self, request, arguments, most)

    monkeypatch.setattr(session.Session, "call", watched)
    (tmp_path / "solution.py").write_text(LEAVES_TRACES)
    requests = [Request(f"n{i}", "learn", {"numbers": np.arange(2)}, BlobSpec(100)) for i in range(3)]
    instance = Instance((Stage("one", tuple(requests)),), hidden={})
    both = [Entry(read(toy.id, tmp_path, label)) for label in ("a", "b")]
    outcomes = Round(
        setting=Setting(task=toy, level=level("process"), device="cpu", threads=1),
        instance=instance,
        instance_id="i",
        number=0,
        worker_seed=1,
        order=np.random.default_rng(0),
    ).run(both)
    assert [outcome.trial.outcome for outcome in outcomes] == ["ok", "ok"]
    assert [stopped for _, stopped in seen] == [True] * 6
    assert [others for others, _ in seen] == [0, 1, 1, 1, 1, 1]
