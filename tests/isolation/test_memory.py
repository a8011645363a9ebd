"""Memory that a worker tries to hide, with a control group and without; and no group is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from harness.errors import Fault
from harness.inputs.submissions import read, staged
from harness.instances import BlobSpec, Request
from harness.isolation import cgroups
from harness.isolation.levels import level
from harness.isolation.memory import ADVISORY, MemoryMeter
from harness.trials import session, watch
from harness.trials.watch import Limits

MIB = 1 << 20
HIDDEN = 200 * MIB
LIMITS = Limits(2**31, 16, 60.0, {"do": 30.0})
CONTRACT = "class Contract:\n    def do(self, what): ...\n"
HIDER = """
import ctypes, mmap, os, signal, time

SIZE = 200 << 20
KEPT = []

def forked(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid

def fill(size=SIZE):
    KEPT.append(b"x" * size)

def hold(full):
    fill()
    os.write(full, b"full")
    time.sleep(60)

class Solution:
    def __init__(self, context):
        self.context = context
    def do(self, what):
        name, _, rest = what.partition(" ")
        return str(getattr(self, name)(*rest.split())).encode()
    def nothing(self):
        return 0
    def child(self):
        waiting, full = os.pipe()
        pid = forked(lambda: hold(full))
        os.read(waiting, 4)
        return pid
    def memfd(self):
        fd = os.memfd_create("kept")
        for _ in range(SIZE >> 20):
            os.write(fd, b"x" * (1 << 20))
        return fd
    def orphan(self):
        reading, writing = os.pipe()
        waiting, full = os.pipe()
        def escape():
            os.setsid()
            os.write(writing, b"%d" % forked(lambda: hold(full)))
        os.waitpid(forked(escape), 0)
        os.read(waiting, 4)
        return int(os.read(reading, 20))
    def cleared(self):
        fill()
        return 0
    def clear(self):
        KEPT.clear()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return 0
    def spike(self):
        data = b"x" * SIZE
        del data
        return 0
    def honest(self):
        fill(64 << 20)
        table = {i: str(i) for i in range(100_000)}
        return len(table)
    def read(self, path):
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
        return 0
    def mapped(self, path):
        with open(path, "rb") as file:
            KEPT.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        sum(KEPT[-1][i] for i in range(0, len(KEPT[-1]), 4096))
        return 0
    def write(self):
        fill(100 << 20)
        with open(self.context.scratch / "index", "wb", buffering=0) as file:
            file.write(KEPT[0])
        return 0
    def grab(self):
        KEPT.append(b"x" * (700 << 20))
        time.sleep(20)
    def spin(self, seconds):
        until = time.process_time() + float(seconds)
        while time.process_time() < until:
            pass
        return 0
    def vanish(self):
        os.kill(os.getpid(), signal.SIGKILL)
    def exit(self):
        os._exit(3)
    def sleep(self):
        time.sleep(60)
"""
grouped = pytest.mark.skipif(
    not cgroups.places().parents, reason=f"no control group can be made here: {cgroups.places().reason}"
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    folder = tmp_path_factory.mktemp("hider")
    (folder / "solution.py").write_text(HIDER)
    with staged(read("toy", folder)) as copied:
        yield copied


@pytest.fixture
def start(copy: Path, tmp_path: Path) -> Generator[Callable[..., session.Session]]:
    """Starts workers that are ended with the test."""
    started: list[session.Session] = []
    contract = tmp_path / "contract.py"
    contract.write_text(CONTRACT)

    def make(limits: Limits = LIMITS, **more: Any) -> session.Session:
        seat = session.WorkerSpec(
            submission=copy,
            contract=contract,
            models={},
            device="cpu",
            threads=1,
            seed=7,
            limits=limits,
            **more,
        )
        started.append(session.start(level("process"), seat, "main"))
        return started[-1]

    yield make
    for worker in started:
        worker.close()


@pytest.fixture
def ungrouped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "make", lambda: (None, "switched off"))


def ask(worker: session.Session, what: str) -> int:
    answer, _ = worker.call(Request("d", "do", {}, BlobSpec(100)), {"what": what})
    assert isinstance(answer, bytes)
    return int(answer)


def peak_of(start: Callable[..., session.Session], what: str) -> tuple[int, watch.Watch]:
    """The bytes by which the peak rose above an interpreter that does nothing, and the watch."""
    worker = start()
    ask(worker, "nothing")
    worker.watch.read_now()
    before = worker.watch.points[-1].host_bytes
    answer = ask(worker, what)
    worker.watch.read_now()  # as after every answer of a run
    if what == "cleared":
        ask(worker, "clear")
        worker.watch.read_now()
    worker.close()
    if what == "orphan":  # without a group it may have escaped for good
        with contextlib.suppress(ProcessLookupError):
            os.kill(answer, signal.SIGKILL)
    assert worker.watch.peak_host is not None
    return worker.watch.peak_host - before, worker.watch


def folders_of(worker: session.Session) -> list[Path]:
    assert worker.launched.cgroup is not None
    return list(worker.launched.cgroup.folders.values())


HIDING = ("child", "memfd", "orphan", "cleared", "spike")


@grouped
@pytest.mark.parametrize("what", HIDING)
def test_hidden_memory_is_seen(start: Callable[..., session.Session], what: str) -> None:
    risen, seen = peak_of(start, what)
    assert abs(risen - HIDDEN) < 0.05 * HIDDEN, risen / MIB
    assert seen.measured_by.startswith("parent: cgroup v")
    assert ADVISORY not in seen.measured_by
    assert ("clear_refs" in seen.measured_by) == (what == "cleared")
    # Graded by stage too, from the points: they carry the peak between them.
    assert max(point.host_bytes for point in seen.points) == seen.peak_host
    last = seen.points[-1]
    kinds = (last.anonymous_bytes, last.file_bytes, last.shared_bytes)
    assert None not in kinds
    if what == "memfd":
        assert max(point.shared_bytes or 0 for point in seen.points) > 0.99 * HIDDEN


@pytest.mark.parametrize("what", HIDING)
@pytest.mark.usefixtures("ungrouped")
def test_without_a_group_the_record_says_advisory(start: Callable[..., session.Session], what: str) -> None:
    risen, seen = peak_of(start, what)
    assert seen.measured_by.startswith("parent: process tree sampled at 20 Hz")
    assert ADVISORY in seen.measured_by
    assert "switched off" in seen.measured_by
    assert ("clear_refs" in seen.measured_by) == (what == "cleared")
    if what in ("child", "cleared", "spike"):  # by a reading, and by the main process's high-water mark
        # Without a group, what a forked child still shares with its parent counts twice.
        twice = min(point.host_bytes for point in seen.points) if what == "child" else 0
        assert -0.05 * HIDDEN < risen - HIDDEN < 0.05 * HIDDEN + twice, risen / MIB
    if what == "memfd":  # nobody maps it, and it is found where it is open
        assert abs(risen - HIDDEN) < 0.05 * HIDDEN, risen / MIB


@grouped
def test_an_honest_peak_repeats(start: Callable[..., session.Session]) -> None:
    peaks = []
    for _ in range(3):
        worker = start()
        ask(worker, "honest")
        worker.close()
        assert worker.watch.peak_host is not None
        peaks.append(worker.watch.peak_host)
    assert max(peaks) - min(peaks) < max(2 * MIB, 0.01 * min(peaks)), [peak / MIB for peak in peaks]


@grouped
@pytest.mark.parametrize(("what", "counted"), [("read", 0), ("mapped", HIDDEN)])
def test_who_reads_a_file_first_is_not_charged_for_it(
    start: Callable[..., session.Session], tmp_path: Path, what: str, counted: int
) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"x" * HIDDEN)
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    first, _ = peak_of(start, f"{what} {file}")
    second, _ = peak_of(start, f"{what} {file}")
    assert abs(first - second) < 2 * MIB + 0.01 * counted, (first / MIB, second / MIB)
    assert abs(second - counted) < 8 * MIB, second / MIB


@grouped
def test_a_file_that_was_written_is_held_beside_the_memory(start: Callable[..., session.Session]) -> None:
    risen, _ = peak_of(start, "write")
    assert abs(risen - 200 * MIB) < 10 * MIB, risen / MIB


def test_the_memory_of_an_interpreter_alone_is_kept_apart(start: Callable[..., session.Session]) -> None:
    worker = start()
    base = worker.watch.base_host
    file = worker.watch.base_file
    assert base is not None
    assert file is not None
    assert 4 * MIB < base < 64 * MIB
    assert MIB < file < base  # an interpreter maps its libraries


def _gone(pid: int) -> bool:
    for _ in range(5000):
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.02)
                continue
        return True
    return False


@grouped
def test_a_grandchild_that_left_the_tree_is_paused_and_killed(start: Callable[..., session.Session]) -> None:
    worker = start()
    escaped = ask(worker, "orphan")
    assert escaped not in [child.pid for child in psutil.Process().children(recursive=True)]
    worker.pause()
    for _ in range(10000):
        if psutil.Process(escaped).status() == psutil.STATUS_STOPPED:
            break
        time.sleep(0.01)
    else:
        pytest.fail("it was not paused")
    worker.close()
    assert _gone(escaped)


@grouped
@pytest.mark.parametrize("end", ["close", "kill", "vanish", "exit", "escape"])
def test_no_group_is_left(start: Callable[..., session.Session], end: str) -> None:
    worker = start(replace(LIMITS, phase_seconds={"do": 0.5 if end == "kill" else 30.0}))
    folders = folders_of(worker)
    assert all(folder.is_dir() for folder in folders)
    if end == "escape":
        ask(worker, "orphan")
    elif end != "close":
        with pytest.raises(Fault) as caught:
            ask(worker, "sleep" if end == "kill" else end)
        assert caught.value.outcome == ("timeout" if end == "kill" else "crashed")
    worker.close()
    worker.close()
    assert not [folder for folder in folders if folder.exists()]


@grouped
def test_a_group_of_a_dead_run_is_taken_away_by_the_next_and_of_a_living_one_not() -> None:
    code = (
        "import subprocess, sys\n"
        "from harness.isolation import cgroups\n"
        "group, _ = cgroups.make()\n"
        "left = subprocess.Popen(group.joining(['sleep', '60']), stdout=subprocess.DEVNULL)\n"
        "print(left.pid, *group.folders.values(), flush=True)\n"
        "sys.stdin.read()\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdout is not None
    pid, *folders = run.stdout.readline().split()

    def made_and_removed() -> None:
        group, reason = cgroups.make()
        assert group is not None, reason
        group.remove()

    made_and_removed()
    assert all(Path(folder).is_dir() for folder in folders)
    run.kill()
    run.communicate()
    made_and_removed()
    assert not [folder for folder in folders if Path(folder).exists()]
    assert _gone(int(pid))


@grouped
def test_the_kernel_stops_what_the_watch_would_see_too_late(
    start: Callable[..., session.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PERIOD", 10.0)
    worker = start(replace(LIMITS, memory_bytes=128 * MIB))
    with pytest.raises(Fault) as caught:
        ask(worker, "grab")
    assert caught.value.outcome == "out_of_memory"
    assert "0.1 GiB" in caught.value.reason


@grouped
def test_a_group_that_cannot_be_read_ends_the_worker_and_one_that_cannot_be_joined_costs_no_run(
    start: Callable[..., session.Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start()

    def fails(_: object) -> Any:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(cgroups.Cgroup, "usage", fails)
        worker.watch.read_now()
        with pytest.raises(Fault, match=r"can no longer be measured: it could not be read \(Input") as ended:
            ask(worker, "honest")
        assert ended.value.outcome == "harness_error"
        assert ADVISORY in worker.watch.measured_by
        assert "it could not be read (Input/output error)" in worker.watch.measured_by
    folders = folders_of(worker)
    worker.close()
    assert not [folder for folder in folders if folder.exists()]
    monkeypatch.setattr(cgroups.Cgroup, "joining", lambda _, command: list(command))
    outside = start()
    assert ask(outside, "nothing") == 0
    assert "no control group: the worker could not be moved into it" in outside.watch.measured_by
    assert (outside.watch.base_host or 0) > 4 * MIB


@pytest.mark.parametrize("with_group", [pytest.param(True, marks=grouped), False])
def test_processor_seconds_are_the_kernels_and_cheap(
    start: Callable[..., session.Session], monkeypatch: pytest.MonkeyPatch, with_group: bool
) -> None:
    if not with_group:
        monkeypatch.setattr(cgroups, "make", lambda: (None, "switched off"))
    worker = start()
    before = worker.cpu_seconds() or 0.0
    ask(worker, "spin 0.3")
    assert 0.29 < (worker.cpu_seconds() or 0.0) - before < 0.5
    worker.pause()
    while psutil.Process(worker.launched.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    still = worker.cpu_seconds()
    costs: list[list[float]] = [[], []]
    for _ in range(200):
        for cost, call in zip(
            costs, (worker.cpu_seconds, psutil.Process(worker.launched.pid).cpu_times), strict=True
        ):
            begin = time.thread_time()
            call()
            cost.append(time.thread_time() - begin)
    assert worker.cpu_seconds() == still
    assert median(costs[0]) < 2 * median(costs[1])  # a file or two of the kernel's, as it costs anybody
    worker.close()
    assert worker.cpu_seconds() is None


@dataclass
class CountingReader:
    """A device whose every process holds 1,000 bytes."""

    measured_by: str = "parent: a fake device"
    asked: list[list[int]] = field(default_factory=list)

    def used_bytes(self, pids: list[int]) -> int | None:
        self.asked.append(pids)
        return 1000 * len(pids)


def test_a_device_is_read_often_while_the_worker_runs_and_once_after_each_answer(
    start: Callable[..., session.Session],
) -> None:
    device = CountingReader()
    worker = start(device_reader=device)
    before, began_at = len(device.asked), time.monotonic()
    while len(device.asked) < before + 25:
        assert time.monotonic() < began_at + 120
        time.sleep(0.01)
    assert len(device.asked) - before <= 5 + (time.monotonic() - began_at) / watch.DEVICE_PERIOD
    began = len(device.asked)
    worker.pause()
    assert len(device.asked) > began
    resting = len(device.asked)
    time.sleep(0.3)
    assert len(device.asked) <= resting + 1  # one that was on its way
    worker.resume()
    ask(worker, "child")
    worker.watch.read_now()  # the child is known from here on
    worker.watch.read_now()
    worker.close()
    assert worker.watch.peak_device == 2000
    assert max(point.device_bytes or 0 for point in worker.watch.points) == 2000
    assert worker.watch.measured_by.endswith("parent: a fake device")


@grouped
def test_leaving_the_group_is_noticed(start: Callable[..., session.Session]) -> None:
    worker = start()
    group = worker.launched.cgroup
    assert group is not None
    home = group.memory.parent / "cgroup.procs"
    if not os.access(home, os.W_OK):
        pytest.skip("only root can leave")
    home.write_text(str(worker.launched.pid))  # as a worker that is root could do
    ask(worker, "honest")
    worker.watch.read_now()
    assert "left its control group" in worker.watch.measured_by
    assert ADVISORY in worker.watch.measured_by
    assert (worker.watch.peak_host or 0) > 64 * MIB
    worker.close()
    assert not group.memory.exists()


def test_a_meter_without_a_process_reads_nothing(start: Callable[..., session.Session]) -> None:
    worker = start()
    os.kill(worker.launched.pid, signal.SIGKILL)
    worker.close()
    reading = MemoryMeter(launched=worker.launched, hertz=20).read()
    assert (reading.pids, reading.held) == ((), 0)
