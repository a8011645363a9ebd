"""A candidate's page and the feedback: what they say, that they are harmless, and that nothing hidden leaks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.analysis.standings import standings
from harness.cli.output import to_json
from harness.errors import UsageError
from harness.records import Rung
from harness.reports.assessment import candidate, candidate_html, feedback, leaderboard_html
from harness.reports.run import text
from harness.sheets import Assessment, Cell, CellConstraint, Cut, Sheet, Suite, TaskInSuite
from tests.fixtures import sheets as fixtures
from tests.fixtures.chromium import Chromium
from tests.fixtures.sheets import cell, row
from tests.reports.test_browser import MEETING, OUTSIDE
from tests.reports.test_leaderboard import EVIL, hostile


def said(sheet: Sheet, who: str) -> str:
    return " ".join(text.to_text(candidate.render_text(candidate.page(sheet, who))).split())


def test_the_summary_says_points_place_and_ties() -> None:
    told = said(fixtures.sheet(), "cleo")
    assert "cleo reached 68 of 100 points over 3 tasks: on average 68 % of the way from the simplest" in told
    assert "Rank 2 of 5, shared with 1 other." in told
    assert "Against the cut at 60: pass" in told
    assert "profiling 64 60 to 68 2 tasks" in told
    assert "Measured on fewer" not in told


def test_strengths_and_weaknesses_come_from_the_measurements() -> None:
    told = said(fixtures.sheet(), "cleo")
    assert (
        "+ macro-F1 0.804 (0.700 to 0.850): between the references competent (0.788) and expert (0.836)."
        in told
    )
    assert (
        "+ Training time: 3.20 times, where at most 6.00 times the baseline reference's is allowed (53 % of"
        in told
    )
    broken = said(fixtures.sheet(), "fay")
    assert (
        "x Training time: 9.10 times, where at most 6.00 times the baseline reference's is allowed: not kept"
        in broken
    )
    assert "with 152 % of what is allowed" in broken
    assert (
        "fay is not ranked, because not every task counts: Learn from labels of which many are wrong"
        in broken
    )
    near = fixtures.constraint(value=5.8)
    assert candidate._constraint(near).endswith("close to the limit (97 % of what is allowed).")
    absent = fixtures.constraint(value=None, verdict="inconclusive")
    assert "could not be measured, so it is not judged" in candidate._constraint(absent)


def test_what_is_open_counts_neither_way_and_caveats_say_so() -> None:
    told = said(fixtures.sheet(), "gus")
    assert "It is no failure, and gives nothing for what was measured beyond a limit." in told
    assert "The readings do not decide it." in told
    assert "! Still open: Search documents by meaning." in told
    assert "Not scored yet." in said(fixtures.sheet(), "jo")


def test_caveats_name_what_to_doubt() -> None:
    cells = [
        c.model_copy(
            update={"stamp": "practice", "certified": False, "instances": ("i1",), "machine_id": c.task}
        )
        for c in row("ann", 70, 70, half=30)
    ]
    suite = fixtures.suite(60, fixtures.TASKS[:2])
    sheet = Sheet(assessment=fixtures.assessment(suite), candidates=("ann",), cells=tuple(cells))
    told = said(sheet, "ann")
    for words in (
        "Only 2 tasks",
        "rest on a single task",
        "Times not certified, good for orientation only",
        "no evidence for a decision",
        "fewer than 3 instances",
        "The interval is wide",
        "different machines",
        "The cut is provisional",
    ):
        assert words in told, words


def test_json_holds_the_standing_and_the_cells() -> None:
    found = json.loads(to_json(candidate.summary(fixtures.sheet(), "cleo")))
    assert (found["ranked"], found["standing"]["rank"], len(found["cells"])) == (True, 2, 3)
    assert {"asked", "told"} <= found["tasks"][0].keys()
    with pytest.raises(UsageError, match="there is no candidate 'zed' in core; there are ann, cleo"):
        candidate.summary(fixtures.sheet(), "zed")


def test_hostile_names_and_reasons_are_shown_as_text() -> None:
    for who in (EVIL, "ann"):
        for page in (
            candidate_html.render_html(hostile(), who),
            candidate_html.render_feedback(feedback.feedback(hostile(), who)),
        ):
            assert "<script" not in page
            assert "\x1b" not in page
            assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert "&lt;script&gt;" in candidate_html.render_html(hostile(), "ann")


@pytest.mark.parametrize(
    ("points", "told"),
    [
        (64.9, "about 60"),
        (65, "about 70"),
        (-3, "about 0"),
        (-22, "about −20"),
        (125, "about 120"),
        (85, "about 90"),
    ],
)
def test_feedback_rounds_to_the_nearest_ten(points: float, told: str) -> None:
    assert feedback.about(points) == told


def test_feedback_says_how_each_task_went() -> None:
    told = " ".join(text.to_text(feedback.render_text(feedback.feedback(fixtures.sheet(), "fay"))).split())
    assert "x Training time: not kept" in told
    assert "a constraint of the task was not kept, which gives no points" in told
    assert "+ Training time: kept, with room" in told
    assert "retrieval: about 80 (1 task)" in told
    gus = feedback.feedback(fixtures.sheet(), "gus")
    assert [line.words for line in gus.tasks[2].constraints] == ["kept, with room", "too close to call"]
    assert (gus.points, gus.tasks[2].points) == ("", "")
    assert feedback.feedback(fixtures.sheet(), "jo").tasks[1].words == "It was not scored yet."


CANARY = "CANARY"
# Names that are published with the task, and the candidate's own; every other text may be hidden or another's.
PUBLIC = {
    Cell: {"candidate", "task", "measure", "task_digest", "outcome", "direction", "stamp", "grade"},
    CellConstraint: {"name", "verdict", "bound"},
    Rung: {"tier", "outcome"},
    TaskInSuite: {"id", "title", "competencies"},
    Suite: {"name", "title"},
    Cut: {"method"},
    Assessment: {"variants", "stamp"},
}


def stuffed(record: object) -> dict[str, object]:
    """A canary for every text of a record that is not public, and one in each tuple of texts."""
    kind = type(record)
    update: dict[str, object] = {}
    for name in kind.model_fields:  # type: ignore[attr-defined]
        value = getattr(record, name)
        if name in PUBLIC[kind]:  # type: ignore[index]
            continue
        if isinstance(value, str):
            update[name] = f"{CANARY}-{kind.__name__}-{name}"
        elif isinstance(value, tuple) and all(isinstance(one, str) for one in value):
            update[name] = (f"{CANARY}-{kind.__name__}-{name}",) * 3
    return update


def secretive(outcome: str) -> Sheet:
    """A sheet with a canary wherever a text could carry hidden data, and numbers that would be recognised."""
    cut = Cut(points=61.37, method="angoff", set_by="x", standard_error=2.19)
    suite = fixtures.suite()
    tasks = tuple(task.model_copy(update=stuffed(task)) for task in suite.tasks)
    suite = suite.model_copy(
        update={"tasks": tasks, "cut": cut.model_copy(update=stuffed(cut)), **stuffed(suite)}
    )
    suite = suite.model_copy(update={"tasks": tasks})
    assessment = fixtures.assessment(suite)
    assessment = assessment.model_copy(update=stuffed(assessment))
    limit = fixtures.constraint(value=3.1927, low=3.1127, high=3.2527, threshold=6.1327)
    ladder = tuple(
        r.model_copy(update={"objective": 0.7817 + i / 1000, "points": 47.17 + i, **stuffed(r)})
        for i, r in enumerate(fixtures.LADDER)
    )
    cells = []
    for who in ("ann", f"{CANARY}-rival"):
        for task in suite.tasks:
            one = cell(
                who, task.id, 73.4137, 4.1717, value=0.81377, low=0.80177, high=0.82177, outcome=outcome
            )
            more = {
                "ladder": ladder,
                "constraints": (limit.model_copy(update=stuffed(limit)),),
                "wall_seconds": 187.31,
                "points_each": (71.1113, 73.2227, 75.3337),
                **stuffed(one),
            }
            cells.append(one.model_copy(update=more))
    return Sheet(assessment=assessment, candidates=("ann", f"{CANARY}-rival"), cells=tuple(cells))


def test_the_canaries_are_where_hidden_data_could_be() -> None:
    """Else the next test would prove nothing: each of these is seen by the evaluator's page or its JSON."""
    body = to_json(candidate.summary(secretive("ok"), "ann"))
    for where in (
        "Cell-reasons",
        "Cell-instances",
        "Cell-run_id",
        "Cell-submission_digest",
        "Cell-machine_id",
        "CellConstraint-words",
        "CellConstraint-reference",
        "Assessment-id",
        "Rung-reused_from",
    ):
        assert f"{CANARY}-{where}" in body, where


