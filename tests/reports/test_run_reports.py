"""Reports: what they say, that nothing from outside acts in them, and that the schema is published."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt

from harness.cli.output import to_json
from harness.records import Assessed, Run
from harness.reports.parts import clean, svg, units, words
from harness.reports.run import markdown, pair_plot, plots, run_series, run_tables, schema, text
from harness.reports.run.comparison import WITHHELD, compare
from harness.reports.run.html import render_html
from harness.reports.run.summary import summary
from tests.fixtures.reports import (
    IN_PAIRS,
    RUNS,
    constraint,
    head,
    machine,
    ok_run,
    paired_run,
    proof,
    score,
    timing,
)

SCHEMA = Path(schema.__file__).parents[1] / "run-summary.schema.json"
every_run = pytest.mark.parametrize("build", RUNS.values(), ids=RUNS.keys())
VOID = {"meta", "br", "img", "link", "input", "hr", "base"}


class Page(HTMLParser):
    """What a page holds: its tags, attributes, words, and whether every tag was closed."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 s"),
        (3e-5, "30.0 µs"),
        (9.996e-4, "1.00 ms"),
        (0.0142, "14.2 ms"),
        (0.9996, "1.00 s"),
        (3.05, "3.05 s"),
        (90.0, "90.0 s"),
        (125.0, "2 min 05 s"),
        (3720.0, "1 h 02 min"),
        (-0.0142, "-14.2 ms"),
        (4e-9, "4.00 ns"),
    ],
)
def test_seconds(value: float, shown: str) -> None:
    assert units.seconds(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (512, "B", "512 B"),
        (1024**2 * 812, "B", "812 MiB"),
        (1023 * 1024, "B", "0.999 MiB"),
        (1.32 * 1024**3, "B", "1.32 GiB"),
        (1.318, "x", "1.32x"),
        (0.87, "x", "0.870x"),
        (12.34, "ratio", "12.3x"),
        (0.8124, "", "0.812"),
        (1200, "", "1,200"),
        (106.9, "1/s", "107/s"),
        (3.0, "widgets", "3.00 widgets"),
        (None, "s", "not measured"),
        (1e6, "widgets", "1,000,000 widgets"),
    ],
)
def test_quantity(value: float | None, unit: str, shown: str) -> None:
    assert units.quantity(value, unit) == shown


def test_intervals_name_a_shared_unit_once() -> None:
    assert units.interval(0.0139, 0.0146, "s") == "13.9 to 14.6 ms"
    assert units.interval(0.0009, 0.0012, "s") == "900 µs to 1.20 ms"
    assert units.interval(5.0, 5.0, "B") == "exact"
    assert units.interval(None, 5.0, "B") == ""


def test_points_have_no_negative_zero() -> None:
    assert (units.points(-0.2), units.points(-25.0), units.points(None)) == ("0", "-25", "none")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("macro_f1", "macro-F1"), ("ndcg_at_10", "nDCG@10"), ("recall_at_k", "recall at k"), ("x_p50", "x p50")],
)
def test_measure_names(name: str, shown: str) -> None:
    assert words.measure(name) == shown


def test_log_text_is_made_printable_and_short() -> None:
    shown = clean.block("\x1b[31mred\x1b[0m\x1b]8;;http://evil\x07link\x1b]8;;\x07\x00\u202e!\n" + "y" * 5000)
    assert shown.startswith("redlink!\n")
    assert "4,600 more characters" in shown
    many = clean.block("\n".join(str(i) for i in range(500))).splitlines()
    assert len(many) == clean.MAX_LINES + 1
    assert many[-1] == "499"
    assert "bytes not kept" in clean.log("head", "tail", 10_000)


@pytest.mark.parametrize("low", [3e-5, 0.0142, 0.9, 47.0])
@pytest.mark.parametrize("width", [200.0, 600.0])
@pytest.mark.parametrize("spread", [1.05, 3.0, 40.0, 3e4])
@pytest.mark.parametrize("log", [True, False])
def test_ticks_are_round_few_and_apart(low: float, width: float, spread: float, log: bool) -> None:
    ticks = svg.Scale(low, low * spread, 0.0, width, log=log).ticks("s")
    assert 1 <= len(ticks) <= 12
    scale = svg.Scale(low, low * spread, 0.0, width, log=log)
    ends = [(scale(v) - svg.text_width(n) / 2, scale(v) + svg.text_width(n) / 2) for v, n in ticks]
    assert all(a[1] < b[0] for a, b in pairwise(ends))


