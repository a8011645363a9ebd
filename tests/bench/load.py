"""Load made on purpose: a process that takes about half of the core on which workers are timed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

# Spans of work and of rest drawn at random, 5 to 15 ms each, so that they fall in step with nothing;
# it leaves by itself when the benchmark is gone.
SPINNER = """
import os, random, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
while os.getppid() == int(sys.argv[2]):
    end = time.perf_counter() + random.uniform(0.005, 0.015)
    while time.perf_counter() < end:
        pass
    time.sleep(random.uniform(0.005, 0.015))
"""


def workers_core() -> int:
    """The core that single-threaded workers are kept on: the last one, as the isolation level has it."""
    return sorted(os.sched_getaffinity(0))[-1]


@contextmanager
def load(wanted: bool) -> Generator[None]:
    """With `wanted`, the spinner beside whatever is done meanwhile; ended by its process number."""
    if not wanted:
        yield
        return
    arguments = [sys.executable, "-I", "-c", SPINNER, str(workers_core()), str(os.getpid())]
    spinner = subprocess.Popen(arguments)
    try:
        yield
    finally:
        spinner.kill()
        spinner.wait()
