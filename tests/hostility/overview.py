"""One table of what holds, gathered from the pages into which each trial writes its own figures.

Nothing is measured here and nothing is typed in: a figure is read where its command wrote it, and a page
whose table is not found is a fault, not an empty cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FIGURES = "<!-- figures: begin -->"
BEGIN, END = "<!-- overview: begin -->", "<!-- overview: end -->"
DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Row:
    """What was tried, what came of it, what was wanted, and the command that tried it."""

    tried: str
    found: str
    wanted: str
    command: str


class Missing(Exception):
    """A page does not hold what is looked for; the message names both."""


def rows(docs: Path = DOCS) -> list[Row]:
    """The table's rows; raises Missing."""
    return [*_attacks(docs), *_crashes(docs), *_wire(docs), *_start(docs)]


def written(found: Sequence[Row]) -> str:
    """The table as Markdown."""
    lines = ["| tested | result | target | command |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.tried} | {row.found} | {row.wanted} | `{row.command}` |" for row in found]
    return "\n".join(lines)


def _attacks(docs: Path) -> Iterator[Row]:
    text = _text(docs, "security.md").partition(FIGURES)[2]
    command = _one(text, r"Made by `(scripts/hostility[^`]*)`", "security.md", "the command")
    wanted = {"process": "no promise", "confined": "at most 3, named", "bubblewrap": "0"}
    for level, aim in wanted.items():
        cells = _table_row(text, f"`{level}`", "security.md")
        attacks, gained, honest, stopped, left = cells[:5]
        yield Row(f"{attacks} attacks at `{level}`", f"{gained} gained something", aim, command)
        yield Row(f"{honest} honest submissions at `{level}`", f"{stopped} wrongly stopped", "0", command)
        yield Row(
            f"what {int(attacks) + int(honest)} submissions left behind at `{level}`",
            "nothing" if left == "nothing" else left.partition(":")[0] + " names",
            "nothing" if level != "process" else "no promise of shared memory",
            command,
        )


def _crashes(docs: Path) -> Iterator[Row]:
    page, command = "durability.md", "scripts/bench-crash"
    text = _text(docs, page)
    kills = _table_row(text, "processes killed by kill -9", page)[0]
    lost = _table_row(text, "results lost", page)[0]
    acknowledged = _table_row(text, "results acknowledged", page)[0]
    twice = _table_row(text, "instances measured twice", page)[0]
    yield Row(
        f"kill -9: {kills}", f"{lost} of {acknowledged} results lost, {twice} measured twice", "0, 0", command
    )
    states = [
        _table_row(text, name, page)
        for name in ("the store as it is", "the store as it is, its log emptied often")
    ]
    tried = sum(int(cells[2].replace(",", "")) for cells in states)
    losing = sum(int(cells[3].replace(",", "")) for cells in states)
    yield Row(f"power cut: {tried:,} states of the disk", f"{losing} lose a result", "0", command)
    faults = [r.split("|") for r in re.findall(r"^\| ((?:eio|full)-.*) \|$", text, re.MULTILINE)]
    if not faults:
        raise Missing(f"docs/{page} holds no table of failing disks")
    cases, gone = sum(int(r[1]) for r in faults), sum(int(r[5]) for r in faults)
    yield Row(f"a full or failing disk: {cases} cases", f"{gone} lose a result", "0", command)
    slowest = [float(s) for s in re.findall(r"^\| while .* \| ([0-9.]+) s \|", text, re.MULTILINE)]
    if not slowest:
        raise Missing(f"docs/{page} holds no table of Ctrl-C")
    yield Row("Ctrl-C: slowest end", f"{max(slowest):.2f} s", "2 s", command)


def _wire(docs: Path) -> Iterator[Row]:
    page = "wire.md"
    text = _text(docs, page)
    command = _one(text, r"\| `(scripts/fuzz[^`]*)` \|", page, "the command")
    table = text.partition(f"`{command}`")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    frames = sum(int(row[1].replace(",", "")) for row in cells)
    wrong, left = sum(int(row[3]) for row in cells), sum(int(row[5]) for row in cells)
    over = max(int(row[4].split()[0]) for row in cells if row[4] != "-")
    yield Row(
        f"wire: {frames:,} mutated frames and conversations",
        f"{wrong} misjudged, {left} descriptors left, deadlines overrun by {over} ms at most",
        "0, 0, 1 s",
        command,
    )


def _start(docs: Path) -> Iterator[Row]:
    page = "benchmarks.md"
    text = _text(docs, page).partition("## Workers start soon")[2]
    command = _one(text, r"`(scripts/bench --only startup[^`]*)`", page, "the command")
    fresh = _table_row(text, "fresh interpreter", page)[0]
    forked = _table_row(text, "forked from the zygote", page)[0]
    times = _one(text, r"ready (\d+) times as soon", page, "how many times as soon")
    yield Row(
        "from an order to a worker that has torch ready",
        f"{forked} forked, {fresh} fresh: {times} times",
        "150 ms, 30 times",
        command,
    )


def _text(docs: Path, page: str) -> str:
    return (docs / page).read_text("utf-8")


def _table_row(text: str, first: str, page: str) -> list[str]:
    """The cells after the one that is `first`."""
    said = _one(text, rf"^\| {re.escape(first)} \| (.*) \|$", page, f"a row {first!r}")
    return [cell.strip() for cell in said.split("|")]


def _one(text: str, pattern: str, page: str, what: str) -> str:
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise Missing(f"docs/{page} does not hold {what}")
    return found.group(1)