def test_labels_part_and_stay_inside() -> None:
    placed = svg.part([96.0, 98.0, 100.0], [40.0, 40.0, 40.0], 0.0, 130.0)
    assert placed == [30.0, 70.0, 110.0]


@every_run
def test_summary_is_valid_and_the_schema_is_the_published_one(build: Callable[[], Run]) -> None:
    if os.environ.get("UPDATE_SCHEMA"):
        SCHEMA.write_text(schema.as_text(), encoding="utf-8")
    assert SCHEMA.read_text(encoding="utf-8") == schema.as_text()
    published = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    found = json.loads(to_json(summary(build())))
    jsonschema.validate(found, published, jsonschema.Draft202012Validator)


def test_summary_says_what_other_programs_need() -> None:
    found = summary(ok_run()).model_dump(mode="json")
    assert (found["profile"], found["device"], found["isolation"]) == ("laptop-cpu", "cpu", "confined")
    assert (found["outcome"], found["points"], found["tier"]) == ("ok", 74.7, "competent")
    assert {"name", "unit", "value", "low", "high"} <= found["objective"].keys()
    assert {"name", "verdict", "value", "threshold", "unit"} <= found["constraints"][0].keys()
    assert {"name", "unit", "value", "low", "high", "measured_by"} <= found["measurements"][0].keys()
    assert found["ladder"][1] | {"reused_from": ""} == {
        "tier": "competent",
        "objective": 0.788,
        "points": 49.5,
        "outcome": "ok",
        "reused_from": "",
    }
    assert len(found["trials"]) == 8
    assert summary(RUNS["unscored"]()).points is None


@every_run
def test_html_is_one_closed_file_that_asks_for_nothing(build: Callable[[], Run]) -> None:
    source = render_html(build())
    page = Page(source)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    asks = {"src", "href", "srcset", "action", "data", "xlink:href", "poster", "formaction"}
    asked = [value for _, name, value in page.attributes if name in asks]
    assert all(value.startswith("#") for value in asked)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"@import|url\(", source)
    assert ("html", "lang", "en") in page.attributes


@every_run
def test_html_drawings_are_titled_and_ids_are_unique(build: Callable[[], Run]) -> None:
    page = Page(render_html(build()))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    named = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-labelledby")]
    assert all(part in ids for value in named for part in value.split())
    assert len(named) == sum(attribute == ("svg", "role", "img") for attribute in page.attributes)


def test_html_says_everything() -> None:
    said = Page(render_html(ok_run(device=True))).said
    for expected in (
        "candidate-17",
        "75",
        "68 to 81",
        "Every constraint passed",
        "Practice run.",
        "competent",
        "14.2 ms",
        "Response times of single",
        "Response times of tokenize",
        "Host memory, stage train",
        "Device memory, stage serve",
        "macro-F1 by epoch",
        "found no device",
        "BSD-3-Clause",
        "sha256:" + "0f" * 32,
        "confined",
        "5c1d88",
        "epoch 3 loss 1.52",
        "scikit-learn 1.9.1",
        "single reading",
        "AMD EPYC",
    ):
        assert expected in said, expected


def test_html_shows_hostile_text_as_text() -> None:
    source = render_html(RUNS["crashed"]())
    page = Page(source)
    assert "<script>alert('owned')</script>red gnp.exe" in page.said
    assert "ValueError: <b>expected</b> 20 classes, got 19" in page.said
    assert "b" not in page.tags
    assert "i" not in page.tags
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", source)
    assert "x" * 500 not in source


def test_points_are_provisional_while_a_verdict_is_open() -> None:
    said = Page(render_html(RUNS["doubtful"]())).said
    assert "of 100 points, provisional: a verdict is open" in said
    assert "Submission 75, provisional" in said


def test_html_names_the_verdicts_in_words() -> None:
    said = Page(render_html(RUNS["failed"]())).said
    assert "1 failed and 2 inconclusive." in said
    assert "Submission would be 75, counts 0" in said
    assert "3.17x the baseline" in said


