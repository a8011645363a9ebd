"""A worker's process tree and its end: each way of reaching a process is tried with the others taken away."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from harness.isolation import tree
from harness.machine import processes
from harness.machine.processes import lines_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's /proc is read")
# Starts a process as told by its first argument, says its number, and waits as that one does.
PARENT = """
import os, sys, time
how = sys.argv[1]
reading, writing = os.pipe()
if os.fork() == 0:
    if "setsid" in how:
        os.setsid()
    if "orphan" in how and os.fork():
        os._exit(0)
    os.write(writing, b"%d" % os.getpid())
    time.sleep(600)
if "orphan" in how:
    os.wait()
print(int(os.read(reading, 20)), flush=True)
time.sleep(600)
"""
# Starts four that let everybody go on, all the time, who was stopped.
HELPING = """
import os, signal, time
for _ in range(4):
    if os.fork() == 0:
        ends = time.monotonic() + 120
        while time.monotonic() < ends:
            os.kill(0, signal.SIGCONT)
        os._exit(0)
print(flush=True)
time.sleep(600)
"""


@dataclass
class FakeGroup:
    """A control group of these processes, which notes that it was asked to end."""

    inside: list[int] = field(default_factory=list)
    unreadable: bool = False
    kills: int = 0

    def pids(self) -> list[int]:
        if self.unreadable:
            raise OSError("it is gone")
        return self.inside

    def kill_all(self) -> None:
        self.kills += 1


class Started:
    """A process that leads a group of its own, and the one that it started."""

    def __init__(self, how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", PARENT, how], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout is not None
        self.pid = self.process.pid
        self.other = int(self.process.stdout.readline())

    def end(self) -> None:
        for pid in (self.pid, self.other):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Generator[Started]:
    found = Started(request.param)
    yield found
    found.end()


def is_dead(pid: int) -> bool:
    """Whether it has ended, or does within some seconds: who was killed is not gone at once."""
    patience = time.monotonic() + 10
    while time.monotonic() < patience:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def is_running(pid: int) -> bool:
    return psutil.Process(pid).status() in (psutil.STATUS_SLEEPING, psutil.STATUS_RUNNING)


@pytest.mark.parametrize("started", ["setsid"], indirect=True)
def test_a_child_that_left_by_setsid_is_killed_by_its_place_in_the_tree_alone(started: Started) -> None:
    assert os.getpgid(started.other) != started.pid
    tree.kill_tree(started.pid, {}, None)
    assert is_dead(started.other)
    assert is_dead(started.pid)


@pytest.mark.parametrize("started", ["orphan"], indirect=True)
def test_an_orphan_is_killed_by_its_process_group_alone(started: Started) -> None:
    assert started.other not in tree.descendants(started.pid)
    tree.kill_tree(started.pid, {}, None)
    assert is_dead(started.other)


@pytest.mark.parametrize("started", ["orphan setsid"], indirect=True)
def test_one_that_left_tree_and_process_group_is_killed_where_it_was_known(started: Started) -> None:
    assert started.other not in tree.descendants(started.pid)
    assert os.getpgid(started.other) != started.pid
    tree.kill_tree(started.pid, {started.other: tree.born(started.other)}, None)
    assert is_dead(started.other)


@pytest.mark.parametrize("started", ["orphan setsid"], indirect=True)
@pytest.mark.parametrize("born_then", ["earlier", "unknown"])
def test_a_stranger_who_was_given_a_known_number_is_let_alone(started: Started, born_then: str) -> None:
    start = tree.born(started.other)
    assert start is not None
    tree.kill_tree(started.pid, {started.other: start - 1 if born_then == "earlier" else None}, None)
    assert is_dead(started.pid)
    assert is_running(started.other)


@pytest.mark.parametrize("started", ["orphan setsid"], indirect=True)
def test_one_that_only_the_group_holds_is_a_member_is_stopped_and_is_killed(started: Started) -> None:
    group = FakeGroup([started.other])
    assert tree.members(started.pid, {}, group) == {started.pid, started.other}
    assert tree.members(started.pid, {}, None) == {started.pid}
    assert tree.pause_tree(started.pid, {}, group) == {started.pid, started.other}
    assert psutil.Process(started.other).status() == psutil.STATUS_STOPPED
    tree.kill_tree(started.pid, {}, group)
    assert is_dead(started.other)


@pytest.mark.parametrize("started", ["child"], indirect=True)
def test_the_group_is_told_to_end_whatever_else_is_killed(started: Started) -> None:
    group = FakeGroup([started.pid, started.other])
    tree.kill_tree(started.pid, {}, group)
    assert group.kills == 1
    # It holds what was forked between the last look and the end, and what cannot be read any more.
    tree.kill_tree(started.pid, {}, lost := FakeGroup(unreadable=True))
    assert lost.kills == 1


@pytest.mark.parametrize("started", ["child", "setsid"], indirect=True)
@pytest.mark.parametrize("grouped", [True, False])
def test_a_paused_tree_goes_on_when_it_is_resumed(started: Started, grouped: bool) -> None:
    group = FakeGroup([started.pid, started.other]) if grouped else None
    stopped = tree.pause_tree(started.pid, {}, group)
    assert stopped == {started.pid, started.other}
    ends = time.monotonic() + 30  # on a busy machine it is not waited for until each has noticed
    while {psutil.Process(pid).status() for pid in stopped} != {psutil.STATUS_STOPPED}:
        assert time.monotonic() < ends
    tree.resume(stopped)
    assert all(is_running(pid) for pid in stopped)


def test_each_is_waited_for_until_it_has_stopped_before_anybody_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that is told to stop may fork until it notices: a look before that would miss the child."""
    looks: list[int] = []
    sent: list[tuple[int, int]] = []

    def state(pid: int) -> str:
        looks.append(pid)
        return "T" if looks.count(pid) >= 3 else "R"

    def members(pid: int, known: object, group: object) -> set[int]:
        assert sent  # the one that answered is told to stop before the list of the others is read
        # The first forks the second just before it stops.
        return {1, 2} if looks.count(1) >= 3 else {1}

    monkeypatch.setattr(tree, "_state", state)
    monkeypatch.setattr(tree, "members", members)
    monkeypatch.setattr(tree, "_send", lambda pid, number: sent.append((pid, number)))
    assert tree.pause_tree(1, {}) == {1, 2}
    assert looks == [1, 1, 1, 1, 2, 2, 2, 1, 2]  # each once more, before it is left
    assert set(sent) == {(1, signal.SIGSTOP), (2, signal.SIGSTOP)}


