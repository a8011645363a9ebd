"""semantic-search: samples passages and queries for a seed, and scores rankings against hidden relevance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, Fault
from harness.instances import (
    Answer,
    ArraySpec,
    BlobSpec,
    Evaluation,
    FromItem,
    Instance,
    Request,
    Stage,
    Workbench,
)
from harness.measures.quality import ndcg_at_k, recall_at_k, reciprocal_rank
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series

DEPTH = 20  # passages asked for each query
CUT = 10  # where quality is read
FIRST_SEARCHES = 3  # in each process pair, within the time to be ready; never scored
LEAST_WARM, MOST_WARM = 16, 32  # in each process pair after them, until it is steady; never scored
FEWEST_QUERIES = 8
FEWEST_BYTES = 4  # a passage: an index that holds less cannot tell passages apart
LARGEST_INDEX = 16  # times a flat index: more is no attempt, and would fill the parent's memory

Grades = dict[int, float]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """What one instance asks: passages in a shuffled order, queries, and each query's grades."""

    passages: tuple[str, ...]
    queries: tuple[str, ...]
    relevant: tuple[Grades, ...]


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed, size and data."""
    data = workbench.retrieval()
    size = workbench.size
    passages = [cut(text, int(size["passage_characters"])) for text in data.passages]
    most = int(size["passages"]), int(size["queries"])
    sample = draw(passages, data.queries, data.relevant, most, workbench.rng("sample"))
    spare = spare_queries(
        sample, data.queries, data.train_queries, workbench.pairs, workbench.max_pairs, workbench.rng("spare")
    )
    check(sample, (*spare.first, *spare.warm, *spare.reserve))
    model = workbench.model("encoder")
    flat_bytes = len(sample.passages) * dimension(model) * np.dtype(np.float32).itemsize
    return Instance(
        stages=(build_stage(sample, flat_bytes), serve_stage(sample, spare, workbench.pairs)),
        hidden={"relevant": sample.relevant, "flat_index_bytes": flat_bytes},
        models={"encoder": model},
        facts={
            "passages": len(sample.passages),
            "queries": len(sample.queries),
            "mean_passage_characters": round(float(np.mean([len(text) for text in sample.passages]))),
            "flat_index_bytes": flat_bytes,
        },
    )


def cut(text: str, limit: int) -> str:
    """The text, ended before the word that would pass `limit` characters (0: no limit)."""
    if limit <= 0 or len(text) <= limit:
        return text
    return text[: limit + 1].rpartition(" ")[0] or text[:limit]


def draw(
    passages: Sequence[str],
    queries: Sequence[str],
    relevant: Sequence[Mapping[int, float]],
    most: tuple[int, int],
    rng: np.random.Generator,
) -> Sample:
    """At most so many passages and queries (0: all): queries with all that is relevant to them, then others.

    A text appears once: of two equal passages only the first taken is kept, and a query whose
    relevant passage would be the second is left out, since nobody could tell which one is meant.
    """
    room, wished = most[0] or len(passages), most[1] or len(queries)
    owner: dict[str, int] = {}  # text -> the passage that has it
    chosen: list[int] = []
    for query in rng.permutation(len(queries)).tolist():
        wanted = [passage for passage, grade in relevant[query].items() if grade > 0]
        texts = {passages[p] for p in wanted}
        clash = len(texts) < len(wanted) or any(owner.get(passages[p], p) != p for p in wanted)
        new = [p for p in wanted if passages[p] not in owner]
        if not wanted or clash or len(owner) + len(new) > room:
            continue
        owner.update((passages[p], p) for p in new)
        chosen.append(query)
        if len(chosen) == wished:
            break
    for passage in rng.permutation(len(passages)).tolist():
        if len(owner) == room:
            break
        owner.setdefault(passages[passage], passage)
    order = rng.permutation(sorted(owner.values())).tolist()
    number = {passage: place for place, passage in enumerate(order)}
    return Sample(
        tuple(passages[p] for p in order),
        tuple(queries[q] for q in chosen),
        tuple({number[p]: float(g) for p, g in relevant[q].items() if g > 0} for q in chosen),
    )


@dataclass(frozen=True)
class Spare:
    """Queries like the scored ones and none of them, for everything that is not scored.

    `reserve` is for further process pairs: their answers must be valid, but no passage of the index
    need be relevant to them. Nobody can tell them from the scored ones before searching.
    """

    first: tuple[str, ...]
    warm: tuple[str, ...]
    reserve: tuple[str, ...]
    more_pairs: int


def spare_queries(
    sample: Sample,
    queries: Sequence[str],
    train_queries: Sequence[str],
    pairs: int,
    most: int,
    rng: np.random.Generator,
) -> Spare:
    """Draws from the training queries first; warm-up and reserve are cut down where there are few."""
    taken = set(sample.queries)
    trained = dict.fromkeys(q for q in train_queries if q not in taken)
    others = dict.fromkeys(q for q in queries if q not in taken and q not in trained)
    pool = [list(part)[i] for part in (trained, others) for i in rng.permutation(len(part)).tolist()]
    if len(pool) < FIRST_SEARCHES * pairs:
        raise DataError(
            f"the data set leaves {len(pool)} queries for the {FIRST_SEARCHES * pairs} untimed first "
            "searches: add training queries or ask fewer"
        )
    share = -(-len(sample.queries) // pairs)
    room = (len(pool) - share * (most - pairs)) // most - FIRST_SEARCHES
    if room < LEAST_WARM:  # too few queries for everything: warming up comes before further pairs
        room = min(LEAST_WARM, len(pool) // pairs - FIRST_SEARCHES)
    warm = min(MOST_WARM, room)
    per_pair = FIRST_SEARCHES + warm
    more = max(0, min(most - pairs, (len(pool) - per_pair * pairs) // (per_pair + share)))
    total = pairs + more
    ends = np.cumsum([FIRST_SEARCHES * total, warm * total, share * more])
    first, warmed, reserve = (tuple(pool[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True))
    return Spare(first, warmed, reserve, more)


def check(sample: Sample, first: Sequence[str]) -> None:
    """The instance's invariants; raises DataError where the data cannot support the task."""
    n = len(sample.passages)
    if len(sample.queries) < FEWEST_QUERIES:
        raise DataError(
            f"only {len(sample.queries)} queries have all their relevant passages among {n}, "
            f"{FEWEST_QUERIES} are needed: raise `passages` in the size, or use a larger data set"
        )
    if n < DEPTH:
        raise DataError(f"the data set has {n} distinct passages, at least {DEPTH} are needed")
    assert len(sample.queries) == len(sample.relevant)
    assert len(set(sample.passages)) == n, "a passage appears twice"
    assert all(grades and all(0 <= p < n for p in grades) for grades in sample.relevant)
    assert not set(first) & set(sample.queries), "a scored query is asked before the timed part"