def test_html_answers_whether_the_times_can_be_trusted() -> None:
    said = Page(render_html(RUNS["paired"]())).said
    for expected in (
        "Can these times be trusted? Yes: they are certified. 5 fresh process pairs were timed",
        "The baseline timed against its own copy came out 0.994 times, 0.981 to 1.007: equal within 3 %.",
        "grade A: quiet",
        "200 µs An empty request",
        "Of steady state, nothing was found.",
        "Submission 1.20x (1.18x to 1.23x)",
        "Copy of the baseline 0.994x",
        "limit 1.25x",
        "at most 1.25x 3 % tolerance, 5 process pairs",
        "Times certified",
        "Memory at its peak, by kind",
        "File-backed",
        "Device memory, stage serve",
        "alone for its answers: expert",
    ):
        assert expected in said, expected


def test_html_says_in_words_what_makes_times_doubtful() -> None:
    said = Page(render_html(RUNS["doubtful"]())).said
    for expected in (
        "Not certified. 4 process pairs, 5 are needed. The clock did not call the same program equal",
        "the machine was too disturbed (grade C)",
        "The baseline was 20.0% slower beside it. Read them as good for orientation, not as evidence.",
        "came out 1.081 times, 1.064 to 1.098: not equal within 3 %. No time is judged.",
        "Are answers remembered? noted",
        "times are void",
        "not believed",
        "Something new nothing found",
        "The interval, 1.10x to 1.40x, lies on both sides of the limit of 1.25x (1.29x with the tolerance).",
        "Inconclusive: the readings do not decide it.",
        "Times not certified",
    ):
        assert expected in said, expected


def test_a_certificate_that_is_too_wide_shows_neither_equality_nor_a_difference() -> None:
    certificate = timing().certificate
    assert certificate is not None
    wide = timing(certificate=certificate.model_copy(update={"low": 0.95, "high": 1.04}))
    said = Page(render_html(paired_run(wide))).said
    assert "cannot be told" in said
    assert "a difference beyond 3 % is neither shown nor ruled out" in said


def test_a_run_of_the_old_kind_says_that_nothing_was_certified() -> None:
    said = Page(render_html(ok_run())).said
    assert "Can these times be trusted? Not certified. They were not taken in several fresh" in said
    assert "Can these times be trusted?" not in Page(render_html(RUNS["untimed"]())).said
    assert "Can these times be trusted?" not in Page(render_html(RUNS["unscored"]())).said


def test_text_and_markdown_and_json_tell_the_certificate_too() -> None:
    plain = " ".join(text.to_text(text.render_run(RUNS["paired"]()), 400).split())
    for shown in (plain, markdown.render_run(RUNS["paired"]())):
        assert "came out 0.994 times, 0.981 to 1.007: equal within 3 %" in shown
        assert "3 % tolerance, 5 process pairs" in shown
    found = summary(RUNS["doubtful"]()).model_dump(mode="json")
    assert found["timing"]["certified"] is False
    assert found["timing"]["certificate"]["holds"] is False
    assert found["constraints"][0] | {"tolerance": 0.03, "pairs": 4} == found["constraints"][0]


def test_a_copy_is_nobodys_rival() -> None:
    run = RUNS["paired"]()
    assert [s.name for s in run_series.subjects(run)] == ["Submission", "Baseline", "Expert"]
    (times,) = run_series.latencies(run).values()
    # neither the copy's requests nor those of a tier that was asked alone
    assert [(t.subject.name, len(t.seconds)) for t in times] == [("Submission", 100), ("Baseline", 100)]
    assert all(len(chart.lines) == 3 for chart in run_series.memory(run))
    assert [c.text for r in run_tables.trials(run).rows for c in r if "copy" in c.text] == [
        "Baseline, its copy"
    ]
    without = run.model_copy(update={"trials": tuple(t for t in run.trials if t.role != "copy")})
    assert run_series.reference_values(run) == run_series.reference_values(without)
    assert run_series.phase_seconds(run) == run_series.phase_seconds(without)
    assert compare([run, run]) == compare([without, without])


def test_pairs_are_drawn_as_they_were_judged() -> None:
    (chart,) = run_series.pair_charts(RUNS["paired"]())
    own, copy = chart.rows
    # the floor is off both sides: left in, 1.2 would look like 1.197
    assert own.ratios == pytest.approx(IN_PAIRS["candidate"], rel=1e-9)
    assert copy.ratios == pytest.approx(IN_PAIRS["copy"], rel=1e-9)
    assert (own.low, own.high, copy.low, copy.high) == (1.18, 1.23, 0.981, 1.007)
    assert (chart.anchor, chart.margin, chart.limit) == ("baseline", 0.03, 1.25)
    for width in (plots.WIDE, plots.NARROW):
        drawn = pair_plot.pairs(chart, width, "x")
        assert drawn.count("mark disc") == 1 + 5
        assert drawn.count("mark circle") == 1 + 5
    assert run_series.pair_charts(ok_run()) == []


