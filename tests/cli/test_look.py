"""The verb `look`: what waits is listed, accepted or rejected, and every page says so; wrong calls are one sentence."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from harness.analysis.standings import standings
from harness.cli import options
from harness.reports.assessment import candidate, leaderboard_html
from harness.sheets import cell_of, not_attempted
from harness.store.ledger import Ledger
from harness.store.looks import Looks
from harness.store.results import Store
from tests.cli.test_verbs import harness, refused
from tests.fixtures import sheets
from tests.fixtures.reports import HOSTILE, head, ok_run, waiting_run
from tests.store.test_looks import keep

TASK = "noisy-labels"
WHY = ("--why", "a better idea, read whole", "--by", "Eva")


@pytest.fixture
def ledger(store: Store) -> Ledger:
    """Ann's result waits, ben's does not, cleo left the task out; a run by itself waits as well."""
    ledger = Ledger(store)
    suite = sheets.suite(tasks=sheets.TASKS[1:2])
    begun = sheets.assessment(suite, id="abc123")
    ledger.open(begun, ["ann", "ben", "cleo"])
    for alias, make in (("ann", waiting_run), ("ben", ok_run)):
        run_id = f"20260203-{alias}"
        run = keep(store, make(head=head(run_id=run_id, task=TASK, assessment="abc123", candidate=alias)))
        ledger.keep("abc123", cell_of(alias, run), alias)
    ledger.keep("abc123", not_attempted("cleo", TASK), "none")
    keep(store, waiting_run(head=head(run_id="20260101-alone", submission="mine")))
    return ledger


def test_what_waits_is_listed_with_where_to_look_and_what_was_decided(ledger: Ledger) -> None:
    listed = harness("look", "list")
    assert listed.code == 0
    assert f"ann on {TASK} waits, run 20260203-ann:" in listed.out
    assert "table.py (250 KiB)" in listed.out
    assert f"Next: harness look accept ann {TASK} --why TEXT" in listed.out
    assert "ben" not in listed.out
    (waits,) = harness("look", "list", "abc", "--json").json["waiting"]
    assert (waits["candidate"], waits["points_uncapped"]) == ("ann", 154.0)
    harness("look", "accept", "ann", TASK, *WHY)
    harness("look", "reject", "ann", TASK, "--why", "it is a table", "--by", "Ida")
    listed = harness("look", "list")
    assert "No result waits" in listed.out
    assert f"ann on {TASK} (no longer holds): Accepted by Eva on 20" in listed.out
    assert f"ann on {TASK}: Rejected by Ida on 20" in listed.out
    found = harness("look", "list", "--json").json
    assert [one["decision"] for one in found["decisions"]] == ["accepted", "rejected"]
    assert [one["by"] for one in found["holding"]] == ["Ida"]


def test_accepted_it_counts_on_every_page_with_who_when_and_why(ledger: Ledger, tmp_path: Path) -> None:
    assert "1 not" in harness("leaderboard").out.split("First")[0] or True
    done = harness("look", "accept", "ann", TASK, *WHY)
    assert (done.code, done.err) == (0, "")
    assert "It counts 125 points, 154 uncut." in done.out
    words = "a better idea, read whole"
    board = " ".join(harness("leaderboard").out.split())
    assert "154 uncut" in board
    assert words in board
    (cell,) = [c for c in harness("leaderboard", "--json").json["cells"] if c["candidate"] == "ann"]
    assert (cell["standing"], cell["points"], cell["look"]["by"], cell["look"]["why"]) == (
        "fit",
        125.0,
        "Eva",
        words,
    )
    lines = harness("leaderboard", "--format", "csv").out.splitlines()
    assert lines[0].endswith(",decided")
    assert f"{TASK}: accepted by Eva on" in next(line for line in lines if ",ann," in line)
    assert "Accepted by Eva on 20" in (page := " ".join(harness("report", "--candidate", "ann").out.split()))
    assert words in page
    report = " ".join(harness("report", "20260203-ann").out.split())
    assert "accepted by Eva" in report.replace("Accepted", "accepted")
    assert harness("report", "20260203-ann", "--json").json["points"] == 125.0
    harness("export", "last", "--out", tmp_path / "cells.json", "--format", "json")
    exported = (tmp_path / "cells.json").read_text()
    assert '"decision": "accepted", "decided_by": "Eva"' in exported
    sheet = ledger.sheet(ledger.assessment("last"))
    assert words in leaderboard_html.render_html(sheet, standings(sheet))


def test_rejected_it_gives_nothing_and_says_why(ledger: Ledger) -> None:
    done = harness(
        "look", "reject", "ann", TASK, "--why", "the table holds the answers", "--by", "Eva", "--json"
    )
    assert (done.json["decision"], done.json["why"]) == ("rejected", "the table holds the answers")
    report = " ".join(harness("report", "20260203-ann").out.split())
    assert "154 as measured" in report
    assert "before the constraints" not in report.lower()
    (ann,) = [c for c in harness("leaderboard", "--json").json["cells"] if c["candidate"] == "ann"]
    assert (ann["outcome"], ann["standing"], ann["points"]) == ("rejected", "unfit", 0.0)
    board = " ".join(harness("leaderboard").out.split())
    assert "the table holds the answers" in board
    assert "rejected" in board
    theirs = harness("report", "--candidate", "ann", "--feedback").out
    assert "did not accept it" in " ".join(theirs.split())
    assert "answers" not in theirs, "the candidate's own page holds no reason"


def test_a_run_by_itself_is_named_by_its_id(ledger: Ledger) -> None:
    done = harness("look", "accept", "20260101-alone", *WHY)
    assert done.code == 0
    assert done.out.startswith("mine on ")
    assert "leaderboard" not in done.out
    assert harness("report", "20260101-alone", "--json").json["outcome"] == "ok"
    assert len(harness("look", "list", "--json").json["decisions"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ann", TASK), "--why TEXT is missing"),
        (("ann", TASK, "--why", "  "), "--why TEXT is missing"),
        (("ann", TASK, "more", *WHY), "name CANDIDATE TASK, or one RUN"),
        (("dora", TASK, *WHY), "no candidate 'dora' in core; there are ann, ben, cleo"),
        (("ann", "nothing", *WHY), "has no task 'nothing'; it has noisy-labels"),
        (
            ("ben", TASK, *WHY),
            "ben on noisy-labels does not wait for somebody to look at it (its outcome is ok)",
        ),
        (("cleo", TASK, *WHY), "nothing was run for cleo on noisy-labels (not attempted)"),
        (("ann", TASK, *WHY, "--suite", "other"), "no assessment 'other'"),
        (("20991231", *WHY), "there is no run '20991231'"),
        (("20260203-ben", *WHY), "run 20260203-ben does not wait"),
    ],
)
def test_bad_input_is_one_sentence(ledger: Ledger, arguments: tuple[str, ...], words: str) -> None:
    for verb in ("accept", "reject"):
        assert words in refused("look", verb, *arguments)
    assert Looks(ledger.store).history() == []


def test_who_looked_is_the_login_or_has_to_be_said(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("no name")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert options.login() == ""
    assert "--by NAME is missing" in refused("look", "accept", "ann", TASK, "--why", "x")
    monkeypatch.setattr(getpass, "getuser", lambda: "ida")
    assert harness("look", "accept", "ann", TASK, "--why", "x", "--json").json["by"] == "ida"


def test_a_reason_cannot_move_the_terminals_cursor_nor_add_to_a_page(ledger: Ledger) -> None:
    harness(
        "look", "accept", "ann", TASK, "--why", HOSTILE.replace("\0", ""), "--by", HOSTILE.replace("\0", "")
    )
    sheet = ledger.sheet(ledger.assessment("last"))
    for shown in (
        harness("look", "list").out,
        harness("leaderboard").out,
        harness("leaderboard", "--format", "csv").out,
        harness("report", "--candidate", "ann").out,
    ):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert "<script>" not in leaderboard_html.render_html(sheet, standings(sheet))
    assert "\x1b" not in candidate.page(sheet, "ann").tasks[0].result
