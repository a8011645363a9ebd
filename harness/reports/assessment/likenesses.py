"""What submissions share with public solutions and with each other, in words: hints, which change no points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.reports.parts import clean, plain, words
from harness.reports.parts.tables import Cell, Table, cell, row
from harness.sheets import Compared, Likeness, Sheet, Unseen

PUBLIC = (
    "The references of every task that comes with the harness are public: points alone say that somebody had code that "
    "does this, not who wrote it or understands it. Give a private edition of the task, or ask about the code "
    "(docs/assessments.md, What a score says)."
)
HINT = "A likeness is a hint to look at, never a verdict, and changes no points: read both sides, then ask."
NOT_YET = "Code and answers of this assessment were not compared yet: `harness score` does it."
LEAST_CHANCE = 1e-12
MOST_ROWS = 60
MOST_NAMED = 4  # tasks in a line
PLACES = 3  # ranges of lines that a table shows


def of(compared: Compared | None, candidate: str, task: str) -> tuple[str, ...]:
    """All hints about one submission, as sentences; with the most lines."""
    if compared is None:
        return ()
    shown = [one for one in _shown(compared) if (one.candidate, one.task) == (candidate, task)]
    lines = [f"{sentence(one)}{_places(one, len(one.places))}" for one in shown]
    unseen = [one for one in compared.unseen if (one.candidate, one.task) == (candidate, task)]
    return (*lines, *map(cannot, unseen))


def _shown(compared: Compared) -> list[Likeness]:
    """The likenesses that say something, public solutions first, then the larger shares."""
    told = [one for one in compared.likenesses if not one.few]
    return sorted(told, key=lambda one: (not one.public, -max(one.share, one.other_share)))


def sentence(one: Likeness) -> str:
    """One likeness as a sentence without its lines."""
    other = clean.line(one.other, 80)
    if one.kind == "code":
        share, theirs = _percent(one.share), _percent(one.other_share)
        return f"Shares {share} of its own code with {other}, of whose code it holds {theirs}."
    usual = f"the references among themselves reach {_percent(one.usual)} of what is possible"
    if one.kind == "errors":
        return (
            f"Gave the same wrong answers as {other} to {one.alike:,} of {one.possible:,} items that both could have "
            f"missed alike; {one.expected:.1f} by chance ({_chance(one.chance)}; {usual})."
        )
    return (
        f"{one.alike:,} of {one.possible:,} numbers that it answered with equal those of {other} to the bit ({usual}; "
        "the same call of the same library gives the same bits)."
    )


def cannot(one: Unseen) -> str:
    """What of a submission cannot be compared, as a sentence."""
    return f"Cannot be compared: {'; '.join(clean.line(what, 120) for what in one.what)}."


def _chance(chance: float | None) -> str:
    if chance is None:
        return "no chance can be given"
    shown = f"below {LEAST_CHANCE:.0e}" if chance < LEAST_CHANCE else f"{chance:.1e}"
    return f"the chance of so many is {shown} if both err independently"


def _percent(share: float) -> str:
    return f"{max(0.0, share):.0%}".replace("%", " %")


def _places(one: Likeness, most: int) -> str:
    shown = [clean.line(place, 120) for place in one.places[:most]]
    more = len(one.places) - len(shown)
    return f" {'; '.join(shown)}{f'; and {more} more' if more else ''}." if shown else ""


def in_short(compared: Compared | None) -> dict[str, str]:
    """By candidate: what is shared with public solutions, in a line for a table; only of those who share some."""
    tasks: dict[str, dict[str, list[str]]] = {}
    for one in _shown(compared) if compared is not None else ():
        if one.public:
            beside = tasks.setdefault(one.candidate, {}).setdefault(clean.line(one.other, 60), [])
            beside += [one.task] if one.task not in beside else []
    return {
        alias: "hint: shares with "
        + words.join([f"{other} ({_listed(names)})" for other, names in others.items()])
        for alias, others in tasks.items()
    }


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(clean.line(name, 40) for name in names[:MOST_NAMED]) + more


def table(sheet: Sheet, titles: Mapping[str, str]) -> Table:
    """Every hint of an assessment, one row for each submission and other side; what cannot be compared last."""
    compared = sheet.compared
    rows = list(_rows(compared, titles)) if compared is not None else []
    more = (
        f" {plain.count(len(rows) - MOST_ROWS, 'row')} more: --format json." if len(rows) > MOST_ROWS else ""
    )
    lead = NOT_YET if compared is None else HINT if rows else "No likeness was found that says anything."
    if compared is not None and compared.notes:
        lead += f" {plain.count(len(compared.notes), 'note')} on what was left out: --format json."
    return Table(
        caption="What is shared: hints",
        columns=("Candidate", "Task", "Hint"),
        rows=tuple(rows[:MOST_ROWS]),
        footnote=f"{lead}{more}",
    )


def _rows(compared: Compared, titles: Mapping[str, str]) -> Iterable[tuple[Cell, ...]]:
    public = {(one.candidate, one.task, one.kind) for one in _shown(compared) if one.public}
    for one in _shown(compared):
        sides = [(name, one.task, one.kind) for name in (one.candidate, one.other)]
        # Of two candidates one row says it; none where both share with what is public, which their own rows say.
        if one.public or (one.candidate < one.other and not public.issuperset(sides)):
            yield row(
                clean.short(one.candidate, 28),
                titles.get(one.task, one.task),
                cell(sentence(one), _places(one, PLACES).strip()),
            )
    for unseen in compared.unseen:
        yield row(
            clean.short(unseen.candidate, 28), titles.get(unseen.task, unseen.task), cell(cannot(unseen))
        )
