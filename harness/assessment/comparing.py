"""Compares what was handed in, and what it answered, with public solutions and with each other: hints, no verdicts.

Nothing here is scored: a likeness stands beside the points, and never changes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime

from harness.analysis.answers import Alike, Answered, alike, thinned
from harness.analysis.opaque import opaque
from harness.analysis.similarity import FEW, THRESHOLD, Found, Part, Region, SharedCode, compare
from harness.digests import of_value
from harness.errors import HarnessError
from harness.inputs import comparable
from harness.inputs.comparable import Contents
from harness.inputs.hand_ins import Handed
from harness.inputs.tasks import Task
from harness.instances import Answer
from harness.records import Trial
from harness.runs.evaluate import items_of
from harness.runs.rescore import Instances, instance_of
from harness.sheets import Assessment, Compared, Likeness, Unseen
from harness.store.ledger import KeptCell, Ledger
from harness.store.results import Store

_Code = tuple[str, str, str]  # candidate, task, and the unit of the cell that it has
KIND = 1  # counted up when a comparison would find something else in the same
MOST_PLACES = 12  # ranges of lines that are kept of one likeness
MOST_TOGETHER = 300  # submissions whose answers are compared with each other, and not with references only


def compared(task: Task, handed: Mapping[str, Contents], threshold: float = THRESHOLD) -> Found:
    """The code of submissions by alias, beside that of the task's references, mutants and cheats and of each other."""
    notes: tuple[str, ...] = ()
    try:
        known = comparable.public(task)
    except HarnessError as error:
        known, notes = {}, (f"compared with each other only: {error}",)
    files = {alias: one.code for alias, one in handed.items()}
    code = compare(files, comparable.given(task), threshold, known)
    parts = tuple(replace(part, unseen=_unseen(part, handed[part.candidate])) for part in code.parts)
    return replace(code, parts=parts, notes=(*code.notes, *notes))


def _unseen(part: Part, held: Contents) -> tuple[str, ...]:
    words = [one.words for one in opaque(held.code, held.others)]
    if part.own + part.common < FEW:
        words.append(f"{part.own + part.common} fingerprints beside the starter's: too few to say anything")
    return tuple(words)


def keep_comparison(
    ledger: Ledger,
    assessment: Assessment,
    tasks: Mapping[str, Task],
    handed: Mapping[tuple[str, str], Handed],
    note: Callable[[str], object],
) -> None:
    """Compares code and answers of an assessment and keeps what was found; what is as it was is not compared again.

    A command may give the files of some candidates only. What was found of the others before stands as long as their
    cells do, and a note says whose code was not at hand to be compared with.
    """
    cells = ledger.units(assessment.id)
    key = of_value([KIND, *sorted([*cell, kept.unit] for cell, kept in cells.items())])
    before = ledger.compared(assessment.id)
    here = {(*cell, kept.unit) for cell, kept in cells.items() if cell in handed}
    sets = _still(before, cells)
    known = set[_Code]().union(*sets)
    if before is not None and before.key == key and any(here <= one for one in sets):
        return
    given = {(alias, task) for alias, task, _ in here}
    absent = {(alias, task) for alias, task, _ in known} - given
    likenesses = [
        one
        for one in (before.likenesses if before else ())
        if one.kind == "code" and _stands(one, given, absent)
    ]
    unseen = [one for one in (before.unseen if before else ()) if (one.candidate, one.task) in absent]
    notes: list[str] = []
    for name, task in tasks.items():
        files = comparable.handed_in(handed, name, notes, task.definition.limits)
        code = compared(task, files)
        notes += [f"{name}: {text}" for text in code.notes]
        likenesses += _of_code(name, code)
        unseen += [Unseen(candidate=p.candidate, task=name, what=p.unseen) for p in code.parts if p.unseen]
        if files and (others := sorted(alias for alias, own in absent if own == name)):
            notes.append(f"{name}: {_not_at_hand(sorted(files), others)}")
        try:
            cells_here = [kept for (_, t), kept in cells.items() if t == name]
            likenesses += _beside_code(list(_of_answers(ledger.store, task, cells_here)), likenesses, unseen)
        except HarnessError as error:
            notes.append(f"{name}: answers were not compared: {error}")
    ledger.keep_compared(
        assessment.id,
        Compared(
            key=key,
            compared_at=datetime.now(UTC).isoformat(timespec="seconds"),
            together=tuple(tuple(sorted(one)) for one in (here, *(own for own in sets if not own <= here))),
            likenesses=tuple(likenesses),
            unseen=tuple(unseen),
            notes=tuple(notes),
        ),
    )
    named = {one.candidate for one in likenesses if not one.few}
    if named:
        note(
            f"hints to look at: {len(named)} of the candidates share code or answers; harness leaderboard has them"
        )


