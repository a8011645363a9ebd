"""Who shares a place with whom: honest equals, and one who is noisy on purpose, before and after its spread was held.

`python -m tests.bench.places [RUNS]` prints the table of docs/reading.md. Every run is graded by `grade` itself, and
placed by `places`; "before" leaves out what a run tells of noise that is not the candidate's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.standings import Span, places, span
from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import Criteria, Objective
from harness.grading.grade import grade
from harness.measures.stats import percentile_interval, resampled
from harness.records import Assessed, Measurement, Score, Tier
from harness.sheets import Cell

SPEED = Criteria(
    objective=Objective(
        measure="speed_up", unit="x", scale="log", ratio_of=("answer_p50",), reference="baseline"
    )
)
QUALITY = Criteria(objective=Objective(measure="score"))
EQUALS = 7  # honest candidates of the same level, beside whom one more is placed
PAIRS, CALM = 5, 0.015  # process pairs, and the standard deviation of their log ratios
ITEMS, INSTANCES, UNLIKE = (
    200,
    3,
    3.0,
)  # items of an instance; instances, and how far points differ between them
TIERS: dict[Tier, float] = {"baseline": 0.5, "competent": 0.6, "expert": 0.75}

Draw = Callable[[np.random.Generator], Score]


def _side(tier: Tier | None, *found: Measurement, times: Sequence[float] = ()) -> Side:
    assessed = Assessed(
        number=0,
        role="reference" if tier else "candidate",
        label=tier or "me",
        tier=tier,
        outcome="ok",
        measurements=found,
    )
    served = {f"q{n}": seconds for n, seconds in enumerate(times)}
    return Side(assessed, {"answer": served}, {item: n for n, item in enumerate(served)})


def timed(speed: float, noise: float = CALM, coin: float = 1.0) -> Draw:
    """A speed-up over process pairs; with `coin`, half of its processes are so many times slower on purpose."""

    def draw(rng: np.random.Generator) -> Score:
        def seconds(at: float, sd: float) -> list[float]:
            return [0.01 / at * math.exp(sd * rng.standard_normal()) for _ in range(PAIRS)]

        own = [s * (coin if rng.random() < 0.5 else 1.0) for s in seconds(speed, noise)]
        r = Comparison(
            candidate=_side(None, times=own),
            references={
                "baseline": _side("baseline", times=[0.01] * PAIRS),
                "competent": _side("competent", times=seconds(2.0, CALM)[:2]),
                "expert": _side("expert", times=seconds(3.0, CALM)),
            },
            copy=_side("baseline", times=seconds(1.0, CALM)),
        )
        return grade(SPEED, [r])

    return draw


def by_items(level: float, sd: float = 0.2) -> Draw:
    """A mean over the items of one instance, which are easy or hard for everybody; `sd` of what is one's own."""

    def draw(rng: np.random.Generator) -> Score:
        hard = 0.15 * rng.standard_normal(ITEMS)

        def of(tier: Tier | None, at: float, own: float) -> Side:
            values = np.clip(at + hard + own * rng.standard_normal(ITEMS), 0.0, 1.0)
            if own > 0.4:  # all or nothing
                values = (rng.random(ITEMS) < at).astype(float)
            draws = resampled(values[:, None], draws=200).mean(axis=1)[:, 0]
            low, high = percentile_interval(draws)
            found = Measurement(
                name="score",
                unit="",
                direction="higher",
                value=float(values.mean()),
                low=low,
                high=high,
                draws=tuple(float(x) for x in draws),
            )
            return _side(tier, found)

        references = {tier: of(tier, at, 0.2) for tier, at in TIERS.items()}
        return grade(QUALITY, [Comparison(candidate=of(None, level, sd), references=references)])

    return draw


