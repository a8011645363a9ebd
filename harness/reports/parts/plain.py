"""Tiers, places, bands and limits in plain words, for readers who do not know the harness."""

from __future__ import annotations

from harness.analysis.standings import Band, Ranked, Span
from harness.readings import FEWEST_PAIRS
from harness.records import SHOWN, Judged, Outcome, Stamp
from harness.reports.parts import clean, units, words
from harness.reports.parts.tables import Mark
from harness.sheets import Cell, CellConstraint, Standing

TIERS = {
    "expert": "as good as the expert reference",
    "competent": "as good as the competent reference or better, and short of the expert's",
    "baseline": "as good as the simplest working solution or better, and short of the competent reference's",
    "below baseline": "below the simplest working solution",
    "none": "not placed",
}
STANDINGS: dict[Standing, tuple[str, Mark]] = {
    "fit": ("counted", "pass"),
    "unfit": ("failed", "fail"),
    "not attempted": ("not attempted", "fail"),
    "open": ("open", "inconclusive"),
}
BANDS: dict[Band, tuple[str, Mark]] = {
    "pass": ("pass", "pass"),
    "review": ("review", "inconclusive"),
    "not yet": ("not yet", "fail"),
}
STAMPS: dict[Stamp, str] = {
    "practice": "Practice: the answers could be looked up, so it is no evidence for a decision",
    "self-check": "Self-check: the isolation is not strong enough for an official result, or its times rest on fewer "
    f"than {FEWEST_PAIRS} process pairs",
    "official": "Official: secret instances and full isolation",
}


def points(value: float) -> str:
    """Points with a true minus sign: 74, −3."""
    return units.points(value).replace("-", "\N{MINUS SIGN}")


def above(uncapped: float | None) -> bool:
    """Whether points stand above what counts at most."""
    return uncapped is not None and uncapped > SHOWN.high


def uncut(uncapped: float | None, counted: float) -> str:
    """Points as they were reached: "74", and "137 uncut" where they stand above what counts."""
    return f"{points(uncapped)} uncut" if uncapped is not None and above(uncapped) else points(counted)


def span(interval: Span | None) -> str:
    """Points with their interval: "74 (68 to 80)"."""
    return units.ABSENT if interval is None else f"{points(interval.points)} ({between(interval)})"


def between(interval: Span) -> str:
    """The interval: "68 to 80", and how far up it counts where that is less: "40 to 120, up to 83"."""
    whole = f"{points(interval.low)} to {points(interval.high)}"
    if interval.reach is None or points(interval.reach) == points(interval.high):
        return whole
    return f"{whole}, up to {points(interval.reach)}"


def place(one: Ranked) -> str:
    """A rank, marked if it is shared: "2", "2 =" (also in a terminal)."""
    return f"{one.rank} =" if one.tied else str(one.rank)


def possible(one: Ranked) -> str:
    """The places that the intervals allow: "place 1 to 3"."""
    return f"place {one.rank}" if one.rank == one.worst else f"place {one.rank} to {one.worst}"


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 task", "3 tasks"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def outcome(cell: Cell | None) -> str:
    """How a cell ended, in two words."""
    return "Not scored yet" if cell is None else words.OUTCOMES[cell.outcome][0]


def gap(outcome_: Outcome | None) -> str:
    """The same for a missing cell in the standings."""
    return "Not scored yet" if outcome_ is None else words.OUTCOMES[outcome_][0]


def constraint(judged: Judged) -> str:
    """A constraint's name, and that it is a guard where the expert stays far within it."""
    return f"{judged.name} (a guard)" if judged.guard else judged.name


def limit(constraint: CellConstraint) -> str:
    """The limit: "at most 6 times the baseline reference's", "at most 2 GiB"."""
    bound = "at most" if constraint.bound == "at_most" else "at least"
    return f"{bound} {_amount(constraint.threshold, constraint)}{_against(constraint)}"


def measured(constraint: CellConstraint) -> str:
    """The measured value: "3.2 times (3.1 to 3.3)"."""
    if constraint.value is None:
        return units.ABSENT
    return _amount(constraint.value, constraint)


def _amount(value: float, constraint: CellConstraint) -> str:
    if constraint.unit in ("x", "ratio"):
        return f"{units.ratio(value).removesuffix('x')} times"
    return units.quantity(value, constraint.unit)


def _against(constraint: CellConstraint) -> str:
    if not constraint.reference:
        return ""
    reference = words.measure(clean.line(constraint.reference, 60))
    if reference not in ("baseline", "competent", "expert"):
        return f" {reference}"
    return f" {'' if constraint.unit in ('x', 'ratio') else 'against '}the {reference} reference's"


def used(constraint: CellConstraint) -> str:
    """The used share of an upper limit: "53 % of what is allowed"; "" if that says nothing."""
    c = constraint
    if c.value is None or c.bound != "at_most" or c.threshold <= 0 or c.value < 0:
        return ""
    return f"{round(100 * c.value / c.threshold):,} % of what is allowed"


def on_ladder(cell: Cell) -> str:
    """The objective against the references: "between competent (0.788) and expert (0.836)"."""
    own = cell.points_uncapped
    rungs = sorted(
        (r.points, r.tier, units.quantity(r.objective, cell.unit))
        for r in cell.ladder
        if r.points is not None
    )
    if own is None or not rungs:
        return ""
    below = [f"{tier} ({value})" for p, tier, value in rungs if p <= own]
    above = [f"{tier} ({value})" for p, tier, value in rungs if p > own]
    if below and above:
        return f"between the references {below[-1]} and {above[0]}"
    return f"at or above the reference {below[-1]}" if below else f"below the reference {above[0]}"
