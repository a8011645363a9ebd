"""How far the anchors wander over the variants of a task: means, spreads and shares by hand."""

from __future__ import annotations

import pytest

from harness.analysis.equating import Equated, equating, in_words
from harness.records import Rung
from harness.sheets import Assessment, Cell, Sheet, Suite, TaskInSuite


def anchored(candidate: str, task: str, variant: str, **objective: float | None) -> Cell:
    """A cell with these tiers on its ladder."""
    ladder = tuple(
        Rung.model_validate({"tier": tier, "objective": value, "points": None})
        for tier, value in objective.items()
    )
    return Cell(candidate=candidate, task=task, outcome="ok", instances=(variant,), ladder=ladder)


def of(*cells: Cell, tasks: tuple[str, ...] = ("toy",)) -> Sheet:
    suite = Suite(name="s", title="s", tasks=tuple(TaskInSuite(id=name) for name in tasks))
    known = Assessment(id="a", suite=suite, seed_id="x", begun_at="", harness_version="")
    people = tuple(dict.fromkeys(cell.candidate for cell in cells))
    return Sheet(assessment=known, candidates=people, cells=cells)


def test_anchors_of_each_variant_count_once_and_their_spread_is_by_the_distance_between_them() -> None:
    # baselines 9 and 5, experts 3 and 1, where less is better: 5 apart on average
    baseline, expert = equating(
        of(
            anchored("a", "toy", "i", baseline=9.0, competent=7.0, expert=3.0),
            anchored("b", "toy", "j", baseline=5.0, competent=4.0, expert=1.0),
            anchored("c", "toy", "j", baseline=5.0, competent=4.0, expert=1.0),
        )
    )
    assert (baseline.task, baseline.tier, baseline.variants, baseline.mean) == ("toy", "baseline", 2, 7.0)
    assert (expert.task, expert.tier, expert.variants, expert.mean) == ("toy", "expert", 2, 2.0)
    assert (baseline.spread, expert.spread) == (pytest.approx(8**0.5), pytest.approx(2**0.5))
    assert (baseline.share, expert.share) == (pytest.approx(8**0.5 / 5), pytest.approx(2**0.5 / 5))


def test_one_variant_has_no_spread_and_anchors_in_one_place_no_share() -> None:
    once = equating(of(anchored("a", "toy", "i", baseline=1.0, expert=3.0)))
    assert [(row.variants, row.mean, row.spread, row.share) for row in once] == [
        (1, 1.0, None, None),
        (1, 3.0, None, None),
    ]
    level = equating(
        of(
            anchored("a", "toy", "i", baseline=1.0, expert=1.0),
            anchored("b", "toy", "j", baseline=3.0, expert=3.0),
        )
    )
    assert [(row.mean, row.spread, row.share) for row in level] == [(2.0, pytest.approx(2**0.5), None)] * 2


def test_what_has_not_both_anchors_is_left_out() -> None:
    sheet = of(
        anchored("a", "bare", "i"),
        anchored("a", "half", "i", baseline=1.0),
        anchored("b", "half", "j", expert=1.0),
        anchored("c", "half", "k", baseline=None, expert=1.0),
        anchored("d", "half", "l", baseline=1.0, expert=None),
        anchored("a", "whole", "i", baseline=1.0, expert=2.0),
        tasks=("unseen", "bare", "half", "whole"),
    )
    assert [(row.task, row.tier, row.mean) for row in equating(sheet)] == [
        ("whole", "baseline", 1.0),
        ("whole", "expert", 2.0),
    ]


@pytest.mark.parametrize(
    ("variants", "spread", "share", "line"),
    [
        (1, None, None, "toy: expert reached 0.8123 on 1 variant"),
        (3, 0.034, None, "toy: expert reached 0.8123 on 3 variants, standard deviation 0.034"),
        (
            2,
            0.034,
            0.25,
            "toy: expert reached 0.8123 on 2 variants, standard deviation 0.034 "
            "(25% of the distance to the other anchor)",
        ),
    ],
)
def test_a_line_says_what_is_known(
    variants: int, spread: float | None, share: float | None, line: str
) -> None:
    row = Equated(task="toy", tier="expert", variants=variants, mean=0.81234, spread=spread, share=share)
    assert in_words([row]) == [line]
