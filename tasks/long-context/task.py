"""long-context: draws packed documents at several lengths, checks rows of every answer against float64.

One stage a length, each a fresh worker, so that the peak of memory is known for each length; the
longest is the stage with the timed requests. Queries, keys, values, documents, slopes, soft cap, and
how many keys of a document are large and by how much, are drawn anew for every request. In each, some
queries find one key far back that outweighs the others (a needle), mostly one of ordinary size, and
their rows are checked: whoever skips keys must know from the inputs that they weigh nothing. How
memory grows is derived in `conclude`, from the peaks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import TaskError
from harness.instances import Answer, ArraySpec, Evaluation, Instance, Request, Stage, Workbench
from harness.records import Measurement, Series

SMALL = 128  # tokens of the stage that shows what a worker holds whatever the length
SPREAD = 3.0  # of queries' and keys' entries: scores of 9, where float16 and bfloat16 are too coarse
PLAIN_SHARE = 1 / 4  # of documents: without a large key
# Of the others' keys so many are so much larger: scores come near the cap, and exp overflows. No norm tells
# that an ordinary key weighs nothing beside them: one that its query agrees with scores as high.
LARGE_SHARE, LARGE_GAIN = (0.002, 0.05), (1.5, 3.0)
IN_EACH, SHORT = 6, 1 / 16  # needles in each head of a document, but for those with less of all tokens
AGREES, KEEPS = (
    0.96875,
    0.25,
)  # of the query in a needle's key, and of the key itself; as long as before together
OUTWEIGHS = 0.05  # a needle's share of its row's weights, at the least
TRIES_A_NEEDLE, LOUD = 40, 16  # rows drawn for each; the first needle of a head takes the loudest of so many
SOFTCAPS = (100.0, 140.0)
LONGEST_DOCUMENT = (0.46, 0.52)  # of all tokens: one matrix of its scores is far too large already
WORK = (0.25, 0.29)  # sum of squared lengths by n squared: what is left when documents are skipped
MILD, STEEP = (7.5, 9.0), (3.0, 7.5)  # minus log2 of slopes; one head is mild, so that no window will do
TRIES = 10_000

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Row = tuple[int, int, int]  # head, where the row's document begins, row


@dataclass(frozen=True)
class Truth:
    """Rows of one answer in float64: `rows` int64[r], `values` float64[r, heads, width]; how many hold a needle."""

    rows: Ints
    needles: int
    values: NDArray[np.float64]


def prepare(workbench: Workbench) -> Instance:
    """One instance: a stage for a few tokens, one for each shorter length, one for the timed longest."""
    size = {name: int(value) for name, value in workbench.size.items()}
    lengths = [size["longest"] >> halved for halved in reversed(range(size["lengths"]))]
    hidden: dict[str, Truth] = {}

    def ask(item: str, n: int, **how: Any) -> Request:
        request, truth = asking(item, n, size, workbench.rng(item), how)
        if not request.warmup:
            hidden[item] = truth
        return request

    def twice(name: str, n: int) -> Stage:
        return Stage(name, (ask(f"{name}-cold", n, group=f"cold_{name}"), ask(f"{name}-warm", n, group=name)))

    more, pairs = workbench.reserve(size["timed"]), workbench.pairs
    timed = [ask(f"longest-{i}", lengths[-1], group="longest", timed=True) for i in range(size["timed"])]
    reserve = [ask(f"more-{i}", lengths[-1], group="longest", timed=True) for i in range(more)]
    warm = [warming(ask, f"ready-{i}", lengths[0]) for i in range(pairs)]
    warm_more = [warming(ask, f"more-ready-{i}", lengths[0]) for i in range(workbench.reserve(pairs))]
    instance = Instance(
        stages=(
            twice("small", SMALL),
            *(twice(stage_of(n), n) for n in lengths[:-1]),
            Stage("longest", (*warm, *timed), reserve=(*warm_more, *reserve), paired=True),
        ),
        hidden={
            "truth": hidden,
            "lengths": tuple(lengths),
            "token_bytes": 16 * size["heads"] * size["width"],
        },
        facts={
            "longest": lengths[-1],
            "heads": size["heads"],
            "width": size["width"],
            "timed": size["timed"],
        },
    )
    check(instance)
    return instance


def stage_of(n: int) -> str:
    """The stage that serves length n, where it is not the longest."""
    return f"n{n}"


def warming(ask: Any, item: str, n: int) -> Request:
    """A short request that wakes a pair's worker up: libraries and kernels, not the large buffers."""
    request: Request = ask(item, n, group="ready", timed=True, warmup=True)
    return request


