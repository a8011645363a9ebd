"""How far a run's times can be trusted, in words for a reader who has never timed a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness import records
from harness.readings import Condition, Grade, Isolation
from harness.records import Certificate, ConstraintResult, Probe, Run, Timing
from harness.reports.parts import clean, units
from harness.reports.parts.tables import Cell, Mark, Table, cell, row
from harness.reports.run import run_series

TITLE = "Can these times be trusted?"
GRADES: dict[Grade, tuple[str, Mark]] = {
    "A": ("grade A: quiet", "pass"),
    "B": ("grade B: usable", "pass"),
    "C": ("grade C: too disturbed", "inconclusive"),
}
# What a probe asks, and what the answer is called when it is clear.
QUESTIONS = {
    "repeated input": ("Are answers remembered?", "no"),
    "reference alone": ("Does the submission slow the reference down?", "no"),
    "stopped means still": ("Does it work while it is stopped?", "no"),
    "cores": ("Does it stay on the cores it was given?", "yes"),
    "plausible": ("Are the times possible at all?", "yes"),
    "empty request": ("Are the calls long enough to be timed?", "yes"),
    "steady state": ("Were the processes warmed up?", "yes"),
}
ANSWERS: dict[str, tuple[str, Mark]] = {
    "note": ("noted", ""),
    "void": ("times are void", "inconclusive"),
    "implausible": ("not believed", "fail"),
}
UNPAIRED = (
    "They were not taken in several fresh process pairs, so no certificate was made. Two processes of one "
    "program differ by a few percent, and one of each cannot show by how much here."
)
OPEN = (
    "Inconclusive: the readings do not decide it. It is no failure; nothing is certified while it is open, nor given "
    "for what was measured beyond its limit, and another run may decide it."
)

OPEN_BY_ITSELF = (
    "Inconclusive by the submission's own doing: its times differ from process to process, or it slows the reference "
    "down, so that they cannot be judged. Nothing is given while it is open, and it is measured again once at most."
)


TO_LOOK_AT = (
    "Open until somebody has looked: it was measured well, and is so good that it does not count unseen. It may be a "
    "better idea than the expert's, or answers from elsewhere; no more measuring tells."
)

NO_SCALE = (
    "Points count from the baseline reference to the expert one, and on these data the two cannot be told apart well "
    "enough. So nobody gets points, a tier or a rank for this task here; nothing is held against the submission."
)


@dataclass(frozen=True)
class TimesState:
    """Whether a run's times are certified, in words, and the mark that goes with it; empty if none were taken."""

    words: str
    mark: Mark


CERTIFIED = TimesState("certified", "pass")
NOT_CERTIFIED = TimesState("not certified", "inconclusive")
UNTIMED = TimesState("", "")


def state(run: Run) -> TimesState:
    """Whether the run's times are certified; UNTIMED if it has none."""
    timing = run.score.timing if run.score else None
    if timing is None:
        return NOT_CERTIFIED if run_series.latencies(run) and run.score else UNTIMED
    return CERTIFIED if timing.certified else NOT_CERTIFIED


def lead(run: Run) -> str:
    """The answer in a sentence or two, with its reasons; "" if nothing was timed."""
    timing = run.score.timing if run.score else None
    if timing is None:
        return f"Not certified. {UNPAIRED}" if state(run).words else ""
    if timing.certified:
        return (
            f"Yes: they are certified. {_pairs(timing)}, the clock called equal programs equal, "
            f"and the machine was {_calm(timing.condition)}."
        )
    reasons = [records.as_sentence(_reason(timing, reason)) for reason in timing.words]
    return f"Not certified. {' '.join(reasons)} Read them as good for orientation, not as evidence."


def _calm(condition: Condition | None) -> str:
    return "not graded" if condition is None else GRADES[condition.grade][0].partition(": ")[2]


def _reason(timing: Timing, sentence: str) -> str:
    """One reason without its introduction; the grade and the certificate with their meaning."""
    reason = clean.line(sentence).removeprefix("times are not certified: ")
    if timing.certificate is not None and reason == clean.line(timing.certificate.words):
        return "the clock did not call the same program equal to its own copy"
    if timing.condition is not None and reason.endswith("grade C"):
        return "while it was timed the machine was too disturbed (grade C)"
    return reason


def _pairs(timing: Timing) -> str:
    return f"{timing.pairs} fresh process pair{'s' if timing.pairs != 1 else ''} were timed"


def checks(run: Run) -> Table:
    """Every check of the run's times: the question, the answer, and the finding."""
    timing = run.score.timing if run.score else None
    columns = ("Check", "Answer", "What was found")
    if timing is None:
        return Table(caption=TITLE, columns=columns, rows=())
    anchor = run_series.anchor(run) or "reference"
    rows = [
        row("Are they certified?", _whether(timing), " ".join(_reasons(timing))),
        row(
            "How often was it started afresh?",
            f"{timing.pairs} pairs" if timing.pairs != 1 else "1 pair",
            "In each pair the submission and the references are new processes, asked in turn.",
        ),
        row("Does the clock call equal equal?", *_equal(timing.certificate, anchor)),
        row("Was the machine quiet?", *_machine(timing.condition)),
        row("What does asking cost?", *_floor(timing.floor_seconds)),
        *(_probe(probe) for probe in timing.probes),
        *([row("Was the submission held?", *_held(run.head.isolation))] if run.head.isolation else []),
    ]
    return Table(caption=TITLE, columns=columns, rows=tuple(rows))


