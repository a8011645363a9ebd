"""From rows to a calibration: one fit, and everything that is said of the tasks, the suite and each person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.calibration import decisions, items, limits, parts, planner, reliability
from harness.analysis.calibration.generators import CAP, FLOOR
from harness.analysis.calibration.gibbs import Draws, fit
from harness.analysis.calibration.results import Budget, Calibration, Estimate, PersonStanding, TaskFigures
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row, cube, people_of, scores_of
from harness.sheets import Cut, Suite

PASS, NOT_YET = 0.8, 0.2
SHIFT, MANY = 0.25, 0.10


def calibrate(suite: Suite, rows: Sequence[Row], seed: int = 0, minutes: int | None = None) -> Calibration:
    """The calibration of a suite; deterministic for one seed. The cut is the suite's, or a provisional one.

    `minutes`: also plan a form of so many.
    """
    people, tasks = people_of(rows), [t.id for t in suite.tasks]
    scores = scores_of(rows, people, tasks)
    draws = fit(scores, np.random.default_rng(seed))
    values = np.clip(cube(rows, people, tasks), FLOOR, CAP) if people else np.empty((0, len(tasks), 1))
    seen = np.isfinite(values)
    means = np.where(
        seen.any(axis=2), np.where(seen, values, 0).sum(axis=2) / np.maximum(seen.sum(axis=2), 1), np.nan
    )
    made, n = reliability.drawn(draws), len(people)
    seeds = max(1, round(float(seen.sum() / max(seen.any(axis=2).sum(), 1))))
    cut = suite.cut or provisional(suite, rows)
    reaches = _reaches(suite, draws, cut)
    standings = _standings(draws, people, reaches)
    sure = decisions.agreement(suite, draws, cut, seeds, n) if cut else decisions.Agreement()
    return Calibration(
        suite=suite.name,
        rows=len(rows),
        people=n,
        cut=cut,
        tasks=tuple(_task(rows, task, j, draws, means) for j, task in enumerate(tasks)),
        alpha=reliability.alpha(means),
        omega=reliability.omega(draws, seeds, n),
        relative=reliability.of_draws(made.relative(len(tasks), seeds), n),
        absolute=reliability.of_draws(made.absolute(len(tasks), seeds), n),
        shares=_shares(made, n),
        dstudy=reliability.dstudy(made, n) if n >= reliability.LEAST else (),
        needed=reliability.needed(made, n),
        standings=standings,
        bands=tuple((b, items.share(sum(s.band == b for s in standings), n)) for b in BANDS) if n else (),
        form=None if minutes is None else planner.form(suite, draws, minutes, n),
        flipped=reliability.of_draws(flipped(suite, draws, cut, seed) if n and cut else 0.0, n if cut else 0),
        sem=decisions.sem(suite, draws, seeds, n),
        accuracy=sure.accuracy,
        consistency=sure.consistency,
        curve=decisions.curve(suite, draws, seeds, n) if n >= reliability.LEAST else (),
        passing=Estimate(absent_because="no cut") if reaches is None else _passing(reaches, n),
        rhat=float(draws.rhat.max()),
        notes=_notes(n, len(tasks), cut),
    )


BANDS = ("pass", "review", "not yet")


def provisional(suite: Suite, rows: Sequence[Row]) -> Cut | None:
    """The midpoint of baseline and competent, weighted as the suite is; None where a task has no competent."""
    total, weight = 0.0, 0.0
    for task in suite.tasks:
        competent = [
            r.points for r in rows if r.task == task.id and r.tier == "competent" and r.points is not None
        ]
        if not competent:
            return None
        total, weight = total + task.weight * float(np.mean(competent)) / 2, weight + task.weight
    return Cut(
        points=total / weight, method="provisional", set_by="nobody: midpoint of baseline and competent"
    )


def _reaches(suite: Suite, draws: Draws, cut: Cut | None) -> Floats | None:
    """In each draw, whether each person's expected points of the suite reach the cut, (K, P)."""
    if cut is None:
        return None
    weights = decisions.weights_of(suite)
    base, rise = draws.intercept[:, 0] @ weights, draws.slope[:, 0] @ weights
    return (base[:, None] + rise[:, None] * draws.skill[:, 0] >= cut.points / 100).astype(np.float64)


def _passing(reaches: Floats, people: int) -> Estimate:
    """The share of people who are above the cut, over the draws."""
    return reliability.of_draws(reaches[:, :people].mean(axis=1) if people else 0.0, people)


def flipped(suite: Suite, draws: Draws, cut: Cut, seed: int) -> Floats:
    """The share of persons whose side of the cut changes when weights move by about 25 %, in 200 draws of weights.

    Weights are Dirichlet about the suite's own, with a coefficient of variation of 0.25 where all are equal.
    """
    weights = decisions.weights_of(suite)
    people = draws.skill.shape[2] - 3
    expected = np.median(
        draws.intercept[:, 0, None, :] + draws.slope[:, 0, None, :] * draws.skill[:, 0, :people, None], axis=0
    )
    moved = np.random.default_rng(seed).dirichlet(weights * max(1.0, 16.0 * (len(weights) - 1) - 1), size=200)
    own = expected @ weights >= cut.points / 100
    return ((expected @ moved.T >= cut.points / 100) != own[:, None]).mean(axis=0)


