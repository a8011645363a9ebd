"""vector-index: grows a collection of vectors from real ones, and scores found neighbours against the exact ones.

A new vector is a mix of a real vector with near neighbours of its own, plus noise that is shaped like
the differences between near neighbours. The mix keeps the real structure, many overlapping groups of
all sizes; the noise fills every dimension, as it does between real texts. Clusters with round noise,
the usual synthetic data, are easy: an inverted list holds a whole cluster, and one probe finds all.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from harness.measures.quality import correct
from harness.measures.stats import bootstrap_draws, percentile_interval
from harness.records import Measurement, Series

RECIPE = Path(__file__).with_name("recipe.py")
TEXT_SEED = 20240517  # which texts are encoded is part of the task, not of an instance
CHARACTERS = 100  # texts are cut before this many: enough to differ, quick to encode
DRAWN = 0.8  # the share of the real vectors that an instance grows from
DEPTH = 10  # neighbours asked for each query
BATCH = 16  # queries in a request: one alone takes less than the passing of it to and fro
FIRST_SEARCHES = 3  # requests in each process pair, within the time to be ready; scored as well
WARM = 16  # requests in each process pair after them, until it is steady; never scored
FEWEST_BYTES = 4  # a vector: an index that holds less cannot tell them apart
LARGEST_INDEX = 4  # times a flat index: more is no attempt, and would fill the parent's memory

Floats = NDArray[np.float32]

NEAR = 16  # real neighbours that a vector is mixed with
MIXED = 3  # real vectors in one mix
NOISE = 0.8  # times the spread between near neighbours; each vector's own is drawn around it
PAIRS = 20_000  # of near neighbours, for the noise's covariance
CHUNK = 8192


def prepare(workbench: Workbench) -> Instance:
    """The instance for the workbench's seed and size."""
    size = {name: int(value) for name, value in workbench.size.items()}
    count = Counts.of(size["requests"], workbench.pairs, workbench.max_pairs)
    rng = workbench.rng("grow")
    real = some(real_vectors(workbench, size["texts"]), rng)
    if real.shape[1] < size["dimension"]:
        raise DataError(
            f"the encoder's vectors have {real.shape[1]} dimensions, size asks for {size['dimension']}: "
            "take a wider encoder or a smaller `dimension`"
        )
    soil = prepared(reduced(real, size["dimension"], rng), rng)
    vectors = grow(soil, size["vectors"], rng)
    queries = grow(soil, count.total * BATCH, workbench.rng("queries")).reshape(count.total, BATCH, -1)
    requests = serving(queries, count, size["vectors"])
    truth = {
        request.item: nearest(vectors, np.asarray(request.arguments["queries"]), DEPTH)
        for request in requests
        if request.scored
    }
    most_bytes = size["vectors"] * size["bytes_per_vector"]
    check(vectors, queries, truth, most_bytes)
    return Instance(
        stages=(build_stage(vectors, most_bytes), serve_stage(requests)),
        hidden={"truth": truth},
        facts={
            "vectors": len(vectors),
            "dimension": vectors.shape[1],
            "real_vectors": len(real),
            "index_budget_bytes": most_bytes,
            "flat_index_bytes": vectors.nbytes,
        },
    )


def real_vectors(workbench: Workbench, count: int) -> Floats:
    """Vectors of `count` different texts, the same ones for every seed; float32[count, width].

    Where nothing may be derived (scoring again), the cached ones are read, which the instance was
    made from: without them nobody could tell what was asked.
    """
    data = workbench.text_classification()
    texts = list(dict.fromkeys(cut for text in data.train.texts if (cut := text[:CHARACTERS].strip())))
    if len(texts) < count:
        raise DataError(
            f"vector-index needs {count} different training texts, the data set has {len(texts)}: "
            "take a larger data set or a smaller size"
        )
    chosen = np.random.default_rng(TEXT_SEED).permutation(len(texts))[:count]
    folder = workbench.derive("vectors", RECIPE, {"texts": [texts[i] for i in chosen]})
    file = folder / "vectors.npy"
    if not file.is_file():
        raise DataError(
            f"the vectors that this instance grew from are no longer in the cache ({file} is missing): "
            "run the task once on this machine, with the same data and model, to make them again"
        )
    return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)


