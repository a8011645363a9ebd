"""Collections from tables in memory: names of tables, splits, grades, and what is said of those that are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from harness.errors import DataError
from harness.inputs.data import qrels
from harness.inputs.data.qrels import Queries
from harness.inputs.data.tables import Tables
from harness.records import Source

CORPUS = {"_id": ["d1", "d2"], "text": ["first", "second"]}
QUERIES = {"_id": ["q1", "q2"], "text": ["one", "two"]}
SOURCE = Source(role="data", kind="local", name="set", digest="d", size_bytes=1)


def judged(*rows: tuple[str, str, float]) -> dict[str, list[Any]]:
    queries, documents, scores = (list(column) for column in zip(*rows, strict=True))
    return {"query-id": queries, "corpus-id": documents, "score": scores}


def collection(judgments: Mapping[str, Mapping[str, list[Any]]]) -> qrels.Collection:
    frames = {"corpus": CORPUS, "queries": QUERIES, **judgments}
    return qrels.collection(
        Tables({name: pd.DataFrame(dict(table)) for name, table in frames.items()}, {}, SOURCE)
    )


def test_one_passage_each_has_grade_1() -> None:
    assert qrels.one_each([(4, "one"), (2, "two")]) == Queries(("one", "two"), ({4: 1.0}, {2: 1.0}))


def test_each_split_has_its_queries_in_their_order() -> None:
    made = collection(
        {
            "qrels_test": judged(("q2", "d1", 1), ("q1", "d1", 3), ("q1", "d2", 0), ("q2", "d2", -1)),
            "qrels_dev": judged(("q2", "d2", 2)),
        }
    )
    assert made.passages == ("first", "second")
    assert made.splits == {
        "test": Queries(("one", "two"), ({0: 3.0}, {0: 1.0})),
        "dev": Queries(("two",), ({1: 2.0},)),
    }


def test_of_two_tables_the_later_by_name_decides_in_whatever_order_they_were_read() -> None:
    tables = {"qrels_test_b": judged(("q1", "d1", 2)), "qrels_test_a": judged(("q1", "d1", 1))}
    for names in (list(tables), sorted(tables)):
        made = collection({name: tables[name] for name in names})
        assert made.splits["test"].relevant == ({0: 2.0},)


@pytest.mark.parametrize(
    ("judgments", "splits"),
    [
        ({}, "none"),
        ({"qrels_train": judged(("q1", "d1", 1))}, "train"),
        ({"qrels_val": judged(("q1", "d1", 1)), "qrels_test": judged(("q1", "d1", 0))}, "test, val"),
    ],
)
def test_without_a_judged_test_split_those_that_there_are_are_named(
    judgments: Mapping[str, Mapping[str, list[Any]]], splits: str
) -> None:
    with pytest.raises(
        DataError,
        match=rf"^set has no positive judgments of a test split \(splits: {splits}\): add qrels_test$",
    ):
        collection(judgments)


@pytest.mark.parametrize(
    ("row", "lost"),
    [(("q9", "d1", 1), "query 'q9'"), (("q1", "d9", 1), "document 'd9'"), (("q9", "d9", 1), "query 'q9'")],
)
def test_a_judgment_of_what_is_not_there_is_named(row: tuple[str, str, float], lost: str) -> None:
    with pytest.raises(DataError, match=f"a judgment names {lost}, which is not there"):
        collection({"qrels": judged(("q1", "d1", 1), row)})