def test_a_phase_is_what_one_process_took() -> None:
    found = run_series.phase_seconds(RUNS["paired"]())["ready"]
    assert {s.name: v for s, v in found.items()} == {
        "Submission": pytest.approx(0.07),
        "Baseline": pytest.approx(0.07),
        "Expert": pytest.approx(0.05),
    }


def test_memory_of_several_pairs_does_not_run_over_itself() -> None:
    run = RUNS["paired"]()
    again = tuple(p.model_copy(update={"pair": 1}) for p in run.trials[0].memory)
    twice = run.trials[0].model_copy(update={"memory": (*run.trials[0].memory, *again)})
    shown = run_series.memory(run.model_copy(update={"trials": (twice, *run.trials[1:])}))
    assert shown == run_series.memory(run)
    assert all(list(line.x) == sorted(line.x) for chart in shown for line in chart.lines)
    assert run_tables.memory_kinds(run).rows[0][0].text == "Submission"
    assert run_tables.memory_kinds(ok_run()).rows == ()


def test_html_of_a_run_without_times_curves_or_ladder_says_so() -> None:
    said = Page(render_html(RUNS["untimed"]())).said
    assert "This run has no timed requests." in said
    assert "No memory readings were kept." in said
    assert "No constraint was judged." in said
    assert "Curves" not in said


def test_a_score_beyond_the_scale_stays_on_the_drawing() -> None:
    for name, words_ in (
        ("beyond", "Submission 240, shown as 125"),
        ("below", "Submission -180, shown as -25"),
    ):
        for width in (plots.WIDE, plots.NARROW):
            drawn = plots.ladder(RUNS[name](), width, "x")
            assert words_ in drawn
            places = [float(x) for x in re.findall(r'<text x="(-?[\d.]+)"', drawn)]
            assert all(0 <= x <= width for x in places)


@every_run
@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_is_plain_and_fits(build: Callable[[], Run], width: int) -> None:
    shown = text.to_text(text.render_run(build()), width)
    assert "\x1b" not in shown
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "20251123-010411-noisy-labels-7f3a" in shown


def test_text_does_not_read_markup_and_marks_verdicts_with_words() -> None:
    shown = text.to_text(text.render_run(RUNS["crashed"]()))
    assert "[bold]not markup[/bold]" in shown
    assert "<script>alert('owned')</script>red gnp.exe" in shown
    failed = text.to_text(text.render_run(RUNS["failed"]()))
    assert "x fail" in failed
    assert "? inconclusive" in failed
    assert "nothing was read there" in failed


def test_markdown_acts_on_nothing_from_outside() -> None:
    for build in RUNS.values():
        found = (
            MarkdownIt("commonmark", {"html": True, "linkify": False})
            .enable("table")
            .render(markdown.render_run(build()))
        )
        page = Page(found)
        assert not {"script", "img", "a", "b", "i"} & set(page.tags)
        assert "table" in page.tags
    assert "````text" in markdown.render_run(RUNS["crashed"]())


def test_compare_withholds_times_of_different_machines() -> None:
    same = compare([ok_run(), RUNS["failed"]()])
    assert not [c for c in same.cautions if "machines" in c]
    mixed = compare([ok_run(), ok_run(head=head(machine=machine("other"), submission="candidate-18"))])
    assert any("different machines" in caution for caution in mixed.cautions)
    by_name = {cells[0].text: [c.text for c in cells[1:]] for cells in mixed.table.rows}
    assert by_name["single p50"] == [WITHHELD, WITHHELD]
    assert by_name["single throughput"] == [WITHHELD, WITHHELD]
    assert by_name["model bytes"] == ["21.7 MiB"] * 2
    for shown in (
        text.to_text(text.render_compare([ok_run(), ok_run()])),
        markdown.render_compare([ok_run()] * 2),
    ):
        assert "12.2 ms" in shown
        assert "candidate-17" in shown


