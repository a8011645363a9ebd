"""The names of outcomes, stamps and measures in a report; one table for each."""

from __future__ import annotations

import re

from harness.readings import FEWEST_PAIRS
from harness.records import Culprit, Outcome, Run, RunHead, Score, Source, Stamp, as_sentence
from harness.reports.parts import units

OUTCOMES: dict[Outcome, tuple[str, str]] = {
    "ok": ("Scored", "It ran to the end, its answers were valid, and every constraint was judged."),
    "wrong": ("Wrong", "Its answers are not an attempt at the task."),
    "malformed": ("Malformed", "An answer did not have the shape, type or range of the contract."),
    "timeout": ("Timed out", "A phase took longer than its limit and was stopped."),
    "out_of_memory": ("Out of memory", "It needed more memory than its limit and was stopped."),
    "crashed": ("Crashed", "The submission's code raised an error or its process died."),
    "protocol_error": ("Protocol error", "Its process stopped speaking the protocol of the worker."),
    "implausible": ("Implausible", "A result cannot be true, so it was not scored."),
    "budget_exceeded": ("Constraint failed", "It ran, but it broke a constraint of the task."),
    "inconclusive": ("Inconclusive", "The readings are too noisy for a verdict; run it again."),
    "sandbox_failed": ("Not run: our fault", "The sandbox could not be started; nothing is held against it."),
    "harness_error": ("Not scored: our fault", "The harness failed; nothing is held against the submission."),
    "not_attempted": ("Not attempted", "Nothing was handed in for this task."),
    "rejected": ("Rejected", "Somebody looked at the result and did not accept it."),
}

# What is shown in the place of points that are not given while a verdict is open, and whose doing that is.
OPEN = "open"
OPEN_BY: dict[Culprit, str] = {
    "": "",
    "machine": "by the machine's doing or the clock's",
    "candidate": "by its own doing",
    "evaluator": "until somebody has looked at it",
    "data": "since the references do not stand apart on these data",
}

STAMPS: dict[Stamp, tuple[str, str]] = {
    "practice": (
        "Practice run",
        "The data are public or the seed is known, so the answers could be looked up. "
        "It shows what the code can do; it is no evidence for a decision.",
    ),
    "self-check": (
        "Self-check",
        "The data and the seed are not public, but the isolation is not strong enough to rule out "
        "a submission that reads what it should not. Not an official result.",
    ),
    "official": (
        "Official run",
        "Secret seed, data that cannot be looked up, full isolation, and process pairs enough where times count: "
        "the result may be compared with other official runs of the same task and profile.",
    ),
}


def stamp(head: RunHead) -> tuple[str, str]:
    """A run's stamp and what it means, for this run."""
    name, meaning = STAMPS[head.stamp]
    return name, few_pairs(head) or meaning


def few_pairs(head: RunHead) -> str:
    """Why a run is no official one though its isolation is strong enough, in a sentence; '' elsewhere."""
    if head.stamp != "self-check" or head.isolation is None or not head.isolation.official:
        return ""
    number = head.profile.pairs
    return (
        f"Its times rest on {number} process pair{'' if number == 1 else 's'}, which cannot show whether it slowed the "
        "reference that it is compared with. Not an official result: for one, use a profile with "
        f"{FEWEST_PAIRS} pairs or more, such as laptop-cpu."
    )


def points(score: Score) -> str:
    """The points that are given; "open" while they are withheld."""
    return OPEN if score.withheld else units.points(score.points)


def before(score: Score) -> str:
    """When the points were reached that a result without points has."""
    return "as measured" if score.outcome == "rejected" else "before the constraints"


NAMES = (
    (r" at (\d+)\b", r"@\1"),
    (r"\bndcg", "nDCG"),
    (r"\bmrr\b", "MRR"),
    (r"\bmap\b", "MAP"),
    (r"\b(macro|micro) f1\b", r"\1-F1"),
    (r"\bf1\b", "F1"),
    (r"\bauc\b", "AUC"),
)


def measure(name: str) -> str:
    """A measure's name for people: macro_f1 -> macro-F1, ndcg_at_10 -> nDCG@10."""
    name = name.replace("_", " ")
    for pattern, shown in NAMES:
        name = re.sub(pattern, shown, name)
    return name


def measurer(measured_by: str) -> str:
    """Who measured a value; the parent process is called the harness."""
    return "the harness" if measured_by == "parent" else measured_by


def revision(source: Source) -> str:
    """Which data or model exactly: a revision, or the published set that a local folder holds texts of."""
    if not source.revision:
        return ""
    known = source.public and source.kind == "local"
    return f"{'texts of' if known else 'revision'} {source.revision}"


def join(parts: list[str]) -> str:
    """A list as a sentence reads it: a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def sentence(run: Run) -> str:
    """One sentence that says how the run ended and why."""
    if run.score is None:
        return "The run was recorded but not scored."
    score = run.score
    if score.outcome != "ok":
        return as_sentence(score.reasons[0] if score.reasons else OUTCOMES[score.outcome][1])
    if score.reasons:
        return as_sentence(score.reasons[0])
    return f"Every constraint passed; the tier reached is {score.tier}."