def by_instances(level: float, drop: float = 0.0) -> Draw:
    """A mean over three instances; with `drop`, half of them are so many points worse on purpose."""

    def draw(rng: np.random.Generator) -> Score:
        def of(tier: Tier | None, points: float) -> Side:
            value = 0.5 + 0.0025 * points
            return _side(
                tier,
                Measurement(name="score", unit="", direction="higher", value=value, low=value, high=value),
            )

        rounds = []
        for _ in range(INSTANCES):
            own = level + UNLIKE * rng.standard_normal() - drop * (rng.random() < 0.5)
            between = 50 + UNLIKE * rng.standard_normal()
            rounds.append(
                Comparison(
                    candidate=of(None, own),
                    references={
                        "baseline": of("baseline", 0),
                        "competent": of("competent", between),
                        "expert": of("expert", 100),
                    },
                )
            )
        return grade(QUALITY, rounds)

    return draw


@dataclass(frozen=True)
class Outcome:
    """Over all runs: how often two of the equals were ranked apart, and the mean place of the one beside them."""

    apart: float
    place: float
    first: float


@dataclass(frozen=True)
class Case:
    """Seven honest equals, and one more."""

    name: str
    equals: Draw
    other: Draw

    def outcomes(self, runs: int, seed: int = 1) -> tuple[Outcome, Outcome]:
        """Before and now."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        tables = [[self.equals(rng) for _ in range(EQUALS)] + [self.other(rng)] for _ in range(runs)]
        return _placed(tables, held=False), _placed(tables, held=True)


def _placed(tables: Sequence[Sequence[Score]], held: bool) -> Outcome:
    apart, ranks = 0, []
    for scores in tables:
        spans = [_span(score, held) for score in scores]
        ranks.append(places(spans)[-1][0])
        equals = spans[:-1]
        apart += sum(not a.overlaps(b) for n, a in enumerate(equals) for b in equals[:n])
    pairs = EQUALS * (EQUALS - 1) / 2 * len(tables)
    return Outcome(apart / pairs, float(np.mean(ranks)), ranks.count(1) / len(ranks))


def _span(score: Score, held: bool) -> Span:
    cell = Cell(
        candidate="x",
        task="t",
        outcome="ok",
        points=score.points,
        points_uncapped=score.points_uncapped,
        points_low=score.points_low,
        points_high=score.points_high,
        points_room=score.points_room if held else None,
    )
    found = span(cell)
    assert found is not None
    return found


CASES = (
    Case("times: an eighth equal", timed(2.5), timed(2.5)),
    Case("times: all twice as noisy as the references", timed(2.5, 2 * CALM), timed(2.5, 2 * CALM)),
    Case("times: one twice as slow in half of its processes", timed(2.5), timed(2.5, coin=2.0)),
    Case("times: one six times slower in half of its processes", timed(2.5), timed(2.5, coin=6.0)),
    Case(
        "times: one steadily slower, as slow as the last but one on average",
        timed(2.5),
        timed(2.5 / math.sqrt(2)),
    ),
    Case("items: an eighth equal", by_items(0.7), by_items(0.7)),
    Case("items: one that is all right or all wrong, 20 points lower", by_items(0.7), by_items(0.65, 0.5)),
    Case("items: one 20 points lower", by_items(0.7), by_items(0.65)),
    Case("instances: an eighth equal", by_instances(80), by_instances(80)),
    Case("instances: one 40 points worse on half of them", by_instances(80), by_instances(80, 40)),
    Case("instances: one 20 points worse on all of them", by_instances(80), by_instances(60)),
)


def table(runs: int) -> Iterator[str]:
    """The table as Markdown."""
    yield "| seven equals, and | two equals ranked apart | before | the other's mean place | before | first | before |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for case in CASES:
        before, now = case.outcomes(runs)
        cells = (
            f"{now.apart:.1%} | {before.apart:.1%} | {now.place:.1f} | {before.place:.1f} | "
            f"{now.first:.0%} | {before.first:.0%}"
        )
        yield f"| {case.name} | {cells} |"


if __name__ == "__main__":
    for line in table(int(sys.argv[1]) if len(sys.argv) > 1 else 400):
        print(line)
