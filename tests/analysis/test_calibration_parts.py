"""Where a task's variance comes from, how long scoring took, and limits that are proposed and never applied."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import f as f_distribution

from harness.analysis.calibration import limits, parts
from harness.analysis.calibration.analysis import calibrate
from harness.analysis.calibration.results import Calibration, Estimate, Minutes
from harness.analysis.calibration.scores import Floats
from harness.analysis.calibration.tables import Row
from harness.records import TIERS
from harness.reports.calibration import report as pages
from harness.sheets import CellConstraint, Suite, TaskInSuite
from tests.analysis.test_calibration_decisions import among, draws_of


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
    assert (short.people, short.met_now, short.met_then) == (0, 0, 0)
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


def test_each_constraint_has_a_proposal_of_its_own() -> None:
    def memory(value: float | None, threshold: float = 5.0) -> CellConstraint:
        named = {"name": "memory", "unit": "B", "value": value}
        return judged(1.0, at_most=False, threshold=threshold).model_copy(update=named)

    tier = [
        row.model_copy(update={"measured": (*row.measured, memory(value, 5.0 + n))})
        for n, (row, value) in enumerate(zip(tier_rows([1.0, 1.1, 1.2]), (7.0, 8.0, 9.0), strict=True))
    ]
    extra = judged(1.0, threshold=3.0).model_copy(update={"name": "extra"})
    people = [
        Row(person=name, tier=None, task="a", instance="0", points=40.0, measured=measured)
        for name, measured in (("p", (extra, memory(5.0))), ("q", (memory(1.0),)), ("r", (memory(None),)))
    ]
    clock, size, other = limits.proposals([*tier, *people])
    assert (clock.name, clock.runs, clock.people, clock.met_now, clock.met_then) == ("time", 3, 0, 0, 0)
    assert (size.name, size.unit, size.bound, size.set_to) == ("memory", "B", "at_least", 5.0)
    assert (size.runs, size.people, size.middle) == (3, 2, 8.0)
    assert size.proposed == pytest.approx(limits.bound(np.array([7.0, 8.0, 9.0]), 3, upper=False))
    assert (size.met_now, size.met_then, size.words) == (1, 1, ""), "5 is at the limit that is set"
    assert (other.name, other.set_to, other.runs, other.people, other.proposed) == ("extra", 3.0, 0, 1, None)
    assert other.words == "the competent tier was measured on 0 instances; 3 are needed"


def test_a_value_at_the_limit_meets_it_and_differences_about_0_have_a_limit_too() -> None:
    exact = [Row(person="p", tier=None, task="a", instance="0", points=1.0, measured=(judged(2.0),))]
    (once,) = limits.proposals([*tier_rows([1.0, 1.05, 1.1]), *exact])
    assert (once.people, once.met_now) == (1, 1)
    (level,) = limits.proposals(tier_rows([-1.0, 0.0, 1.0]))
    assert (level.middle, level.words) == (0.0, "")
    assert level.proposed == pytest.approx(limits.bound(np.array([-1.0, 0.0, 1.0]), 3, upper=True))
    (wild,) = limits.proposals(tier_rows([0.001, 0.01, 0.08], at_most=False, threshold=0.0001))
    assert (wild.proposed, wild.middle) == (None, 0.01)
    assert wild.words == "the competent tier spreads too far for a limit; run it on more than 3 instances"


@pytest.mark.parametrize(
    ("values", "upper", "middle", "room"),
    [
        ((0.0, 1.0, 2.0), True, 1.0, 1.1),  # a 0 has no logarithm
        ((-11.0, -10.0, -9.0), True, -10.0, 0.9),  # a tenth of room is away from the values, below 0 too
        ((-11.0, -10.0, -9.0), False, -10.0, 1.1),
        ((-1.0, 0.0, 1.0), False, 0.0, 1.1),
    ],
)
def test_values_that_are_not_all_positive_are_taken_as_they_are(
    values: tuple[float, ...], upper: bool, middle: float, room: float
) -> None:
    end = middle + (1 if upper else -1) * 2.919986 * (4 / 3) ** 0.5  # t of 2 degrees, SD 1
    assert limits.bound(np.array(values), 3, upper) == pytest.approx(room * end, rel=1e-5)


def shares(competent: list[list[float]] | None, noise: float = 0.04) -> dict[str, Estimate]:
    """Of the second task: .4 squared by a variance of 2, and .04, beside the noise."""
    draws = among(draws_of([0.5, 0.5], [0.1, 0.4], unique=0.04, noise=noise), mu=0.0, tau2=2.0)
    rungs: dict[str, Floats] = {} if competent is None else {"competent": np.array(competent)}
    return dict(parts.shares(draws, 1, rungs, [], 30))


def test_shares_of_one_score_by_hand() -> None:
    # of .36 and .04 nine tenths are the person's
    alone = shares([[0.25, 0.25], [0.0, 0.0], [0.0, 0.0]])  # instances alone, and one of them alone
    assert list(alone) == ["person", "instance", "seed", "machine"]
    assert [alone[n].value for n in ("person", "instance", "seed")] == pytest.approx([0.9, 0.1, 0.0])
    assert alone["machine"].absent_because == "nobody was measured"
    seeds = shares([[0.25, 0.0], [0.25, 0.0], [0.0, 0.25]])
    assert [seeds[n].value for n in ("person", "instance", "seed")] == pytest.approx([0.9, 0.0, 0.1])
    # instances 6 above and below, seeds 4: 36 less 32 / 2 beside 32
    both = shares([[6.0 * side + 4, 6.0 * side - 4] for side in (1, -1) * 100])
    assert both["instance"].value == pytest.approx(0.1 * 20 / 52, rel=0.05)
    assert both["seed"].value == pytest.approx(0.1 * 32 / 52, rel=0.05)


@pytest.mark.parametrize(
    ("competent", "words"),
    [
        (None, "the competent tier was not run on every instance and seed"),
        (
            [[1.0, 2.0], [3.0, np.nan], [4.0, 4.0]],
            "the competent tier was not run on every instance and seed",
        ),
        (
            [[1.0, 2.0], [3.0, 5.0]],
            "the competent tier was run on 2 instances with 2 seeds; 3 with 2 are needed",
        ),
        (
            [[1.0], [3.0], [5.0]],
            "the competent tier was run on 3 instances with 1 seeds; 3 with 2 are needed",
        ),
        ([[1.0, 1.0]] * 3, "the competent tier never varied"),
    ],
)
def test_instance_and_seed_stay_together_and_it_is_said_why(
    competent: list[list[float]] | None, words: str
) -> None:
    split = shares(competent)
    assert list(split) == ["person", "instance and seed", "seed", "machine"]
    assert (split["person"].value, split["instance and seed"].value) == pytest.approx((0.9, 0.1))
    assert split["seed"].absent_because == words


def test_one_instance_shows_no_shares() -> None:
    split = shares([[0.25, 0.25], [0.0, 0.0], [0.0, 0.0]], noise=0.0)
    assert {split[n].absent_because for n in ("person", "instance", "seed")} == {
        "everybody was scored on one instance"
    }


def on(**machines: list[float | None]) -> list[Row]:
    """One person for each number; a person scored twice, 3 above and 3 below."""
    return [
        Row(
            person=f"{machine}{n}",
            tier=None,
            task="a",
            instance=str(side),
            machine=machine,
            points=None if points is None else points + side,
        )
        for machine, everybody in machines.items()
        for n, points in enumerate(everybody)
        for side in (3.0, -3.0)
    ]


def test_the_machines_share_by_hand() -> None:
    # means 12 and 23 about 58 / 3; mean squares 484 / 3 and 28 / 4; 6 - 20 / 6 persons to a machine
    ratio, size = 484 / 21, 8 / 3
    share = parts.machine(on(m=[10.0, 14.0], n=[20.0, 22.0, 24.0, 26.0, None]))

    def by(quantile: float) -> float:
        return (ratio / quantile - 1) / (ratio / quantile + size - 1)

    assert share.value == pytest.approx(by(1.0))
    assert share.low == pytest.approx(by(float(f_distribution.ppf(0.975, 1, 4))))
    assert share.high == pytest.approx(by(float(f_distribution.ppf(0.025, 1, 4))))
    alike = parts.machine(on(m=[10.0, 20.0, 30.0], n=[10.0, 20.0, 30.0]))
    assert (alike.value, alike.low) == (0.0, 0.0), "below 0 is held at 0"


@pytest.mark.parametrize(
    ("machines", "words"),
    [
        ({}, "nobody was measured"),
        ({"m": [None]}, "nobody was measured"),
        ({"m": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}, "one machine only"),
        ({"m": [1.0, 2.0], "n": [1.0, 2.0]}, "too few examinees: 4 on 2 machines"),
        ({"m": [1.0, 2.0], "n": [1.0], "o": [1.0], "p": [4.0]}, "too few examinees: 5 on 4 machines"),
        ({"m": [1.0, 1.0, 1.0], "n": [2.0, 2.0, 2.0]}, "everybody on one machine scored the same"),
    ],
)
def test_where_machines_have_no_share_it_is_said_why(
    machines: dict[str, list[float | None]], words: str
) -> None:
    assert parts.machine(on(**machines)) == Estimate(absent_because=words)


def test_minutes_are_of_hand_ins_that_ran_to_their_end_each_once() -> None:
    rows = [
        Row(person=name, tier=None, task=task, instance="0", points=1.0, minutes=minutes, outcome=outcome)
        for name, minutes, outcome in (
            ("p", 9.0, "ok"),
            ("q", 2.0, "ok"),
            ("r", 4.0, "ok"),
            ("s", 1.0, "timeout"),
            ("t", None, "ok"),
        )
        for task in "ab"
    ]
    assert parts.minutes(rows) == Minutes(least=2.0, median=4.0, most=9.0, people=3)
    assert parts.minutes(rows[6:]) is None
