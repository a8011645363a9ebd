"""Where a task's variance comes from, how long scoring took, and limits that are proposed and never applied."""

from __future__ import annotations

import numpy as np
import pytest

from harness.analysis.calibration import limits, parts
from harness.analysis.calibration.analysis import calibrate
from harness.analysis.calibration.results import Calibration
from harness.analysis.calibration.tables import Row
from harness.records import TIERS
from harness.reports.calibration import report as pages
from harness.sheets import CellConstraint, Suite, TaskInSuite


def judged(value: float, at_most: bool = True, threshold: float = 2.0, reference: str = "") -> CellConstraint:
    return CellConstraint(
        name="time",
        unit="s",
        verdict="pass",
        value=value,
        low=value,
        high=value,
        threshold=threshold,
        bound="at_most" if at_most else "at_least",
        reference=reference,
    )


def tier_rows(values: list[float], **more: object) -> list[Row]:
    return [
        Row(
            person="competent",
            tier="competent",
            task="a",
            instance=str(i),
            points=50.0,
            measured=(judged(v, **more),),
        )
        for i, v in enumerate(values)
    ]


def test_a_proposed_budget_by_hand() -> None:
    logs = np.log([1.0, 1.1, 1.2, 1.3])
    end = (
        np.exp(logs.mean() + 2.353363 * logs.std(ddof=1) * 1.25**0.5) * 1.1
    )  # t of 3 degrees, one-sided 95 %
    assert limits.bound(np.exp(logs), 4, upper=True) == pytest.approx(end, rel=1e-5)
    low = np.exp(logs.mean() - 2.353363 * logs.std(ddof=1) * 1.25**0.5) / 1.1
    assert limits.bound(np.exp(logs), 4, upper=False) == pytest.approx(low, rel=1e-5)
    # differences may be 0 or below, and are taken as they are
    flat = np.array([-1.0, 0.0, 1.0])
    end = 2.919986 * flat.std(ddof=1) * (4 / 3) ** 0.5
    assert limits.bound(flat, 3, upper=True) == pytest.approx(1.1 * end, rel=1e-5)


def test_the_next_run_of_the_tier_meets_the_limit_as_often_as_is_said() -> None:
    rng = np.random.default_rng(1)
    many = np.exp(0.2 * rng.normal(size=(3000, 6)))
    met = [bool(row[-1] <= limits.bound(row[:5], 5, upper=True) / 1.1) for row in many]
    assert np.mean(met) == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / 3000) ** 0.5)


def test_seeds_of_one_instance_do_not_make_a_limit_surer() -> None:
    values = np.array([1.0, 1.1, 1.2, 1.3, 1.25, 1.05])
    assert limits.bound(values, 3, upper=True) > limits.bound(values, 6, upper=True)


def test_proposals_count_people_and_say_what_stands_in_the_way() -> None:
    people = [
        Row(person=f"p{n}", tier=None, task="a", instance=str(i), points=40.0, measured=(judged(v),))
        for n, v in enumerate((1.0, 1.5, 1.9, 2.5))
        for i in range(2)
    ]
    (found,) = limits.proposals([*tier_rows([1.0, 1.05, 1.1]), *people])
    assert found.proposed == pytest.approx(limits.bound(np.array([1.0, 1.05, 1.1]), 3, upper=True))
    assert (found.people, found.met_now, found.set_to) == (4, 3, 2.0)
    assert found.met_then == sum(v <= found.proposed for v in (1.0, 1.5, 1.9, 2.5))
    assert found.words == ""
    (short,) = limits.proposals(tier_rows([1.0, 1.1]))
    assert short.proposed is None
    assert "2 instances" in short.words
    (wild,) = limits.proposals(tier_rows([0.1, 1.0, 8.0]))
    assert wild.proposed is None
    assert "spreads too far" in wild.words
    (slow,) = limits.proposals(tier_rows([3.0, 3.1, 3.2]))
    assert "does not meet" in slow.words
    (own,) = limits.proposals(tier_rows([1.0, 1.0, 1.01], reference="competent"))
    assert "to the competent tier itself" in own.words


