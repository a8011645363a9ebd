"""Times two copies of a solution one after the other with torch.utils.benchmark: `python -I` with a request."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bare
from torch.utils.benchmark import Timer


def main():
    """Prints the medians of both, in seconds."""
    asked = json.load(sys.stdin)
    matrix, numbers = bare.inputs(asked["seed"], 1)
    medians = []
    for name in ("first", "second"):
        solution = bare.ready(asked["folder"], name, matrix)
        names = {"solution": solution, "rows": numbers[0], "loops": asked["loops"]}
        timer = Timer("solution.answer(rows, loops)", globals=names, num_threads=1)
        medians.append(timer.blocked_autorange(min_run_time=asked["run_time"]).median)
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
