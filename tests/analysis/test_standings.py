"""Points, intervals, ranks with ties, who is apart, bands and differences: every number worked out by hand."""

from __future__ import annotations

import math
import random
import re

import pytest

from harness.analysis import differences
from harness.analysis.standings import Apart, Ranked, Span, band, places, profile, span, standings, weighted
from harness.errors import UsageError
from harness.sheets import Cut, Sheet
from tests.fixtures import sheets as fixtures
from tests.fixtures.sheets import TASKS, cell, failed, row


def of(*cells: object, cut: float | None = None, people: tuple[str, ...] = ("ann", "ben", "cleo")) -> Sheet:
    return Sheet(
        assessment=fixtures.assessment(fixtures.suite(cut)),
        candidates=people,
        cells=tuple(c for group in cells for c in (group if isinstance(group, list) else [group])),
    )


def ranked(found: object) -> Ranked:
    assert isinstance(found, Ranked)
    return found


def test_points_are_the_weighted_mean_and_half_widths_add_in_quadrature() -> None:
    """Weights 1, 2, 1: (40 + 2 x 60 + 80) / 4 = 60; sqrt(3^2 + (2 x 2)^2 + 12^2) / 4 = 13 / 4."""
    found = weighted(
        [
            (1, Span(points=40, low=37, high=40)),
            (2, Span(points=60, low=58, high=60)),
            (1, Span(points=80, low=68, high=81)),
        ]
    )
    assert found is not None
    assert found.points == 60
    assert found.low == pytest.approx(60 - 13 / 4)
    assert found.high == pytest.approx(60 + 1 / 4), "each side by itself"
    assert weighted([]) is None


def test_a_cell_counts_as_it_is_shown_and_without_an_interval_its_noise_is_unknown() -> None:
    assert span(cell("a", "latency-budget", 240, 9)) == Span(points=125, low=125, high=125)
    assert span(cell("a", "latency-budget", 120, 9)) == Span(points=120, low=111, high=125)
    bare = cell("a", "latency-budget", 70, points_low=None, points_high=None)
    assert span(bare) == Span(points=70, low=-25, high=125)
    assert span(failed("a", "latency-budget")) == Span(points=0, low=0, high=0)
    assert span(cell("a", "latency-budget", 70, outcome="inconclusive")) is None


def test_ranks_count_who_is_wholly_above_and_overlaps_are_ties() -> None:
    a, b, c, d = ((90, 95), (80, 91), (70, 82), (10, 20))
    spans = [Span(points=(low + high) / 2, low=low, high=high) for low, high in (a, b, c, d)]
    assert places(spans) == [(1, 2), (1, 3), (2, 3), (4, 4)]
    touching = [Span(points=1, low=0, high=2), Span(points=3, low=2, high=4)]
    assert places(touching) == [(1, 2), (1, 2)], "a common end is no difference"


def test_ranks_agree_with_counting_every_pair() -> None:
    rng = random.Random(3)
    spans = []
    for _ in range(200):
        low = round(rng.uniform(0, 100))
        spans.append(Span(points=low + 1, low=low, high=low + round(rng.uniform(1, 15))))
    slow = [
        (1 + sum(o.low > s.high for o in spans), len(spans) - sum(o.high < s.low for o in spans))
        for s in spans
    ]
    assert places(spans) == slow


def test_ties_are_ties_and_a_chain_of_overlaps_is_explained() -> None:
    found = standings(of(row("ann", 92, 92, 92), row("ben", 87, 87, 87), row("cleo", 82, 82, 82)))
    assert [(r.candidate, r.rank, r.worst, r.tied) for r in found.ranked] == [
        ("ann", 1, 2, True),
        ("ben", 1, 3, True),
        ("cleo", 2, 3, False),
    ]
    half = 5 * math.sqrt(1 + 4 + 1) / 4
    assert found.ranked[0].points.low == pytest.approx(92 - half)
    assert "their order within it means nothing" in found.notes[0]
    assert "So ann is ahead of cleo for certain, while ben can be told from neither" in found.notes[1]


def test_a_note_about_chains_stands_exactly_where_ranks_differ_in_spite_of_an_overlap() -> None:
    seen = set()
    for seed in range(60):
        rng = random.Random(seed)
        people = tuple(f"p{i}" for i in range(6))
        cells = [c for who in people for c in row(who, *[rng.uniform(0, 100)] * 3, half=rng.uniform(2, 12))]
        found = standings(of(cells, people=people))
        pairs = [(a, b) for a in found.ranked for b in found.ranked if a.rank < b.rank]
        odd = any(a.points.overlaps(b.points) for a, b in pairs)
        told = [re.search(r"So (p\d) is ahead of (p\d) for certain, while (p\d) can", n) for n in found.notes]
        named = [match.groups() for match in told if match]
        assert bool(named) == odd
        seen.add(odd)
        for names in named:
            better, worse, between = (ranked(found.of(name)).points for name in names)
            assert better.low > worse.high
            assert between.overlaps(better)
            assert between.overlaps(worse)
    assert seen == {True, False}


