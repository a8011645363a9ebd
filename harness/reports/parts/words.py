"""The names of outcomes, stamps and measures in a report; one table for each."""

from __future__ import annotations

import re

from harness.records import Outcome, Run, Stamp, as_sentence

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
}

STAMPS: dict[Stamp, tuple[str, str]] = {
    "practice": (
        "Practice run",
        "The data are public or the seed is known, so the answers could be looked up. "
        "It shows what the code can do; it is no evidence for a decision.",
    ),
    "self-check": (
        "Self-check",
        "The data or the seed are not public, but the isolation is not strong enough to rule out "
        "a submission that reads what it should not. Not an official result.",
    ),
    "official": (
        "Official run",
        "Secret seed, data that cannot be looked up, and full isolation: "
        "the result may be compared with other official runs of the same task and profile.",
    ),
}

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
