"""Sabotage: submissions that cheat the clock or hinder the reference; what each gains, and whether it is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from harness.measures.paired import over_pairs
from tests.bench import figures
from tests.bench.rows import Row, log_ratios, usable
from tests.bench.running import HERE, Bench, Counts

TITLE = "Sabotage does not pay"
GAIN = 0.02
PASSES = 0.06  # of the A/A runs: twice by default
RIGHT = 4.0  # digits, as the task's own constraint has it
# Probes whose words point at the submission; the others speak of the machine or of the task.
POINTING = ("repeated input", "reference alone", "stopped means still", "plausible")
# A brief run shows a thread that answers too late, and another process.
BRIEF = ("late-writer", "forked-child")


def submissions() -> list[Path]:
    """The folders of saboteurs."""
    return sorted(file.parent for file in (HERE / "sabotage").glob("*/solution.py"))


def _taken(counts: Counts) -> list[Path]:
    return [folder for folder in submissions() if not counts.brief or folder.name in BRIEF]


def steps(counts: Counts) -> int:
    """How many runs."""
    return counts.part(PASSES) * len(_taken(counts))


def measure(bench: Bench) -> Iterator[Row]:
    """Each saboteur beside the baseline and its honest copy."""
    for _ in range(bench.counts.part(PASSES)):
        for folder in _taken(bench.counts):
            bench.tell(f"sabotage: {folder.name}")
            yield {"id": folder.name, "does": _first_line(folder), **bench.row(folder)}


def _first_line(folder: Path) -> str:
    return (folder / "solution.py").read_text("utf-8").splitlines()[0].strip('"')


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    ids = list(dict.fromkeys(row["id"] for row in rows))
    lines = [_line([row for row in rows if row["id"] == name]) for name in ids]
    return f"{ASKED}\n\n{figures.table(HEAD, lines, left=2)}\n\n{READ}"


ASKED = """Question: what does a submission gain by cheating the clock, working when it is not its turn, or slowing
the reference down? Each ran in the same pairs as the baseline and an honest copy of the baseline. Target:
none gains more than 2 % unnoticed."""
READ = """Gain is 1 minus the ratio of the median call to the baseline's (the ratio that a verdict would use), with
its 95 % interval over all process pairs. The next column is the honest copy's gain, which should be 0.
"Noticed" lists what the run's own record reports: wrong answers, probes that are not clear, a certificate
that does not hold."""
HEAD = ["Submission", "What it does", "Gain", "Honest copy's", "Digits right", "Noticed", "Paid?"]


def gain(rows: Sequence[Row], side: str) -> tuple[float, float, float] | None:
    """1 less the ratio to the baseline, over the pairs of all rows, with its interval: value, low, high."""
    told = [log_ratios(row, side) for row in usable(rows)]
    if not told:
        return None
    found = over_pairs(np.concatenate(told))
    return 1 - found.value, 1 - found.high, 1 - found.low


def noticed(rows: Sequence[Row]) -> list[str]:
    """What the runs say of themselves that is not as it should be, in short."""
    found: dict[str, None] = {}
    for row in rows:
        if row.get("digits") is not None and row["digits"] < RIGHT:
            found["wrong answers"] = None
        if row["outcome"] not in ("ok", "inconclusive", "budget_exceeded"):
            found[row["outcome"].replace("_", " ")] = None
        for probe in row.get("probes", ()):
            if probe["verdict"] != "clear" and probe["name"] in POINTING:
                found[f"{probe['name']}: {probe['verdict']}"] = None
        if row.get("certificate") and not row["certificate"]["holds"]:
            found["certificate does not hold"] = None
    return list(found)


def paid(rows: Sequence[Row]) -> bool:
    """Whether it surely gained more than 2 % and nobody would know."""
    found = gain(rows, "candidate")
    return found is not None and found[1] > GAIN and not noticed(rows)


def _line(rows: Sequence[Row]) -> list[str]:
    digits = [row["digits"] for row in rows if row.get("digits") is not None]
    return [
        rows[0]["id"],
        rows[0]["does"],
        _words(gain(rows, "candidate")),
        _words(gain(rows, "copy")),
        f"{min(digits):.1f}" if digits else "-",
        "; ".join(noticed(rows)) or "no",
        "**yes**" if paid(rows) else "no",
    ]


def _words(found: tuple[float, float, float] | None) -> str:
    if found is None:
        return "no times"
    value, low, high = (100 * part for part in found)
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"