def test_an_overlap_never_makes_a_difference_by_itself() -> None:
    for seed in range(30):
        rng = random.Random(seed)
        cells = [c for who in ("ann", "ben") for c in row(who, *(rng.uniform(0, 100) for _ in TASKS))]
        first, second = standings(of(cells, people=("ann", "ben"))).ranked
        assert (first.rank == second.rank) == first.points.overlaps(second.points)


def test_who_is_apart_and_why() -> None:
    found = standings(fixtures.sheet())
    assert [r.candidate for r in found.ranked] == ["ann", "cleo", "ben", "dora", "emil"]
    assert {a.candidate: a.standing for a in found.apart} == {
        "fay": "unfit",
        "gus": "open",
        "hal": "unfit",
        "ida": "not attempted",
        "jo": "open",
    }
    fay, jo = found.of("fay"), found.of("jo")
    assert isinstance(fay, Apart)
    assert isinstance(jo, Apart)
    assert [(g.task, g.outcome) for g in fay.gaps] == [("noisy-labels", "budget_exceeded")]
    assert fay.gaps[0].reasons == ("training time: 9.1 times the baseline's; at most 6 allowed",)
    assert fay.counted == 2
    assert fay.points is not None
    assert fay.points.points == 82, "over what counts, and never ranked"
    assert [(g.standing, g.outcome, g.reasons) for g in jo.gaps] == [("open", None, ("not scored yet",))] * 2


def test_a_failed_task_counts_as_zero_only_where_that_was_asked_for() -> None:
    found = standings(fixtures.sheet(), failed_task="zero")
    fay = ranked(found.of("fay"))
    assert fay.points.points == (85 + 0 + 79) / 4
    assert fay.zeros == ("noisy-labels",)
    assert fay.tier == "none"
    assert {a.candidate for a in found.apart} == {"gus", "ida", "jo"}, "open and not attempted are no zeros"
    assert any("2 of the ranked failed a task" in note for note in found.notes)


def test_one_harness_fault_is_nobodys_zero() -> None:
    cells = [*row("ann", 50, 50, 50)[:2], cell("ann", "semantic-search", 0, outcome="sandbox_failed")]
    found = standings(of(cells, people=("ann",)), failed_task="zero")
    assert found.ranked == ()
    assert found.apart[0].standing == "open"


def test_filters_rank_anew_over_fewer_tasks_and_no_cut_applies() -> None:
    sheet = fixtures.sheet()
    found = standings(sheet, competency="retrieval")
    assert [task.id for task in found.tasks] == ["semantic-search"]
    assert ranked(found.of("fay")).points == Span(points=79, low=74, high=84)
    assert (found.cut, found.filtered, ranked(found.of("ann")).band) == (None, True, None)
    both = standings(sheet, ["noisy-labels", "latency-budget"])
    assert ranked(both.of("gus")).points.points == pytest.approx((61 + 2 * 70) / 3)
    with pytest.raises(UsageError, match="suite core has no task 'nope'; it has latency-budget"):
        standings(sheet, ["nope"])
    with pytest.raises(
        UsageError, match="has no competency 'nope'; it has inference optimisation, profiling"
    ):
        standings(sheet, competency="nope")
    with pytest.raises(UsageError, match="none of the named tasks"):
        standings(sheet, ["noisy-labels"], competency="retrieval")


def test_profiles_say_how_many_tasks_stand_behind_them() -> None:
    cells = {c.task: c for c in row("fay", 80, 60, 40)}
    found = {c.name: c for c in profile(cells, TASKS)}
    assert found["profiling"].points is not None
    assert found["profiling"].points.points == pytest.approx((80 + 2 * 60) / 3)
    assert found["profiling"].points.low == pytest.approx(200 / 3 - 5 * math.sqrt(1 + 4) / 3)
    cells["noisy-labels"] = failed("fay", "noisy-labels")
    again = {c.name: c for c in profile(cells, TASKS)}
    assert (again["profiling"].counted, again["profiling"].tasks) == (1, 2)
    assert again["learning with label noise"].points is None


def test_tiers_are_the_lowest_and_a_count() -> None:
    found = ranked(standings(of(row("ann", 97, 50, 96), people=("ann",))).of("ann"))
    assert (found.tier, found.tiers) == ("competent", {"competent": 1, "expert": 2})