def dimension(model: Path) -> int:
    """The width of the encoder's vectors, from its config.json."""
    config = json.loads((model / "config.json").read_text("utf-8"))
    width = int(config["hidden_size"])
    assert width > 0
    return width


def build_stage(sample: Sample, flat_bytes: int) -> Stage:
    """One request: all passages in, the index's bytes out."""
    most = LARGEST_INDEX * flat_bytes + 2**20
    return Stage("build", (Request("index", "build", {"passages": sample.passages}, BlobSpec(most)),))


def serve_stage(sample: Sample, spare: Spare, pairs: int) -> Stage:
    """The index comes back in fresh workers; then every query by itself, each asked once."""
    spec = ArraySpec("int64", (1, DEPTH), low=0, high=len(sample.passages) - 1, unique_rows=True)

    def search(item: str, query: str, group: str = "query", **how: bool) -> Request:
        return Request(item, "search", {"queries": [query], "k": DEPTH}, spec, group=group, **how)

    first = [search(f"first-{i}", query, "ready", scored=False) for i, query in enumerate(spare.first)]
    warm = [search(f"warm-{i}", q, timed=True, warmup=True, scored=False) for i, q in enumerate(spare.warm)]
    scored = [search(f"query-{i}", query, timed=True) for i, query in enumerate(sample.queries)]
    more = [search(f"more-{i}", query, timed=True, scored=False) for i, query in enumerate(spare.reserve)]
    firsts, warms = FIRST_SEARCHES * pairs, len(warm) // (pairs + spare.more_pairs) * pairs
    return Stage(
        "serve",
        (*first[:firsts], *warm[:warms], *scored),
        each=(Request("loaded", "load", {"index": FromItem("index")}, None, group="ready"),),
        reserve=(*first[firsts:], *warm[warms:], *more),
        paired=True,
    )


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """nDCG@10, recall@10 and reciprocal rank over all timed queries, and the curve of recall at k."""
    relevant: tuple[Grades, ...] = instance.hidden["relevant"]
    flat_bytes = int(instance.hidden["flat_index_bytes"])
    n_passages = int(instance.facts["passages"])
    ranking = np.concatenate([np.asarray(answers[f"query-{i}"]) for i in range(len(relevant))])
    refuse(ranking, len(answers["index"]), n_passages)
    curve = [float(recall_at_k(ranking, relevant, k).mean()) for k in range(1, DEPTH + 1)]
    return Evaluation(
        measurements=(
            measured("ndcg_at_10", ndcg_at_k(ranking, relevant, CUT)),
            measured("recall_at_10", recall_at_k(ranking, relevant, CUT)),
            measured("reciprocal_rank_at_10", reciprocal_rank(ranking, relevant, CUT)),
            Measurement(
                name="flat_index_bytes",
                unit="B",
                direction="neither",
                value=float(flat_bytes),
                low=float(flat_bytes),
                high=float(flat_bytes),
            ),
        ),
        series=(
            Series(
                name="recall at k",
                x_label="k",
                y_label="recall",
                x=tuple(float(k) for k in range(1, DEPTH + 1)),
                y=tuple(curve),
            ),
        ),
    )


def refuse(ranking: Ints, index_bytes: int, n_passages: int) -> None:
    """Raises Fault for answers that are no attempt, or cannot have come from the index."""
    if index_bytes < FEWEST_BYTES * n_passages:
        raise Fault(
            "implausible",
            f"the index has {index_bytes} bytes for {n_passages} passages: too few to tell them apart, "
            "so the answers did not come from it",
        )
    if (ranking == ranking[0]).all():
        raise Fault("wrong", "every query was answered with the same passages: the ranking ignores the query")


def measured(name: str, per_query: NDArray[np.float64]) -> Measurement:
    """The mean over queries with its 95 % bootstrap interval."""
    draws = bootstrap_draws(per_query)
    low, high = percentile_interval(draws)
    return Measurement(
        name=name,
        unit="",
        direction="higher",
        value=float(per_query.mean()),
        low=low,
        high=high,
        draws=tuple(draws),
    )
