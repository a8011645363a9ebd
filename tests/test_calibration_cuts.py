"""Cuts that people set, against numbers worked by hand; a cut is never made up where judges left a gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.assessments import Suite, TaskInSuite
from harness.calibrating import judges_cut
from harness.calibration import cuts
from harness.calibration.planner import plan
from harness.errors import UsageError

SUITE = Suite(name="two", title="Two", tasks=(TaskInSuite(id="a", weight=3.0), TaskInSuite(id="b")))


def test_angoff_by_hand() -> None:
    found = cuts.angoff(SUITE, {"x": {"a": 40, "b": 60}, "y": {"a": 50, "b": 70}})
    assert found.points == pytest.approx(50)  # (3*40+60)/4 = 45 and (3*50+70)/4 = 55
    assert found.standard_error == pytest.approx(50**0.5 / 2**0.5)
    assert found.method == "angoff"


def test_borderline_regression_by_hand() -> None:
    ratings, points = (
        {c: float(i) for i, c in enumerate("vwxyz", 1)},
        {c: 10.0 + 20 * i for i, c in enumerate("vwxyz", 1)},
    )
    found = cuts.borderline(ratings, points)
    assert found.points == pytest.approx(50)
    assert found.standard_error == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="five persons"):
        cuts.borderline({"v": 1.0}, points)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("judge,task,points\nx,a,40\n", "two judges"),
        ("judge,task,points\nx,a,40\nx,b,1\ny,a,3\n", "said nothing of b"),
        ("judge,task,points\nx,a,many\n", "line 2"),
        ("judge,task,points\nx,a,900\n", "not between"),
    ],
)
def test_a_judges_file_with_a_gap_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "judges.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        judges_cut(SUITE, file)


def test_a_judges_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "judges.csv"
    file.write_text("judge,task,points\nx,a,40\nx,b,60\ny,a,50\ny,b,70\n")
    assert judges_cut(SUITE, file).points == pytest.approx(50)


def test_the_planner_takes_what_tells_most_within_the_minutes_and_covers_everything() -> None:
    tasks = (
        TaskInSuite(id="a", minutes=60, competencies=("x",)), TaskInSuite(id="b", minutes=60, competencies=("x",)),
        TaskInSuite(id="c", minutes=60, competencies=("y",)), TaskInSuite(id="d", minutes=30, competencies=("x",)),
    )  # fmt: skip
    asked, tells = Suite(name="s", title="S", tasks=tasks), np.array([5.0, 4.0, 1.0, 2.0])
    assert plan(asked, tells, 120) == ("a", "c")  # a and b tell more, but leave y out
    assert plan(asked, tells, 180) == ("a", "b", "c")
    assert plan(asked, tells, 50) == ()
