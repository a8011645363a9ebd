"""The engine of this machine: who has the machine to himself, which cores are whose, and slots that die or linger."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.assessment.executors import local
from harness.assessment.executors.base import Event, Unit, UnitDone
from harness.assessment.executors.local import Local, Slot
from harness.sheets import Cell

GIB = 2**30


def unit(name: str, *, timed: bool = False, device: str = "cpu", **more: Any) -> Unit:
    return Unit(candidate=name, task="toy", key=name, payload=name, timed=timed, device=device, **more)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Eight cores, 9 GiB of memory of which one is left alone."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {7, 6, 5, 4, 3, 2, 1, 0} if pid == 0 else set())
    memory = SimpleNamespace(available=9 * GIB)
    monkeypatch.setattr(local.psutil, "virtual_memory", lambda: memory)
    return memory


def places(units: Sequence[Unit], jobs: int | None = None) -> list[list[int]]:
    return Local(Path("home"), jobs=jobs)._places(units)


def test_slots_have_cores_of_their_own_as_many_as_the_most_demanding_unit_wants(
    machine: SimpleNamespace,
) -> None:
    many = [unit(str(number)) for number in range(20)]
    assert places(many) == [[core] for core in range(8)]
    assert places([unit("a", threads=3), *many]) == [[0, 1, 2], [3, 4, 5]]
    assert places([unit("a", threads=9), *many]) == [list(range(8))]
    assert places(many, jobs=2) == [[0], [1]]
    assert places(many[:3]) == [[0], [1], [2]]


def test_memory_and_what_the_system_needs_bound_the_slots(machine: SimpleNamespace) -> None:
    many = [unit("small", memory_bytes=1), *(unit(str(number), memory_bytes=2 * GIB) for number in range(20))]
    assert places(many) == [[0], [1], [2], [3]]
    assert places([unit(str(number), memory_bytes=GIB // 2) for number in range(20)]) == [
        [n] for n in range(8)
    ]
    machine.available = GIB // 2
    assert places(many) == [[0]], "one there always is"


def test_where_cores_cannot_be_told_apart_slots_are_counted_by_all_of_them(
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    many = [unit(str(number)) for number in range(20)]
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert places(many) == [[], [], []]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert places(many) == [[]]


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was held and done, in order."""
    events: list[str] = []

    @contextlib.contextmanager
    def held(words: str) -> Iterator[None]:
        events.append(words)
        yield
        events.append("free")

    class Pool:
        def __init__(self, home: Path, places: list[list[int]], kept: object, seen: object) -> None:
            self.places = places

        def run(self, units: Sequence[Unit]) -> None:
            events.append(f"together {' '.join(one.candidate for one in units)}")

        def work(self, units: Sequence[Unit]) -> None:
            events.append(f"alone {' '.join(one.candidate for one in units)} {self.places}")

        def end(self) -> None:
            events.append("end")

    def machine(alone: bool, note: object, what: str = "") -> contextlib.AbstractContextManager[None]:
        return held(f"machine {'alone' if alone else 'shared'} {what}".strip())

    monkeypatch.setattr(local.lease, "machine", machine)
    monkeypatch.setattr(local.lease, "gpu", lambda index, note, what: held(f"gpu {index} {what}"))
    monkeypatch.setattr(local.devices, "index", lambda: 0)
    monkeypatch.setattr(local.devices, "resolve", lambda device: events.append(f"needs {device}"))
    monkeypatch.setattr(local, "_Pool", Pool)
    return events


def test_what_a_clock_decides_has_the_machine_to_itself_and_a_gpu_is_held_too(leases: list[str]) -> None:
    units = [
        unit("a", timed=True),
        unit("b"),
        unit("c", device="cuda"),
        unit("d"),
        unit("e", timed=True, device="cuda"),
    ]
    waits: list[tuple[str, Event]] = []
    Local(Path("home")).run(units, lambda done: None, lambda one, event: waits.append((one.candidate, event)))
    assert waits == [(name, "waits") for name in "abcde"]
    assert leases == [
        "needs cuda",
        *("machine shared", "together b d", "free"),
        *("machine alone a on toy", "alone a [[]]", "free"),
        *("machine alone c on toy", "gpu 0 c on toy", "alone c [[]]", "free", "free"),
        *("machine alone e on toy", "gpu 0 e on toy", "alone e [[]]", "free", "free"),
        "end",
    ]


