"""Every outcome of the closed list is provoked by a submission, or by a fault of ours made on purpose."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import psutil
import pytest

from harness.errors import SandboxFailed
from harness.isolation.base import Launched
from harness.isolation.process import ProcessLevel
from harness.records import Outcome
from harness.runs import prepare, runner
from harness.runs.order import Order
from harness.store.results import Store
from tests.conftest import HOSTILE, TOYS
from tests.hostility.attacks import every

EXPECTED = {attack.name: min(attack.expected("process")) for attack in every() if attack.plain}
MADE_HERE = {"implausible", "inconclusive", "sandbox_failed", "harness_error", "not_attempted"}
MADE_HERE |= {"rejected"}  # by a person, never by a run
COMPETENT = TOYS / "toy-squares" / "reference_solutions" / "competent"


def test_the_list_is_closed_and_complete() -> None:
    assert set(EXPECTED.values()) | {"ok"} | MADE_HERE == set(get_args(Outcome))


@pytest.mark.parametrize("name", EXPECTED)
def test_hostile(
    name: str, store: Store, toy_order: Callable[..., Order], changed_toy: Callable[[str, str], Path]
) -> None:
    """Only where time is what it is about can time end it: a busy machine makes everybody slow."""
    root = TOYS
    if EXPECTED[name] != "timeout":
        for limit in ("wall_seconds = 5\n", "wall_seconds = 2\n", "start_seconds = 20\n"):
            root = changed_toy(limit, limit.replace(" = ", " = 1"))
    if EXPECTED[name] == "budget_exceeded":  # a tenth of a second against next to nothing
        root = changed_toy("at_most = 20.0", "at_most = 2.0")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    run = runner.run(toy_order(HOSTILE / name, root), store)
    assert run.score is not None
    assert run.score.outcome == EXPECTED[name], (run.score.reasons, run.trials[0].detail)
    assert run.score.points == 0.0
    assert run.score.reasons[0].strip()
    left = {child.pid for child in psutil.Process().children(recursive=True)} - before
    assert not left


def test_a_traceback_is_trimmed_to_the_candidates_own_files(
    store: Store, toy_order: Callable[..., Order]
) -> None:
    trial = runner.run(toy_order(HOSTILE / "raises"), store).trials[0]
    assert "solution.py, line 8, in answer" in trial.detail
    assert "no idea what a square is" in trial.detail
    assert "harness" not in trial.detail
    assert "/tmp" not in trial.detail


def test_a_limit_kills_within_a_second(store: Store, toy_order: Callable[..., Order]) -> None:
    trial = runner.run(toy_order(HOSTILE / "prints-a-flood"), store).trials[0]
    assert trial.log_bytes < 200 * 2**20
    assert len(trial.log_head.encode()) <= 3 * 65536
    limit = 0.5 * 2**30
    peak = runner.run(toy_order(HOSTILE / "allocates-without-end"), store).trials[0].peak_host_bytes
    assert peak is not None
    assert limit < peak < 8 * limit


def test_a_child_that_left_its_session_is_killed_too(store: Store, toy_order: Callable[..., Order]) -> None:
    runner.run(toy_order(HOSTILE / "ignores-terminate"), store)
    ours = [p for p in psutil.process_iter(["cmdline"]) if "harness.worker" in (p.info["cmdline"] or [])]
    assert not [p for p in ours if p.ppid() in (1, os.getpid()) and p.status() != psutil.STATUS_ZOMBIE]


def test_implausible(
    store: Store, toy_order: Callable[..., Order], changed_toy: Callable[[str, str], Path]
) -> None:
    run = runner.run(toy_order(COMPETENT, changed_toy("high = 1e9", "high = 1.0")), store)
    assert run.score is not None
    assert (run.score.outcome, run.score.points) == ("implausible", 0.0)
    assert "no machine squares" in run.score.reasons[0]


def test_inconclusive_runs_more_instances_by_itself(
    store: Store, toy_order: Callable[..., Order], changed_toy: Callable[[str, str], Path]
) -> None:
    wide = (
        'measure = "start_seconds"\ncompare = "ratio"\nreference = "competent"\nmargin = 20.0\nat_most = 1.0'
    )
    root = changed_toy(
        'measure = "learn_bytes"\ncompare = "own_ratio"\nof = "room_bytes"\nat_most = 1.0', wide
    )
    run = runner.run(toy_order(COMPETENT, root), store)
    assert run.score is not None
    assert run.score.outcome == "inconclusive"
    assert {trial.number for trial in run.trials} == {0, 1}
    assert "too close to call" in run.score.reasons[0]


class _Broken(ProcessLevel):
    name = "broken"
    official = True

    def launch(self, order: object) -> Launched:
        raise SandboxFailed("the fence is down; mend the fence")


def test_sandbox_failed_is_ours_and_not_scored(
    store: Store, toy_order: Callable[..., Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepare, "level", lambda name: _Broken())
    run = runner.run(toy_order(COMPETENT), store)
    assert run.score is not None
    assert (run.score.outcome, run.score.points_uncapped) == ("sandbox_failed", None)


def test_a_failing_reference_is_our_fault(
    store: Store, toy_order: Callable[..., Order], changed_toy: Callable[[str, str], Path]
) -> None:
    root = changed_toy('version = "1"', 'version = "2"')
    expert = root / "toy-squares" / "reference_solutions" / "expert" / "solution.py"
    expert.write_text(
        "class Solution:\n    def __init__(self, context): raise ValueError('ours')\n" + _PHASES
    )
    run = runner.run(toy_order(COMPETENT, root), store)
    assert run.score is not None
    assert run.score.outcome == "harness_error"
    assert "the reference expert" in run.score.reasons[0]


_PHASES = "    def learn(self, numbers): return b''\n    def answer(self, numbers): return numbers\n"
