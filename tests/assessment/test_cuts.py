"""Cuts that people set in files or by hand: the scale's ends belong to it, and what is wrong is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.assessment.cuts import by_hand, judges_cut, ratings_cut
from harness.errors import UsageError
from harness.sheets import Cut, Suite, TaskInSuite

ONE = Suite(name="one", title="One", tasks=(TaskInSuite(id="a"),))


@pytest.mark.parametrize("points", [-25.0, 0.0, 125.0])
def test_a_cut_by_hand_is_anywhere_on_the_scale(points: float) -> None:
    assert by_hand(points) == Cut(points=points, method="set by hand", set_by="the command line")


@pytest.mark.parametrize("points", [-25.5, 125.5, float("nan"), float("inf")])
def test_a_cut_off_the_scale_is_refused(points: float) -> None:
    with pytest.raises(UsageError, match=r"--cut .* is not between -25 and 125 points"):
        by_hand(points)


def test_judges_may_expect_the_ends_of_the_scale(tmp_path: Path) -> None:
    file = tmp_path / "judges.csv"
    file.write_text("judge,task,points,remark\nx,a, -25 ,low\ny,a,125,high\n")
    assert judges_cut(ONE, file).points == 50.0


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("x,a,-25.5", "line 2: -25.5 points are not between -25 and 125"),
        ("x,a,125.5", "line 2: 125.5 points are not between -25 and 125"),
        ("x,a,-inf", "line 2: points '-inf' is no finite number"),
        ("x,a,-1e9", "line 2: points '-1e9' is no finite number"),
        ("x,a,nan", "line 2: points 'nan' is no finite number"),
        ("x,a,40\ny,,40", "line 3: no task; the columns are judge,task,points"),
        ("x,a,40,more\ny,a", "line 3: no points"),
    ],
)
def test_what_is_wrong_in_a_judges_file_is_named_by_its_line(tmp_path: Path, lines: str, words: str) -> None:
    file = tmp_path / "judges.csv"
    file.write_text(f"judge,task,points\n{lines}\n")
    with pytest.raises(UsageError, match=words):
        judges_cut(ONE, file)


def test_a_file_that_is_not_there_or_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"judge,task,points\n\xff\xfe\n")
    for name in ("absent.csv", "binary.csv"):
        with pytest.raises(UsageError, match=f"{name} cannot be read as a CSV"):
            judges_cut(ONE, tmp_path / name)
        with pytest.raises(UsageError, match=f"{name} cannot be read as a CSV"):
            ratings_cut(ONE, tmp_path / name, 2.0)


def test_a_ratings_file_without_a_line_has_too_few_persons(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("candidate,points,rating\n")
    with pytest.raises(UsageError, match="five persons"):
        ratings_cut(ONE, file, 2.0)
