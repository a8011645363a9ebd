"""The leaderboard in every form, and the verbs that read, on a sheet made by hand."""

from __future__ import annotations

import csv
import html as html_
import io
import json
import re
from pathlib import Path

import pytest

from harness.analysis.standings import by_candidate, standings
from harness.cli.output import to_json
from harness.cli.progress import table_of
from harness.reports.assessment import candidate, feedback, leaderboard, leaderboard_csv, leaderboard_html
from harness.reports.assessment import differences as differing
from harness.reports.run import text
from harness.reports.run.text import to_text
from harness.sheets import Amended, Cell, Sheet
from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.cli.test_verbs import harness, refused
from tests.fixtures import sheets as fixtures
from tests.fixtures.sheets import cell, constraint, failed, row

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
    return list(csv.DictReader(io.StringIO(leaderboard_csv.render_csv(sheet, found))))


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
    body = leaderboard_csv.render_csv(hostile(), standings(hostile()))
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
        "Serve a classifier faster at equal accuracy: not everybody",
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


def test_a_suites_file_names_its_newest_assessment(book: Path) -> None:
    file = book / "any.toml"
    file.write_text('name = "core"\n[[tasks]]\nid = "noisy-labels"\n')
    assert "First: ann." in harness("leaderboard", file).out
    file.write_text('[[tasks]]\nid = "noisy-labels"\n')
    assert "there is no assessment 'any'" in refused("leaderboard", file)
    assert "there is no suite" in refused("leaderboard", book / "none.toml")


def test_an_exports_form_is_its_files_name(book: Path) -> None:
    for name, first in (("cells.csv", "assessment,candidate"), ("cells.json", '{"table": "cells"')):
        assert harness("export", "core", "--out", book / name).code == 0
        assert (book / name).read_text().startswith(first)
    assert harness("export", "core", "--out", book / "tables").code == 0
    assert (book / "tables" / "cells.parquet").is_file()
    harness("export", "core", "--out", book / "odd.csv", "--format", "json")
    assert (book / "odd.csv" / "cells.json").is_file(), "what is given by name is done"


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


def test_points_beyond_what_counts_are_shown_uncut_and_marked() -> None:
    cells = (
        cell("ann", "noisy-labels", 125, points_uncapped=137.4),
        cell("ben", "noisy-labels", 125, points_uncapped=125.0),
    )
    sheet = fixtures.sheet().model_copy(update={"candidates": ("ann", "ben"), "cells": cells})
    found = standings(sheet, tasks=["noisy-labels"])
    above, at = (leaderboard.task_cell(one) for one in cells)
    assert (above.text, above.note, above.mark) == ("137 uncut", "expert; 125 count", "inconclusive")
    assert (at.text, at.note, at.mark) == ("125", "expert", "")
    assert [one.points_uncapped for one in leaderboard.summary(sheet, found).cells] == [137.4, 125.0]
    page = candidate.page(sheet, "ann")
    assert page.tasks[1].number == "137 uncut"
    assert page.tasks[1].result.endswith("137 uncut.")
    assert "uncut" not in candidate.page(sheet, "ben").tasks[1].result
    assert "ann" in (shown := to_text(table_of(sheet)))
    assert "ok 125.0 (137.4 uncut!)" in shown
    assert shown.count("uncut") == 1


def test_what_waits_for_a_look_is_open_and_nobodys_fault() -> None:
    limit = constraint(
        "a result to look at", "inconclusive", value=154, low=154, high=154, threshold=140, unit="points"
    )
    limit = limit.model_copy(update={"open_by": "evaluator", "reference": ""})
    why = "open: look at it: 154 points uncut; its largest file is table.py (250 KiB)"
    own = cell("ann", "noisy-labels", 0, outcome="inconclusive", constraints=(limit,), reasons=(why,))
    sheet = fixtures.sheet().model_copy(update={"candidates": ("ann",), "cells": (own,)})
    found = standings(sheet, tasks=["noisy-labels"])
    (one,) = found.apart
    assert (one.standing, one.open_by, own.withheld) == ("open", "evaluator", True)
    assert leaderboard.task_cell(own).note == "inconclusive, until somebody has looked at it"
    told = text.to_text(candidate.render_text(candidate.page(sheet, "ann")), 300)
    assert "table.py (250 KiB)" in told
    assert "somebody looks at it first" in told
    assert "The readings do not decide it" not in told
    feedback_ = text.to_text(feedback.render_text(feedback.feedback(sheet, "ann")), 300)
    assert "a person looks at it before it counts" in feedback_
    assert not re.search(r"table.py|154|look at it:", feedback_)
    assert "look at it" in to_text(table_of(sheet))