def some(real: Floats, rng: np.random.Generator) -> Floats:
    """The real vectors of one instance, drawn by the seed."""
    return real[rng.permutation(len(real))[: max(2 * NEAR, int(DRAWN * len(real)))]]


@dataclass(frozen=True)
class Soil:
    """What vectors grow from: real vectors, the numbers of their neighbours, and the noise's factor."""

    real: Floats
    near: NDArray[np.int64]
    factor: Floats


def reduced(real: Floats, dimension: int, rng: np.random.Generator) -> Floats:
    """The vectors on their first `dimension` principal components, turned at random, of unit length.

    The turn spreads the variance over all coordinates, as encoders do, and makes an instance's
    coordinates its own: nothing that was trained elsewhere fits them.
    """
    _, axes = np.linalg.eigh(np.cov(real.T))
    turn, _ = np.linalg.qr(rng.standard_normal((dimension, dimension)))
    return unit((real @ (axes[:, ::-1][:, :dimension] @ turn)).astype(np.float32))


def prepared(real: Floats, rng: np.random.Generator) -> Soil:
    """Neighbours by inner product, and a Cholesky factor of the covariance between near neighbours."""
    likeness = real @ real.T
    np.fill_diagonal(likeness, -np.inf)
    near = np.argpartition(-likeness, NEAR, axis=1)[:, :NEAR]
    pairs = rng.permutation(near.size)[:PAIRS]
    between = (real[pairs // NEAR] - real[near.ravel()[pairs]]).astype(np.float64)
    covariance = between.T @ between / (2 * len(between))
    factor = np.linalg.cholesky(covariance + 1e-9 * np.eye(real.shape[1]))
    return Soil(real, near, factor.astype(np.float32))


def grow(soil: Soil, count: int, rng: np.random.Generator) -> Floats:
    """`count` new vectors of unit length; float32[count, d]."""
    grown = np.empty((count, soil.real.shape[1]), dtype=np.float32)
    for start in range(0, count, CHUNK):
        grown[start : start + CHUNK] = _some(soil, min(CHUNK, count - start), rng)
    return grown


def _some(soil: Soil, count: int, rng: np.random.Generator) -> Floats:
    base = rng.integers(0, len(soil.real), count)
    shares = rng.dirichlet(np.ones(MIXED), count).astype(np.float32)
    mixed = shares[:, :1] * soil.real[base]
    for place in range(1, MIXED):
        other = soil.near[base, rng.integers(0, NEAR, count)]
        mixed += shares[:, place : place + 1] * soil.real[other]
    noise = rng.standard_normal(mixed.shape, dtype=np.float32) @ soil.factor.T
    strength = NOISE * rng.uniform(0.5, 1.5, (count, 1))
    return unit(mixed + strength.astype(np.float32) * noise)


def unit(vectors: Floats) -> Floats:
    """The same directions at length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(vectors: Floats, queries: Floats, k: int) -> NDArray[np.int64]:
    """The k rows of `vectors` with the largest inner product, best first; int64[queries, k]. Exact."""
    neighbours = np.empty((len(queries), k), dtype=np.int64)
    step = max(1, 2**24 // len(vectors))  # 64 MiB of products at a time
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ vectors.T
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
        neighbours[start : start + step] = np.take_along_axis(best, order, axis=1)
    return neighbours


@dataclass(frozen=True)
class Counts:
    """How many requests of each kind: for the base pairs, then as many again for further pairs."""

    first: int
    warm: int
    scored: int
    more_first: int
    more_warm: int
    more: int

    @classmethod
    def of(cls, requests: int, pairs: int, most: int) -> Counts:
        """`requests` scored ones over the pairs, rounded up to a whole share for each."""
        share, further = -(-requests // pairs), max(0, most - pairs)
        return cls(
            FIRST_SEARCHES * pairs,
            WARM * pairs,
            share * pairs,
            FIRST_SEARCHES * further,
            WARM * further,
            share * further,
        )

    @property
    def base(self) -> int:
        """Requests of the base pairs."""
        return self.first + self.warm + self.scored

    @property
    def total(self) -> int:
        """All requests."""
        return self.base + self.more_first + self.more_warm + self.more


def serving(queries: Floats, count: Counts, n: int) -> tuple[Request, ...]:
    """The requests of the second stage after `load`, those of further pairs last: 16 queries in each."""
    spec = ArraySpec("int64", (BATCH, DEPTH), low=0, high=n - 1, unique_rows=True)
    kinds = (
        ("first", count.first),
        ("warm", count.warm),
        ("query", count.scored),
        ("more-first", count.more_first),
        ("more-warm", count.more_warm),
        ("more", count.more),
    )
    made: list[Request] = []
    for kind, many in kinds:
        first, warm = kind.endswith("first"), kind.endswith("warm")
        for number in range(many):
            arguments = {"queries": queries[len(made)], "k": DEPTH}
            made.append(
                Request(
                    f"{kind}-{number}",
                    "search",
                    arguments,
                    spec,
                    group="ready" if first else "query",
                    timed=not first,
                    warmup=warm,
                    count=BATCH,
                    scored=not warm,
                )
            )
    return tuple(made)


def build_stage(vectors: Floats, most_bytes: int) -> Stage:
    """One request: all vectors in, the index's bytes out."""
    largest = BlobSpec(LARGEST_INDEX * vectors.nbytes + 2**20)
    return Stage(
        "build", (Request("index", "build", {"vectors": vectors, "most_bytes": most_bytes}, largest),)
    )


def serve_stage(requests: tuple[Request, ...]) -> Stage:
    """The index comes back in fresh workers; then batches of queries, each asked once."""
    load = Request("loaded", "load", {"index": FromItem("index")}, None, group="ready")
    base = tuple(request for request in requests if not request.item.startswith("more"))
    return Stage("serve", base, each=(load,), reserve=requests[len(base) :], paired=True)


def check(vectors: Floats, queries: Floats, truth: Mapping[str, NDArray[np.int64]], most_bytes: int) -> None:
    """The instance's invariants."""
    assert np.isfinite(vectors).all()
    assert np.isfinite(queries).all()
    assert np.allclose(np.linalg.norm(vectors[:1000], axis=1), 1.0, atol=1e-5)
    assert all(len(np.unique(row)) == DEPTH for rows in truth.values() for row in rows)
    assert FEWEST_BYTES * len(vectors) < most_bytes < vectors.nbytes // 2, "the budget would not bind"


def evaluate(instance: Instance, answers: Mapping[str, Answer]) -> Evaluation:
    """Recall@10 over all scored queries that are answered, and its curve over the neighbour's rank."""
    truth: Mapping[str, NDArray[np.int64]] = instance.hidden["truth"]
    given = [item for item in truth if item in answers]
    answered = np.concatenate([np.asarray(answers[item], dtype=np.int64) for item in given])
    wanted = np.concatenate([truth[item] for item in given])
    budget = float(instance.facts["index_budget_bytes"])
    if "index" in answers:
        refuse(answered, len(answers["index"]), int(instance.facts["vectors"]))
    hits = (wanted[:, :, np.newaxis] == answered[:, np.newaxis, :]).any(axis=2).astype(np.float64)
    per_query = hits.mean(axis=1)
    draws = bootstrap_draws(per_query)
    low, high = percentile_interval(draws)
    first = correct(answered[:, 0], wanted[:, 0])
    return Evaluation(
        measurements=(
            Measurement(
                name="recall_at_10",
                unit="",
                direction="higher",
                value=float(per_query.mean()),
                low=low,
                high=high,
                draws=tuple(draws),
            ),
            Measurement(name="nearest_first", unit="", direction="higher", value=float(first.mean())),
            Measurement(
                name="index_budget_bytes",
                unit="B",
                direction="neither",
                value=budget,
                low=budget,
                high=budget,
            ),
        ),
        series=(
            Series(
                name="recall of the neighbour at each rank",
                x_label="rank",
                y_label="recall",
                x=tuple(float(rank) for rank in range(1, DEPTH + 1)),
                y=tuple(hits.mean(axis=0).tolist()),
            ),
        ),
    )


def refuse(answered: NDArray[np.int64], index_bytes: int, n: int) -> None:
    """Raises Fault for answers that are no attempt, or cannot have come from the index."""
    if index_bytes < FEWEST_BYTES * n:
        raise Fault(
            "implausible",
            f"the index has {index_bytes} bytes for {n} vectors: too few to tell them apart, "
            "so the answers did not come from it",
        )
    if (answered == answered[0]).all():
        raise Fault("wrong", "every query was answered with the same vectors: the answers ignore the query")