def _still(before: Compared | None, cells: Mapping[tuple[str, str], KeptCell]) -> list[set[_Code]]:
    """Whose code was compared with each other's before and is what it was."""
    now = {(*cell, kept.unit) for cell, kept in cells.items()}
    return [now & set(one) for one in (before.together if before is not None else ())]


def _stands(one: Likeness, given: Set[tuple[str, str]], absent: Set[tuple[str, str]]) -> bool:
    """Whether a likeness of before is not found again here, since one of the two is not at hand, and both stand."""
    mine, other = (one.candidate, one.task), (one.other, one.task)
    if one.public:
        return mine in absent
    return {mine, other} <= given | absent and bool({mine, other} & absent)


def _not_at_hand(given: Sequence[str], others: Sequence[str]) -> str:
    named = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
    return (
        f"{', '.join(given[:5])}{' and more' if len(given) > 5 else ''} {'was' if len(given) == 1 else 'were'} not "
        f"compared with {named}, whose files were not given this time: give all in one folder"
    )


def _beside_code(
    answers: Iterable[Likeness], code: Iterable[Likeness], unseen: Iterable[Unseen]
) -> list[Likeness]:
    """Without numbers equal to the bit where the code was compared and is not alike.

    Who calls the same function of the same library has the same bits, and nobody's code.
    """
    pairs = {(one.candidate, one.task, one.other) for one in code}
    hidden = {(one.candidate, one.task) for one in unseen}
    return [
        one
        for one in answers
        if one.kind != "bits"
        or (one.candidate, one.task, one.other) in pairs
        or (one.candidate, one.task) in hidden
        or (one.other, one.task) in hidden
    ]


def _of_code(task: str, code: Found) -> Iterator[Likeness]:
    for pair in code.known:
        # A mutant or a cheat may hold a reference's code: who shares that shares it with the reference.
        closest = max(
            (p.share for p in code.known if p.one == pair.one and _is_reference(p.other)), default=0.0
        )
        if pair.share <= closest and not _is_reference(pair.other):
            continue
        yield _code(task, pair, public=True)
    for pair in code.pairs:
        yield _code(task, pair, public=False)
        yield _code(task, _turned(pair), public=False)


def _is_reference(name: str) -> bool:
    return name.startswith("the public ")


def _code(task: str, pair: SharedCode, public: bool) -> Likeness:
    return Likeness(
        candidate=pair.one,
        task=task,
        kind="code",
        other=pair.other,
        public=public,
        share=pair.share,
        other_share=pair.other_share,
        few=pair.few,
        places=tuple(_place(region) for region in sorted(pair.regions, key=_length)[:MOST_PLACES]),
    )


def _turned(pair: SharedCode) -> SharedCode:
    regions = tuple(Region(r.other_file, r.other_lines, r.file, r.lines) for r in pair.regions)
    return replace(
        pair, one=pair.other, other=pair.one, share=pair.other_share, other_share=pair.share, regions=regions
    )


def _place(region: Region) -> str:
    """Lines of the candidate's file, and those they are like."""
    return f"{region.file}:{_lines(region.lines)} is like {region.other_file}:{_lines(region.other_lines)}"


def _length(region: Region) -> int:
    return region.lines[0] - region.lines[1]


