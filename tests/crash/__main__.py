"""Measures what is lost when runs are ended in the middle, and writes the figures of docs/durability.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from harness.machine import fingerprint
from tests.bench.figures import table
from tests.crash import power
from tests.crash.faults import DISK, KINDS
from tests.crash.interrupts import MOMENTS, interrupted

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "durability.md"
MARK = "<!-- what follows is written by scripts/bench-crash -->"
_TROUBLE = ("lost", "twice", "doubled", "odd", "left", "stuck")


def main() -> int:
    """Measures the parts named, writes the page, and fails where anything was lost."""
    asked = _parsed()
    names = [name for name in asked.only.split(",") if name]
    if unknown := [name for name in names if name not in PARTS]:
        print(
            f"bench-crash: --only {unknown[0]} is not known; give some of {', '.join(PARTS)}", file=sys.stderr
        )
        return EXIT_USAGE
    raw: dict[str, Any] = json.loads(asked.raw.read_text()) if asked.raw and asked.raw.is_file() else {}
    for name in names:
        began = time.monotonic()
        rows = PARTS[name][1](asked)
        minutes = (time.monotonic() - began) / 60
        raw[name] = {"rows": rows, "when": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "minutes": minutes}
        if asked.raw:
            asked.raw.write_text(json.dumps(raw))
    words = fingerprint.in_words(fingerprint.fingerprint("cpu", 1))
    parts = [PARTS[name][2](told) for name, told in raw.items()]
    text = "\n\n".join([*parts, f"*On {words}.*"]) + "\n"
    if asked.out.is_file():
        asked.out.write_text(asked.out.read_text().split(MARK)[0] + f"{MARK}\n\n" + text)
    print(text)
    return EXIT_FAILED if any(_troubles(row) for told in raw.values() for row in told["rows"]) else EXIT_OK


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench-crash", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=100, help="of the moments at which kills are dealt")
    parser.add_argument(
        "--states", type=int, default=20_000, help="states of the disk tried, for each sound recording"
    )
    parser.add_argument("--every", type=int, default=1, help="every so many-th call fails")
    parser.add_argument("--interrupts", type=int, default=5, help="times for each moment")
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--raw", type=Path, help="a file for all figures; its other parts are kept and shown")
    return parser.parse_args()


def _program(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} ended with status {done.returncode}: {done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _kills(asked: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for seed, count in enumerate(_shares(asked.kills, 100)):
        with tempfile.TemporaryDirectory(prefix="crash-") as folder:
            rows.append(_program("tests.crash.kills", Path(folder) / "c", count, seed + asked.seed))
        print(f"kills: {sum(sum(r['kills'].values()) for r in rows)}", file=sys.stderr)
    return rows


def _shares(total: int, most: int) -> list[int]:
    return [most] * (total // most) + ([total % most] if total % most else [])


def _power(asked: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for variant in power.VARIANTS:
        sound = variant in power.SOUND
        rows.append(
            vars(power.tried(variant, asked.states if sound else asked.states // 10, 8 if sound else 4))
        )
        print(f"power cuts: {rows[-1]}", file=sys.stderr)
    return rows


def _faults(asked: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for kind in (*KINDS, DISK, f"{DISK} with ballast"):
        with tempfile.TemporaryDirectory(prefix="crash-") as folder:
            rows.append(_program("tests.crash.faults", Path(folder) / "f", kind, asked.every))
        print(f"faults: {rows[-1]}", file=sys.stderr)
    return rows


def _interrupts(asked: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for moment in MOMENTS:
        found = []
        for _ in range(asked.interrupts):
            with tempfile.TemporaryDirectory(prefix="crash-") as folder:
                found.append(interrupted(moment, Path(folder)))
        rows.append(
            {
                "moment": moment,
                "times": len(found),
                "most": max(f.seconds for f in found),
                "odd": [f.said for f in found if f.code != 130],
                "left": [x for f in found for x in f.left],
            }
        )
    return rows


def _troubles(row: Mapping[str, Any]) -> list[str]:
    own = [words for name in _TROUBLE for words in row.get(name) or []]
    return own + (row["examples"] if row.get("variant") in power.SOUND else [])


def _kills_section(told: Mapping[str, Any]) -> str:
    rows = told["rows"]
    kills: dict[str, int] = {}
    for row in rows:
        kills = {who: kills.get(who, 0) + row["kills"].get(who, 0) for who in ("parent", "worker", "zygote")}
    sums = {key: sum(row[key] for row in rows) for key in ("commands", "runs", "acks", "taken_up")}
    cells = [
        [f"{sum(kills.values())} ({', '.join(f'{n} {who}' for who, n in kills.items())})"],
        *([f"{sums[key]:,}"] for key in ("commands", "runs", "taken_up", "acks")),
        *([str(sum(len(row[key]) for row in rows))] for key in ("lost", "twice", "doubled", "odd", "left")),
    ]
    names = (
        "processes killed by kill -9",
        "commands typed",
        "runs that they made",
        "times a run was continued",
        "results acknowledged",
        "results lost",
        "instances measured twice",
        "commands that made two runs",
        "exit codes that are not documented",
        "processes, folders, groups left behind",
    )
    body = table(["", "Count"], [[name, *cell] for name, cell in zip(names, cells, strict=True)])
    return f"### kill -9\n\n{body}\n\n{_when(told)}"


def _power_section(told: Mapping[str, Any]) -> str:
    keys = ("steps", "acks", "states", "losing", "worst")
    rows = [[power.VARIANTS[row["variant"]], *(f"{row[key]:,}" for key in keys)] for row in told["rows"]]
    head = [
        "Store",
        "Calls recorded",
        "Results acknowledged",
        "States tried",
        "States that lose a result",
        "Most results lost in one state",
    ]
    return f"### Power cut\n\n{table(head, rows)}\n\n{_when(told)}"


def _faults_section(told: Mapping[str, Any]) -> str:
    rows = [
        [
            r["kind"],
            str(r["cases"]),
            str(r["refused"]),
            str(r["survived"]),
            str(r["acks"]),
            *(str(len(r[key])) for key in ("lost", "odd", "stuck")),
        ]
        for r in told["rows"]
    ]
    head = [
        "Fault",
        "Cases",
        "Ended with 4",
        "Ended with 0",
        "Results acknowledged",
        "Lost",
        "Another exit code",
        "Not continued",
    ]
    return f"### A disk that is full or fails\n\n{table(head, rows)}\n\n{_when(told)}"


def _interrupts_section(told: Mapping[str, Any]) -> str:
    rows = [
        [r["moment"], str(r["times"]), f"{r['most']:.2f} s", str(len(r["odd"])), str(len(r["left"]))]
        for r in told["rows"]
    ]
    return f"### Ctrl-C\n\n{table(['Moment', 'Times', 'Slowest end', 'Not 130', 'Left behind'], rows)}\n\n{_when(told)}"


def _when(told: Mapping[str, Any]) -> str:
    return f"*{told['when']}, {told['minutes']:.1f} min.*"


Part = tuple[str, Callable[[argparse.Namespace], list[dict[str, Any]]], Callable[[Mapping[str, Any]], str]]
PARTS: Mapping[str, Part] = {
    "kills": ("kill -9", _kills, _kills_section),
    "power": ("power cuts", _power, _power_section),
    "faults": ("faults of the disk", _faults, _faults_section),
    "interrupts": ("Ctrl-C", _interrupts, _interrupts_section),
}

if __name__ == "__main__":
    sys.exit(main())