def test_who_is_open_by_their_own_doing_is_told_apart() -> None:
    def open_(who: str, by: str) -> Cell:
        limit = constraint("median latency", "inconclusive", value=1.7, low=1.5, high=1.9, threshold=1.6)
        limit = limit.model_copy(update={"open_by": by})
        return cell(who, "noisy-labels", 66, outcome="inconclusive", constraints=(limit,))

    sheet = fixtures.sheet()
    own, clocks = open_("zoe", "candidate"), open_("ugo", "")
    sheet = sheet.model_copy(update={"candidates": ("ugo", "zoe"), "cells": (clocks, own)})
    found = standings(sheet, tasks=["noisy-labels"])
    assert {one.candidate: one.open_by for one in found.apart} == {"ugo": "machine", "zoe": "candidate"}
    pages = (
        text.to_text(text.table(leaderboard.apart(found, by_candidate(sheet))), 300),
        text.to_text(leaderboard.render_text(sheet, found), 300),
        leaderboard_html.render_html(sheet, found),
    )
    for page in pages:
        plain_ = re.sub(r"\s+", " ", html_.unescape(re.sub(r"<[^>]*>", " ", page)))
        assert "Open: inconclusive, by its own doing" in plain_
        assert "Open: inconclusive, by the machine's doing or the clock's" in plain_
        assert "66" not in re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
        assert plain_.index("zoe") < plain_.index("ugo")
    rows = list(csv.DictReader(io.StringIO(leaderboard_csv.render_csv(sheet, found))))
    assert {row["candidate"]: row["open by"] for row in rows} == {"ugo": "machine", "zoe": "candidate"}
    cells = leaderboard.summary(sheet, found).cells
    assert {(one.candidate, one.points, one.open_by) for one in cells} == {
        ("ugo", None, "machine"),
        ("zoe", None, "candidate"),
    }
    for one, own_doing in ((own, True), (clocks, False)):
        page = text.to_text(feedback.render_text(feedback.feedback(sheet, one.candidate)), 300)
        assert ("differed too much from one start" in page) == own_doing


def test_weights_and_who_changed_them_stand_on_the_board() -> None:
    """A weight changed after the fact moved ranks and left no trace on it."""
    sheet = fixtures.sheet()
    suite = sheet.assessment.suite
    first, *others = suite.tasks
    heavier = suite.model_copy(update={"tasks": (first.model_copy(update={"weight": 5.0}), *others)})
    was = Amended(
        was=sheet.assessment, replaced_at="2026-11-30T21:00:00+00:00", by="Eva", why="it matters more"
    )
    changed = sheet.model_copy(
        update={"assessment": sheet.assessment.model_copy(update={"suite": heavier}), "amended": (was,)}
    )
    shown = " ".join(text.to_text(leaderboard.render_text(changed, standings(changed)), 200).split())
    assert "by these weights: " in shown
    assert f"{leaderboard.title(first)} 5" in shown
    assert "by Eva: it matters more (before: weights " in shown
    page = leaderboard_html.render_html(changed, standings(changed))
    assert "by Eva: it matters more" in page
    assert "by these weights" in page
    plain = " ".join(text.to_text(leaderboard.render_text(sheet, standings(sheet)), 200).split())
    assert "by Eva" not in plain


def test_results_of_one_instance_and_self_checks_say_so() -> None:
    sheet = fixtures.sheet()
    cells = tuple(
        cell.model_copy(update={"instances": ("i1",), "stamp": "self-check"}) if cell.run_id else cell
        for cell in sheet.cells
    )
    found = " ".join(leaderboard.warnings(sheet.model_copy(update={"cells": cells})))
    assert "Some results are of 1 instance: their intervals hold the noise of its items" in found
    assert "Self-check" in found