def test_bands_need_the_whole_interval_on_one_side() -> None:
    cut = Cut(points=60, method="angoff", set_by="five experts")
    assert band(Span(points=65, low=60, high=70), cut) == "pass"
    assert band(Span(points=65, low=59.9, high=70), cut) == "review"
    assert band(Span(points=55, low=50, high=60), cut) == "review"
    assert band(Span(points=55, low=50, high=59.9), cut) == "not yet"
    assert band(Span(points=65, low=60, high=70), None) is None
    assert [r.band for r in standings(fixtures.sheet()).ranked] == [
        "pass",
        "pass",
        "pass",
        "not yet",
        "not yet",
    ]


def test_three_thousand_candidates_are_ranked_by_sorting() -> None:
    """Comparisons of interval ends are counted: they grow like n log n, not like the 9 million pairs."""
    people, looks = 3000, [0]

    class Counted(float):
        def __lt__(self, other: float) -> bool:
            looks[0] += 1
            return super().__lt__(other)

    rng = random.Random(1)
    spans = []
    for _ in range(people):
        low = rng.uniform(0, 100)
        spans.append(Span.model_construct(points=low + 2, low=Counted(low), high=Counted(low + 4)))
    assert len(places(spans)) == people
    assert people < looks[0] < 6 * people * math.log2(people)
    board = standings(fixtures.crowd(people))
    assert len(board.ranked) == people
    assert board.ranked[0].rank == 1


def test_a_pair_on_shared_instances_is_compared_instance_by_instance() -> None:
    """Differences 10, 12, 14: mean 12, t(2) = 4.3027, sd 2: 12 -+ 4.3027 x 2 / sqrt(3)."""
    mine = cell("ann", "latency-budget", 70, points_each=(20, 70, 120), instances=("x", "y", "z"))
    theirs = cell("ben", "latency-budget", 58, points_each=(106, 10, 58), instances=("z", "x", "y"))
    found = differences.compare(of(mine, theirs), "ann", "ben")
    task = found.tasks[0]
    assert (task.basis, task.instances, task.word) == ("paired", 3, "ahead")
    assert task.difference is not None
    assert task.difference.points == pytest.approx(12)
    assert task.difference.low == pytest.approx(12 - 4.302653 * 2 / math.sqrt(3), abs=1e-4)
    assert found.whole == task.difference, "the one task that counts for both"
    assert found.tasks[1].because == "the first is not scored yet and the second is not scored yet"
    assert found.sentence.startswith(
        "ann is ahead of ben, by more than noise explains: ann less ben is 12.0 points"
    )
    assert "over 1 of 3 tasks" in found.sentence


@pytest.mark.parametrize(
    "change", [{"instances": ("q", "r", "s")}, {"points_each": ()}, {"task_digest": "other"}]
)
def test_without_shared_instances_the_two_intervals_are_used(change: dict[str, object]) -> None:
    """30 -+ sqrt(3^2 + 4^2)."""
    mine = cell("ann", "latency-budget", 80, 3)
    theirs = cell("ben", "latency-budget", 50, 4).model_copy(update=change)
    task = differences.compare(of(mine, theirs), "ann", "ben").tasks[0]
    assert (task.basis, task.instances) == ("intervals", 0)
    assert task.difference == Span(points=30, low=25, high=35)


def test_what_could_be_noise_is_called_that() -> None:
    found = differences.compare(fixtures.sheet(), "ben", "cleo")
    assert found.sentence.startswith(
        "The difference could be noise: ben less cleo is -0.2 points over all 3 tasks"
    )
    assert found.whole is not None
    assert differences.word(found.whole) == "could be noise"
    turned = differences.compare(fixtures.sheet(), "cleo", "ben").whole
    assert turned is not None
    assert (turned.points, turned.low, turned.high) == pytest.approx(
        (-found.whole.points, -found.whole.high, -found.whole.low)
    )
    behind = differences.compare(fixtures.sheet(), "emil", "ann")
    assert behind.sentence.startswith("ann is ahead of emil")


def test_a_comparison_names_what_is_unlike_and_refuses_strangers() -> None:
    sheet = fixtures.sheet()
    moved = tuple(
        c.model_copy(update={"machine_id": "other", "stamp": "practice"}) if c.candidate == "ben" else c
        for c in sheet.cells
    )
    found = differences.compare(sheet.model_copy(update={"cells": moved}), "ann", "ben")
    assert found.cautions == ("the two were measured on different machines", "the two bear different stamps")
    with pytest.raises(UsageError, match="'zed' is no candidate of core"):
        differences.compare(sheet, "ann", "zed")
    with pytest.raises(UsageError, match="named twice"):
        differences.compare(sheet, "ann", "ann")
    nothing = differences.compare(sheet, "ida", "jo")
    assert nothing.tasks[1].difference is None
    none = differences.compare(of(), "ann", "ben")
    assert none.whole is None
    assert "cannot be compared" in none.sentence
