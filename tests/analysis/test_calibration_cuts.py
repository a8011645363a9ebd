"""Cuts that people set, against numbers worked by hand; a cut is never made up where judges left a gap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.analysis.calibration import cuts
from harness.analysis.calibration.planner import plan
from harness.assessment.cuts import judges_cut, ratings_cut
from harness.errors import UsageError
from harness.sheets import Suite, TaskInSuite

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
        TaskInSuite(id="a", minutes=60, competencies=("x",)),
        TaskInSuite(id="b", minutes=60, competencies=("x",)),
        TaskInSuite(id="c", minutes=60, competencies=("y",)),
        TaskInSuite(id="d", minutes=30, competencies=("x",)),
    )
    asked, tells = Suite(name="s", title="S", tasks=tasks), np.array([5.0, 4.0, 1.0, 2.0])
    assert plan(asked, tells, 120) == ("a", "c")  # a and b tell more, but leave y out
    assert plan(asked, tells, 180) == ("a", "b", "c")
    assert plan(asked, tells, 50) == ()


def test_a_ratings_file_gives_the_line_at_the_borderline(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(
        "candidate,points,rating\n" + "".join(f"c{i},{10 + 15 * i},{i}\n" for i in range(1, 7)) + ""
    )
    found = ratings_cut(SUITE, file, 2.0)
    assert found.points == pytest.approx(40)
    assert found.method == "borderline regression"
    assert ratings_cut(SUITE, file, 3.0).points == pytest.approx(55)


def test_ratings_of_each_task_are_weighted_as_the_suite_is(tmp_path: Path) -> None:
    file = tmp_path / "ratings.csv"
    rng = np.random.default_rng(0)
    lines = [
        f"c{i},{task},{base + 10 * (i % 5) + rng.normal():.6f},{i % 5}"
        for i in range(40)
        for task, base in (("a", 20), ("b", 60))
    ]
    file.write_text("candidate,task,points,rating\n" + "\n".join(lines) + "\n")
    found = ratings_cut(SUITE, file, 2.0)
    assert found.points == pytest.approx((3 * 40 + 80) / 4, abs=1)
    assert found.standard_error is not None
    assert 0 < found.standard_error < 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("candidate,points,rating\nx,40,1\n", "five persons"),
        ("candidate,points,rating\nx,40\n", "line 2: no rating"),
        ("candidate,points,rating\nx,40,nan\n", "no finite number"),
        ("candidate,points,rating\nx,40,1\nx,41,2\n", "x is rated twice"),
        ("candidate,points,rating\nx,900,1\n", "not between"),
        ("candidate,task,points,rating\n" + "".join(f"c{i},a,{i},{i}\n" for i in range(6)), "b needs five"),
    ],
)
def test_a_ratings_file_with_a_gap_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        ratings_cut(SUITE, file, 2.0)


def test_one_command_sets_one_cut() -> None:
    from harness.cli.calibrate import _cut

    assert _cut(SUITE, None, None, None, None) is None
    by_hand = _cut(SUITE, 40.0, None, None, None)
    assert by_hand is not None
    assert (by_hand.points, by_hand.method) == (40.0, "set by hand")
    with pytest.raises(UsageError, match="one of them"):
        _cut(SUITE, 40.0, Path("x.csv"), None, None)
    with pytest.raises(UsageError, match="--borderline only goes with"):
        _cut(SUITE, None, None, None, 3.0)
    with pytest.raises(UsageError, match="not between"):
        _cut(SUITE, 400.0, None, None, None)


def bootstrapped(tables: list[tuple[float, list[tuple[float, float] | None]]], at: float, seed: int) -> float:
    """The standard error again, by numpy's own line: weight -> (rating, points) of each person, None if unrated."""
    rng, people, drawn = np.random.default_rng(seed), len(tables[0][1]), []
    for _ in range(500):
        taken = rng.integers(0, people, people)
        samples = [(w, [own for n in taken if (own := table[n]) is not None]) for w, table in tables]
        if all(len({rating for rating, _ in sample}) > 1 for _, sample in samples):
            lines = [(w, np.polynomial.Polynomial.fit(*zip(*s, strict=True), 1)) for w, s in samples]
            drawn.append(sum(w * line(at) for w, line in lines))
    return float(np.std(drawn) * (len(drawn) / (len(drawn) - 1)) ** 0.5)


RATED = {"vera": (1.0, 20.0), "wim": (2.0, 35.0), "xia": (3.0, 70.0), "yan": (3.0, 55.0), "zoe": (4.0, 90.0)}


