"""How far the references of each task stand apart on its own data: `python -m tests.bench.apart [TASK...]`.

Runs every task's ladder on instances of their own and prints, in Markdown, the expert's lead over the baseline by the
width of its 95 % interval (points are given from 1 on), and how many instances would be refused.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from harness.cli.progress import Shown
from harness.grading.comparison import Comparison
from harness.grading.ladder import ladder_on, standing_over
from harness.inputs import tasks
from harness.runs.ladders import climb
from harness.runs.options import Options, order
from harness.runs.order import in_one_pair, repeatable
from harness.runs.prepare import prepare, setting_of


def apart(task: str, instances: int, profile: str, seed: int) -> tuple[list[float], list[str]]:
    """On each instance the lead by the width of its interval, and why it would be refused ("" where it is not)."""
    asked = repeatable(in_one_pair(order(Options(task=task, profile=profile, seed=seed))))
    objective = asked.task.criteria.objective
    ratios, refused = [], []
    with Shown("apart", quiet=True) as shown, setting_of(asked) as setting:
        for number in range(instances):
            sides = climb(asked, setting, prepare(asked, number, shown), shown).sides
            found = ladder_on(objective, Comparison(candidate=sides["baseline"], references=sides))
            assert found is not None
            wide = found.expert.high - found.expert.low
            ratios.append(found.expert.value / wide if wide > 0 else float("inf"))
            refused.append(standing_over(objective, [found]))
            print(f"{task} {number}: {ratios[-1]:.2f} {refused[-1]}", file=sys.stderr, flush=True)
    return ratios, refused


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", help="default: all")
    parser.add_argument("--instances", type=int, default=10)
    parser.add_argument("--profile", default="ci-smoke")
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    print("| Task | Instances | Lead by width: least | median | Refused |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for task in wanted.tasks or sorted(tasks.all_tasks()):
        ratios, refused = apart(task, wanted.instances, wanted.profile, wanted.seed)
        count = sum(map(bool, refused))
        print(
            f"| {task} | {len(ratios)} | {min(ratios):.2f} | {statistics.median(ratios):.2f} | {count} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