def _standings(draws: Draws, people: Sequence[str], reaches: Floats | None) -> tuple[PersonStanding, ...]:
    standings = []
    for i, person in enumerate(people):
        passes = None if reaches is None else float(reaches[:, i].mean())
        band = (
            "no cut"
            if passes is None
            else "pass"
            if passes >= PASS
            else "not yet"
            if passes <= NOT_YET
            else "review"
        )
        standings.append(
            PersonStanding(person=person, skill=_interval(draws.skill[:, 0, i]), passes=passes, band=band)
        )
    return tuple(standings)


def _interval(values: Floats) -> Estimate:
    low, middle, high = (float(v) for v in np.quantile(values, [0.025, 0.5, 0.975]))
    return Estimate(value=middle, low=low, high=high)


def _task(rows: Sequence[Row], task: str, j: int, draws: Draws, means: Floats) -> TaskFigures:
    own = [r for r in rows if r.task == task]
    mine = [
        r
        for r in own
        if r.tier is None and r.outcome not in ("not_attempted", "harness_error", "sandbox_failed")
    ]
    scored = means[:, j][np.isfinite(means[:, j])]
    rungs, n = items.ladder(own), len({r.person for r in mine})
    spread = np.sqrt(draws.unique[:, 0, j] + draws.noise[:, 0, j])
    by_person = {r.person: r for r in mine}
    figures = TaskFigures(
        task=task,
        people=n,
        tiers=items.tier_figures(rungs),
        gaps=items.gaps(rungs),
        difficulty=_interval(draws.difficulty()[:, 0, j]),
        provisional=not len(scored),
        discrimination=reliability.of_draws(draws.slope[:, 0, j] / spread, len(scored)),
        item_rest=items.item_rest(means, j),
        floor=items.share(int((scored <= FLOOR).sum()), len(scored)),
        ceiling=items.share(int((scored >= CAP).sum()), len(scored)),
        failed=items.share(sum(r.outcome not in ("ok", "inconclusive") for r in by_person.values()), n),
        timed_out=items.share(sum(r.outcome == "timeout" for r in by_person.values()), n),
        budgets=_budgets(list(by_person.values())),
        shares=parts.shares(draws, j, rungs, mine, len(scored)),
        minutes=parts.minutes(mine),
        proposals=limits.proposals(own),
    )
    return figures.model_copy(update={"flags": _flags(figures)})


def _budgets(rows: Sequence[Row]) -> tuple[Budget, ...]:
    verdicts: dict[str, list[bool]] = {}
    for row in rows:
        for name, verdict in row.verdicts:
            if verdict != "inconclusive":
                verdicts.setdefault(name, []).append(verdict == "pass")
    budgets = []
    for name, met in verdicts.items():
        words = "everybody meets it" if all(met) else "" if any(met) else "nobody meets it"
        budgets.append(Budget(name=name, judged=len(met), met=sum(met), words=words if len(met) > 1 else ""))
    return tuple(budgets)


def _flags(f: TaskFigures) -> tuple[str, ...]:
    flags = [
        f"{g.upper} is not soundly above {g.lower}: {g.sds.value:.1f} pooled SDs, {g.inversions} inversions"
        for g in f.gaps
        if not g.sound and g.sds.value is not None
    ]
    if f.item_rest.value is not None and f.item_rest.value < 0.2:
        flags.append(f"item-rest correlation {f.item_rest.value:.2f} is below 0.20")
    ends = (("floor", f.floor, SHIFT), ("ceiling", f.ceiling, SHIFT), ("time limit", f.timed_out, MANY))
    for name, part, most in ends:
        if part.value is not None and part.value > most:
            flags.append(
                f"{100 * part.value:.0f} % of people are at the {name}; at most {100 * most:.0f} % should be"
            )
    return tuple(flags)


def _shares(made: reliability.Components, people: int) -> tuple[tuple[str, Estimate], ...]:
    whole = made.person + made.task + made.crossed + made.seed
    named = (
        ("person", made.person),
        ("task", made.task),
        ("person by task", made.crossed),
        ("instance and seed", made.seed),
    )
    return tuple((name, reliability.of_draws(part / whole, people)) for name, part in named) if people else ()


def _notes(people: int, tasks: int, cut: Cut | None) -> tuple[str, ...]:
    notes = []
    if people < reliability.FEW:
        notes.append(
            f"Too few examinees ({people}): reliability is given as an interval from 5 on, as a number from 20 on."
        )
    if not people:
        notes.append("Difficulties come from the reference tiers alone and are provisional.")
    if tasks < 4:
        notes.append(f"With {tasks} tasks the scale rests on little; intervals are wide for that reason.")
    if cut is not None and cut.method == "provisional":
        notes.append("The cut is PROVISIONAL: no person has set one. It is no ground for a decision.")
    return tuple(notes)
