"""How level `process` starts its workers: on which cores, in which group, forked or fresh; none is started here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import SandboxFailed
from harness.isolation import cgroups, process
from harness.isolation.base import Inherited, Launch, Launched, environment
from harness.isolation.process import RESIDUAL, ProcessLevel, cores_for
from harness.isolation.zygotes import ZygoteLost
from tests.isolation.doubles import FakePopen, FakeProcess, order


class FakeGroup:
    """A control group that notes what is done with it; it can hold its workers to cores, or not."""

    def __init__(self, confines: bool = True) -> None:
        self.confines = confines
        self.done: list[object] = []

    def confine(self, cores: list[int]) -> bool:
        self.done.append(("confine", cores))
        return self.confines

    def joining(self, command: list[str]) -> list[str]:
        return ["joined", *command]

    def take(self, pid: int) -> None:
        self.done.append(("take", pid))

    def remove(self) -> None:
        self.done.append("remove")


class Seen(ProcessLevel):
    """Notes how a worker was to be started, and starts none."""

    fault: Exception | None = None

    def _started(self, order: Launch, group: Any, held: bool, more: Mapping[str, Any]) -> Launched:
        self.seen = (order, group, held, more)
        if self.fault:
            raise self.fault
        with socket.socket() as sock:
            return Launched(process=FakeProcess(pid=77), sock=sock)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, list[int]]]:
    """A machine on which this process has the cores 8 and 1; the cores that processes are kept on are noted."""
    kept: list[tuple[int, list[int]]] = []
    monkeypatch.setattr(os, "sched_getaffinity", {0: {8, 1}}.__getitem__)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cores: kept.append((pid, cores)))
    return kept


def grouped(monkeypatch: pytest.MonkeyPatch, group: FakeGroup | None) -> None:
    monkeypatch.setattr(cgroups, "make", lambda: (group, "" if group else "none today"))


@pytest.mark.parametrize(("threads", "cores"), [(1, [8]), (2, []), (3, [])])
def test_workers_share_the_last_cores_where_there_is_a_choice(
    machine: list[Any], threads: int, cores: list[int]
) -> None:
    assert cores_for(threads) == cores


def test_where_cores_cannot_be_chosen_none_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "os", SimpleNamespace())
    assert cores_for(1) == []


@pytest.mark.parametrize("confines", [True, False])
@pytest.mark.parametrize(("threads", "cores", "held_to"), [(1, [8], [8]), (2, [], [1, 8])])
def test_a_group_holds_its_worker_to_its_cores_or_to_ours(
    machine: list[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    confines: bool,
    threads: int,
    cores: list[int],
    held_to: list[int],
) -> None:
    group = FakeGroup(confines)
    grouped(monkeypatch, group)
    level, asked_for = Seen(), order(tmp_path, threads=threads)
    launched = level.launch(asked_for)
    assert level.seen == (asked_for, group, confines, {})
    assert group.done == [("confine", held_to)]
    assert machine == ([(77, cores)] if cores else [])
    assert launched.no_cgroup == ""


def test_without_a_group_a_worker_is_not_held_and_the_reason_is_kept(
    machine: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped(monkeypatch, None)
    level = Seen()
    assert level.launch(order(tmp_path, threads=1)).no_cgroup == "none today"
    assert level.seen[1:3] == (None, False)
    assert machine == [(77, [8])]


def test_where_this_process_has_no_cores_to_name_the_group_holds_to_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = FakeGroup()
    grouped(monkeypatch, group)
    monkeypatch.setattr(process, "os", SimpleNamespace())
    level = Seen()
    level.launch(order(tmp_path))
    assert (level.seen[2], group.done) == (False, [])


@pytest.mark.parametrize("with_group", [True, False])
def test_a_worker_that_cannot_be_started_leaves_no_group(
    machine: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_group: bool
) -> None:
    group = FakeGroup() if with_group else None
    grouped(monkeypatch, group)
    level = Seen()
    level.fault = SandboxFailed("no memory")
    with pytest.raises(SandboxFailed, match="no memory"):
        level.launch(order(tmp_path))
    assert group is None or group.done[-1] == "remove"


class FakeZygote:
    """A zygote that forks a worker with the number 77, or is lost."""

    def __init__(self, stack: str = "pid 5") -> None:
        self.inherited = Inherited(3, 4, stack)
        self.process = FakeProcess(pid=5)
        self.lost = False
        self.closed = 0
        self.orders: list[tuple[Launch, Any]] = []

    def fork(self, order: Launch, more: Any) -> Any:
        if self.lost:
            raise ZygoteLost("it does not answer")
        self.orders.append((order, more))
        return SimpleNamespace(process=FakeProcess(pid=77), sock=None)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def zygotes(monkeypatch: pytest.MonkeyPatch) -> list[FakeZygote]:
    """The zygotes that were started; and no fresh interpreter can be."""
    made: list[FakeZygote] = []

    def start(order: Launch) -> FakeZygote:
        made.append(FakeZygote())
        return made[-1]

    monkeypatch.setattr(process, "Zygote", SimpleNamespace(start=start))
    monkeypatch.setattr(process, "possible", lambda: True)
    monkeypatch.setattr(process, "_executed", lambda order, group: "a fresh interpreter")
    return made


FORKED = {"threads": 64, "stack": ("numpy",)}


@pytest.fixture
def level() -> ProcessLevel:
    return ProcessLevel()


def started(level: ProcessLevel, wanted: Launch, group: Any = None) -> Any:
    return level._started(wanted, group, False, {})


def test_workers_of_one_stack_are_forked_from_one_zygote(
    zygotes: list[FakeZygote], level: ProcessLevel, tmp_path: Path
) -> None:
    wanted, group = order(tmp_path, **FORKED), FakeGroup()
    level.warm(wanted)
    level.warm(wanted)
    assert len(zygotes) == 1
    first, second = started(level, wanted, group), started(level, wanted)
    assert len(zygotes) == 1
    assert (first.pid, first.cgroup, first.inherited) == (77, group, Inherited(3, 4, "pid 5"))
    assert first.forked_from is zygotes[0].process
    assert group.done == [("take", 77)]
    assert second.cgroup is None
    assert zygotes[0].orders == [(wanted, None), (wanted, None)]
    started(level, order(tmp_path, threads=2, stack=("numpy",)))
    started(level, order(tmp_path, threads=64, stack=("json",)))
    assert len(zygotes) == 3
    level.close()
    assert [zygote.closed for zygote in zygotes] == [1, 1, 1]
    level.close()
    assert zygotes[0].closed == 1


def test_without_a_stack_nothing_is_warmed_or_forked(
    zygotes: list[FakeZygote], level: ProcessLevel, tmp_path: Path
) -> None:
    level.warm(order(tmp_path))
    assert started(level, order(tmp_path)) == "a fresh interpreter"
    assert zygotes == []


def test_where_forking_is_impossible_every_worker_is_fresh(
    zygotes: list[FakeZygote], level: ProcessLevel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "possible", lambda: False)
    assert started(level, order(tmp_path, **FORKED)) == "a fresh interpreter"
    assert zygotes == []


@pytest.mark.parametrize(("stack", "closed_at_once"), [("", 1), ("pid 5", 0)])
def test_a_lost_zygote_is_not_asked_again_and_lives_as_long_as_workers_of_it_may(
    zygotes: list[FakeZygote], level: ProcessLevel, tmp_path: Path, stack: str, closed_at_once: int
) -> None:
    wanted = order(tmp_path, **FORKED)
    level.warm(wanted)
    zygotes[0].inherited = Inherited(
        0, 0, stack
    )  # it says what it holds once it is ready, before the first fork
    zygotes[0].lost = True
    assert [started(level, wanted) for _ in range(2)] == ["a fresh interpreter"] * 2
    assert len(zygotes) == 1
    assert zygotes[0].closed == closed_at_once
    level.close()
    assert zygotes[0].closed == 1


@pytest.mark.parametrize("with_group", [True, False])
def test_a_fresh_interpreter_sees_no_path_descriptor_or_variable_of_ours(
    level: ProcessLevel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_group: bool
) -> None:
    monkeypatch.setattr(subprocess, "Popen", popen := FakePopen(78))
    wanted, group = order(tmp_path), FakeGroup() if with_group else None
    launched = started(level, wanted, group)
    launched.sock.close()
    (fd,) = popen.more["pass_fds"]
    fresh = [sys.executable, "-I", "-P", "-u", "-m", "harness.worker", str(fd)]
    assert popen.command == (["joined", *fresh] if with_group else fresh)
    assert (launched.pid, launched.cgroup) == (78, group)
    assert (popen.more["close_fds"], popen.more["start_new_session"]) == (True, True)
    assert (popen.more["cwd"], popen.more["env"]) == (wanted.scratch, environment(wanted))


def test_an_interpreter_that_cannot_be_started_leaves_no_socket_open(
    level: ProcessLevel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", popen := FakePopen(78, OSError(12, "Cannot allocate memory")))
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    with pytest.raises(
        SandboxFailed, match=r"could not be started: .*Cannot allocate memory; check free memory"
    ):
        started(level, order(tmp_path))
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(popen.more["pass_fds"][0])
    assert not before or set(os.listdir("/proc/self/fd")) <= before


def test_it_promises_nothing_and_says_what_it_does_not_stop(level: ProcessLevel) -> None:
    checked = level.check()
    assert (checked.promised, checked.reached, checked.residual) == ((), {}, RESIDUAL)
    assert level.official is False
