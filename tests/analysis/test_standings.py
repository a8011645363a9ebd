"""Points, intervals, ranks with ties, who is apart, bands and differences: every number worked out by hand."""

from __future__ import annotations

import math
import random
import re

import pytest

from harness.analysis.standings import Apart, Ranked, Span, band, places, profile, span, standings, weighted
from harness.errors import UsageError
from harness.reports.parts import plain
from harness.sheets import Cell, Cut, Sheet
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


def test_an_interval_reaches_no_further_up_than_noise_that_is_not_ones_own() -> None:
    wide = {"points_low": 10.0, "points_high": 120.0}
    assert span(cell("a", "latency-budget", 60, **wide)) == Span(points=60, low=10, high=120), (
        "nothing is known"
    )
    held = span(cell("a", "latency-budget", 60, **wide, points_room=4.0))
    assert held == Span(points=60, low=10, high=120, reach=64)
    assert held is not None
    assert held.top == 64
    # within the room an interval counts as it is
    assert span(cell("a", "latency-budget", 60, 3, points_room=4.0)) == Span(points=60, low=57, high=63)
    # beyond what counts at most the points themselves are the end
    assert span(cell("a", "latency-budget", 130, 20, points_room=4.0)) == Span(points=125, low=110, high=125)
    found = weighted([(1, Span(points=40, low=37, high=80, reach=43)), (2, Span(points=60, low=58, high=62))])
    assert found is not None
    assert found.high == pytest.approx(found.points + math.hypot(40, 4) / 3)
    assert found.reach == pytest.approx(found.points + math.hypot(3, 4) / 3)


def test_a_spread_of_ones_own_earns_no_place_and_no_band_and_the_board_says_so() -> None:
    def on(who: str, points: float, half: float, room: float | None) -> list[Cell]:
        return [cell(who, task.id, points, half, points_room=room) for task in TASKS]

    honest = [*on("ann", 90, 5, 8), *on("ben", 86, 5, 8)]
    for room, rank, band_, tied in ((None, 1, "review", True), (8.0, 3, "not yet", False)):
        found = standings(of(honest, on("cleo", 50, 80, room), cut=80))
        ann, ben, cleo = (ranked(found.of(who)) for who in ("ann", "ben", "cleo"))
        assert (ann.rank, ben.rank, ann.tied) == (1, 1, True)
        assert (cleo.rank, cleo.band, cleo.tied) == (rank, band_, tied)
        assert cleo.worst == 3
        assert ann.worst == (3 if room is None else 2)
        assert any("earns no place" in note for note in found.notes) == (room is not None)
    assert plain.between(cleo.points) == f"4 to 96, up to {50 + 8 * math.sqrt(6) / 4:.0f}"


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


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ((10, 20), (20, 30), True),  # a common end
        ((10, 20), (20.5, 30), False),
        ((10, 40), (20, 30), True),
        ((10, 25), (20, 30), True),
    ],
)
def test_intervals_meet_whichever_is_asked(
    one: tuple[float, float], other: tuple[float, float], meet: bool
) -> None:
    first, second = (Span(points=sum(ends) / 2, low=ends[0], high=ends[1]) for ends in (one, other))
    assert first.overlaps(second) is second.overlaps(first) is meet


def test_a_failed_task_has_no_tier_whatever_its_cell_says() -> None:
    broken = failed("ann", "noisy-labels").model_copy(update={"tier": "expert"})
    cells = [*row("ann", 97, 0, 96)[::2], broken]
    placed = ranked(standings(of(cells, people=("ann",)), failed_task="zero").of("ann"))
    assert (placed.tier, placed.tiers) == ("none", {"none": 1, "expert": 2})


def test_notes_say_only_what_is_so() -> None:
    sheet = of(row("ann", 90, 90, 90), row("ben", 10, 10, 10), people=("ann", "ben"))
    assert standings(sheet).notes == ()
    assert standings(sheet, failed_task="zero").notes == (
        "A failed task would count as 0 points here, as was asked for; nobody ranked failed one",
    )


def test_a_chain_runs_through_whoever_reaches_lowest() -> None:
    """Half-widths times sqrt(6) / 4: zoe 58 to 62, max 20 to 80, and will 15 to 25 meets only max."""
    cells = [
        row(who, *[points] * 3, half=half)
        for who, points, half in (("zoe", 60, 3), ("max", 50, 49), ("will", 20, 8))
    ]
    (note,) = [n for n in standings(of(*cells, people=("zoe", "max", "will"))).notes if "So " in n]
    assert "So zoe is ahead of will for certain, while max can be told from neither" in note