def _whether(timing: Timing) -> Cell:
    shown = CERTIFIED if timing.certified else NOT_CERTIFIED
    return cell(shown.words, mark=shown.mark)


def _reasons(timing: Timing) -> list[str]:
    if timing.certified:
        return ["Every check below allows it."]
    return [records.as_sentence(_reason(timing, reason)) for reason in timing.words]


def _equal(certificate: Certificate | None, anchor: str) -> tuple[Cell, str]:
    if certificate is None:
        return cell("not checked"), "No copy of the reference was timed beside it."
    c = certificate
    inside = c.low >= 1 - c.margin and c.high <= 1 + c.margin
    readings = (
        f"The {anchor} timed against its own copy came out {c.value:.3f} times, {c.low:.3f} to {c.high:.3f}"
    )
    within = units.percent(c.margin)
    if not c.holds:
        return cell("no", mark="inconclusive"), f"{readings}: not equal within {within}. No time is judged."
    if inside:
        return cell("yes", mark="pass"), f"{readings}: equal within {within}."
    return cell("cannot be told", mark="inconclusive"), (
        f"{readings}: a difference beyond {within} is neither shown nor ruled out."
    )


def _machine(condition: Condition | None) -> tuple[Cell, str]:
    if condition is None:
        return cell("not told"), "This system's counters could not be read."
    name, mark = GRADES[condition.grade]
    return cell(name, mark=mark), " ".join(
        records.as_sentence(clean.line(finding)) for finding in condition.words
    )


def _held(isolation: Isolation) -> tuple[Cell, str]:
    """The isolation level of the run, what its self-test saw, and what the level is known not to stop."""
    known = f"Known not to be stopped: {'; '.join(isolation.residual)}." if isolation.residual else ""
    if not isolation.promised:
        return cell(
            f"hardly: {isolation.level}"
        ), f"Level {isolation.level} promises nothing. {known}".strip()
    seen = f"All {isolation.promised} attacks that level {isolation.level} promises to refuse were tried"
    return cell(f"yes: {isolation.level}", mark="pass"), (
        f"{seen} on this machine before the run, and refused (probes {isolation.digest}). {known}".strip()
    )


def _floor(seconds: float | None) -> tuple[str, str]:
    if seconds is None:
        return "not read", "No empty request was timed, so nothing was taken off."
    return units.seconds(seconds), (
        "An empty request, which no line of the submission answers. It is taken off every time before "
        "times are compared."
    )


def _probe(probe: Probe) -> tuple[Cell, ...]:
    question, clear = QUESTIONS.get(probe.name, (probe.name.capitalize(), "nothing found"))
    if probe.name == "steady state" and probe.value:
        clear = "mostly"
    answer, mark = (clear, "pass") if probe.verdict == "clear" else ANSWERS[probe.verdict]
    return row(question, cell(answer, mark=mark), records.as_sentence(clean.line(probe.words)))


def openness(constraints: Sequence[ConstraintResult]) -> str:
    """What it means that verdicts are open, and whose doing it is; "" where none is."""
    by = {c.open_by for c in constraints if c.verdict == "inconclusive"}
    scale = [NO_SCALE] if "data" in by else []
    look = [TO_LOOK_AT] if "evaluator" in by else []
    others = [OPEN_BY_ITSELF if "candidate" in by else OPEN] if by - {"evaluator", "data"} else []
    return " ".join([*scale, *look, *others])


def basis(constraint: ConstraintResult) -> str:
    """The basis of a verdict: its tolerance and its process pairs, if it has any."""
    parts = [f"{units.percent(constraint.tolerance)} tolerance"] if constraint.tolerance else []
    parts += [f"{constraint.pairs} process pairs"] if constraint.pairs > 1 else []
    parts += ["1 process pair"] if constraint.pairs == 1 else []
    return ", ".join(parts)


def explained(constraint: ConstraintResult) -> str:
    """Why a verdict is open, in a sentence; "" if it is not open."""
    c = constraint
    if c.verdict != "inconclusive" or c.value is None or c.low is None or c.high is None:
        return ""
    edge = c.threshold * (1 + c.tolerance if c.bound == "at_most" else 1 / (1 + c.tolerance))
    if not c.low <= edge <= c.high:
        return ""
    limit = units.quantity(c.threshold, c.unit)
    wider = f" ({units.quantity(edge, c.unit)} with the tolerance)" if c.tolerance else ""
    span = f"{units.quantity(c.low, c.unit)} to {units.quantity(c.high, c.unit)}"
    return f"The interval, {span}, lies on both sides of the limit of {limit}{wider}."