@pytest.mark.parametrize(
    "outcome", ["ok", "budget_exceeded", "crashed", "inconclusive", "harness_error", "not_attempted"]
)
def test_feedback_leaks_nothing(outcome: str) -> None:
    told = feedback.feedback(secretive(outcome), "ann")
    forms = (
        json.dumps(told.model_dump(mode="json")),
        text.to_text(feedback.render_text(told), width=300),
        candidate_html.render_feedback(told),
    )
    for body in forms:
        words = re.sub(r"<style>.*?</style>", "", body, flags=re.S)
        assert "ann" in words
        assert CANARY not in words
        for number in (
            "73.4",
            "0.81",
            "0.80",
            "0.82",
            "0.78",
            "71.1",
            "75.3",
            "3.19",
            "6.13",
            "47.1",
            "61.3",
            "2.19",
            "187.3",
            "69.2",
            "77.5",
        ):
            assert number not in words, number
        assert "rival" not in words
        assert "Rank" not in words


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium() as found:
        yield found


PAGES = {
    "leaderboard": lambda s: leaderboard_html.render_html(s, standings(s)),
    "candidate": lambda s: candidate_html.render_html(s, s.candidates[0]),
    "apart": lambda s: candidate_html.render_html(s, s.candidates[-1]),
    "feedback": lambda s: candidate_html.render_feedback(feedback.feedback(s, s.candidates[0])),
}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("sheet", [fixtures.sheet, hostile, lambda: fixtures.crowd(12, 9)])
def test_the_pages_fit_the_window_and_ask_for_nothing(
    name: str, sheet: object, browser: Chromium, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert callable(sheet)
    page.write_text(PAGES[name](sheet()), encoding="utf-8")
    for width, dark in ((1280, False), (1280, True), (390, False)):
        browser.open(page, width, dark=dark)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(OUTSIDE) == []
        assert browser.evaluate(MEETING) == []
        assert browser.requests() == [page.as_uri()]
        assert browser.complaints() == []
        assert browser.evaluate("document.scripts.length") == 0


@pytest.mark.timeout(120)
def test_a_filter_shows_its_view_alone(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGES["leaderboard"](fixtures.sheet()), encoding="utf-8")
    browser.open(page)
    views = "[...document.querySelectorAll('.view')].filter(v => v.offsetHeight)"
    seen = f"{views}.map(v => v.querySelector('h2').innerText)"
    assert browser.evaluate(seen) == ["All 3 tasks"]
    link = "[...document.querySelectorAll('.filters a')].find(a => a.innerText === %r).click()"
    browser.evaluate(link % "retrieval")
    assert browser.evaluate(seen) == ["Competency: retrieval"]
    assert browser.evaluate(OUTSIDE) == []
    browser.evaluate(link % "All 3 tasks")
    assert browser.evaluate(seen) == ["All 3 tasks"]
