"""Runs ended in the middle: by kill -9, by a power cut, by a full or failing disk, by Ctrl-C.

Small shares of what `scripts/bench-crash` does in large. They need strace, as `scripts/test` installs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.crash import power
from tests.crash.faults import KINDS
from tests.crash.interrupts import MOMENTS, interrupted
from tests.crash.told import lost, results

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strace and /proc are Linux's")
TOP = Path(__file__).parent.parent


def program(*arguments: object) -> dict[str, Any]:
    """What a program of tests/crash prints; it forks, so it is one of its own."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_any_moment_the_same_command_finishes_and_nothing_is_lost_or_repeated(
    tmp_path: Path, seed: int
) -> None:
    shown = program("tests.crash.kills", tmp_path / "campaign", 15, seed)
    assert sum(shown["kills"].values()) >= 15
    assert shown["acks"] > 15
    for trouble in ("lost", "twice", "doubled", "odd", "left"):
        assert shown[trouble] == [], trouble


@pytest.mark.slow
@pytest.mark.timeout(900)  # 16 s alone; beside tests that read the disk anew it has taken 300
@pytest.mark.parametrize("variant", power.SOUND)
def test_after_a_power_cut_everything_acknowledged_is_there_and_whole(variant: str) -> None:
    found = power.tried(variant, most=600, draws=8)
    assert found.acks >= 10
    assert found.states > 30
    assert (found.losing, found.examples) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("variant", [v for v in power.VARIANTS if v not in power.SOUND])
def test_the_simulated_power_cut_has_teeth(variant: str) -> None:
    found = power.tried(variant, most=100, draws=2)
    assert found.losing > 0, f"{power.VARIANTS[variant]} was not noticed"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_fails_at_any_call_is_one_clear_sentence_and_nothing_is_lost(
    tmp_path: Path, kind: str
) -> None:
    shown = program("tests.crash.faults", tmp_path / "faults", kind, 45 if "-write" in kind else 12)
    assert shown["cases"] >= 1
    assert (shown["lost"], shown["odd"], shown["stuck"]) == ([], [], [])


@pytest.fixture
def may_mount(tmp_path: Path) -> None:
    command = ["mount", "-t", "tmpfs", "tmpfs", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only a privileged user can make a small disk; faults put in by strace need none")
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.usefixtures("may_mount")
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full-disk", "full-disk with ballast"])
def test_a_disk_that_is_full_at_any_stage_keeps_what_was_acknowledged(tmp_path: Path, kind: str) -> None:
    shown = program("tests.crash.faults", tmp_path / "faults", kind, 30)
    assert (shown["lost"], shown["odd"], shown["stuck"]) == ([], [], [])
    if "ballast" in kind:
        assert shown["saved_by_ballast"] > 0
        assert shown["refused"] <= 1  # with not one byte left, a store may not even be opened
    else:
        assert shown["refused"] > 1


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_at_any_moment_it_ends_and_leaves_nothing(moment: str, tmp_path: Path) -> None:
    """What was interrupted would last an hour; how soon it ends, `scripts/bench-crash` measures."""
    found = interrupted(moment, tmp_path)
    assert (found.code, found.left) == (130, [])
    assert found.said.startswith("harness: interrupted; ")
    assert found.kept == (1 if "prepared" in moment else 0)


def test_what_was_told_and_is_gone_is_noticed(tmp_path: Path) -> None:
    from tests.crash.told import Told

    acks: list[dict[str, Any]] = []

    class Here(Told):
        tell = staticmethod(acks.append)

    store = Here.open(tmp_path / "home")
    results(store)
    assert [ack["what"] for ack in acks].count("measured") == 3
    assert lost(store.folder, acks) == []
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM trials WHERE \"key\" LIKE '1/%/trial-0'")
    assert lost(store.folder, acks) == [f"instance 1 of run-{os.getpid()} is lost"]