def asking(
    item: str, n: int, size: Mapping[str, int], rng: np.random.Generator, how: Mapping[str, Any]
) -> tuple[Request, Truth]:
    """A request of n tokens, and the rows of its answer that will be checked."""
    heads, width = size["heads"], size["width"]
    q, k, v = (rng.standard_normal((heads, n, width), dtype=np.float32) for _ in range(3))
    q *= SPREAD
    k *= SPREAD
    starts = draw_starts(n, size["documents"], rng)
    gains = draw_gains(n, starts, rng)
    k *= gains[:, None]
    arguments = {
        "q": q,
        "k": k,
        "v": v,
        "slopes": draw_slopes(heads, rng),
        "starts": starts,
        "softcap": float(rng.uniform(*SOFTCAPS)),
    }
    needles = plant(arguments, gains, rng)
    rows = np.union1d(draw_rows(n, starts, size["rows"], rng), needles[:, 1])
    request = Request(item, "attend", arguments, ArraySpec("float32", (heads, n, width)), **how)
    return request, Truth(rows, len(needles), attended(arguments, rows))


def draw_gains(n: int, starts: Ints, rng: np.random.Generator) -> Floats:
    """float32[n]: by how much each token's keys are larger; in each document another share of them, from none."""
    gains = np.ones(n, dtype=np.float32)
    for start, end in pairwise([*starts.tolist(), n]):
        share, gain = float(rng.uniform(*LARGE_SHARE)), float(rng.uniform(*LARGE_GAIN))
        if rng.random() >= PLAIN_SHARE:
            gains[start:end][rng.random(end - start) < share] = gain
    return gains


def plant(arguments: Mapping[str, Any], gains: Floats, rng: np.random.Generator) -> Ints:
    """Makes keys agree with queries that see them, in place: int64[needles, 3] of head, row and key's token.

    In each head of each document that is no short one lie IN_EACH, the last of them a large key where there are
    any, the first in a row where others score as high as can be. A needle lies in the farther half of the
    distance at which it still outweighs its row's others; a key that would not stays as it was. Products and
    sums of single numbers alone make what is written, so it is the same on every machine.
    """
    planted: list[tuple[int, int, int, int]] = []
    for start, end in pairwise([*arguments["starts"].tolist(), len(gains)]):
        if end - start < len(gains) * SHORT:
            continue
        large = bool((gains[start:end] > 1).any())
        for head, number in product(range(len(arguments["k"])), range(IN_EACH)):
            wanted = gains > 1 if large and number == IN_EACH - 1 else gains == 1
            rows = rng.integers(start + 1, end, TRIES_A_NEEDLE).tolist()
            if number == 0:
                rows = loudest(arguments, head, start, rows)
            for row in rows:
                at = head, start, row
                token = place(arguments, gains, wanted, at, rng)
                used = any(row == r or (head, token) == (h, t) for h, r, t, _ in planted)
                if token is not None and not used and agree(arguments, gains, at, token):
                    planted.append((head, row, token, start))
                    break
    # Now and then one that came later lies near a row of an earlier one, and drowns it.
    kept = [one[:3] for one in planted if share_of(arguments, *one) >= OUTWEIGHS]
    return np.array(kept, dtype=np.int64).reshape(-1, 3)


def loudest(arguments: Mapping[str, Any], head: int, begin: int, rows: Sequence[int]) -> list[int]:
    """The rows, the first LOUD of them in falling order of the largest score that any token has there."""
    most = {row: scores_of(arguments, begin, row)[head].max() for row in rows[:LOUD]}
    return [*sorted(most, key=lambda row: -most[row]), *rows[LOUD:]]


