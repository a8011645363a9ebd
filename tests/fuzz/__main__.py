"""Fuzzes the wire and hand-overs at length and prints the figures: `python -m tests.fuzz --frames 1000000 --seed 1`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import EXIT_FAILED, EXIT_OK
from tests.fuzz import hand_overs, live, parent_end, worker_end, zygote_end
from tests.fuzz.judged import Found

FRAMES = 1_000_000


def parts(frames: int, seed: int) -> list[Callable[[], Found]]:
    """The fuzzers and their shares: most to the parent's end, which is the one that must hold."""
    return [
        lambda: parent_end.fuzz(frames * 6 // 10, seed),
        lambda: parent_end.fuzz(frames * 2 // 10, seed, refuse=False),
        lambda: worker_end.fuzz(frames * 2 // 10, seed),
        lambda: live.fuzz(max(20, frames // 1000), seed),
        lambda: zygote_end.fuzz(max(50, frames // 500), seed),
        lambda: hand_overs.fuzz(frames // 500, seed),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs every fuzzer, keeps the figures where asked, and fails when anything was misjudged."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"about so many ({FRAMES:,})")
    parser.add_argument("--seed", type=int, default=1, help="a run of the same seed says the same")
    parser.add_argument("--raw", type=Path, help="a file for all figures, as JSON")
    asked = parser.parse_args(arguments)
    found: list[Found] = []
    for part in parts(asked.frames, asked.seed):
        found.append(part())
        one = found[-1]
        print(
            f"{one.name}: {one.frames:,} in {one.seconds:.0f} s, {one.wrongs} misjudged, worst overrun "
            f"{one.overrun:.3f} s, {one.descriptors} descriptors left, {one.grown_bytes / 2**20:+.1f} MiB",
            flush=True,
        )
        for line in one.wrong:
            print(f"  {line}", file=sys.stderr)
    if asked.raw:
        asked.raw.write_text(json.dumps([one.told() for one in found], indent=2))
    return EXIT_OK if all(one.clean for one in found) else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