def test_those_who_let_one_another_go_on_are_stopped_all_the_same() -> None:
    """Stopped once each, the last of them let the others go on in 14 of 15 tries."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", HELPING], stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(5):
            everybody = tree.descendants(process.pid)
            assert len(everybody) == 5
            stopped = tree.pause_tree(process.pid, {})
            time.sleep(0.1)  # in which one who is awake would have let the others go on
            assert stopped == set(everybody)
            assert {psutil.Process(pid).status() for pid in everybody} == {psutil.STATUS_STOPPED}
            tree.resume(stopped)
    finally:
        tree.kill_tree(process.pid, {})
        process.stdout.close()
        process.wait()


class Waking:
    """Two processes: the first, once it is stopped, is let go on by the second until that one is stopped as well."""

    def __init__(self, often: int) -> None:
        self.states, self.often = {1: "R", 2: "R"}, often

    def send(self, pid: int, number: int) -> None:
        assert number == signal.SIGSTOP
        self.states[pid] = "T"
        if pid == 2 and self.often:  # before it notices
            self.often -= 1
            self.states[1] = "R"


def test_one_that_another_let_go_on_is_stopped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waking = Waking(often=1)
    monkeypatch.setattr(tree, "_state", lambda pid: waking.states[pid])
    monkeypatch.setattr(tree, "members", lambda pid, known, group: {1, 2})
    monkeypatch.setattr(tree, "_send", waking.send)
    assert tree.pause_tree(1, {}) == {1, 2}
    assert waking.states == {1: "T", 2: "T"}


def test_who_is_let_go_on_for_ever_does_not_hold_up_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tree, "_state", lambda pid: "R")
    monkeypatch.setattr(tree, "members", lambda pid, known, group: {1})
    monkeypatch.setattr(tree, "_send", lambda pid, number: sent.append(pid))
    assert tree.pause_tree(1, {}) == {1}
    assert len(sent) > tree._PASSES


def test_everybody_is_stopped_before_anybody_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tree, "_state", lambda pid: "T")
    monkeypatch.setattr(tree, "members", lambda pid, known, group: {1 << 23, (1 << 23) + 1})  # nobody's
    monkeypatch.setattr(tree, "_send", lambda pid, number: sent.append(number))
    tree.kill_tree(1 << 23, {})
    assert sent == [signal.SIGSTOP] * 3 + [signal.SIGKILL] * 2


def test_one_that_never_stops_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(tree, "_state", lambda pid: looks.append(pid) or "D")
    tree._await_stopped({7})
    assert looks == [7] * tree._LOOKS


def test_where_a_group_holds_it_with_its_children_the_tree_is_not_walked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(tree, "_state", lambda pid: "T")
    monkeypatch.setattr(tree, "_send", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(tree, "descendants", lambda pid: pytest.fail("a pause has no time for that"))
    assert tree.pause_tree(7, {}, FakeGroup([7, 8])) == {7, 8}
    assert set(sent) == {(7, signal.SIGSTOP), (8, signal.SIGSTOP)}


def test_all_below_a_keeper_are_killed_until_none_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {3: "S", 7: "S", 8: "Z", 9: "X", 10: "R"}
    sent: list[tuple[int, int]] = []

    def send(pid: int, number: int) -> None:
        sent.append((pid, number))
        if sent.count((pid, number)) == 2:  # it may have forked once more before
            states[pid] = "Z"

    monkeypatch.setattr(tree, "descendants", lambda pid: list(states))
    monkeypatch.setattr(tree, "_state", states.__getitem__)
    monkeypatch.setattr(tree, "_send", send)
    kept = tree.Kept(3)
    assert kept.pids() == [7, 8, 9, 10]
    kept.kill_all()
    assert sent == [(7, signal.SIGKILL), (10, signal.SIGKILL)] * 2


def test_what_a_process_holds_is_read_in_kibibytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    monkeypatch.setattr(tree, "lines_of", lambda path: lines_of({"/proc/7/status": status}[path]))
    amounts = {"VmPeak": 999, "VmHWM": 300, "VmRSS": 200, "RssAnon": 120, "RssFile": 70, "RssShmem": 10}
    status.write_text("Name:\tpython\n" + "".join(f"{name}:\t {n} kB\n" for name, n in amounts.items()))
    assert tree.memory_of(7) == (200 << 10, 300 << 10, 120 << 10, 70 << 10, 10 << 10)
    status.write_text("Name:\tkthreadd\nState:\tS (sleeping)\n")
    assert tree.memory_of(7) is None


def test_a_process_cannot_write_lines_about_its_memory_by_its_name() -> None:
    name = "\rVmRSS: none"  # 15 bytes at most
    code = (
        f"open('/proc/self/comm', 'w').write({name!r}); import time; print('now', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"now\n"
            memory = tree.memory_of(process.pid)
            assert memory is not None
            assert memory.resident > 1 << 20
            assert tree._state(process.pid) in "RS"
            assert processes.born(process.pid)
        finally:
            process.kill()


def test_where_there_is_no_proc_another_library_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        def __init__(self, pid: int) -> None:
            if pid != 7:
                raise psutil.NoSuchProcess(pid)

        def children(self, recursive: bool) -> list[SimpleNamespace]:
            return [SimpleNamespace(pid=8), SimpleNamespace(pid=9)] if recursive else []

        def memory_info(self) -> SimpleNamespace:
            return SimpleNamespace(rss=4096)

        def cpu_times(self) -> SimpleNamespace:
            return SimpleNamespace(user=1.5, system=0.25)

    monkeypatch.setattr(tree, "_PROC", False)
    monkeypatch.setattr(tree.psutil, "Process", Process)
    assert (tree.descendants(7), tree.descendants(6)) == ([7, 8, 9], [])
    assert (tree.memory_of(7), tree.memory_of(6)) == ((4096, 4096, None, None, None), None)
    assert (tree.processor_seconds(7), tree.processor_seconds(6)) == (1.75, 0.0)


def test_what_a_process_holds_is_told_by_kind() -> None:
    held = bytearray(os.urandom(1)) * (32 << 20)
    mine = tree.memory_of(os.getpid())
    resident = psutil.Process().memory_info().rss
    assert mine is not None
    assert None not in mine
    assert abs(mine.resident - resident) < 8 << 20
    assert sum((mine.anonymous or 0, mine.file or 0, mine.shared or 0)) == mine.resident
    assert (mine.anonymous or 0) > len(held)
    assert mine.high_water >= mine.resident - (8 << 20)


def test_what_has_ended_holds_nothing_and_was_never_born() -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    assert tree.memory_of(process.pid) is None
    assert tree.born(process.pid) is None
    assert tree.descendants(process.pid) == []


def test_a_process_whose_name_is_no_text_is_seen_like_any_other() -> None:
    named = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'\\xf9\\xff) \\xf9'); print(flush=True); time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", named], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        memory = tree.memory_of(process.pid)
        assert memory is not None
        assert memory.resident > 0
        assert tree.born(process.pid) is not None
        assert tree._state(process.pid) in "RSD"
    finally:
        tree.kill_tree(process.pid, {})
    assert process.wait() == -signal.SIGKILL
