"""Runs a solution's calls in a bare loop, no harness about: `python -I bare.py < request.json`.

Started as a program of its own, so it imports nothing of ours. The request names the solution's
folder, the loops and the calls of each round, and how many calls; what it prints are seconds.
"""

import importlib.util
import json
import sys
import time

import numpy as np


def solution_in(folder, name):
    """The class Solution of a folder, as a module of its own."""
    spec = importlib.util.spec_from_file_location(name, f"{folder}/solution.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Solution


def ready(folder, name, matrix):
    """A solution that has learnt and loaded."""
    solution = solution_in(folder, name)(None)
    solution.load(solution.learn(matrix))
    return solution


def inputs(seed, calls):
    """The matrix, and numbers for so many calls: of the same shapes as the task's."""
    rng = np.random.default_rng(seed)
    matrix = np.linalg.qr(rng.standard_normal((128, 128)))[0].astype(np.float32)
    return matrix, rng.standard_normal((calls, 32, 128), dtype=np.float32)


def main():
    """Times every call by itself, and all of them together."""
    asked = json.load(sys.stdin)
    matrix, numbers = inputs(asked["seed"], asked["calls"] + asked["warmups"])
    solution = ready(asked["folder"], "solution", matrix)
    for rows in numbers[: asked["warmups"]]:
        solution.answer(rows, asked["loops"])
    seconds = []
    began = time.perf_counter()
    for rows in numbers[asked["warmups"] :]:
        before = time.perf_counter()
        solution.answer(rows, asked["loops"])
        seconds.append(time.perf_counter() - before)
    print(json.dumps({"seconds": seconds, "whole": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
