"""Times two copies of a solution one after the other with pyperf; the request is in BENCH_ASKED."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bare
import pyperf


def main():
    """Writes what pyperf keeps to the file that --output names; pyperf starts this file again for each process."""
    asked = json.loads(os.environ["BENCH_ASKED"])
    matrix, numbers = bare.inputs(asked["seed"], 1)
    runner = pyperf.Runner()
    for name in ("first", "second"):
        solution = bare.ready(asked["folder"], name, matrix)
        runner.bench_func(name, solution.answer, numbers[0], asked["loops"])


if __name__ == "__main__":
    main()
