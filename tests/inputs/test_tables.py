"""Tables of local folders: cells that are missing, words that mean true, shards, in memory or on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.errors import DataError
from harness.inputs.data import tables
from harness.inputs.data.tables import Tables
from harness.records import Source

SOURCE = Source(role="data", kind="local", name="set", digest="d", size_bytes=1)


def of(column: str, cells: list[Any]) -> Tables:
    """A table of one column, whose cells stay the objects that they are."""
    return Tables({"train": pd.DataFrame({column: pd.Series(cells, dtype=object)})}, {}, SOURCE)


@pytest.mark.parametrize(
    ("words", "truth"),
    [
        (["true", "1", "yes", " True ", "YES", 1, 1.0, True], True),
        (["false", "0", "no", " False ", "NO", 0, 0.0, False], False),
    ],
)
def test_words_that_say_whether_a_row_has_a_label(words: list[Any], truth: bool) -> None:
    assert of("has_x", words).flag("train", "x") == [truth] * len(words)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_cell_without_a_text_is_blank(missing: object) -> None:
    data = of("text", ["a", missing])
    assert data.texts("train", "text", blank_allowed=True) == ("a", "")
    with pytest.raises(DataError, match="row 2 of train has a blank 'text': drop it"):
        data.texts("train", "text")


@pytest.mark.parametrize("number", [1.5, 1, float("inf")])
def test_a_number_is_no_text(number: float) -> None:
    data = of("text", ["a", number])
    for blank_allowed in (False, True):
        with pytest.raises(DataError, match=f"row 2 of train holds {number} in 'text': give text=NAME"):
            data.texts("train", "text", blank_allowed)


@pytest.mark.parametrize(
    ("cells", "labels"),
    [
        ([True, False], [1, 0]),
        ([2.0, 10.0], [2, 10]),
        (["-1", " 10 "], [-1, 10]),
        (["1", "x"], ["1", "x"]),
        ([1, "x"], ["1", "x"]),
    ],
)
def test_labels_are_whole_numbers_or_else_strings(cells: list[Any], labels: list[Any]) -> None:
    assert of("label", cells).labels("train", "label") == labels


def test_many_shards_are_joined_in_order_and_counted_through(tmp_path: Path) -> None:
    for shard in (7, 2, 9, 0, 4, 1, 8, 3, 6, 5):
        text = json.dumps({"text": f"text {shard}"}) + "\n"
        (tmp_path / f"train-0000{shard}-of-00010.jsonl").write_text(text)
    frame = tables.read_local(tmp_path, {}, ["train"]).frames["train"]
    assert frame["text"].tolist() == [f"text {shard}" for shard in range(10)]
    assert frame.index.tolist() == list(range(10))


def test_data_that_are_nested_deep_are_one_sentence(tmp_path: Path) -> None:
    deep = "[" * 50_000 + "]" * 50_000
    (tmp_path / "labels.json").write_text(deep)
    (tmp_path / "train.jsonl").write_text(f'{{"text": "a", "label": {deep}}}\n')
    with pytest.raises(DataError, match=r"train\.jsonl cannot be read, write it again"):
        tables.read_local(tmp_path, {}, ["train"])
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": 1}\n')
    assert tables.read_local(tmp_path, {}, ["train"]).label_names == []
