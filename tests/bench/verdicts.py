"""How often a budget's verdict is wrong, and how often open, by how a program's processes differ: simulated.

    python -m tests.bench.verdicts [RUNS] [--write]

Each run is 12 process pairs at most, looked at after 5, 8 and 12 as a round does it, and judged by the harness's own
functions; a pair is one number, the log of the candidate's time by the reference's, and another for the A/A. Random
numbers come from a fixed seed. `--write` puts the table into docs/measurement.md.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.grading.certificate import LEAST_MARGIN, MOST_MARGIN, timing
from harness.grading.comparison import Comparison, Side
from harness.grading.criteria import Constraint, Criteria, Objective
from harness.grading.spread import PairSpread
from harness.grading.verdicts import NARROW, judge, settled
from harness.measures.paired import over_pairs
from harness.readings import PairReading
from harness.records import Assessed, Measurement, Tier
from harness.trials.schedule import Plan

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
PLAN = Plan(pairs=5, most=12)
PAGE = Path(__file__).parents[2] / "docs" / "measurement.md"
MARKS = ("<!-- verdicts: begin -->\n", "<!-- verdicts: end -->")
LIMIT = 3.0
BUDGET = Constraint(
    name="latency", measure="answer_p50", compare="ratio", reference="baseline", at_most=LIMIT
)
CRITERIA = Criteria(objective=Objective(measure="accuracy"), constraints=(BUDGET,))
QUIET = 0.01  # the standard deviation between pairs of one program, pinned and undisturbed


@dataclass(frozen=True)
class Program:
    """How a program's processes differ from each other: `draw` gives logs of their times about its own level.

    `usual` is the level of those that are not slow, by the program's own.
    """

    name: str
    honest: bool
    draw: Draw
    usual: float = 1.0

    def at_the_edge(self, at: float) -> bool:
        """Whether its usual process lies where nothing is decided about any program: within 3 % of what is allowed."""
        return abs(math.log(at * self.usual / (1 + LEAST_MARGIN))) < 0.03


def normal(sd: float) -> Draw:
    """Processes that differ as a normal distribution has it."""
    return lambda rng, n: sd * rng.standard_normal(n)


def some_slower(share: float, factor: float, sd: float = QUIET, centred: bool = False) -> Draw:
    """A share of the processes takes `factor` times as long; `centred`: about the geometric mean of all."""
    gap = math.log(factor)
    less = share * gap if centred else 0.0
    return lambda rng, n: sd * rng.standard_normal(n) + gap * (rng.random(n) < share) - less


def heavy(sd: float) -> Draw:
    """Student's t of three degrees of freedom, scaled to this standard deviation."""
    return lambda rng, n: sd / math.sqrt(3) * rng.standard_t(3, n)


HONEST = (
    Program("processes differ by 1 %", True, normal(0.01)),
    Program("by 3 %", True, normal(0.03)),
    Program("by 5 %", True, normal(0.05)),
    Program("heavy tails (t of 3 degrees, 2 %)", True, heavy(0.02)),
    Program("two layouts, 5 % apart", True, some_slower(0.5, 1.05, 0.005, centred=True)),
    Program("1 in 20 is 20 % slower", True, some_slower(0.05, 1.2)),
    Program("1 in 20 is 30 % slower", True, some_slower(0.05, 1.3)),
    Program("erratic: by 10 %", True, normal(0.10)),
    Program("erratic: by 15 %", True, normal(0.15)),
    Program("erratic: 1 in 20 takes half as long again", True, some_slower(0.05, 1.5)),
)
ADVERSARIES = tuple(
    Program(
        f"{name} takes {factor:g} times as long",
        False,
        some_slower(share, factor, centred=True),
        factor**-share,
    )
    for share, name in ((0.5, "every second"), (1 / 3, "every third"), (0.25, "every fourth"))
    for factor in (1.3, 1.6, 2.0, 3.0, 5.0, 10.0)
)
HONEST_AT = (0.9, 0.95, 1.0)
OVER_AT = (1.1, 1.2, 1.5, 2.0)


def compared(own: Floats, copies: Floats) -> Comparison:
    """Pairs as grading sees them, one request in each: logs of times by the reference's, whose own are 10 ms."""

    def side(logs: Floats, tier: Tier | None) -> Side:
        seconds = {f"q-{n}": 0.01 * math.exp(log) for n, log in enumerate(logs)}
        p50 = Measurement(
            name="answer_p50", unit="s", direction="lower", value=float(np.median([*seconds.values()]))
        )
        role = "reference" if tier else "candidate"
        assessed = Assessed(number=0, role=role, label="x", tier=tier, outcome="ok", measurements=(p50,))
        return Side(assessed, {"answer": seconds}, {item: n for n, item in enumerate(seconds)})

    readings = tuple(PairReading(stage="serve", pair=n, started=()) for n in range(len(own)))
    return Comparison(
        candidate=side(own, None),
        references={"baseline": side(np.zeros(len(own)), "baseline")},
        copy=side(copies, "baseline"),
        pairs=readings,
        alpha=PLAN.alpha(),
    )


