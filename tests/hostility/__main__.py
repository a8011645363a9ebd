"""Runs every attack and every honest submission at every level, and writes what came of it."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from harness.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from harness.isolation.levels import LEVELS
from harness.machine import fingerprint
from tests.hostility import overview, page
from tests.hostility.attacks import HONEST, Attack, controls, every
from tests.hostility.judge import Judge

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
_SAME = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 1 where an attack gained more than a level lets it, or honest code was stopped."""
    asked = _parsed(arguments)
    if asked.overview:
        return _overview()
    levels = asked.levels.split(",") if asked.levels else list(LEVELS)
    if unknown := [name for name in levels if name not in LEVELS]:
        print(
            f"hostility: level {unknown[0]} is not known; choose some of {', '.join(LEVELS)}", file=sys.stderr
        )
        return EXIT_USAGE
    attacks = every()
    found = [_figures(level, attacks, asked) for level in levels]
    threats = len({threat for attack in attacks for threat in attack.threats})
    command = " ".join(["scripts/hostility", *(sys.argv[1:] if arguments is None else arguments)])
    here = fingerprint.in_words(fingerprint.fingerprint("cpu", 1))
    made = f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}: {here}."
    figures = page.written(found, threats, made)
    print(figures)
    if not asked.dry:
        page.insert(PAGE, figures)
        _overview()
    return EXIT_FAILED if any(f.unlike or f.stopped or f.left for f in found) else EXIT_OK


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hostility", description=__doc__)
    parser.add_argument("--levels", default="", help="some of the isolation levels, with commas; default all")
    parser.add_argument("--attacks-only", action="store_true", help="leaves the honest submissions out")
    parser.add_argument(
        "--dry", action="store_true", help="prints the figures and leaves docs/security.md alone"
    )
    parser.add_argument(
        "--overview", action="store_true", help="only gathers the one table from the figures of all trials"
    )
    return parser.parse_args(arguments)


def _overview() -> int:
    """Writes the one table into docs/security.md."""
    try:
        table = overview.written(overview.rows())
    except overview.Missing as error:
        print(f"hostility: {error}; run the command that writes it", file=sys.stderr)
        return EXIT_FAILED
    page.insert(PAGE, table, overview.BEGIN, overview.END)
    print(table)
    return EXIT_OK


def _figures(level: str, attacks: Sequence[Attack], asked: argparse.Namespace) -> page.Figures:
    found, began = page.Figures(level), time.monotonic()
    before = _lying_about()
    judge = Judge(level)
    try:
        found.before = _honest(judge)
        for attack in attacks:
            _attacked(judge, attack, found)
        found.after = _honest(judge)
        for folder in [] if asked.attacks_only else controls():
            verdict = judge.control(folder)
            found.controls += 1
            if verdict.outcome != "ok" or verdict.said.get("accuracy") != 1.0 or verdict.gained:
                found.stopped[folder.name] = (
                    f"{verdict.outcome}: {verdict.reason} {verdict.gained or ''}".strip()
                )
            _say(level, folder.name, verdict.outcome)
    finally:
        judge.close()
    found.left = sorted(_lying_about() - before)
    found.seconds = time.monotonic() - began
    return found


def _attacked(judge: Judge, attack: Attack, found: page.Figures) -> None:
    verdict, level = judge.attack(attack), judge.level
    found.attacks += 1
    if verdict.gained:
        found.gained[attack.name] = sorted(verdict.gained)
    more = sorted(set(verdict.gained) - attack.gains.get(level, set()))
    if more or verdict.outcome not in attack.expected(level):
        found.unlike[attack.name] = f"{verdict.outcome}, gained {', '.join(more) or 'no more than expected'}"
    _say(level, attack.name, f"{verdict.outcome} {', '.join(sorted(verdict.gained))}")


def _honest(judge: Judge) -> tuple[float, float]:
    """What the same honest submission scores, and the median of its answers' seconds, over a few workers."""
    verdicts = [judge.control(HONEST / "plain") for _ in range(_SAME)]
    told = [verdict.said for verdict in verdicts]
    return min(t.get("accuracy", 0.0) for t in told), statistics.median(t.get("seconds", 0.0) for t in told)


def _lying_about() -> set[str]:
    """What of ours, and of shared things whose maker is not known, there is on this machine now."""
    marked = f"*hx{'[0-9a-f]' * 12}*"  # the judge's mark in the names that attackers are given
    places = ((tempfile.gettempdir(), "harness-*"), ("/tmp", marked), ("/var/tmp", marked), ("/dev/shm", "*"))
    found = {str(path) for folder, pattern in places for path in Path(folder).glob(pattern)}
    for kind in ("shm", "msg", "sem"):
        rows = Path(f"/proc/sysvipc/{kind}")
        found |= (
            {f"System V {kind} {row.split()[1]}" for row in rows.read_text().splitlines()[1:]}
            if rows.exists()
            else set()
        )
    listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
    return found | {f"port {connection.laddr.port}" for connection in listening}


def _say(level: str, name: str, words: str) -> None:
    print(f"{level}: {name}: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
