"""Power: candidates that are slower by a share known exactly; how often and how soon that is certified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.bench import figures
from tests.bench.aa import at_look
from tests.bench.figures import middle, per_cent, share, spread
from tests.bench.rows import Row, ratio, usable
from tests.bench.running import Bench, Counts, slower

TITLE = "Small differences are found (power)"
SHARES = (0.05, 0.10)
RUNS, LOADED = 0.3, 0.15  # of the A/A runs, for each share


def steps(counts: Counts) -> int:
    """How many runs."""
    return len(_shares(counts)) * (counts.part(RUNS) + (0 if counts.brief else counts.part(LOADED)))


def _shares(counts: Counts) -> Sequence[float]:
    return SHARES[:1] if counts.brief else SHARES


def measure(bench: Bench) -> Iterator[Row]:
    """Runs of each slower candidate in turn, some of them with load made on purpose."""
    shares = _shares(bench.counts)
    total, quiet = steps(bench.counts) // len(shares), bench.counts.part(RUNS)
    for number in range(total):
        with_load = (number + 1) * (total - quiet) // total > number * (total - quiet) // total
        for extra in shares:
            bench.tell(f"a candidate {extra:.0%} slower, {'with load' if with_load else 'as it is'}")
            folder = bench.submission(f"slower-{extra:.2f}", slower(extra))
            yield {"extra": extra, **bench.row(folder, with_load)}


def section(rows: Sequence[Row]) -> str:
    """The findings as a page's section."""
    told = usable(rows)
    groups = [
        (extra, loaded, [r for r in told if r["extra"] == extra and r["loaded"] is loaded])
        for loaded in (False, True)
        for extra in SHARES
    ]
    lines = [_line(extra, loaded, group) for extra, loaded, group in groups if group]
    return f"{ASKED}\n\n{figures.table(HEAD, lines, left=2)}\n\n{READ}"


ASKED = """Question: is a candidate detected that computes exactly 5 % or 10 % more products in each call? Target: 5
% more is certified as slower in at least 95 % of runs, within 60 s."""
READ = """"Interval above 1" means certified slower. The verdict `fail` needs more: the whole interval must lie
above the budget of 1.0 plus its tolerance of 3 % or twice this run's own A/A error, whichever is larger.
A call does more than its products (the mean, the decoding of the request), so the true ratio is a little
below the nominal one."""
HEAD = [
    "Slower by",
    "Machine",
    "Runs",
    "Ratio found",
    "Spread (CV)",
    "Interval above 1",
    "Verdict `fail`",
    "Left open",
    "Verdict `pass`",
    "Tolerance",
    "Pairs",
    "Seconds",
]


def _line(extra: float, loaded: bool, group: Sequence[Row]) -> list[str]:
    values = [ratio(r, "candidate").value for r in group]
    official = [r["constraints"]["latency"]["verdict"] for r in group]
    return [
        f"{extra:.0%}",
        "with load" if loaded else "as it is",
        str(len(group)),
        f"{middle(values):.3f}",
        per_cent(spread(values)),
        share(at_look(r, "candidate").low > 1 for r in group),
        share(word == "fail" for word in official),
        share(word == "inconclusive" for word in official),
        share(word == "pass" for word in official),
        per_cent(middle(r["constraints"]["latency"]["tolerance"] for r in group), 1),
        f"{middle(r['pairs'] for r in group):.0f}",
        f"{middle(r['wall_seconds'] for r in group):.1f}",
    ]
