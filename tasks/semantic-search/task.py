"""semantic-search: samples passages and queries for a seed, and scores rankings against hidden relevance."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    Retrieval,
    Stage,
    Workbench,
)
from harness.measures.canaries import altered_some, canary_gap
from harness.measures.quality import ndcg_at_k, recall_at_k, reciprocal_rank
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series
from harness.tasks import asked_again

DEPTH = 20  # passages asked for each query
CUT = 10  # where quality is read
FIRST_SEARCHES = 3  # in each process pair, within the time to be ready; scored like the timed ones
MOST_WARM = 32  # in each process pair after them, until it is steady; never scored
FEWEST_QUERIES = 8
FEWEST_BYTES = 4  # a passage: an index that holds less cannot tell passages apart
LARGEST_INDEX = 16  # times a flat index: more is no attempt, and would fill the parent's memory
# The share of passages that are asked for, at most, where the data bring several queries for some.
ASKED = 0.5
FEWEST_SENTENCES = 3  # of a passage that gives up one
MOST_TAKEN = 2  # sentences of a passage
FEWEST_WORDS, MOST_WORDS = 8, 40  # of a sentence that becomes a query
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
NO_PROSE = re.compile(r"\s:\s|\*|\[|^(Args|Arguments|Parameters|Returns|See Also|Notes?|Examples?|Raises)\b")

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
    several = asked_several_times(workbench.retrieval())
    size = workbench.size
    passages = [cut(text, int(size["passage_characters"])) for text in several.passages]
    firsts, wished = FIRST_SEARCHES * workbench.pairs, int(size["queries"])
    most = int(size["passages"]), wished and wished + firsts
    drawing = draw_by_chance if several.taken else draw
    sample = drawing(passages, several.queries, several.relevant, most, workbench.rng("sample"))
    warm = warming(sample, several.queries, several.train_queries, workbench.pairs, workbench.rng("spare"))
    check(sample, firsts, warm)
    queries, canaries = altered_some(sample.queries, workbench.rng("canaries"))
    sample = replace(sample, queries=queries)
    model = workbench.model("encoder")
    flat_bytes = len(sample.passages) * dimension(model) * np.dtype(np.float32).itemsize
    return Instance(
        stages=(build_stage(sample, flat_bytes), serve_stage(sample, firsts, warm, workbench)),
        hidden={
            "relevant": sample.relevant,
            "flat_index_bytes": flat_bytes,
            "altered": tuple(canaries.tolist()),
        },
        models={"encoder": model},
        facts={
            "passages": len(sample.passages),
            "queries": len(sample.queries),
            "altered_queries": int(canaries.sum()),
            **asked_for(sample),
            "mean_passage_characters": round(float(np.mean([len(text) for text in sample.passages]))),
            "flat_index_bytes": flat_bytes,
        },
    )


def cut(text: str, limit: int) -> str:
    """The text, ended before the word that would pass `limit` characters (0: no limit)."""
    if limit <= 0 or len(text) <= limit:
        return text
    return text[: limit + 1].rpartition(" ")[0] or text[:limit]


@dataclass(frozen=True)
class Asked:
    """A data set's passages and queries, of which some passages have several; `taken`: sentences became queries."""

    passages: Sequence[str]
    queries: Sequence[str]
    relevant: Sequence[Mapping[int, float]]
    train_queries: Sequence[str]
    taken: bool = False


def asked_several_times(data: Retrieval) -> Asked:
    """The data as they are where a passage has several queries; else each passage gives up sentences, where it can.

    They are taken out of the passage and become queries for the rest of it (the inverse cloze task: Lee, Chang,
    Toutanova 2019), of the part that the passage's own query is of.
    """
    every = [p for grades in (*data.relevant, *data.train_relevant) for p in grades]
    if len(set(every)) < len(every):
        return Asked(data.passages, data.queries, data.relevant, data.train_queries)
    sentences = [SENTENCE.split(passage) for passage in data.passages]
    often = Counter(sentence for own in sentences for sentence in own)
    often.update((*data.queries, *data.train_queries))
    passages, taken = list(data.passages), {}
    for number, own in enumerate(sentences):
        able = [sentence for sentence in own if often[sentence] == 1 and is_query(sentence)]
        taken[number] = able[: max(0, min(MOST_TAKEN, len(own) - FEWEST_SENTENCES + 1))]
        if taken[number]:
            passages[number] = " ".join(sentence for sentence in own if sentence not in taken[number])
    tested = [(sentence, p) for grades in data.relevant for p in grades for sentence in taken[p]]
    trained = [sentence for grades in data.train_relevant for p in grades for sentence in taken[p]]
    return Asked(
        passages,
        [*data.queries, *(sentence for sentence, _ in tested)],
        [*data.relevant, *({p: 1.0} for _, p in tested)],
        [*data.train_queries, *trained],
        taken=True,
    )


