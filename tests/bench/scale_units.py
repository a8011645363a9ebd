"""Many submissions through one `harness score`: how many a minute, what each costs, and whether memory grows."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.bench.figures import middle, table
from tests.bench.scale_kit import (
    JOBS,
    ROOT,
    Sizes,
    both_ways,
    environment,
    ms,
    score_command,
    seconds,
    timed,
    write_submissions,
    write_suite,
)

TITLE = "Many submissions"


def measure(sizes: Sizes, work: Path) -> dict[str, Any]:
    """A long row at level process and a shorter one at the strongest level that holds."""
    rows = [_row(sizes, work, "process", sizes.submissions), _row(sizes, work, "auto", sizes.strong)]
    return {"rows": rows}


def _row(sizes: Sizes, work: Path, isolation: str, count: int) -> dict[str, Any]:
    home = work / f"home-{isolation}"
    shutil.rmtree(home, ignore_errors=True)
    folder, suite = write_submissions(work / f"handed-{isolation}", count), write_suite(work / "many.toml")
    command, env = score_command(suite, folder, isolation), environment(home)
    before = both_ways(folder, sizes.bare)
    wall, memory = _watched(command, env, home, work / "said.txt")
    after = both_ways(folder, sizes.bare)
    again = [timed(command, env)[0] for _ in range(sizes.times)]
    ledger = Ledger(Store.open(home, ""))
    sheet = ledger.sheet(ledger.assessment("last"))
    head = ledger.store.heads()[0]
    return {
        "asked": isolation,
        "level": head.isolation.level if head.isolation else isolation,
        "count": count,
        "wall": wall,
        "memory": memory,
        "before": before,
        "after": after,
        "again": again,
        "outcomes": dict(Counter(cell.outcome for cell in sheet.cells)),
        "trials": ledger.store.trials_kept(),
    }


def _watched(
    command: list[str], env: dict[str, str], home: Path, said: Path
) -> tuple[float, list[list[float]]]:
    """Wall seconds of the command; and each second: cells kept so far, MiB of memory that its process holds."""
    seen: list[list[float]] = []
    began = time.perf_counter()
    with said.open("w") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)
            if process.returncode is not None:
                break
            seen.append([_cells(home), _rss(process.pid)])
    if process.returncode:
        raise RuntimeError(f"harness score ended with {process.returncode}: {said.read_text()[-600:]}")
    return time.perf_counter() - began, [pair for pair in seen if pair[1] > 0]


def _cells(home: Path) -> int:
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"file:{home / 'results.sqlite'}?mode=ro", uri=True, timeout=0.2)
        with contextlib.closing(connection):
            return int(connection.execute("select count(*) from cells").fetchone()[0])
    return 0


def _rss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


def growth(memory: list[list[float]], count: int) -> tuple[float, float, float]:
    """MiB while the first and the last tenth of units were measured, and MiB more for each 100 units from there on.

    The slope is that of least squares over all samples after the first tenth; NaN where there are too few.
    """
    done = np.array([pair[0] for pair in memory])
    held = np.array([pair[1] for pair in memory])
    first = held[(done > 0) & (done <= count / 10)]
    last = held[done >= 0.9 * count]
    later = done > count / 10
    slope = float("nan")
    if later.sum() > 2 and np.ptp(done[later]) > 0:
        slope = float(np.polyfit(done[later], held[later], 1)[0]) * 100
    return middle(first), middle(last), slope


def section(told: dict[str, Any]) -> str:
    """What was asked, and the table."""
    rows = told["rows"]
    lines = [_line(row) for row in rows]
    head = [
        "Level",
        "Submissions",
        "Outcomes",
        "Minutes",
        "A minute",
        "Wall a unit",
        "Bare, two at once",
        "**Overhead a unit**",
        "Bare, one by one",
        "Parent's memory: first tenth",
        "last tenth",
        "more for each 100 units",
        "Same command again",
    ]
    return f"""Question: how much time does the harness add to a submission, when the task itself takes almost
none and no time is judged (`tests/toy_tasks/toy-free`, 60 numbers)? Each candidate has a folder with a program
of its own; one `harness score --jobs {JOBS}` scores them all into an empty store. A bare process is an interpreter
that loads numpy and the same file and prints the same answer; {len(rows[0]["before"]["each"])} of them ran before
each row and as many after it, one by one and two at once.

{table(head, lines, 1)}

"Wall a unit" is the whole command's time, start-up and table included, divided by the number of submissions.
Overhead is that minus a bare process's time per process when two run at once, as two units do here (median of the
values before and after, and both). Memory is the resident set of the command's own process, read each second; the
slope is a least-squares line over everything after the first tenth. "Same command again" finds everything done and
measures nothing (median and range). Each unit also keeps its trials, answers and cell on disk: {_kept(rows)}."""


def _kept(rows: list[dict[str, Any]]) -> str:
    return ", ".join(f"{row['trials']:,} trials for {row['count']:,} units" for row in rows)


def _line(row: dict[str, Any]) -> list[str]:
    count, wall = row["count"], row["wall"]
    over = [wall / count - row[when]["shared"] for when in ("before", "after")]
    first, last, slope = growth(row["memory"], count)
    asked = row["asked"] if row["asked"] == row["level"] else f"{row['asked']} ({row['level']} held)"
    return [
        asked,
        f"{count:,}",
        " · ".join(f"{k} {v:,}" for k, v in row["outcomes"].items()),
        f"{wall / 60:.1f}",
        f"{60 * count / wall:.0f}",
        f"{wall / count * 1e3:.0f} ms",
        f"{row['before']['shared'] * 1e3:.0f} and {row['after']['shared'] * 1e3:.0f} ms",
        f"**{ms(over)}**",
        ms(row["before"]["each"] + row["after"]["each"]),
        _mib(first),
        _mib(last),
        f"{slope:+.2f} MiB" if slope == slope else "-",
        seconds(row["again"]),
    ]


def _mib(value: float) -> str:
    return f"{value:.0f} MiB" if value == value else "-"
