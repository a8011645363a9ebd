"""How alike the instances of an assessment were, shown by what the same references reached on each.

Points are anchored on every instance by its own baseline (0) and expert (100), so a harder variant does
not cost its candidate points; how far the anchors wander says how much there was to correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

from harness.readings import Record
from harness.sheets import Sheet


class Equated(Record):
    """One reference on one task, over the variants that candidates had.

    `mean` and `spread` (standard deviation, None for one variant) are of its objective, in the task's
    unit; `share` is the spread by the mean distance between baseline and expert, None where that is 0.
    """

    task: str
    tier: str
    variants: int
    mean: float
    spread: float | None
    share: float | None


def equating(sheet: Sheet) -> tuple[Equated, ...]:
    """The anchors of each task, baseline and expert, over its distinct variants; pure."""
    equated: list[Equated] = []
    for task in sheet.assessment.suite.tasks:
        anchors = _anchors(sheet, task.id)
        if not anchors:
            continue
        gap = abs(fmean(expert - baseline for baseline, expert in anchors))
        for number, tier in enumerate(("baseline", "expert")):
            values = [pair[number] for pair in anchors]
            spread = stdev(values) if len(values) > 1 else None
            share = spread / gap if spread is not None and gap else None
            equated.append(
                Equated(
                    task=task.id,
                    tier=tier,
                    variants=len(values),
                    mean=fmean(values),
                    spread=spread,
                    share=share,
                )
            )
    return tuple(equated)


def in_words(rows: Sequence[Equated]) -> list[str]:
    """One line for each anchor."""
    return [
        f"{row.task}: {row.tier} reached {row.mean:.4g} on {row.variants} variant{'s' if row.variants > 1 else ''}"
        + (f", standard deviation {row.spread:.2g}" if row.spread is not None else "")
        + (f" ({row.share:.0%} of the distance to the other anchor)" if row.share is not None else "")
        for row in rows
    ]


def _anchors(sheet: Sheet, task: str) -> list[tuple[float, float]]:
    """Baseline and expert of each distinct variant; cells of the same instances count once."""
    anchors: dict[tuple[str, ...], tuple[float, float]] = {}
    for cell in sheet.on(task):
        objective = {rung.tier: rung.objective for rung in cell.ladder}
        baseline, expert = objective.get("baseline"), objective.get("expert")
        if baseline is not None and expert is not None:
            anchors.setdefault(cell.instances, (baseline, expert))
    return list(anchors.values())