def is_query(sentence: str) -> bool:
    """Whether a sentence can be asked for: prose of some length, no list of parameters, nothing masked."""
    return FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS and not NO_PROSE.search(sentence)


def asked_for(sample: Sample) -> dict[str, int]:
    """For the facts: how many passages are asked for, and how many of them by several queries."""
    times = Counter(passage for grades in sample.relevant for passage in grades)
    return {"passages_asked_for": len(times), "asked_for_several_times": sum(n > 1 for n in times.values())}


def draw(
    passages: Sequence[str],
    queries: Sequence[str],
    relevant: Sequence[Mapping[int, float]],
    most: tuple[int, int],
    rng: np.random.Generator,
) -> Sample:
    """At most so many passages and queries (0: all): queries with all that is relevant to them, then other passages.

    At most a share ASKED of the passages is asked for. A text appears once: of two equal passages only the first
    taken is kept, and a query whose relevant passage would be the second is left out, since nobody could tell which
    one is meant.
    """
    room, wished = most[0] or len(passages), most[1] or len(queries)
    owner: dict[str, int] = {}  # text -> the passage that has it
    chosen: list[int] = []
    for query in rng.permutation(len(queries)).tolist():
        wanted = [passage for passage, grade in relevant[query].items() if grade > 0]
        texts = {passages[p] for p in wanted}
        clash = len(texts) < len(wanted) or any(owner.get(passages[p], p) != p for p in wanted)
        new = [p for p in wanted if passages[p] not in owner]
        if not wanted or clash or len(owner) + len(new) > ASKED * room:
            continue
        owner.update((passages[p], p) for p in new)
        chosen.append(query)
        if len(chosen) == wished:
            break
    for passage in rng.permutation(len(passages)).tolist():
        if len(owner) == room:
            break
        owner.setdefault(passages[passage], passage)
    return numbered(passages, queries, relevant, (owner.values(), chosen), rng)


