"""How the doctor judges a machine: its words on made figures, and a real measurement beside a spinner."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.errors import Fault
from harness.inputs.profiles import Profile
from harness.machine import counters
from harness.measures.conditions import grade_machine
from harness.readings import Counters
from harness.runs import doctor
from harness.runs.doctor import Finding, judge
from harness.trials import session, steadiness
from harness.trials.steadiness import Busy, Steadiness

CALM = Counters(
    seconds=6.0,
    cpu_seconds=2.0,
    wait_seconds=0.01,
    steal_share=0.0,
    pressure_cpu_share=0.02,
    pressure_memory_share=0.0,
    mhz_low=3000,
    mhz_high=3000,
)
STEADY = Steadiness(
    ratios=(1.001, 0.999),
    spread=0.0014,
    seconds=0.008,
    requests=300,
    condition=grade_machine([CALM]),
    throttled=None,
    busy=(),
)


def findings(**changes: Any) -> dict[str, Finding]:
    return {finding.name: finding for finding in judge(replace(STEADY, **changes))}


def test_a_calm_machine_has_nothing_to_mend() -> None:
    found = findings(throttled=0)
    assert {finding.state for finding in found.values()} == {"ok"}
    assert found.keys() == {"steadiness", "grade", "other programs", "heat"}
    assert "1.000x, 0.1% between 2 pairs, 8.0 ms" in found["steadiness"].words
    assert found["grade"].words.startswith("A. The machine was quiet")
    assert "heat" not in findings()


def test_each_fault_is_named_with_its_mend() -> None:
    loaded = grade_machine([CALM.model_copy(update={"wait_seconds": 1.0, "steal_share": 0.05})])
    found = findings(condition=loaded, throttled=4, busy=(Busy(12, "chrome", 0.876),))
    assert found["grade"].state == "note"
    assert found["grade"].words.startswith("C. Other work took the core")
    assert "steal" in found["grade"].words
    assert "chrome (12) 88% of a core; stop them" in found["other programs"].words
    assert "slowed 4 times" in found["heat"].words
    found = findings(condition=loaded)
    assert "short-lived" in found["other programs"].words


@pytest.mark.parametrize(("ratios", "spread"), [((1.05, 1.04), 0.007), ((1.1, 0.9), 0.14)])
def test_equal_programs_that_look_unequal_are_worth_a_word(ratios: tuple[float, ...], spread: float) -> None:
    found = findings(ratios=ratios, spread=spread)["steadiness"]
    assert found.state == "note"
    assert "look unequal" in found.words


def test_only_so_many_programs_are_named() -> None:
    words = findings(busy=tuple(Busy(n, "job", 0.5) for n in range(7)))["other programs"].words
    assert words.count("job") == doctor.NAMED
    assert "and 3 more" in words


@pytest.mark.parametrize(
    ("governors", "state", "word"),
    [
        ((), "ok", "not told"),
        (("performance", "performance"), "ok", "performance"),
        (("powersave", "performance"), "note", "performance, powersave; sudo cpupower"),
    ],
)
def test_the_governor(tmp_path: Path, governors: tuple[str, ...], state: str, word: str) -> None:
    for core, governor in enumerate(governors):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{core}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{governor}\n")
    found = doctor._governor(tmp_path)
    assert found.state == state
    assert word in found.words


@pytest.mark.parametrize(
    ("cores", "limit", "threads", "state", "word"),
    [
        (4, None, 1, "ok", "4 may be used;"),
        (4, "max 100000", 1, "ok", "4 may be used;"),
        (4, "250000 100000", 1, "ok", "2.5 cores' time"),
        (4, "100000 100000", 1, "note", "give it two"),
        (1, None, 1, "note", "give it two"),
        (4, None, 4, "note", "use fewer threads"),
    ],
)
def test_the_cores_and_what_is_asked_of_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cores: int,
    limit: str | None,
    threads: int,
    state: str,
    word: str,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    monkeypatch.setattr(doctor.profiles, "names", lambda: ["mine"])
    monkeypatch.setattr(
        doctor.profiles, "read", lambda name: Profile(name=name, size="s", threads=threads, device="cpu")
    )
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    if limit is not None:
        (tmp_path / "sys/fs/cgroup/cpu.max").write_text(f"{limit}\n")
    found = doctor._cores(tmp_path)
    assert found.state == state
    assert word in found.words


def test_quick_measures_nothing_and_a_worker_that_fails_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> Steadiness:
        raise Fault("crashed", "the worker was killed by signal 9")

    monkeypatch.setattr(steadiness, "measure", fails)
    told: list[str] = []
    assert doctor.examine(told.append, quick=True).steadiness is None
    found = doctor.examine(told.append)
    assert (found.steadiness, found.ready) == (None, False)
    assert "signal 9" in found.findings[-1].words


linux = pytest.mark.skipif(
    not Path("/proc/self/schedstat").is_file() or not hasattr(os, "sched_setaffinity"),
    reason="needs Linux with schedstat",
)


@pytest.fixture
def spinners() -> Iterator[set[int]]:
    """The numbers of processes that never rest, two on each core: whichever core a worker gets is busy."""
    processes = []
    for core in sorted(os.sched_getaffinity(0)) * 2:
        processes.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        os.sched_setaffinity(processes[-1].pid, {core})
    yield {process.pid for process in processes}
    for process in processes:
        process.kill()
        process.wait()


@linux
def test_a_loaded_machine_gets_no_a_and_the_culprit_is_named(
    spinners: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Started by this very process, the spinners would pass for ours.
    monkeypatch.setattr(counters, "tree", lambda pids, root=Path("/"): list(pids))
    for _ in range(3):  # who waits for whom is the scheduler's choice, and other tests run beside it
        told: list[str] = []
        found = steadiness.measure(told.append, 2, 1.5)
        assert len(found.ratios) == len(told) == 2
        if "other work took the core" in " ".join(found.condition.words):
            break
    # B or C: who has slept, as a worker between its requests, is let in first for some milliseconds, and on a
    # fast machine that is nearly a whole request.
    assert found.condition.grade != "A"
    assert "other work took the core" in found.condition.words[0]
    busy = {process.pid for process in found.busy}
    assert spinners & busy
    words = " ".join(finding.words for finding in judge(found))
    assert any(f"({pid})" in words for pid in busy)  # the busiest: another test's process may be busier


def test_a_measurement_leaves_no_worker_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[session.Session] = []
    begin = session.start

    def start(*arguments: Any) -> session.Session:
        started.append(begin(*arguments))
        return started[-1]

    monkeypatch.setattr(session, "start", start)
    found = steadiness.measure(lambda text: None, 1, 0.1)
    assert found.requests >= steadiness.LEAST_REQUESTS
    assert found.ratio > 0
    assert found.spread == 0.0
    assert len(started) == 2
    assert all(worker.ended and not worker.home.exists() for worker in started)
    calls: list[int] = []

    def breaks(self: session.Session, *_: object) -> Any:
        calls.append(1)
        raise Fault("crashed", "gone")

    monkeypatch.setattr(session.Session, "call", breaks)
    with pytest.raises(Fault, match="gone"):
        steadiness.measure(lambda text: None, 1, 0.1)
    assert all(worker.ended and not worker.home.exists() for worker in started)
