"""The contract of an engine: every unit back once, lost processes tried again, interruptions that lose nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from harness.assessment.executors import work
from harness.assessment.executors.base import Executor, Unit, UnitDone
from harness.assessment.executors.cluster import RayExecutor
from harness.assessment.executors.local import Local
from harness.sheets import Cell
from harness.store.results import Store
from tests.conftest import TOYS

SUITE = (
    '[[tasks]]\nid = "toy-squares"\nprofile = "ci-smoke"\n[[tasks]]\nid = "toy-pairs"\nprofile = "ci-smoke"\n'
)
# Workers of candidates that begin before one waits for the gate: more than one unit has, fewer than all have.
BEFORE_THE_GATE = 4
GATED = """

class _Gated(Solution):
    def __init__(self, context):
        import os
        import time
        from pathlib import Path

        super().__init__(context)
        top = Path({top!r})
        (top / "begun" / str(os.getpid())).touch()
        while len(list((top / "begun").iterdir())) > {most} and not (top / "open").exists():
            (top / "waits").touch()
            time.sleep(0.01)


Solution = _Gated
"""
Make = Callable[[Path], Executor]
ENGINES: dict[str, Make] = {"local": lambda home: Local(home, jobs=2)}
engines = pytest.mark.parametrize("make", ENGINES.values(), ids=ENGINES)
# A cluster of this machine for each call; how it loses processes and nodes is told in test_cluster.py.
EVERY: dict[str, Make] = {**ENGINES, "ray": lambda home: RayExecutor(Store.open(home), work.do)}
every_engine = pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, id=name, marks=pytest.mark.slow if name == "ray" else ())
        for name, make in EVERY.items()
    ],
)


def unreadable(number: int, timed: bool = False) -> Unit:
    """A unit that costs nothing: its task is not there, which is our fault and comes back as a cell."""
    payload = {
        "candidate": f"c{number}",
        "task": "toy",
        "task_folder": "nowhere",
        "folder": "nowhere",
        "digest": "0",
        "profile": {},
        "root": "00",
        "assessment": "a",
    }
    return Unit(candidate=f"c{number}", task="toy", key=str(number), payload=json.dumps(payload), timed=timed)


@every_engine
def test_every_unit_comes_back_once_from_the_calling_thread(make: Make, tmp_path: Path) -> None:
    units = [unreadable(number, timed=number % 2 == 0) for number in range(6)]
    found: list[UnitDone] = []
    make(tmp_path / "home").run(units, found.append, lambda unit, event: None)
    assert Counter(done.unit.key for done in found) == Counter(unit.key for unit in units)
    for done in found:
        cell = Cell.model_validate_json(done.cell)
        assert (cell.candidate, cell.outcome) == (done.unit.candidate, "harness_error")
        assert "nowhere" in cell.reasons[0]


@engines
def test_a_unit_whose_process_dies_is_tried_again_and_then_ours(make: Make, tmp_path: Path) -> None:
    broken = Unit(candidate="anna", task="toy", key="x", payload="this is no JSON", timed=True)
    events: list[str] = []
    found: list[UnitDone] = []
    make(tmp_path / "home").run(
        [broken, unreadable(1)], found.append, lambda unit, event: events.append(event)
    )
    assert events.count("again") == 1
    cells = {done.unit.candidate: Cell.model_validate_json(done.cell) for done in found}
    assert cells.keys() == {"anna", "c1"}
    assert cells["anna"].outcome == "harness_error"
    assert "ended by status 1" in cells["anna"].reasons[0]


@every_engine
def test_an_interrupt_ends_what_runs(make: Make, tmp_path: Path) -> None:
    def kept(done: UnitDone) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "home").run([unreadable(n, True) for n in range(3)], kept, lambda unit, event: None)
    assert not [p for p in psutil.Process().children(recursive=True) if "slot" in " ".join(p.cmdline())]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Scores six units, of which one of the later waits, in the middle, until the file `open` is there."""
    (tmp_path / "toys.toml").write_text(SUITE)
    (tmp_path / "begun").mkdir()
    shutil.copytree(TOYS, tmp_path / "toys")
    for file in (tmp_path / "toys").glob("*/task.toml"):
        file.write_text(file.read_text().replace("start_seconds = 20", "start_seconds = 3600"))
    for alias, tier in (("anna", "competent"), ("bela", "expert"), ("cleo", "baseline")):
        for task in ("toy-squares", "toy-pairs"):
            folder = tmp_path / "handed" / alias / task
            shutil.copytree(TOYS / task / "reference_solutions" / tier, folder)
            with (folder / "solution.py").open("a") as solution:
                solution.write(GATED.format(top=str(tmp_path), most=BEFORE_THE_GATE))
    return [
        sys.executable,
        "-m",
        "harness",
        "score",
        str(tmp_path / "toys.toml"),
        str(tmp_path / "handed"),
        "--tasks",
        str(tmp_path / "toys"),
        "--json",
    ]


def _slots(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_cut_short_the_same_command_finishes_and_measures_nothing_twice(
    command: list[str], number: int, tmp_path: Path
) -> None:
    home = Path(os.environ["HARNESS_HOME"])
    # A shell starts background jobs with SIGINT ignored, and whoever runs the tests may be one.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=heed)
    end = time.monotonic() + 240
    while time.monotonic() < end and process.poll() is None and not (tmp_path / "waits").exists():
        time.sleep(0.02)
    children = _slots(process.pid)
    assert process.poll() is None, "it was over before it could be cut short"
    assert Store.open(home).trials_kept() >= 2  # in the middle: something is measured, not all
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert b"Traceback" not in said
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
    (tmp_path / "open").touch()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    sheet = json.loads(done.stdout)
    assert len(sheet["cells"]) == 6
    runs = Store.open(home).heads()
    asked = Counter((head.candidate, head.task) for head in runs)
    assert set(asked.values()) == {1}, asked
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert json.loads(again.stdout) == sheet
    assert len(Store.open(home).heads()) == 6


def test_parallel_slots_have_cores_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    units = [
        Unit(candidate=f"c{n}", task="toy", key=str(n), payload="", timed=False, threads=2, memory_bytes=1)
        for n in range(9)
    ]
    places = Local(tmp_path)._places(units)
    assert sorted(core for cores in places for core in cores) == list(range(8))
    assert {len(cores) for cores in places} == {2}
    assert len(Local(tmp_path, jobs=3)._places(units)) == 3
    huge = [Unit(candidate="c", task="toy", key="k", payload="", timed=False, memory_bytes=1 << 60)] * 4
    assert len(Local(tmp_path)._places(huge)) == 1
