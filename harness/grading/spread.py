"""Pure: what process pairs say where an interval of their mean does not decide: order, and whose the spread is.

A t interval grows with the spread of the pairs, and a submission can make that as wide as it likes: a coin thrown
when it is imported kept a budget open at twice its limit. So there is a second road to a verdict, which needs no
distribution, and a spread that is the candidate's own is no reason to leave anything open for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.grading.comparison import Comparison, pair_logs
from harness.grading.criteria import Constraint
from harness.measures import paired
from harness.measures.paired import Floats
from harness.records import Verdict

# A spread between pairs is the candidate's own where the A/A spread of the same run is not nearly as wide (F test
# at this error), and where its standard deviation is over 0.45 / sqrt(pairs), 13 % for 12 pairs: a single pair that
# came out a third slower by chance must not do.
F_ALPHA, OWN_SPREAD = 0.001, 0.45
FEWEST = 5


@dataclass(frozen=True)
class PairSpread:
    """A constraint's pairs: float64[n] each, logs of how much worse than a reference; `copies` those of the A/A.

    What is better the larger it is has its sign turned: beyond the limit is always above it.
    """

    own: Floats
    copies: Floats
    rounds: int

    @property
    def mean(self) -> float:
        """The log of the arithmetic mean over the pairs: a slow process takes the time that it takes."""
        return float(np.log(np.mean(np.exp(self.own))))

    def by_order(self, edge: float, alpha: float) -> Verdict:
        """The verdict by the median pair: on which side of `edge` (a log) the whole order interval lies.

        Passes only what passes on average as well. Several instances have no median pair in common.
        """
        median = paired.median_over_pairs(self.own, alpha) if self.rounds == 1 else None
        if median is None:
            return "inconclusive"
        if median.low > edge:
            return "fail"
        return "pass" if median.high <= edge and self.mean <= edge else "inconclusive"

    def is_own(self) -> bool:
        """Whether the spread between the pairs is the candidate's own doing."""
        n = len(self.own)
        if n < FEWEST or len(self.copies) < FEWEST:
            return False
        wide = float(self.own.std(ddof=1)) > OWN_SPREAD / math.sqrt(n)
        return wide and paired.wider(self.own, self.copies, F_ALPHA)

    def in_words(self) -> str:
        """How much its pairs differ, and a reference's."""
        own, other = float(self.own.std(ddof=1)), float(self.copies.std(ddof=1))
        return (
            f"its own times differ by {own:.0%} from process to process where copies of a reference differ by "
            f"{other:.1%}"
        )


def spread(constraint: Constraint, rounds: Sequence[Comparison]) -> PairSpread | None:
    """The pairs of a ratio of times, those of several instances about a common level; None without any."""
    own, copies = [], [np.empty(0)]
    for r in rounds:
        reference = r.reference(constraint.reference)
        logs = pair_logs(constraint.measure, r.candidate, reference) if reference else np.empty(0)
        if len(logs) < 2:
            return None
        own.append(logs)
        base = r.reference(r.copy.assessed.tier) if r.copy else None
        aa = pair_logs(constraint.measure, r.copy, base) if r.copy and base else np.empty(0)
        copies += [aa - aa.mean()] if len(aa) else []
    level = float(np.mean([logs.mean() for logs in own]))
    sign = 1 if constraint.bound == "at_most" else -1
    pairs = np.concatenate([logs - logs.mean() + level for logs in own])
    return PairSpread(sign * pairs, np.concatenate(copies), len(rounds))
