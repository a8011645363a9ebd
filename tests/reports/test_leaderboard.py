"""The leaderboard in every form, and the verbs that read, on a sheet made by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from harness.analysis.standings import standings
from harness.cli.output import to_json
from harness.reports.assessment import differences as differing
from harness.reports.assessment import leaderboard, leaderboard_html
from harness.reports.run import text
from harness.sheets import Sheet
from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.cli.test_verbs import harness, refused
from tests.fixtures import sheets as fixtures
from tests.fixtures.sheets import cell, failed, row

EVIL = "=cmd|'/c calc'!A0<script>alert(1)</script>\x1b[31m\u202e"


def hostile() -> Sheet:
    """An alias and a reason that want to be run."""
    cells = [
        *row(EVIL, 60, 60, 60),
        *row("ann", 70, 70, 70)[:2],
        failed("ann", "semantic-search", "crashed", EVIL),
    ]
    return Sheet(assessment=fixtures.assessment(), candidates=(EVIL, "ann"), cells=tuple(cells))


def read(sheet: Sheet, **choice: object) -> list[dict[str, str]]:
    found = standings(sheet, **choice)  # type: ignore[arg-type]
    return list(csv.DictReader(io.StringIO(leaderboard.render_csv(sheet, found))))


def test_text_shows_ties_and_who_is_apart() -> None:
    sheet = fixtures.sheet()
    said = text.to_text(leaderboard.render_text(sheet, standings(sheet)))
    assert "All 3 tasks. 5 candidates ranked, 5 not. First: ann." in said
    assert re.search(r"^2 = +cleo +68 +competent", said, flags=re.M)
    assert re.search(r"^2 = +ben +67", said, flags=re.M)
    assert re.search(r"^4 +dora +48", said, flags=re.M)
    for words in (
        "Failed: constraint failed",
        "Failed: crashed",
        "Open: inconclusive",
        "Open: not scored yet",
        "Not attempted",
        "their order within it means nothing",
        "suite sha256:5417e",
        "seed 5c1d88",
    ):
        assert " ".join(words.split()) in " ".join(said.split()), words
    assert all(len(line) <= 100 for line in said.splitlines())


def test_csv_has_a_line_for_each_and_no_rank_for_those_apart() -> None:
    lines = read(fixtures.sheet())
    assert [line["rank"] for line in lines] == ["1", "2", "2", "4", "5", "", "", "", "", ""]
    first, fay = lines[0], next(line for line in lines if line["candidate"] == "fay")
    assert (first["points"], first["band"], first["noisy-labels points"]) == ("91.25", "pass", "88.00")
    assert float(first["low"]) == pytest.approx(91.25 - 4 * 6**0.5 / 4, abs=0.005)
    assert (fay["points"], fay["standing"], fay["noisy-labels points"], fay["noisy-labels standing"]) == (
        "",
        "unfit",
        "",
        "unfit",
    )
    assert "training time: 9.1 times" in fay["reason"]
    fay = next(line for line in read(fixtures.sheet(), failed_task="zero") if line["candidate"] == "fay")
    assert (fay["rank"], fay["points"]) == ("5", "41.00"), "four are wholly above"


def test_csv_holds_no_formula_and_no_control_character() -> None:
    body = leaderboard.render_csv(hostile(), standings(hostile()))
    assert "\x1b" not in body
    assert "\u202e" not in body
    for line in csv.reader(io.StringIO(body)):
        assert not [field for field in line if field[:1] in ("=", "+", "@")]
    assert read(hostile())[0]["candidate"].startswith("'=cmd")


def test_json_is_whole_and_strict() -> None:
    sheet = fixtures.sheet()
    found = json.loads(to_json(leaderboard.summary(sheet, standings(sheet))))
    assert [(r["candidate"], r["rank"], r["tied"]) for r in found["ranked"]][:3] == [
        ("ann", 1, False),
        ("cleo", 2, True),
        ("ben", 2, True),
    ]
    assert {a["candidate"] for a in found["apart"]} == {"fay", "gus", "hal", "ida", "jo"}
    assert (found["suite_digest"], found["seed_id"]) == ("sha256:5417e", "5c1d88")
    assert len(found["cells"]) == len(sheet.cells)


def test_the_page_is_closed_escaped_and_has_a_view_for_each_filter() -> None:
    page = leaderboard_html.render_html(hostile(), standings(hostile()))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not re.search(r"(src|href)=\"?https?:", page)
    assert re.findall(r'<section id="(\w+)" class="view', page) == [
        "v1",
        "v2",
        "v3",
        "v4",
        "v5",
        "v6",
        "v7",
        "all",
    ]
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    only = leaderboard_html.render_html(fixtures.sheet(), standings(fixtures.sheet(), competency="profiling"))
    assert re.findall(r'<section id="(\w+)" class="view', only) == ["all"]
    assert "Competency: profiling" in only


def test_the_page_says_states_in_words_beside_colour() -> None:
    page = leaderboard_html.render_html(fixtures.sheet(), standings(fixtures.sheet()))
    for words in (
        "constraint failed",
        "not attempted",
        "inconclusive",
        "not scored yet",
        "below baseline",
        "expert",
        "not yet",
        "What these numbers stand on",
        "bubblewrap",
        "9f1c2ab07d5e",
        "sha256:5417e",
    ):
        assert words in page, words


def test_warnings_name_what_is_unlike() -> None:
    sheet = fixtures.sheet()
    assert leaderboard.warnings(sheet) == ()
    cells = list(sheet.cells)
    cells[0] = cells[0].model_copy(
        update={
            "machine_id": "m2",
            "isolation": "process",
            "stamp": "practice",
            "certified": False,
            "task_digest": "x",
        }
    )
    found = " ".join(leaderboard.warnings(sheet.model_copy(update={"cells": tuple(cells)})))
    for words in (
        "2 machines",
        "2 isolation levels (bubblewrap and process)",
        "2 stamps (official and practice)",
        "Serve a classifier within a latency budget: not everybody",
        "1 result of",
    ):
        assert words in found, words
    practice = fixtures.changed(sheet, {"stamp": "practice"})
    assert "no evidence for a decision" in leaderboard.warnings(practice)[0]


def test_nobody_ranked_is_said() -> None:
    empty = Sheet(assessment=fixtures.assessment(), candidates=("ann",), cells=())
    for said in (
        text.to_text(leaderboard.render_text(empty, standings(empty))),
        leaderboard_html.render_html(empty, standings(empty)),
    ):
        assert "Nobody is ranked yet" in said
    assert read(empty)[0]["rank"] == ""


def test_a_crowd_gets_one_view_and_a_drawing_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaderboard_html, "MOST_CELLS", leaderboard_html.MOST_CELLS // 10)
    sheet = fixtures.crowd(300, 10)
    page = leaderboard_html.render_html(sheet, standings(sheet))
    assert "The first 60 of 300 are drawn" in page
    assert "write others with --task or --competency" in page
    assert page.count('scope="row"') == 300


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that holds the sheet."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    sheet, ledger = fixtures.sheet(), Ledger(Store.open(tmp_path / "home"))
    ledger.open(sheet.assessment, sheet.candidates)
    for one in sheet.cells:
        ledger.keep(sheet.assessment.id, one, "unit")
    return tmp_path


def test_the_verb_leaderboard(book: Path) -> None:
    said = harness("leaderboard", "core")
    assert (said.code, said.err) == (0, "")
    assert "First: ann." in said.out
    assert harness("leaderboard", "core", "--json").json["ranked"][0]["candidate"] == "ann"
    assert harness("leaderboard", "--format", "csv").out.startswith("rank,worst,tied,candidate")
    written = harness("leaderboard", "core", "--format", "html", "--out", book / "board.html")
    assert written.out == f"Leaderboard: {book / 'board.html'}\n"
    assert "<!doctype html>" in (book / "board.html").read_text()
    one = harness("leaderboard", "core", "--task", "semantic-search", "--failed-task", "zero", "--json").json
    assert [t["id"] for t in one["tasks"]] == ["semantic-search"]
    assert one["ranked"][-1]["zeros"] == ["semantic-search"] or any(r["zeros"] for r in one["ranked"])
    assert "has no task 'nope'" in refused("leaderboard", "core", "--task", "nope")
    assert "--format pdf is not known" in refused("leaderboard", "core", "--format", "pdf")
    assert "--failed-task half is not known" in refused("leaderboard", "core", "--failed-task", "half")
    assert "there is no assessment 'nosuite'" in refused("leaderboard", "nosuite")


def test_the_verb_compare_takes_candidates(book: Path) -> None:
    said = harness("compare", "ann", "dora")
    assert said.code == 0
    assert "ann is ahead of dora, by more than noise explains" in said.out
    assert "paired over 3 instances" in said.out
    found = harness("compare", "ben", "cleo", "--suite", "core", "--json").json
    assert [t["basis"] for t in found["tasks"]] == ["paired"] * 3
    assert found["sentence"].startswith("The difference could be noise")
    assert "'zed' is no candidate of core" in refused("compare", "ann", "zed", "--suite", "core")
    assert "two candidates at a time" in refused("compare", "ann", "ben", "cleo")
    assert "there is no run 'ann'" in refused("compare", "ann", "zed")


def test_the_verb_report_takes_a_candidate(book: Path) -> None:
    assert "cleo reached 68 of 100 points" in harness("report", "--candidate", "cleo", "--suite", "core").out
    told = harness("report", "--candidate", "cleo", "--feedback", "--json").json
    assert told["points"] == "about 70"
    written = harness("report", "--candidate", "cleo", "--format", "html", "--out", book / "cleo.html")
    assert written.out == f"Report: {book / 'cleo.html'}\n"
    assert "there is no candidate 'zed' in core; there are ann" in refused("report", "--candidate", "zed")
    assert "needs either a RUN or --candidate" in refused("report")
    assert "--feedback is about a candidate" in refused("report", "last", "--feedback")
    assert "--format markdown is not known" in refused("report", "--candidate", "ann", "--format", "markdown")


def test_a_comparison_fits_the_screen_and_is_harmless() -> None:
    from harness.analysis import differences

    said = text.to_text(differing.render_text(differences.compare(hostile(), EVIL, "ann")))
    assert "\x1b" not in said
    assert "the second is unfit" in " ".join(said.split())
    assert all(len(line) <= 100 for line in said.splitlines())


def test_a_cell_keeps_its_reference_for_words() -> None:
    from harness.reports.parts import plain

    one = cell("a", "noisy-labels").constraints[0]
    assert plain.limit(one) == "at most 6.00 times the baseline reference's"
    fixed = one.model_copy(update={"unit": "B", "threshold": 2.0**31, "reference": ""})
    assert plain.limit(fixed) == "at most 2.00 GiB"
    assert plain.used(one) == "53 % of what is allowed"
