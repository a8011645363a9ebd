"""The page that is written from what was measured, and the raw file of all figures beside it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench.figures import middle
from tests.bench.rows import Row

Raw = dict[str, Any]
TOP = """# How right the clock is

Written by `scripts/bench`, which measures the harness itself: every figure below comes from real runs of
`harness.runs.runner.run` on a task made for this purpose (`tests/bench/service`: a call takes some milliseconds of
single-threaded matrix products), with the same workers, process wall, turns and verdicts as in a candidate's
run. Nothing is simulated. Shares are given with their 95 % intervals (Wilson). Run it on a machine that does
nothing else."""


SCALE = ("<!-- scale: begin -->", "<!-- scale: end -->")  # what lies between them is scripts/bench-scale's


def read(file: Path | None) -> Raw:
    """What was measured before, part by part; empty where there is nothing yet."""
    return json.loads(file.read_text("utf-8")) if file is not None and file.is_file() else {}


def save(file: Path | None, raw: Mapping[str, Any]) -> None:
    """Keeps all figures, in one step so that an interruption leaves the last whole file."""
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    staging = file.with_name(file.name + ".new")
    staging.write_text(json.dumps(raw, separators=(",", ":")), "utf-8")
    os.replace(staging, file)


def begun(machine: str, command: str) -> Raw:
    """The head of a part: when, where and how it was measured."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return {"began": now, "machine": machine, "command": command, "seconds": 0.0, "rows": []}


def written(parts: Mapping[str, ModuleType], raw: Raw, before: str = "") -> str:
    """The whole page, from what was measured of each part; of the others what the page said `before`."""
    before, scale = _apart(before)
    kept = {text.split("\n", 1)[0]: f"## {text.rstrip()}" for text in before.split("\n## ")[1:]}
    sections = [
        _section(part, raw[name]) if raw.get(name) else kept.get(part.TITLE) for name, part in parts.items()
    ]
    return "\n\n".join([TOP, *filter(None, [*sections, scale])]) + "\n"


def insert_scale(file: Path, section: str) -> None:
    """Puts the section of scale between its marks at the end of the page; all else stays as it is."""
    rest, _ = _apart(file.read_text("utf-8") if file.is_file() else "")
    marked = f"{SCALE[0]}\n\n{section}\n\n{SCALE[1]}\n"
    file.write_text(f"{rest.rstrip()}\n\n{marked}" if rest.strip() else marked, "utf-8")


def _apart(text: str) -> tuple[str, str]:
    """The page without the section of scale, and that section with its marks; empty where there is none."""
    head, begin, rest = text.partition(SCALE[0])
    inner, end, tail = rest.partition(SCALE[1])
    if not end:
        return text, ""
    return head.rstrip() + "\n" + tail.lstrip("\n"), f"{begin}{inner}{end}"


def _section(part: ModuleType, told: Raw) -> str:
    return f"## {part.TITLE}\n\n{part.section(told['rows'])}\n\n{_where(told)}"


def _where(told: Raw) -> str:
    rows: Sequence[Row] = told["rows"]
    runs = [row for row in rows if row.get("grade")]
    grades = ", ".join(f"{g} in {n}" for g in "ABC" if (n := sum(row["grade"] == g for row in runs)))
    pressure = [c for row in runs if (c := (row.get("counters") or {}).get("pressure_cpu_share")) is not None]
    waiting = [row["waiting"] for row in runs if row.get("waiting") is not None]
    load = [row["load_average"] for row in rows if "load_average" in row]
    said = [
        f"Measured {told['began']} in {told['seconds'] / 60:.1f} min by "
        f"`{told['command']}` on {told['machine']}.",
        f"Machine's grade: {grades} of {len(runs)} runs." if runs else "",
        f"Load average {middle(load):.1f} (median; a timed worker and its parent make about 1)."
        if load
        else "",
        f"Some program waited for a core {middle(pressure):.0%} of the time; for each second of work the "
        f"reference waited {middle(waiting):.2g} s (medians)."
        if pressure and waiting
        else "",
    ]
    return "*" + " ".join(filter(None, said)) + "*"