@pytest.mark.parametrize("seed", [0, 7])
def test_the_standard_error_of_a_borderline_is_of_persons_drawn_again(seed: int) -> None:
    ratings, points = ({name: own[i] for name, own in RATED.items()} for i in (0, 1))
    found = cuts.borderline(ratings, points, 2.5, seed)
    people = [RATED[name] for name in sorted(RATED)]
    assert found.points == pytest.approx(float(np.polyval(np.polyfit(*zip(*people, strict=True), 1), 2.5)))
    assert found.standard_error == pytest.approx(bootstrapped([(1.0, list(people))], 2.5, seed), rel=1e-9)
    turned = dict(reversed(ratings.items()))
    assert cuts.borderline(turned, points, 2.5, seed) == found, "whatever order they are named in"


def test_on_tasks_the_same_persons_are_drawn_on_each_and_in_one_order() -> None:
    # eight persons, of whom two did one task only; a set of their names has another order in each process
    names = sorted(["tom", "uma", *RATED, "ada"])
    rng = np.random.default_rng(1)
    rated = {
        task: {
            name: (float(n % 4), float(20 * (n % 4) + 10 * rng.normal()))
            for n, name in enumerate(names)
            if name != left
        }
        for task, left in (("a", "ada"), ("b", "zoe"))
    }
    found = cuts.borderline_of_tasks(SUITE, rated)
    tables = [(w, [rated[task].get(name) for name in names]) for task, w in (("a", 0.75), ("b", 0.25))]
    assert found.standard_error == pytest.approx(bootstrapped(tables, 2.0, 0), rel=1e-9)
    assert found.standard_error == pytest.approx(
        cuts.borderline_of_tasks(
            SUITE, {task: dict(reversed(own.items())) for task, own in rated.items()}
        ).standard_error
    )
    assert found.standard_error != cuts.borderline_of_tasks(SUITE, rated, seed=1).standard_error


def test_two_ratings_are_enough_and_draws_with_one_of_them_are_left_out() -> None:
    # one of five was rated otherwise: a third of the draws miss that person, and have no line
    ratings = {"v": 1.0, "w": 1.0, "x": 1.0, "y": 1.0, "z": 3.0}
    points = {"v": 10.0, "w": 20.0, "x": 30.0, "y": 40.0, "z": 75.0}
    whole = cuts.borderline(ratings, points)
    assert whole.points == pytest.approx(50.0)  # half way between the means 25 and 75
    assert whole.standard_error is not None
    assert np.isfinite(whole.standard_error)
    rated = {task: {name: (ratings[name], points[name]) for name in ratings} for task in ("a", "b")}
    by_task = cuts.borderline_of_tasks(SUITE, rated)
    assert by_task.points == pytest.approx(50.0)
    assert by_task.standard_error == pytest.approx(whole.standard_error)


@pytest.mark.parametrize(
    ("ratings", "people"),
    [
        ((1.0, 3.0), 2),  # two ratings, but of two persons
        ((1.0, 2.0, 3.0, 4.0), 4),
        ((2.0, 2.0, 2.0, 2.0, 2.0), 5),  # five persons, but one rating
    ],
)
def test_too_few_persons_and_too_few_ratings_are_refused_each_alone(
    ratings: tuple[float, ...], people: int
) -> None:
    by_name = {f"p{n}": rating for n, rating in enumerate(ratings)}
    points = {name: 10.0 * n for n, name in enumerate(by_name)}
    with pytest.raises(ValueError, match=f"there are {people}"):
        cuts.borderline(by_name, points)
    own = {name: (rating, points[name]) for name, rating in by_name.items()}
    with pytest.raises(ValueError, match=f"it has {people}"):
        cuts.borderline_of_tasks(SUITE, {"a": own, "b": own})


def test_who_is_rated_and_has_no_points_is_left_out_and_the_other_way_round() -> None:
    ratings, points = ({name: own[i] for name, own in RATED.items()} for i in (0, 1))
    more = cuts.borderline({**ratings, "unscored": 4.0}, {**points, "unrated": 0.0})
    assert more == cuts.borderline(ratings, points)
    assert more.set_by == "reviewers of 5 persons"


def test_one_judge_is_too_few_and_two_are_enough() -> None:
    with pytest.raises(ValueError, match="there is 1"):
        cuts.angoff(SUITE, {"x": {"a": 40, "b": 60}})
    with pytest.raises(ValueError, match="there is 0"):
        cuts.angoff(SUITE, {})
    assert cuts.angoff(SUITE, {"x": {"a": 40, "b": 40}, "y": {"a": 40, "b": 40}}).standard_error == 0.0
