"""Tries to move 64-bit words from one worker to another by every object, and writes which arrived."""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from harness.isolation.levels import LEVELS
from tests.hostility import page as pages
from tests.hostility.channels import inventory, known, page
from tests.hostility.channels.hunt import RELATIONS, Found, Hunt, ask
from tests.hostility.channels.sweep import Swept, sweep

PAGE = Path(__file__).parents[3] / "docs" / "security.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code is 1 where a word arrived by what docs/security.md does not name, or something is unclassified."""
    asked = _parsed(arguments)
    relations = asked.relations.split(",")
    if unknown := [name for name in relations if name not in RELATIONS]:
        print(f"hunt: {unknown[0]} is no relation; choose some of {', '.join(RELATIONS)}", file=sys.stderr)
        return EXIT_USAGE
    hunt, rng = Hunt(LEVELS[asked.level]()), random.Random(asked.seed)
    founds: list[Found] = []
    swept: list[Swept] = []
    try:
        gaps = _gaps(hunt)
        things = [thing for thing in hunt.things() if asked.objects in thing.name]
        for relation in relations:
            for found in hunt.try_words(things, relation, rng):
                founds.append(found)
                _say(found)
            if asked.sweep:
                swept.append(sweep(hunt, relation, rng))
    finally:
        hunt.close()
    words = page.written(founds, swept, f"Made by `scripts/hunt-channels` at level `{asked.level}`.")
    print(words)
    if asked.write:
        pages.insert(PAGE, words, page.BEGIN, page.END)
    root = os.geteuid() == 0
    new = [f for f in founds if f.arrives and not known.may_carry(f.thing.name, f.relation, root)]
    for found in new:
        print(f"hunt: {found.thing.name} carries ({found.relation}), and no page says so", file=sys.stderr)
    told = [(told.name, one.relation) for one in swept for told in one.tells]
    new_told = [(name, relation) for name, relation in told if relation not in known.TOLD.get(name, ())]
    for name, relation in new_told:
        print(f"hunt: {name} tells whether another worked ({relation}), and no page says so", file=sys.stderr)
    for gap in gaps:
        print(f"hunt: {gap} is reached by a worker and classified by nobody", file=sys.stderr)
    return EXIT_FAILED if new or new_told or gaps else EXIT_OK


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hunt-channels", description=__doc__)
    parser.add_argument(
        "--level", default="bubblewrap", choices=[name for name in LEVELS if name != "process"]
    )
    parser.add_argument(
        "--relations", default=",".join(RELATIONS), help="some of them, with commas; default all"
    )
    parser.add_argument("--objects", default="", help="only those whose name contains this")
    parser.add_argument("--seed", type=int, default=1, help="of the words that are sent; default 1")
    parser.add_argument(
        "--sweep", action=argparse.BooleanOptionalAction, default=True, help="all that can be read"
    )
    parser.add_argument("--write", action="store_true", help="writes the table into docs/security.md")
    return parser.parse_args(arguments)


def _gaps(hunt: Hunt) -> list[str]:
    with hunt.worker(hunt.folders[0]) as worker:
        walked = ask(worker, {"do": "walk"})
    tried = {call for thing in hunt.things() for call in thing.calls}
    calls = set().union(*(inventory.unclassified_calls(tried, machine) for machine in ("x86_64", "aarch64")))
    found = [*calls, *inventory.unclassified_files(walked["files"])]
    return sorted([*found, *inventory.unclassified_paths(walked["folders"] + walked["writable"])])


def _say(found: Found) -> None:
    sent, received = found.word
    came = (
        f"sent {sent}, received {received}, {found.right} of {found.pairs} right"
        if found.pairs
        else "not sent"
    )
    words = "arrives" if found.arrives else found.refused or "nothing"
    print(f"{found.relation}: {found.thing.name}: {came}: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