def _lines(lines: tuple[int, int]) -> str:
    first, last = lines
    return f"{first}-{last}" if last != first else str(first)


def _of_answers(store: Store, task: Task, cells: Sequence[KeptCell]) -> Iterator[Likeness]:
    """What is alike in the answers to the same instance, told once for each pair: on the instance where it is most."""
    most: dict[tuple[str, str, str], Alike] = {}
    instances: Instances = {}
    for group in _by_instance(store, cells).values():
        handed, references = _answered(store, task, group, instances)
        together = [handed] if len(handed) <= MOST_TOGETHER else [[one] for one in handed]
        for one in (found for part in together for found in alike(part, references)):
            key = (one.one, one.other, one.kind)
            if key not in most or most[key].excess < one.excess:
                most[key] = one
    public = {f"the public {tier}" for tier in ("baseline", "competent", "expert")}
    for one in most.values():
        yield _answers(task.id, one.one, one.other, one, one.other in public)
        if one.other not in public:
            yield _answers(task.id, one.other, one.one, one, False)


def _answers(task: str, candidate: str, other: str, pair: Alike, public: bool) -> Likeness:
    return Likeness(
        candidate=candidate,
        task=task,
        kind=pair.kind,
        other=other,
        public=public,
        share=pair.excess,
        alike=pair.alike,
        possible=pair.possible,
        expected=pair.expected,
        chance=pair.chance,
        usual=pair.usual,
    )


class _Asked:
    """Who answered one instance: trials of candidates by alias, and of references by tier."""

    def __init__(self) -> None:
        self.handed: dict[str, tuple[str, Trial]] = {}
        self.known: dict[str, tuple[str, Trial]] = {}


def _by_instance(store: Store, cells: Sequence[KeptCell]) -> dict[str, _Asked]:
    """The trials that ended well and could be judged, with the run each belongs to, by instance."""
    groups: dict[str, _Asked] = {}
    for cell in (kept.cell for kept in cells if kept.cell.run_id and kept.cell.value is not None):
        remembered: set[str] = set()
        trials = store.trials(cell.run_id)
        for trial in trials:
            if trial.outcome == "ok" and "archive" in trial.answers:
                group = groups.setdefault(trial.instance_id, _Asked())
                if trial.role == "candidate":
                    group.handed[cell.candidate] = (cell.run_id, trial)
                elif trial.role == "reference" and trial.tier:
                    group.known[trial.tier] = (cell.run_id, trial)
            known = store.known(cell.run_id, trial.number)
            remembered |= {one.reused_from for one in known.references if one.reused_from} if known else set()
        for run_id in remembered:
            for trial in store.trials(run_id):
                if (
                    trial.role == "reference"
                    and trial.tier
                    and trial.outcome == "ok"
                    and trial.instance_id in groups
                ):
                    groups[trial.instance_id].known.setdefault(trial.tier, (run_id, trial))
    return groups


def _answered(
    store: Store, task: Task, group: _Asked, instances: Instances
) -> tuple[list[Answered], list[Answered]]:
    """What candidates and references answered, to what all references were asked; also item by item where the task can.

    Answers are read one solution after the other, and of each only a part is held.
    """
    if len(group.known) < 2:
        return [], []
    known = {
        f"the public {tier}": (ran, store.answers(ran[1].answers["archive"]))
        for tier, ran in group.known.items()
    }
    both = set.intersection(*(set(answers) for _, answers in known.values()))

    def part(name: str, ran: tuple[str, Trial], answers: Mapping[str, Answer]) -> Answered:
        shared = {item: answers[item] for item in sorted(both) if item in answers}
        if not task.has_items:
            return Answered(name, thinned(shared))
        instance = instance_of(*ran, store, task, instances).instance
        return Answered(name, thinned(shared), items_of(task, instance, shared))

    references = [part(name, ran, answers) for name, (ran, answers) in known.items()]
    handed = [
        part(alias, ran, store.answers(ran[1].answers["archive"])) for alias, ran in group.handed.items()
    ]
    return handed, references
