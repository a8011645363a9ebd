"""Measures what was asked for, with a bar that tells how far it is, and writes the page."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from harness.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from harness.machine import fingerprint
from tests.bench import aa, others, overhead, page, power, saboteurs, startup, truth
from tests.bench.running import Bench, Counts

PARTS: Mapping[str, ModuleType] = {
    "aa": aa,
    "power": power,
    "truth": truth,
    "others": others,
    "sabotage": saboteurs,
    "overhead": overhead,
    "startup": startup,
}
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures the parts named and writes the page from all that the raw file holds."""
    typed = list(sys.argv[1:] if arguments is None else arguments)
    asked = _parsed(typed)
    names = [name.strip() for name in asked.only.split(",") if name.strip()]
    if unknown := [name for name in names if name not in PARTS]:
        print(f"bench: --only {unknown[0]} is not known; give some of {', '.join(PARTS)}", file=sys.stderr)
        return EXIT_USAGE
    counts = SMALLEST if asked.smallest else Counts(runs=asked.runs)
    raw = page.read(asked.raw)
    command = _command(asked, names)
    stopped = False
    try:
        measure(counts, names, raw, command, asked.raw)
    except KeyboardInterrupt:
        stopped = True
    if any(raw.get(name, {}).get("rows") for name in PARTS):
        before = asked.out.read_text("utf-8") if asked.out.is_file() else ""
        asked.out.write_text(page.written(PARTS, raw, before), "utf-8")
        print(f"{asked.out} is written{' of what was measured so far' if stopped else ''}.")
    return EXIT_INTERRUPTED if stopped else EXIT_OK


RUNS = 32
# So little that figures mean nothing: it shows that every part works, for the tests.
SMALLEST = Counts(runs=1, pairs=2, most=2, calls=8, warmups=2, brief=True)


def _parsed(typed: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=PAGE, help="the page; what is not measured now stays in it"
    )
    parser.add_argument("--raw", type=Path, help="a file for all figures; its other parts are kept and shown")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=RUNS, help="A/A runs; everything else is in proportion")
    parser.add_argument("--smallest", action="store_true", help="as little as can be, to see that it works")
    return parser.parse_args(typed)


def _command(asked: argparse.Namespace, names: Sequence[str]) -> str:
    """The call as it is to be typed again; where its files go is nobody else's concern."""
    given = [] if set(names) == set(PARTS) else ["--only", ",".join(names)]
    given += ["--smallest"] if asked.smallest else [] if asked.runs == RUNS else ["--runs", str(asked.runs)]
    return shlex.join(["scripts/bench", *given])


def measure(counts: Counts, names: Sequence[str], raw: page.Raw, command: str, kept: Path | None) -> None:
    """Measures the parts named into `raw`, and keeps it in a file after every row."""
    words = fingerprint.in_words(fingerprint.fingerprint("cpu", 1))
    total = sum(PARTS[name].steps(counts) for name in names)
    with tempfile.TemporaryDirectory(prefix="harness-bench-") as folder, _progress() as bar:
        line = bar.add_task("calibrating", total=total)
        bench = Bench(Path(folder), counts, lambda text: bar.update(line, description=text))
        bench.calibrate()
        for name in names:
            told = page.begun(words, command)
            began = time.monotonic()
            for row in PARTS[name].measure(bench):
                told["rows"].append(row)
                told["seconds"] = time.monotonic() - began
                raw[name] = told
                page.save(kept, raw)
                bar.advance(line)


def _progress() -> Progress:
    kept = Column(no_wrap=True, min_width=7)
    return Progress(
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=20),
        MofNCompleteColumn(table_column=kept),
        TimeElapsedColumn(table_column=kept),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
