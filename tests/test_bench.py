"""The benchmarks of the harness: every part runs with the least there is, and writes its section.

No time is asserted on; that figures are right is what the benchmarks themselves are for.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.inputs import tasks
from tests.bench import __main__ as bench
from tests.bench import aa, figures, saboteurs, startup
from tests.bench.running import BASELINE, SERVICE, slower

QUICK = ",".join(name for name in bench.PARTS if name != "startup")
pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the load is pinned to a core")


@pytest.fixture(scope="module")
def smallest(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """All parts but the start-up of a real task, measured once as briefly as can be."""
    folder = tmp_path_factory.mktemp("bench")
    raw, out = folder / "raw.json", folder / "page.md"
    assert bench.main(["--smallest", "--only", QUICK, "--raw", str(raw), "--out", str(out)]) == 0
    return json.loads(raw.read_text()), out.read_text()


@pytest.mark.slow
def test_every_part_has_its_section(smallest: tuple[dict[str, Any], str]) -> None:
    raw, page = smallest
    assert list(raw) == QUICK.split(",")
    for name in raw:
        part = bench.PARTS[name]
        rows = raw[name]["rows"]
        assert len(rows) == part.steps(bench.SMALLEST)
        section = page.split(f"## {part.TITLE}\n")[1].split("\n## ")[0]
        assert section.count("\n| ") >= 3
        assert "nan" not in section
        assert raw[name]["command"] in section


@pytest.mark.slow
def test_runs_are_real_and_their_verdicts_are_those_of_the_raw_seconds(
    smallest: tuple[dict[str, Any], str],
) -> None:
    raw, _ = smallest
    assert [row["loaded"] for row in raw["aa"]["rows"]] == [False, True]
    for row in raw["aa"]["rows"]:
        assert row["digits"] > 4
        sides = row["seconds"]
        assert [len(sides[side]) for side in sides] == [2, 2, 2]
        assert all(len(pair) == 8 for side in sides.values() for pair in side)
        told, found = row["constraints"]["latency"], aa.at_look(row, "candidate")
        assert (found.value, found.low, found.high) == pytest.approx(
            (told["value"], told["low"], told["high"])
        )
        copy, certificate = aa.at_look(row, "copy"), row["certificate"]
        assert (copy.low, copy.high) == pytest.approx((certificate["low"], certificate["high"]))


@pytest.mark.slow
def test_both_clocks_saw_the_same_calls(smallest: tuple[dict[str, Any], str]) -> None:
    for row in smallest[0]["truth"]["rows"]:
        assert len(row["clocks"]) == 2 * 3  # pairs by workers
        for worker in row["clocks"]:
            assert len(worker["parent"]) == len(worker["own"]) == len(worker["again"]) == 8
            assert all(ours > own > 0 for ours, own in zip(worker["parent"], worker["own"], strict=True))


@pytest.mark.slow
def test_saboteurs_that_answer_wrongly_are_noticed(smallest: tuple[dict[str, Any], str]) -> None:
    rows = {row["id"]: row for row in smallest[0]["sabotage"]["rows"]}
    assert set(rows) == set(saboteurs.BRIEF)
    assert "wrong answers" in saboteurs.noticed([rows["late-writer"]])
    assert not saboteurs.paid([rows["late-writer"]])
    assert {folder.name for folder in saboteurs.submissions()} >= set(saboteurs.BRIEF)


@pytest.mark.slow
def test_where_a_runs_time_goes_adds_up(smallest: tuple[dict[str, Any], str]) -> None:
    for row in smallest[0]["overhead"]["rows"]:
        assert all(seconds >= 0 for seconds in row["spent"].values())
        assert sum(row["spent"].values()) >= row["wall_seconds"]


@pytest.mark.slow
def test_start_up_is_told_of_a_real_task(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw.json", tmp_path / "page.md"
    assert bench.main(["--smallest", "--only", "startup", "--raw", str(raw), "--out", str(out)]) == 0
    rows = json.loads(raw.read_text())["startup"]["rows"]
    assert len(rows) == startup.steps(bench.SMALLEST)
    assert all(told["forked"] < told["fresh"] for told in rows[0]["starts"])
    assert "forked and forked" in out.read_text()


@pytest.mark.slow
def test_parts_measured_before_are_kept(smallest: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    raw, out = tmp_path / "raw.json", tmp_path / "page.md"
    raw.write_text(json.dumps({"truth": smallest[0]["truth"]}))
    assert bench.main(["--only", "", "--raw", str(raw), "--out", str(out)]) == 0
    assert "## The clock shows the truth" in out.read_text()
    later = bench.page.written(bench.PARTS, {"overhead": smallest[0]["overhead"]}, out.read_text())
    assert later.index("## The clock shows the truth") < later.index("## What measuring costs")
    assert later.split("## What")[0].rstrip() == out.read_text().rstrip()
    assert bench.main(["--only", "everything"]) == 2


def test_wilsons_interval() -> None:
    assert figures.wilson(0, 40) == pytest.approx((0.0, 0.0876), abs=1e-4)
    assert figures.wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Agresti and Coull 1998
    assert figures.wilson(0, 0) == (0.0, 1.0)
    assert figures.share([]) == "none run"


def test_spread_and_tables() -> None:
    assert figures.spread([1.0, math.e]) == pytest.approx(1 / math.sqrt(2))
    assert math.isnan(figures.spread([1.0]))
    assert figures.table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"


def test_a_slower_candidate_does_exactly_so_much_more() -> None:
    class Counted(np.ndarray):
        done = 0

        def __matmul__(self, other: object) -> Counted:
            Counted.done += 1
            return self

    names: dict[str, Any] = {}
    exec(slower(0.05)((BASELINE / "solution.py").read_text()), names)
    names["Solution"](None).answer(np.zeros((2, 2)).view(Counted), 200)
    assert Counted.done == 210


def test_the_benchmarks_task_is_a_whole_task() -> None:
    task = tasks.read(SERVICE)
    assert task.criteria.anchor() == "baseline"
    assert task.criteria.timed_measure() == "answer_p50"