def test_what_is_not_there_holds_nothing(leases: list[str]) -> None:
    Local(Path("home")).run([unit("a")], lambda done: None, lambda one, event: None)
    assert leases == ["machine shared", "together a", "free"]
    leases.clear()
    Local(Path("home")).run([], lambda done: None, lambda one, event: None)
    assert leases == []


class Process:
    """Stands for a slot's process: it answers a unit by what the unit's name says."""

    def __init__(self, pid: int, log: Any) -> None:
        self.pid, self.log = pid, log
        reading, self.writing = os.pipe()
        self.stdout = os.fdopen(reading, "rb")
        self.stdin = self
        self.closed = False
        self.code: int | None = None
        self.signals: list[int] = []
        self.timers: list[threading.Timer] = []

    def write(self, line: bytes) -> None:
        name = json.loads(line)["payload"]
        if name.startswith("dies"):
            self.log.write(b"a first line\nthe last words\n")
            self.log.flush()
            self._ends(1)
            return
        cell = Cell(candidate=name, task="toy", outcome="ok").model_dump_json()
        content = "".join(json.dumps(said) + "\n" for said in ({"note": name}, {"cell": cell})).encode()
        if name.startswith("slow"):
            timer = threading.Timer(0.05, os.write, (self.writing, content))
            self.timers.append(timer)
            timer.start()
        else:
            os.write(self.writing, content[:20])
            os.write(self.writing, content[20:])

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True
        if self.code is None and not self.timers:
            self._ends(0)

    def _ends(self, code: int) -> None:
        self.code = code
        os.close(self.writing)

    def poll(self) -> int | None:
        return self.code

    def wait(self, timeout: float | None = None) -> int:
        for timer in self.timers:
            timer.join()
        if self.code is None:
            self._ends(0)
        assert self.code is not None
        return self.code

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """Every process that was started."""
    started: list[Process] = []

    def start(command: list[str], stdin: int, stdout: int, stderr: Any, process_group: int) -> Process:
        assert (stdin, stdout, process_group) == (subprocess.PIPE, subprocess.PIPE, 0)
        started.append(Process(1000 + len(started), stderr))
        return started[-1]

    monkeypatch.setattr(local.subprocess, "Popen", start)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: None)
    return started


def done(units: Sequence[Unit], jobs: int) -> tuple[dict[str, UnitDone], list[tuple[str, Event]]]:
    kept: list[UnitDone] = []
    events: list[tuple[str, Event]] = []
    Local(Path("home"), jobs=jobs).run(
        units, kept.append, lambda one, event: events.append((one.candidate, event))
    )
    assert sorted(one.unit.candidate for one in kept) == sorted(one.candidate for one in units)
    return {one.unit.candidate: one for one in kept}, events


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_unit_comes_back_however_fast_the_others_are(processes: list[Process], jobs: int) -> None:
    units = [unit("slow one"), *(unit(f"quick {number}") for number in range(4)), unit("slow two")]
    cells, events = done(units, jobs)
    assert {Cell.model_validate_json(one.cell).outcome for one in cells.values()} == {"ok"}
    assert all(0 <= one.seconds < 60 for one in cells.values())
    assert sorted(events) == sorted((one.candidate, event) for one in units for event in ("waits", "runs"))
    assert len(processes) <= jobs
    assert all(process.closed and process.stdout.closed and process.log.closed for process in processes)


def test_two_units_on_the_same_instances_never_run_at_once_and_others_run_beside_them(
    machine: SimpleNamespace, processes: list[Process]
) -> None:
    units = [unit(f"slow {name}", instances=name[0]) for name in ("a1", "a2", "a3", "b1", "b2", "c")]
    events: list[str] = []
    Local(Path("home"), jobs=3).run(
        units,
        lambda one: events.append(f"ends {one.unit.candidate}"),
        lambda one, event: events.append(f"{event} {one.candidate}"),
    )
    running: list[str] = []
    most = 0
    for event, _, name in (words.partition(" slow ") for words in events):
        if event == "runs":
            assert name[0] not in [other[0] for other in running], (name, running)
            running.append(name)
            most = max(most, len(running))
        elif event == "ends":
            running.remove(name)
    assert most > 1
    assert len([words for words in events if words.startswith("ends")]) == len(units)


