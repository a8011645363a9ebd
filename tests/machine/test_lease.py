"""Leases: shared beside shared, alone against all, and never through a link."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.grading.criteria import Criteria, Objective
from harness.machine import lease

HOLD = (
    "import sys\nfrom harness.machine import lease\n"
    "with lease.machine(sys.argv[1] == 'alone', what='anna on toy'):\n"
    "    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.mark.parametrize("theirs", ["alone", "shared"])
@pytest.mark.parametrize("ours", ["alone", "shared"])
def test_only_shared_leases_stand_beside_each_other(
    theirs: str, ours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, theirs], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    notes: list[str] = []

    def lets_go(seconds: float) -> None:
        holder.communicate()

    monkeypatch.setattr(lease.time, "sleep", lets_go)
    with lease.machine(ours == "alone", notes.append):
        pass
    holder.communicate()
    if theirs == ours == "shared":
        assert notes == []
    else:
        (note,) = notes
        assert "waiting for the machine" in note
        assert (f"process {holder.pid} measures anna on toy" in note) == (theirs == "alone")


def test_a_killed_holder_holds_nothing() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, "alone"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.communicate()
    notes: list[str] = []
    with lease.machine(True, notes.append):
        assert notes == []


def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("kept")
    place = Path(os.environ["HARNESS_LOCKS"])
    place.mkdir()
    (place / "ml-skills-harness-machine.lock").symlink_to(target)
    with pytest.raises(HarnessError, match="cannot be opened"), lease.machine(True):
        pass
    assert target.read_text() == "kept"


def test_each_gpu_has_a_lock_of_its_own() -> None:
    with lease.gpu(0), lease.gpu(1):
        assert len(list(Path(os.environ["HARNESS_LOCKS"]).iterdir())) == 2


@pytest.mark.parametrize(("measure", "waits"), [("search_p50", True), ("accuracy", False)])
def test_what_a_clock_decides_is_measured_alone(
    measure: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, "shared"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    holder.stdout.readline()
    notes: list[str] = []

    def lets_go(seconds: float) -> None:
        holder.communicate()

    monkeypatch.setattr(lease.time, "sleep", lets_go)
    criteria = Criteria(objective=Objective(measure=measure))
    with lease.measuring(criteria.is_timed(), "cpu", notes.append, "run toy"):
        pass
    holder.communicate()
    assert bool(notes) == waits


INSTANCES = (
    "import sys\nfrom harness.machine import lease\n"
    "with lease.instances(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"
)


@pytest.mark.parametrize(("theirs", "waited"), [("ab" * 32, True), ("ab" * 7 + "ff" * 25, False)])
def test_instances_are_held_by_one_process_and_others_stand_beside(
    theirs: str, waited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", INSTANCES, theirs], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    waits: list[float] = []

    def lets_go(seconds: float) -> None:
        waits.append(seconds)
        holder.communicate()

    monkeypatch.setattr(lease.time, "sleep", lets_go)
    notes: list[str] = []
    with lease.instances("ab" * 32, notes.append):
        pass
    holder.communicate()
    assert bool(waits) == waited
    assert [note.startswith("waiting for another command here") for note in notes] == [True] * waited