def planted_rows(instance_sd: float, seed_sd: float, machines: tuple[float, ...] = (0.0,)) -> list[Row]:
    rng, rows = np.random.default_rng(7), []
    for task in "abc":
        for i in range(20):
            at = instance_sd * rng.normal()
            for s in range(3):
                for tier, points in zip(TIERS, (0.0, 50.0 + at + seed_sd * rng.normal(), 100.0), strict=True):
                    rows.append(
                        Row(person=tier, tier=tier, task=task, instance=str(i), seed=s, points=points)
                    )
    skill = rng.normal(size=60)
    for n in range(60):
        place = n % len(machines)
        for task in "abc":
            own = 50 + 20 * skill[n] + machines[place] + 6 * rng.normal()
            for i in range(4):
                spread = (instance_sd**2 + seed_sd**2) ** 0.5 * rng.normal()
                rows.append(
                    Row(
                        person=f"p{n}",
                        tier=None,
                        task=task,
                        instance=str(i),
                        points=own + spread,
                        machine=f"m{place}",
                        minutes=2.0 + n,
                    )
                )
    return rows


def calibrated(rows: list[Row]) -> Calibration:
    suite = Suite(name="s", title="S", tasks=tuple(TaskInSuite(id=name) for name in "abc"))
    return calibrate(suite, rows)


def test_shares_of_a_task_come_back_as_planted() -> None:
    found = calibrated(planted_rows(instance_sd=8.0, seed_sd=4.0))
    whole = 20**2 + 6**2 + 8**2 + 4**2
    held = dict.fromkeys(("person", "instance", "seed"), 0)
    for task in found.tasks:
        told = dict(task.shares)
        assert sum(told[n].value for n in held) == pytest.approx(1, abs=0.05)
        for name, truth in (("person", 436 / whole), ("instance", 64 / whole), ("seed", 16 / whole)):
            held[name] += told[name].low <= truth <= told[name].high
            assert told[name].value == pytest.approx(truth, abs=0.08)
        assert told["machine"].absent_because == "one machine only"
        assert task.minutes is not None
        assert (task.minutes.least, task.minutes.most, task.minutes.people) == (2.0, 61.0, 60)
    assert min(held.values()) >= 2
    table = next(t for t in pages.tables(found) if t.caption == "Variance of each task")
    assert table.rows[0][4].note == "one machine only"
    assert table.rows[0][5].note == "2 to 61, 60 people"


def test_seed_and_instance_stay_together_where_the_tier_had_one_seed() -> None:
    rows = [r for r in planted_rows(8.0, 4.0) if not r.seed]
    told = dict(calibrated(rows).tasks[0].shares)
    assert told["instance and seed"].value == pytest.approx(80 / 516, abs=0.06)
    assert "1 seeds" in told["seed"].absent_because


def test_a_machine_that_gives_more_points_shows_and_equal_ones_do_not() -> None:
    def share(machines: tuple[float, ...]) -> float:
        found = parts.machine([r for r in planted_rows(2.0, 2.0, machines) if r.task == "a" and not r.tier])
        assert found.low is not None
        assert found.value is not None
        return found.low if any(machines) else found.value

    assert share((0.0, 80.0, 160.0)) > 0.5
    assert share((0.0, 0.0, 0.0)) < 0.2


def test_the_interval_of_the_machines_share_covers() -> None:
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        at = rng.normal(size=6)
        rows = [
            Row(
                person=f"p{m}-{n}",
                tier=None,
                task="a",
                instance="0",
                machine=str(m),
                points=at[m] + rng.normal(),
            )
            for m in range(6)
            for n in range(5)
        ]
        found = parts.machine(rows)
        held += found.low <= 0.5 <= found.high
    assert abs(held / 400 - 0.95) <= 3 * (0.95 * 0.05 / 400) ** 0.5