def test_a_unit_that_ends_its_process_is_tried_once_more_and_is_then_ours(processes: list[Process]) -> None:
    cells, events = done([unit("dies"), unit("quick")], 1)
    assert [event for event in events if event[0] == "dies"] == [
        ("dies", event) for event in ("waits", "runs", "again", "runs")
    ]
    cell = Cell.model_validate_json(cells["dies"].cell)
    assert (cell.outcome, cell.reasons) == (
        "harness_error",
        ("the process that ran it ended by status 1: the last words",),
    )
    assert Cell.model_validate_json(cells["quick"].cell).outcome == "ok"
    assert len(processes) == 3
    assert all(process.closed and process.stdout.closed for process in processes)


def slot(process: Any, log: bytes, tmp_path: Path, one: Unit | None = None) -> Slot:
    file = (tmp_path / "log").open("w+b")
    file.write(log)
    return Slot(process=process, log=file, cores=[], unit=one)


@pytest.mark.parametrize(
    ("code", "log", "words"),
    [
        (-9, b"", "signal 9"),
        (3, b"", "status 3"),
        (3, b"only\n", "status 3: only"),
        (3, b"x" * 9000 + b"\n\xff" + b"y" * 400 + b"\n\n", "status 3: \ufffd" + "y" * 299),
    ],
)
def test_how_a_process_ended_is_said_with_its_last_line(
    tmp_path: Path, code: int, log: bytes, words: str
) -> None:
    one = slot(SimpleNamespace(wait=lambda: code), log, tmp_path)
    assert one.why() == f"the process that ran it ended by {words}"
    one.log.close()


@pytest.mark.parametrize(
    ("busy", "ended", "signals"), [(True, None, [signal.SIGINT]), (False, None, []), (True, 0, [])]
)
def test_only_what_is_busy_is_interrupted(
    tmp_path: Path, busy: bool, ended: int | None, signals: list[int]
) -> None:
    sent: list[int] = []
    closed: list[str] = []
    process = SimpleNamespace(
        stdin=SimpleNamespace(close=lambda: closed.append("closed")),
        poll=lambda: ended,
        send_signal=sent.append,
    )
    one = slot(process, b"", tmp_path, unit("a") if busy else None)
    one.end()
    assert (closed, sent) == (["closed"], signals)
    one.log.close()


@pytest.mark.parametrize("heeds", [True, False])
def test_what_does_not_end_in_time_is_killed(tmp_path: Path, heeds: bool) -> None:
    calls: list[Any] = []

    def wait(seconds: float | None = None) -> None:
        calls.append(seconds)
        if seconds is not None and not heeds:
            raise subprocess.TimeoutExpired("slot", seconds)

    with (tmp_path / "out").open("w") as stdout:
        process = SimpleNamespace(wait=wait, kill=lambda: calls.append("killed"), stdout=stdout)
        one = slot(process, b"", tmp_path)
        one.gone(time.monotonic() + 100)
        assert 0 < calls[0] <= 100
        assert calls[1:] == ([] if heeds else ["killed", None])
        assert stdout.closed
        assert one.log.closed
        calls.clear()
        slot(process, b"", tmp_path).gone(time.monotonic() - 5)
        assert calls[0] == 0.0


@pytest.mark.parametrize(("cores", "bound"), [([2, 3], [(7, [2, 3])]), ([], [])])
def test_a_slot_is_bound_to_its_cores_where_the_system_can(
    monkeypatch: pytest.MonkeyPatch, cores: list[int], bound: list[tuple[int, list[int]]]
) -> None:
    calls: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(local.subprocess, "Popen", lambda *_, **__: SimpleNamespace(pid=7))
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, own: calls.append((pid, own)))
    Slot.start(cores).log.close()
    assert calls == bound
    monkeypatch.delattr(os, "sched_setaffinity")
    started = Slot.start(cores)
    started.log.close()
    assert started.cores == cores
    assert calls == bound