def place(
    arguments: Mapping[str, Any], gains: Floats, wanted: NDArray[np.bool_], at: Row, rng: np.random.Generator
) -> int | None:
    """A token among the wanted ones, as far back as it could still outweigh the row's others; None if none could."""
    head, begin, row = at
    tokens = begin + np.flatnonzero(wanted[begin:row])
    if not len(tokens):
        return None
    squared = float((arguments["q"][head, row].astype(np.float64) ** 2).sum())
    reached = AGREES * squared * float(gains[tokens[0]]) / math.sqrt(arguments["q"].shape[2])
    score = arguments["softcap"] * math.tanh(reached / arguments["softcap"])
    most = scores_of(arguments, begin, row)[head].max()
    reach = min(row - begin, int((score - most) / float(arguments["slopes"][head])))
    far = tokens[(tokens >= row - reach) & (tokens <= row - reach // 2)]
    return int(rng.choice(far)) if len(far) else None


def agree(arguments: Mapping[str, Any], gains: Floats, at: Row, token: int) -> bool:
    """Whether the token's key, made to agree with the row's query, outweighs the others; else it stays as it was."""
    head, begin, row = at
    key = arguments["k"][head, token]
    before = key.copy()
    key[:] = np.float32(AGREES) * gains[token] * arguments["q"][head, row]
    key += np.float32(KEEPS) * before
    if share_of(arguments, head, row, token, begin) >= OUTWEIGHS:
        return True
    key[:] = before
    return False


def share_of(arguments: Mapping[str, Any], head: int, row: int, token: int, begin: int) -> float:
    """The weight of one token in one row of one head, whose document begins at `begin`."""
    return float(weights_of(arguments, begin, row)[head, token - begin])


def draw_slopes(heads: int, rng: np.random.Generator) -> Floats:
    """float32[heads]: one head falls mildly with distance, the others up to 2**-3 a token."""
    powers = rng.uniform(*STEEP, heads)
    powers[rng.integers(heads)] = rng.uniform(*MILD)
    return (2.0**-powers).astype(np.float32)


def draw_starts(n: int, documents: int, rng: np.random.Generator) -> Ints:
    """int64[documents]: one document of about half of all tokens, one of a few, the others uneven.

    Drawn again until the squares of lengths sum to the share WORK of n squared, so that skipping
    what no token sees saves about as much on every instance.
    """
    for _ in range(TRIES):
        longest = round(n * rng.uniform(*LONGEST_DOCUMENT))
        shortest = int(rng.integers(1, 9))
        others = documents - 2
        cuts = np.sort(rng.choice(n - longest - shortest - 1, others - 1, replace=False)) + 1
        between = np.diff(np.concatenate([[0], cuts, [n - longest - shortest]]))
        sizes = rng.permutation(np.concatenate([[longest, shortest], between]))
        if WORK[0] <= float((sizes.astype(np.float64) ** 2).sum()) / n**2 <= WORK[1]:
            return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    raise TaskError(f"long-context: no {documents} documents of {n} tokens have the wanted lengths")


def draw_rows(n: int, starts: Ints, count: int, rng: np.random.Generator) -> Ints:
    """The rows to check, ascending: the ends of every document, and `count` drawn from all."""
    ends = np.append(starts[1:], n) - 1
    drawn = rng.choice(n, min(count, n), replace=False)
    return np.unique(np.concatenate([starts, ends, drawn])).astype(np.int64)


def attended(arguments: Mapping[str, Any], rows: Ints) -> NDArray[np.float64]:
    """The answer's rows in float64, [rows, heads, width], one row at a time by the contract's formula."""
    q, v = arguments["q"], arguments["v"]
    begins = arguments["starts"][np.searchsorted(arguments["starts"], rows, side="right") - 1]
    values = np.empty((len(rows), q.shape[0], q.shape[2]))
    for place, (begin, row) in enumerate(zip(begins.tolist(), rows.tolist(), strict=True)):
        weights = weights_of(arguments, begin, row)
        values[place] = np.matmul(weights[:, None], v[:, begin : row + 1].astype(np.float64))[:, 0]
    return values


def weights_of(arguments: Mapping[str, Any], begin: int, row: int) -> NDArray[np.float64]:
    """float64[heads, row - begin + 1]: what the tokens of a document that begins at `begin` weigh in a row."""
    scores = scores_of(arguments, begin, row)
    weights: NDArray[np.float64] = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def scores_of(arguments: Mapping[str, Any], begin: int, row: int) -> NDArray[np.float64]:
    """float64[heads, row - begin + 1]: the scores of a row, capped and less the bias."""
    q, k = arguments["q"], arguments["k"]
    slopes, cap = arguments["slopes"].astype(np.float64)[:, None], arguments["softcap"]
    products = np.matmul(k[:, begin : row + 1].astype(np.float64), q[:, row, :, None].astype(np.float64))
    scores = cap * np.tanh(products[:, :, 0] / (math.sqrt(q.shape[2]) * cap))
    scores -= slopes * np.arange(row - begin, -1, -1)
    return scores


def check(instance: Instance) -> None:
    """Our own invariants."""
    truth: Mapping[str, Truth] = instance.hidden["truth"]
    for request in instance.requests():
        starts, n = np.asarray(request.arguments["starts"]), np.asarray(request.arguments["q"]).shape[1]
        assert starts[0] == 0, "the first document begins at 0"
        assert (np.diff(starts) > 0).all(), "every document has a token"
        assert starts[-1] < n, "the last document too"
        assert request.warmup or np.isfinite(truth[request.item].values).all()
        assert not request.timed or request.warmup or truth[request.item].needles
    scored = {request.item for request in instance.requests() if not request.warmup}
    assert scored == set(truth), "every answer that counts is checked"


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """The largest error of any checked row of any answer, over all lengths, and its curve."""
    truth: Mapping[str, Truth] = instance.hidden["truth"]
    worst: dict[int, float] = {}
    for item, answer in answers.items():
        if item in truth:
            n = np.asarray(answer).shape[1]
            worst[n] = max(worst.get(n, 0.0), error(np.asarray(answer), truth[item]))
    if not worst:
        raise TaskError("long-context: no answer was given that could be checked")
    value = max(worst.values())
    lengths = sorted(worst)
    return Evaluation(
        (Measurement(name="max_error", unit="", direction="lower", value=value, low=value, high=value),),
        (curve("error", "largest error", lengths, [worst[n] for n in lengths]),),
    )


def error(answer: Floats, truth: Truth) -> float:
    """The largest absolute difference in the checked rows; values are of standard deviation 1."""
    given = answer[:, truth.rows].transpose(1, 0, 2).astype(np.float64)
    return float(np.abs(given - truth.values).max())


def curve(name: str, label: str, lengths: Sequence[int], values: Sequence[float]) -> Series:
    """A curve over lengths."""
    return Series(
        name=name, x_label="tokens", y_label=label, x=tuple(map(float, lengths)), y=tuple(map(float, values))
    )


def conclude(instance: Instance, measurements: Mapping[str, Measurement]) -> Evaluation:
    """Memory beyond a short request's: at the longest length, how it grows, and the curves of memory and time."""
    lengths: tuple[int, ...] = instance.hidden["lengths"]
    stages = [*(stage_of(n) for n in lengths[:-1]), "longest"]
    peaks = values_of(measurements, [f"peak_memory_{stage}" for stage in ("small", *stages)])
    times = values_of(measurements, [*(f"{stage}_seconds" for stage in stages[:-1]), "longest_p50"])
    series = [curve("time", "seconds", lengths, times)] if times else []
    if not peaks:
        why = "the memory of a stage was not read"
        return Evaluation(
            (shown("extra_memory", None, "x", why), shown("memory_growth", None, "", why)), tuple(series)
        )
    carried = [instance.hidden["token_bytes"] * n for n in lengths]
    # Less than the inputs and the answer is no saving, but pages that the worker had from before.
    extra = [max(peak - peaks[0], least) for peak, least in zip(peaks[1:], carried, strict=True)]
    series.append(curve("memory", "bytes beyond a short request", lengths, extra))
    times_carried = extra[-1] / carried[-1]
    return Evaluation(
        (shown("extra_memory", times_carried, "x"), shown("memory_growth", slope(lengths, extra))),
        tuple(series),
    )


def slope(lengths: Sequence[int], values: Sequence[float]) -> float:
    """The exponent p of values ~ lengths**p: least squares on logarithms."""
    return float(np.polyfit(np.log(lengths), np.log(values), 1)[0])


def shown(name: str, value: float | None, unit: str = "", why: str = "") -> Measurement:
    """A figure derived from peaks of memory; None with the reason why."""
    return Measurement(name=name, unit=unit, direction="lower", value=value, absent_because=why)


def values_of(measurements: Mapping[str, Measurement], names: Sequence[str]) -> list[float]:
    """The values of these measurements, in order; none at all where one of them was not measured."""
    values = [measurements[name].value for name in names if name in measurements]
    known = [value for value in values if value is not None]
    return known if len(known) == len(names) else []