@pytest.mark.parametrize("proven", [True, False])
def test_proofs(proven: bool) -> None:
    found = proof(proven)
    for shown in (text.to_text(text.render_proof(found)), markdown.render_proof(found)):
        assert ("does not prove itself" in shown) is not proven
        assert "constant-label" in shown
        assert ("pays" in shown) is not proven
        assert "1 of 5" in shown


def test_tasks_table() -> None:
    title = "Fine-tune on labels that are partly wrong"
    row = text.TaskRow("noisy-labels", title, ("fine-tuning", "robustness"), 90, ("cpu", "cuda"))
    shown = text.to_text(text.render_tasks([row]))
    assert "noisy-labels" in shown
    assert "fine-tuning, robustness" in shown
    assert "90" in shown


def test_reports_touch_no_disk_clock_process_or_environment() -> None:
    forbidden = re.compile(
        r"^\s*(?:import|from) (?:os|sys|time|subprocess|pathlib|socket|random)\b"
        r"|(?<!\.)\bprint\(|\bopen\("
    )
    for module in Path(schema.__file__).parent.glob("*.py"):
        found = [line for line in module.read_text(encoding="utf-8").splitlines() if forbidden.search(line)]
        assert found == [], module.name


def open_run(value: float, **changes: Any) -> Run:
    """66 points, and one verdict that is open on `value`, of which 1.25 is allowed."""
    limit = constraint("answer latency", "inconclusive", value)
    limit = limit.model_copy(
        update={"threshold": 1.25, "bound": "at_most", "low": 1.0, "high": 1.6} | changes
    )
    given = score(outcome="inconclusive", points=66.0, points_uncapped=66.0, constraints=(limit,))
    return ok_run(score=given)


@pytest.mark.parametrize(
    ("value", "changes", "hidden"),
    [
        (1.30, {}, True),
        (1.30, {"open_by": "candidate"}, True),
        (1.20, {}, False),
        (1.25, {}, False),
        (1.20, {"void": True}, True),  # where times are void, what may have been beyond the limit is as good
        (1.20, {"void": True, "high": 1.25}, False),
        (1.30, {"bound": "at_least"}, False),
        (1.20, {"bound": "at_least"}, True),
        (1.30, {"bound": "at_least", "void": True}, True),
    ],
)
def test_what_is_open_beyond_its_limit_shows_no_points(
    value: float, changes: dict[str, Any], hidden: bool
) -> None:
    run = open_run(value, **changes)
    assert run.score is not None
    assert run.score.withheld == hidden
    pages = {
        "terminal": text.to_text(text.render_run(run)),
        "markdown": markdown.render_run(run),
        "page": render_html(run),
        "compared": text.to_text(text.render_compare([run, run])),
    }
    for name, page in pages.items():
        shown = re.sub(r"<svg.*?</svg>|<style.*?</style>", "", page, flags=re.DOTALL)
        assert bool(re.search(r"\b66\b", shown)) != hidden, name
        assert hidden <= bool(re.search(r"\bopen\b", shown)), name
    drawn = plots.ladder(run, 720.0, "u")
    assert bool(re.search(r">[^<]*\b66\b", drawn)) != hidden
    said = summary(run)
    assert (said.points is None, said.points_low is None) == (hidden, hidden)
    assert said.open_by == (changes.get("open_by") or "machine")
    by = "by its own doing" if changes.get("open_by") else "by the machine's doing or the clock's"
    assert (by in pages["terminal"]) == hidden
    assert ("by the submission&#39;s own doing" in pages["page"]) == bool(changes.get("open_by"))


def test_references_stand_beside_the_submission_by_the_same_mean_over_the_instances_that_count() -> None:
    """The submission's mean stood beside the references' median, and added instances counted in one of them."""
    run = ok_run()
    first = next(a for a in run.assessed if a.role == "reference" and a.measurements)
    measured = first.measurements[0]
    assert measured.value is not None

    def valued(number: int, value: float) -> Assessed:
        m = measured.model_copy(update={"value": value, "low": value, "high": value})
        return first.model_copy(update={"number": number, "measurements": (m,)})

    profile = run.head.profile.model_copy(update={"trials": 3})
    head = run.head.model_copy(update={"profile": profile})
    assessed = tuple(valued(n, v) for n, v in enumerate((1.0, 2.0, 6.0, 99.0)))
    found = run_series.reference_values(run.model_copy(update={"head": head, "assessed": assessed}))
    assert list(found[measured.name].values()) == [3.0]
