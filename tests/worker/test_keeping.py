"""A keeper outlives its worker and nothing outlives the keeper."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable

import pytest

from harness.worker import keeping
from tests.worker.forked import fork, forked, until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
FOR_EVER = 300.0  # of a process that is to be killed


def orphaned() -> None:
    """Leaves a process behind that has neither its parent nor its session any more."""
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(FOR_EVER)
        os._exit(0)
    os.waitpid(child, 0)


def kept(work: Callable[[], None]) -> int:
    """The pid of a keeper whose worker does `work`."""
    pid = fork()
    if pid == 0:
        try:
            keeper = os.getpid()
            keeping.keep_the_next()
            if os.getpid() != keeper:  # which must not come back
                work()
        finally:
            os._exit(99)
    return pid


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("status", [7, -signal.SIGKILL, -signal.SIGTERM])
def test_a_keeper_ends_as_its_worker_did_and_nothing_is_left(status: int) -> None:
    here, there = os.pipe()

    def work() -> None:
        orphaned()
        time.sleep(0.05)  # so that its keeper waits for it by then
        if status < 0:
            os.kill(os.getpid(), -status)
        os._exit(status)

    keeper = kept(work)
    os.close(there)
    until_gone(here)
    assert status_of(keeper) == status


def test_a_keeper_holds_nothing_open_and_ends_with_all_it_keeps_when_told_to() -> None:
    (closed, closing), (held, holding) = os.pipe(), os.pipe()

    def work() -> None:
        orphaned_holding = os.fork()
        os.close(closing)
        if orphaned_holding:
            time.sleep(FOR_EVER)
        orphaned()

    keeper = kept(work)
    os.close(closing)
    os.close(holding)
    until_gone(closed)  # though its worker and the keeper live
    assert os.waitpid(keeper, os.WNOHANG) == (0, 0)
    os.kill(keeper, signal.SIGTERM)
    until_gone(held)
    assert status_of(keeper) == 1


def test_a_keeper_ends_with_its_zygote() -> None:
    here, there = os.pipe()
    zygote = fork()
    if zygote == 0:

        def work() -> None:
            os.write(there, b"x")
            time.sleep(FOR_EVER)

        kept(work)
        time.sleep(FOR_EVER)
        os._exit(99)
    os.close(there)
    select.select([here], [], [], 10.0)
    assert os.read(here, 1) == b"x"
    os.kill(zygote, signal.SIGKILL)
    os.waitpid(zygote, 0)
    until_gone(here)


def test_whether_others_may_look_into_a_process_can_be_set() -> None:
    def looked() -> list[int]:
        seen = []
        for yes in (False, True, False):
            keeping.dumpable(yes)
            seen.append(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
        return seen

    assert forked(looked) == [0, 1, 0]


def test_all_below_a_process_is_killed_orphans_too() -> None:
    def killed() -> bool:
        keeping._ROUNDS = 3000
        keeping.adopt_orphans()
        here, there = os.pipe()
        orphaned()
        if os.fork() == 0:
            os.fork()
            time.sleep(FOR_EVER)
        os.close(there)
        keeping.kill_descendants()
        return select.select([here], [], [], 1.0)[0] != [] and os.read(here, 1) == b""

    assert forked(killed)


def test_a_worker_that_ended_is_waited_for() -> None:
    def reaped() -> list[int]:
        ends = os.fork()
        if ends == 0:
            os._exit(3)
        ended = keeping.reap(ends)
        left = os.fork()
        if left == 0:
            time.sleep(FOR_EVER)
        unknown = keeping.reap(1 << 22)  # no child of its own
        os.kill(left, signal.SIGTERM)
        return [ended, unknown, keeping.reap(left)]

    assert forked(reaped) == [3, -9, -15]
