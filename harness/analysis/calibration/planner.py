"""Which tasks make the best form in given minutes: most information, at the cut where one is set."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from harness.analysis.calibration.decisions import information, skill_at
from harness.analysis.calibration.gibbs import Draws
from harness.analysis.calibration.reliability import of_draws
from harness.analysis.calibration.results import Form
from harness.analysis.calibration.scores import Floats
from harness.sheets import Suite


def plan(suite: Suite, information: Floats, minutes: int) -> tuple[str, ...]:
    """The tasks that maximise the sum of `information` (T,) within `minutes`, each competency at least once.

    A binary linear program (van der Linden 2005, ch. 4). Where the competencies cannot all be covered in that
    time the answer is empty.
    """
    rows = [[float(task.minutes) for task in suite.tasks]]
    low, high = [0.0], [float(minutes)]
    for competency in suite.competencies():
        rows.append([float(competency in task.competencies) for task in suite.tasks])
        low.append(1.0)
        high.append(np.inf)
    solution = milp(
        -np.asarray(information),
        constraints=LinearConstraint(np.array(rows), low, high),
        integrality=np.ones(len(suite.tasks)),
        bounds=Bounds(0, 1),
    )
    if not solution.success:
        return ()
    return tuple(task.id for task, taken in zip(suite.tasks, solution.x, strict=True) if taken > 0.5)


def form(suite: Suite, draws: Draws, minutes: int, people: int) -> Form:
    """The planned form with the standard error of skill and the reliability that it would have.

    Where a person set a cut, what counts is what tasks say at the cut, where points held at the floor or cap say
    less; the standard error is then the one there. Otherwise it is what they say away from both ends.
    """
    if suite.cut is not None:
        each = information(draws, skill_at(suite, draws, suite.cut))
    else:
        each = draws.slope[:, 0] ** 2 / (draws.unique[:, 0] + draws.noise[:, 0])
    tasks = plan(suite, np.median(each, axis=0), minutes)
    taken = np.array([task.id in tasks for task in suite.tasks])
    total = each[:, taken].sum(axis=1)
    tau2 = draws.tau2[:, 0]
    words = "" if tasks else f"{minutes} minutes do not cover every competency; give more, or leave one out"
    return Form(
        tasks=tasks,
        minutes=sum(task.minutes for task in suite.tasks if task.id in tasks),
        words=words,
        csem=of_draws(1 / np.sqrt(1 / tau2 + total), people),
        at_cut=suite.cut is not None,
        relative=of_draws(tau2 * total / (1 + tau2 * total), people),
    )