def ended(own: Floats, copies: Floats) -> str:
    """How a run of these pairs ends, by `settled` and `judge` themselves."""
    for look in PLAN.looks():
        r = compared(own[:look], copies[:look])
        if look == PLAN.most or settled(CRITERIA, r):
            break
    result = judge(BUDGET, [r], timing(CRITERIA, [r]))
    return f"open by {result.open_by or 'the clock'}" if result.verdict == "inconclusive" else result.verdict


def quickly(own: Floats, copies: Floats, by_pairs: bool = True) -> str:
    """The same from the functions that those two go by, in a tenth of the time; a test holds one against the other.

    Without `by_pairs`: as it was before, by the interval of the mean alone.
    """
    for look in PLAN.looks():
        logs, aa = own[:look], copies[:look]
        value = over_pairs(logs, PLAN.alpha())
        error = 2 * float(aa.std(ddof=1)) / math.sqrt(look)
        tolerance = min(max(LEAST_MARGIN, error), MOST_MARGIN)
        edge = math.log(LIMIT) + math.log1p(tolerance)
        spread = PairSpread(logs, aa, 1)
        if value.high <= math.exp(edge) or value.low > math.exp(edge):
            verdict = "pass" if value.high <= math.exp(edge) else "fail"
        else:
            verdict = spread.by_order(edge, PLAN.alpha()) if by_pairs else "inconclusive"
        known = verdict != "inconclusive" or value.high - value.low <= 2 * NARROW * value.value
        if look == PLAN.most or (tolerance <= LEAST_MARGIN and known):
            break
    if verdict != "inconclusive":
        return verdict
    if not by_pairs or not spread.is_own():
        return "open by the clock"
    return "fail" if spread.mean > edge else "open by candidate"


@dataclass(frozen=True)
class Row:
    """One program at one multiple of its limit: shares of runs."""

    program: Program
    at: float
    runs: int
    now: Counter[str]
    before: Counter[str]

    def share(self, verdict: str, before: bool = False) -> float:
        """The share of runs that ended so; "open" is open by whomever."""
        counts = self.before if before else self.now
        return sum(n for name, n in counts.items() if name.startswith(verdict)) / self.runs


def simulated(program: Program, at: float, runs: int, seed: int = 1) -> Row:
    """Runs of a program whose level is `at` times its limit, beside a reference that is undisturbed."""
    rng = np.random.default_rng([seed, round(1000 * at), *program.name.encode()])
    now, before = Counter[str](), Counter[str]()
    for _ in range(runs):
        own = math.log(LIMIT * at) + program.draw(rng, PLAN.most)
        copies = QUIET * rng.standard_normal(PLAN.most)
        now[quickly(own, copies)] += 1
        before[quickly(own, copies, by_pairs=False)] += 1
    return Row(program, at, runs, now, before)


def table(runs: int) -> Iterator[str]:
    """The tables as Markdown."""
    yield f"{runs:,} runs each, by `python -m tests.bench.verdicts {runs} --write`. In brackets: by the interval of the"
    yield "mean alone, as it was judged before."
    yield ""
    yield "| honest: its processes | fails at 0.9 of its limit | at 0.95 | at 1.0 | open at 0.95 | open at 1.0 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for program in HONEST:
        rows = [simulated(program, at, runs) for at in HONEST_AT]
        cells = [_both(row, "fail") for row in rows] + [_both(row, "open") for row in rows[1:]]
        yield f"| {program.name} | {' | '.join(cells)} |"
    yield ""
    yield "| on purpose: of its processes | open at 1.1 times its limit | at 1.2 | at 1.5 | at 2 | passes at 1.2 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for program in ADVERSARIES:
        rows = [simulated(program, at, runs) for at in OVER_AT]
        cells = [_both(row, "open") for row in rows] + [_both(rows[1], "pass")]
        yield f"| {program.name} | {' | '.join(cells)} |"
    yield ""
    yield "\\* Its usual process lies within 3 % of budget and tolerance, where every program is open, however steady."


def _both(row: Row, verdict: str) -> str:
    mark = "*" if not row.program.honest and row.program.at_the_edge(row.at) else ""
    return f"{row.share(verdict):.1%}{mark} ({row.share(verdict, before=True):.0%})".replace("%", " %")


def main(arguments: Sequence[str]) -> None:
    """Prints the tables, or writes them into the page."""
    runs = next((int(word) for word in arguments if word.isdigit()), 1000)
    lines = "\n".join(table(runs))
    if "--write" not in arguments:
        print(lines)
        return
    text = PAGE.read_text("utf-8")
    head, rest = text.split(MARKS[0])
    tail = rest.split(MARKS[1])[1]
    PAGE.write_text(f"{head}{MARKS[0]}{lines}\n{MARKS[1]}{tail}", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
