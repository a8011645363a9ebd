"""Retrieval collections as BEIR lays them out: a corpus, queries, and judgments (qrels) by split."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import DataError
from harness.inputs.data.tables import Tables

Relevant = tuple[dict[int, float], ...]
Judgment = tuple[str, str, float]  # query, document, grade


@dataclass(frozen=True)
class Queries:
    """The queries of one split, and for each the grades (above 0) of the passages that answer it."""

    queries: tuple[str, ...]
    relevant: Relevant


@dataclass(frozen=True)
class Collection:
    """All passages (title and text), and the judged queries of each split."""

    passages: tuple[str, ...]
    splits: Mapping[str, Queries]


def one_each(queries: list[tuple[int, str]]) -> Queries:
    """Queries, each with the number of the one passage that answers it; its grade is 1."""
    return Queries(tuple(text for _, text in queries), tuple({passage: 1.0} for passage, _ in queries))


def collection(data: Tables) -> Collection:
    """The collection in a data set's tables; it has at least one judged query in its test split."""
    corpus, queries = _table(data, "corpus"), _table(data, "queries")
    documents, numbers = _numbered(data, corpus, "doc_id"), _numbered(data, queries, "query_id")
    texts = data.texts(queries, "query")
    splits = {}
    for split, rows in _judgments(data, queries).items():
        graded = _graded(data, rows, numbers, documents)
        order = sorted(graded, key=numbers.__getitem__)
        splits[split] = Queries(tuple(texts[numbers[q]] for q in order), tuple(graded[q] for q in order))
    if "test" not in splits or not splits["test"].queries:
        held = ", ".join(splits) or "none"
        raise DataError(
            f"{data.source.name} has no positive judgments of a test split (splits: {held}): add qrels_test"
        )
    return Collection(_passages(data, corpus), splits)


def _passages(data: Tables, corpus: str) -> tuple[str, ...]:
    texts = data.texts(corpus, "passage", blank_allowed=True)  # real corpora hold bare titles
    if data.column(corpus, "title") is None:
        return texts
    titles = data.texts(corpus, "title", blank_allowed=True)
    return tuple(f"{title} {text}".strip() for title, text in zip(titles, texts, strict=True))


def _table(data: Tables, wanted: str) -> str:
    """The table's name: `corpus`, or from the hub `corpus_corpus`."""
    name = next((name for name in sorted(data.frames) if re.match(rf"{wanted}(_|$)", name)), None)
    if name is None:
        raise DataError(
            f"{data.source.name} has no table {wanted}, only {', '.join(data.frames)}: add {wanted}.jsonl"
        )
    return name


def _numbered(data: Tables, table: str, role: str) -> dict[str, int]:
    identifiers = data.ids(table, role)
    numbers = {identifier: number for number, identifier in enumerate(identifiers)}
    if len(numbers) < len(identifiers):
        twice = next(name for number, name in enumerate(identifiers) if numbers[name] != number)
        raise DataError(f"{data.source.name}: {table} has the identifier {twice!r} twice: keep one row of it")
    return numbers


def _judgments(data: Tables, queries: str) -> dict[str, list[Judgment]]:
    """Judgments by split: the split is in the table's name, its split column, the queries', or it is test."""
    of_query: dict[str, str] = {}
    if data.column(queries, "split"):
        of_query = dict(zip(data.ids(queries, "query_id"), data.ids(queries, "split"), strict=True))
    judged: dict[str, list[Judgment]] = {}
    for table in sorted(name for name in data.frames if name.startswith(("qrels", "default"))):
        rows = _rows(data, table)
        in_name = re.search(r"train|test|dev|val", table)
        own = data.ids(table, "split") if data.column(table, "split") else []
        for number, row in enumerate(rows):
            split = in_name[0] if in_name else own[number] if own else of_query.get(row[0], "test")
            judged.setdefault(split, []).append(row)
    return judged


def _rows(data: Tables, table: str) -> list[Judgment]:
    queries, documents = data.ids(table, "query_id"), data.ids(table, "doc_id")
    scores = data.ids(table, "score") if data.column(table, "score") else ["1"] * len(queries)
    try:
        return list(zip(queries, documents, map(float, scores), strict=True))
    except ValueError as error:
        raise DataError(f"{data.source.name}: a score in {table} is no number: {error}") from error


def _graded(
    data: Tables, rows: list[Judgment], queries: Mapping[str, int], documents: Mapping[str, int]
) -> dict[str, dict[int, float]]:
    """Query -> its relevant passages; queries without one are left out."""
    graded: dict[str, dict[int, float]] = {}
    for query, document, score in rows:
        if query not in queries or document not in documents:
            lost = f"query {query!r}" if query not in queries else f"document {document!r}"
            raise DataError(
                f"{data.source.name}: a judgment names {lost}, which is not there: add it or drop the row"
            )
        if score > 0:
            graded.setdefault(query, {})[documents[document]] = score
    return graded
