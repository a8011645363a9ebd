"""`python -m tests.bench.scale`: the harness at scale, and its section in docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.machine.fingerprint import fingerprint, in_words
from tests.bench import page, scale_others, scale_store, scale_units
from tests.bench.scale_kit import ROOT, SMALLEST, Sizes

PARTS: dict[str, ModuleType] = {"units": scale_units, "store": scale_store, "others": scale_others}
PAGE = ROOT / "docs" / "benchmarks.md"
RAW = ROOT / ".scratch" / "scale.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the parts, one after the other, and writes the section after each; returns the exit status."""
    options = _options().parse_args(arguments)
    chosen = [name for name in options.only.split(",") if name]
    if unknown := [name for name in chosen if name not in PARTS]:
        print(f"there is no part {unknown[0]!r}; the parts are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    sizes = SMALLEST if options.smallest else Sizes()
    if options.otter:
        sizes = replace(sizes, otter_runs=options.otter, otter_loop=options.otter)
    typed = sys.argv[1:] if arguments is None else arguments
    command = " ".join(["scripts/bench-scale", *typed])
    raw = page.read(options.raw)
    for name in chosen:
        if reason := getattr(PARTS[name], "missing", str)():
            print(f"scale: {name} is left out: {reason}", file=sys.stderr)
            continue
        raw[name] = _measured(PARTS[name], sizes, command)
        page.save(options.raw, raw)
        page.insert_scale(options.out, written(raw))
        print(f"scale: {name} took {raw[name]['seconds'] / 60:.1f} min", file=sys.stderr)
    page.insert_scale(options.out, written(raw))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench-scale", description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument(
        "--smallest", action="store_true", help="as little as there is, to see that all works"
    )
    parser.add_argument("--otter", type=int, help="submissions that otter-grader grades in each round")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page that holds the section")
    parser.add_argument("--raw", type=Path, default=RAW, help="where all figures are kept")
    return parser


def _measured(part: ModuleType, sizes: Sizes, command: str) -> dict[str, Any]:
    told = page.begun(in_words(fingerprint("cpu", 1)), command)
    told["load_before"], began = os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as work:
        told["found"] = part.measure(sizes, Path(work))
    told["seconds"], told["load_after"] = time.perf_counter() - began, os.getloadavg()[0]
    return told


def written(raw: dict[str, Any]) -> str:
    """The whole section, of the parts that were measured."""
    parts = [
        f"### {part.TITLE}\n\n{part.section(raw[name]['found'])}\n\n{_where(raw[name])}"
        for name, part in PARTS.items()
        if name in raw
    ]
    return "\n\n".join(["## At scale\n\nWritten by `scripts/bench-scale`.", *parts])


def _where(told: dict[str, Any]) -> str:
    busy = told["load_before"] > 1
    others = " Other programs shared the machine, so these figures are higher than alone." if busy else ""
    return (
        f"*Measured {told['began']} in {told['seconds'] / 60:.1f} min by `{told['command'].strip()}` on "
        f"{told['machine']}. Load average {told['load_before']:.1f} just before and {told['load_after']:.1f} at the "
        f"end.{others}*"
    )


if __name__ == "__main__":
    sys.exit(main())