def draw_by_chance(
    passages: Sequence[str],
    queries: Sequence[str],
    relevant: Sequence[Mapping[int, float]],
    most: tuple[int, int],
    rng: np.random.Generator,
) -> Sample:
    """As `draw`, where each query has one passage (0 queries: half as many as passages): each picks one by chance.

    Whether a passage was wanted before then says nothing of whether it is wanted again: neither ruling out what
    earlier queries were answered with gains anything, nor preferring it.
    """
    distinct = {text: number for number, text in reversed(list(enumerate(passages)))}
    own: dict[int, list[int]] = {}
    for query in rng.permutation(len(queries)).tolist():
        own.setdefault(next(iter(relevant[query])), []).append(query)
    left = rng.permutation(sorted(distinct.values())).tolist()
    room = min(most[0] or len(left), len(left))
    times = np.bincount(rng.integers(0, room, most[1] or room // 2), minlength=room)
    held: list[int] = []
    chosen: list[int] = []
    able_times = np.minimum(times, 1 + MOST_TAKEN)
    slots = np.bincount(able_times, minlength=2 + MOST_TAKEN)
    slots[1] += int((times - able_times).sum())
    for wanted in range(1 + MOST_TAKEN, 0, -1):
        able = [p for p in left if len(own.get(p, ())) >= wanted][: slots[wanted]]
        # Where too few passages have so many queries, two passages are asked for in place of one.
        for fewer in (1, wanted - 1):
            slots[fewer] += slots[wanted] - len(able)
        held += able
        chosen += [query for p in able for query in own[p][:wanted]]
        gone = set(able)
        left = [p for p in left if p not in gone]
    held += left[: room - len(held)]
    return numbered(passages, queries, relevant, (held, rng.permutation(chosen).tolist()), rng)


def numbered(
    passages: Sequence[str],
    queries: Sequence[str],
    relevant: Sequence[Mapping[int, float]],
    chosen: tuple[Iterable[int], Sequence[int]],
    rng: np.random.Generator,
) -> Sample:
    """The chosen passages in random order, and the chosen queries in theirs."""
    order = rng.permutation(sorted(chosen[0])).tolist()
    number = {passage: place for place, passage in enumerate(order)}
    return Sample(
        tuple(passages[p] for p in order),
        tuple(queries[q] for q in chosen[1]),
        tuple({number[p]: float(g) for p, g in relevant[q].items() if g > 0} for q in chosen[1]),
    )


def warming(
    sample: Sample, queries: Sequence[str], train_queries: Sequence[str], pairs: int, rng: np.random.Generator
) -> tuple[str, ...]:
    """Queries that only warm up, as many for every pair: none of the scored ones, training queries first."""
    taken = set(sample.queries)
    trained = dict.fromkeys(q for q in train_queries if q not in taken)
    others = dict.fromkeys(q for q in queries if q not in taken and q not in trained)
    pool = [list(part)[i] for part in (trained, others) for i in rng.permutation(len(part)).tolist()]
    if len(pool) < pairs:
        raise DataError(
            f"the data set leaves {len(pool)} queries to warm up {pairs} process pairs: add training queries or "
            "ask fewer"
        )
    return tuple(pool[: min(MOST_WARM, len(pool) // pairs) * pairs])


def check(sample: Sample, firsts: int, warm: Sequence[str]) -> None:
    """The instance's invariants; raises DataError where the data cannot support the task."""
    n = len(sample.passages)
    if len(sample.queries) < FEWEST_QUERIES + firsts:
        raise DataError(
            f"only {len(sample.queries)} queries have all their relevant passages among {ASKED:.0%} of {n}, "
            f"{FEWEST_QUERIES + firsts} are needed: raise `passages` in the size, or use a larger data set"
        )
    if n < DEPTH:
        raise DataError(f"the data set has {n} distinct passages, at least {DEPTH} are needed")
    assert len(sample.queries) == len(sample.relevant)
    assert len(set(sample.passages)) == n, "a passage appears twice"
    assert all(grades and all(0 <= p < n for p in grades) for grades in sample.relevant)
    assert not set(warm) & set(sample.queries), "a scored query is asked before the timed part"


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


def serve_stage(sample: Sample, firsts: int, warm: Sequence[str], workbench: Workbench) -> Stage:
    """The index comes back in fresh workers; then every query by itself. Further pairs ask the same ones again.

    The first `firsts` of the sample are what pairs begin with, each with FIRST_SEARCHES of them.
    """
    spec = ArraySpec("int64", (1, DEPTH), low=0, high=len(sample.passages) - 1, unique_rows=True)

    def search(item: str, query: str, group: str = "query", **how: bool) -> Request:
        return Request(item, "search", {"queries": [query], "k": DEPTH}, spec, group=group, **how)

    items = [(f"query-{i}", query) for i, query in enumerate(sample.queries)]
    requests = (
        *(search(item, query, "ready") for item, query in items[:firsts]),
        *(search(f"warm-{i}", q, timed=True, warmup=True, scored=False) for i, q in enumerate(warm)),
        *(search(item, query, timed=True) for item, query in items[firsts:]),
    )
    more = max(0, workbench.max_pairs - workbench.pairs)
    return Stage(
        "serve",
        requests,
        each=(Request("loaded", "load", {"index": FromItem("index")}, None, group="ready"),),
        reserve=asked_again(requests, workbench.pairs, more, workbench.rng("reserve")),
        paired=True,
    )


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """nDCG@10, recall@10 and reciprocal rank over all scored queries, and the curve of recall at k."""
    relevant: tuple[Grades, ...] = instance.hidden["relevant"]
    flat_bytes = int(instance.hidden["flat_index_bytes"])
    n_passages = int(instance.facts["passages"])
    ranking = np.concatenate([np.asarray(answers[f"query-{i}"]) for i in range(len(relevant))])
    refuse(ranking, len(answers["index"]), n_passages)
    curve = [float(recall_at_k(ranking, relevant, k).mean()) for k in range(1, DEPTH + 1)]
    return Evaluation(
        measurements=(
            measured("ndcg_at_10", ndcg_at_k(ranking, relevant, CUT)),
            *canary_gap(
                "ndcg_at_10", ndcg_at_k(ranking, relevant, CUT), np.array(instance.hidden["altered"])
            ),
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
