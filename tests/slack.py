"""Shows how tight every task's budgets are, from the kept proofs: `scripts/slack`.

With `--run TASK ...` one ladder of each of these tasks is run here and now instead, on `--profile` (ci-smoke). Ends
with 1 where a task says that it tests work within a budget, and none of its budgets binds the expert.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.inputs.tasks import all_tasks
from harness.observer import Silent
from harness.reports.run import catalogue, markdown
from harness.runs.options import Options, order
from harness.runs.prove import one_ladder, slack_of
from tests.catalogue import DOCS, proofs


def measured(tasks: list[str], profile: str, root: Path | None = None) -> Iterator[catalogue.Slack]:
    """The slack of each task on one instance, without anything but its ladder."""
    for task in tasks:
        asked = order(Options(task=task, profile=profile, tasks_root=root))
        yield catalogue.Slack(task, profile, slack_of(asked, [one_ladder(asked, 0, Silent())]))


def unbound(lines: list[catalogue.Slack]) -> list[str]:
    """What is said of tasks that claim to test work within a budget, of which none binds."""
    known = all_tasks()
    return [
        f"{line.task} on {line.profile} says {said!r}, and no budget of it binds its expert"
        for line in lines
        if line.task in known and not any(s.binds for s in line.slack)
        for said in known[line.task].definition.competencies
        if catalogue.speaks_of_a_budget(said)
    ]


def main(arguments: list[str]) -> int:
    """Prints the table, then what speaks against it."""
    parser = argparse.ArgumentParser(prog="scripts/slack", description=__doc__)
    parser.add_argument("--run", nargs="+", metavar="TASK", default=[])
    parser.add_argument("--profile", default="ci-smoke")
    asked = parser.parse_args(arguments)
    kept = proofs(DOCS / "proofs")
    lines = list(measured(asked.run, asked.profile)) if asked.run else catalogue.slacks(kept)
    sys.stdout.write(f"{markdown.section(catalogue.slack(lines))}\n")
    doubts = unbound(lines)
    sys.stdout.writelines(f"! {doubt}\n" for doubt in doubts)
    return 1 if doubts else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
