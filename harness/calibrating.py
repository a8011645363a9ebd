"""Runs what a calibration is made of: simulations with their clock, and the ladder over many instances and seeds."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.calibration import recovery
from harness.calibration.generators import Design, linear
from harness.calibration.gibbs import fit
from harness.calibration.results import Simulation

SETS = 40
FIT = Design(sets=1, people=50, tasks=12)


def simulate(generator: str | None, sets: int, seed: int, note: Callable[[str], None]) -> Simulation:
    """Every situation of the simulation; the same figures for the same seed, but for the seconds."""
    import numpy as np

    began = time.monotonic()
    found = []
    for name, design, least, most in recovery.situations(generator, sets):
        note(f"{name}, {design.people} people, {design.tasks} tasks, {design.sets} data sets")
        found.append(recovery.recover(name, design, (least, most), seed))
    planted = linear(FIT, np.random.default_rng(seed))
    before = time.monotonic()
    fit(planted.scores, np.random.default_rng(seed))
    took = time.monotonic() - before
    return Simulation(
        situations=tuple(found), seed=seed, fit_seconds=took, seconds=time.monotonic() - began
    )  # fmt: skip
