"""Hints on the board and on a candidate's page: what they say, that they are harmless and change no points."""

from __future__ import annotations

import csv
import io
import json

import pytest

from harness.analysis.standings import standings
from harness.cli.output import to_json
from harness.reports.assessment import (
    candidate,
    candidate_html,
    feedback,
    leaderboard,
    leaderboard_csv,
    leaderboard_html,
    likenesses,
)
from harness.reports.run import text
from harness.sheets import Compared, Likeness, Sheet, Unseen
from tests.fixtures import sheets as fixtures
from tests.fixtures.sheets import row

EVIL = "<script>alert(1)</script>\x1b[31m"
CODE = Likeness(
    candidate="ann",
    task="noisy-labels",
    kind="code",
    other="the public expert",
    public=True,
    share=0.93,
    other_share=0.88,
    places=(
        "solution.py:3-40 is like solution.py:5-44",
        "b.py:1 is like solution.py:9",
        f"{EVIL}:1 is like c.py:2",
        "d",
    ),
)
ERRORS = Likeness(
    candidate="ann",
    task="noisy-labels",
    kind="errors",
    other="the public expert",
    public=True,
    share=0.97,
    alike=104,
    possible=106,
    expected=48.8,
    chance=3e-70,
    usual=0.12,
)
BITS = CODE.model_copy(
    update={"kind": "bits", "task": "latency-budget", "alike": 390, "possible": 400, "usual": 0.05}
)
PAIR = CODE.model_copy(update={"candidate": "ben", "other": "cleo", "public": False})


def compared(*found: Likeness, unseen: tuple[Unseen, ...] = (), notes: tuple[str, ...] = ()) -> Compared:
    return Compared(
        key="k", compared_at="2026-02-03T09:00:00+00:00", likenesses=found, unseen=unseen, notes=notes
    )


def sheet(what: Compared | None) -> Sheet:
    cells = [one for name in ("ann", "ben", "cleo") for one in row(name, 70, 70, 70)]
    return Sheet(
        assessment=fixtures.assessment(), candidates=("ann", "ben", "cleo"), cells=tuple(cells), compared=what
    )


def board(what: Compared | None) -> str:
    return " ".join(text.to_text(leaderboard.render_text(sheet(what), standings(sheet(what))), 200).split())


def test_the_board_names_who_shares_what_with_lines_and_says_what_points_alone_say() -> None:
    shown = board(
        compared(CODE, ERRORS, BITS, PAIR, PAIR.model_copy(update={"candidate": "cleo", "other": "ben"}))
    )
    for words in (
        "hint: shares with the public expert (noisy-labels, latency-budget)",
        "Shares 93 % of its own code with the public expert, of whose code it holds 88 %.",
        "solution.py:3-40 is like solution.py:5-44; b.py:1 is like solution.py:9;",
        "and 1 more",
        "the same wrong answers as the public expert to 104 of 106 items",
        "48.8 by chance (the chance of so many is below 1e-12 if both err independently",
        "390 of 400 numbers",
        "never a verdict, and changes no points",
        likenesses.PUBLIC,
    ):
        assert words in shown, words
    assert shown.count("its own code with cleo") == 1
    assert shown.count("its own code with ben") == 0, "of two candidates one row says it"


def test_two_who_share_with_what_is_public_have_no_row_for_each_other() -> None:
    both = [CODE.model_copy(update={"candidate": name}) for name in ("ben", "cleo")]
    assert "code with cleo" not in board(compared(*both, PAIR))
    assert "code with cleo" in board(compared(both[0], PAIR)), "one of them does not"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (None, likenesses.NOT_YET),
        (compared(), "No likeness was found that says anything."),
        (compared(CODE.model_copy(update={"few": True})), "No likeness was found that says anything."),
        (compared(notes=("x: y",)), "1 note on what was left out"),
        (
            compared(unseen=(Unseen(candidate="ben", task="noisy-labels", what=("exec (a.py:2)", "b")),)),
            "Cannot be compared: exec (a.py:2); b.",
        ),
    ],
)
def test_where_nothing_is_alike_or_compared_that_is_said(what: Compared | None, words: str) -> None:
    shown = board(what)
    assert words in shown
    assert "hint: shares" not in shown
    assert likenesses.PUBLIC in shown


def test_no_points_are_changed_and_nobodys_rank() -> None:
    with_hints, without = sheet(compared(CODE, ERRORS)), sheet(None)
    assert standings(with_hints) == standings(without)


def test_the_evaluators_page_has_the_hints_with_all_lines_and_the_candidates_has_none() -> None:
    shown = candidate.page(sheet(compared(CODE, PAIR)), "ann")
    (hint,) = shown.tasks[1].hints
    assert hint.startswith("Shares 93 % of its own code")
    assert hint.endswith("is like c.py:2; d.")
    assert shown.tasks[0].hints == ()
    assert shown.caveats[-1] == likenesses.PUBLIC
    assert "? hint: Shares 93 %" in text.to_text(candidate.render_text(shown))
    page = candidate_html.render_html(sheet(compared(CODE)), "ann")
    assert "Hints to look at, never a verdict" in page
    own = feedback.feedback(sheet(compared(CODE)), "ann")
    assert "public expert" not in candidate_html.render_feedback(own)
    assert "Shares 93" not in to_json(own)


def test_hostile_names_of_files_are_text() -> None:
    shown = sheet(compared(CODE, unseen=(Unseen(candidate="ben", task="noisy-labels", what=(EVIL,)),)))
    for page in (
        leaderboard_html.render_html(shown, standings(shown)),
        candidate_html.render_html(shown, "ann"),
    ):
        assert "<script" not in page
        assert "\x1b" not in page
    assert "\x1b" not in board(shown.compared)


def test_csv_and_json_carry_them() -> None:
    shown = sheet(compared(CODE, ERRORS))
    lines = list(csv.DictReader(io.StringIO(leaderboard_csv.render_csv(shown, standings(shown)))))
    assert {line["candidate"]: line["hint"] for line in lines} == {
        "ann": "hint: shares with the public expert (noisy-labels)",
        "ben": "",
        "cleo": "",
    }
    summary = json.loads(to_json(leaderboard.summary(shown, standings(shown))))
    assert [one["kind"] for one in summary["compared"]["likenesses"]] == ["code", "errors"]


def test_the_docs_say_what_the_board_refers_to() -> None:
    from tests.fixtures.likenesses import ROOT

    page = (ROOT.parent / "docs" / "assessments.md").read_text("utf-8")
    assert "## What a score says" in page
    assert "(docs/assessments.md, What a score says)" in likenesses.PUBLIC
