"""Files of data: what cannot be read as it was meant is refused with file and line, and no row goes in silence."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.inputs.data import files, labels, tables
from tests.inputs.test_tables import of


def read(folder: Path, name: str, content: str | bytes) -> files.Read:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return files.read_all("train", [path])


def test_a_bare_quotation_mark_in_a_tab_separated_file_swallows_no_rows(tmp_path: Path) -> None:
    """10,003 rows became 9,657, and the check passed."""
    lines = [f"text {n}\t{n % 3}" for n in range(1000)]
    lines[10], lines[500] = '"an opened quotation\t1', 'closed" later\t2'
    found = read(tmp_path, "train.tsv", "\n".join(["text\tlabel", *lines]) + "\n")
    assert len(found.frame) == 1000
    assert found.frame["text"][10] == '"an opened quotation'
    assert found.words == "train: 1,000 rows of train.tsv, quotation marks taken as text"


def test_a_tab_separated_file_of_a_program_that_quotes_is_read_as_that_program_meant(tmp_path: Path) -> None:
    found = read(tmp_path, "train.tsv", 'text\tlabel\r\n"say ""a"""\t1\r\nplain\t2\r\n')
    assert found.frame["text"].tolist() == ['say "a"', "plain"]
    within = read(tmp_path, "train.tsv", 'text\tlabel\n"two\nlines"\t1\nplain\t2\n')
    assert within.frame["text"].tolist() == ["two\nlines", "plain"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "train.csv",
            "text,label\na,1\nb,2,3\n",
            r"train\.csv, line 3 has 3 fields where the first line names 2",
        ),
        ("train.csv", "text,label\na,1\nb\n", r"train\.csv, line 3 has 1 field where"),
        ("train.csv", 'text,label\n"a,1\nb,2\n', r"train\.csv, line 3: unexpected end of data"),
        ("train.csv", 'text,label\n"a"b,1\n', r"train\.csv, line 2: ',' expected after '\"'"),
        ("train.tsv", "text\tlabel\na\t1\tmore\n", r"train\.tsv, line 2 has 3 fields"),
        ("train.tsv", 'text\tlabel\n"a\t1\nb\t2\t3\n', r"train\.tsv, line 3 has 3 fields"),
        ("train.csv", "text;label\na;1\n", r"train\.csv parts its fields by ';': save it with commas"),
        ("train.csv", "text,text\na,b\n", r"two columns named 'text'"),
        ("train.jsonl", '{"text": "a"}\nnot json\n', r"train\.jsonl, line 2 is not JSON"),
        ("train.jsonl", b'{"text": "caf\xe9"}\n', r"train\.jsonl, line 1: byte 0xe9 is not UTF-8"),
        ("train.csv", "text,label\na\x00b,1\n,\n", r""),
    ],
)
def test_what_cannot_be_read_as_meant_is_named_with_its_line(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    if not message:
        assert len(read(tmp_path, name, content).frame) == 2
        return
    with pytest.raises(DataError, match=message):
        read(tmp_path, name, content)


@pytest.mark.parametrize("name", ["train.csv", "train.tsv", "train.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, name: str) -> None:
    mark = {"train.csv": ",", "train.tsv": "\t"}.get(name, "")
    body = f"text{mark}label\na{mark}1\n" if mark else '{"text": "a", "label": "1"}\n'
    assert list(read(tmp_path, name, b"\xef\xbb\xbf" + body.encode()).frame.columns) == ["text", "label"]


def test_a_text_of_two_hundred_thousand_characters_is_read_and_the_limit_stays_as_it_was(
    tmp_path: Path,
) -> None:
    before = csv.field_size_limit()
    found = read(tmp_path, "train.csv", "text,label\n" + "a" * 200_000 + ",1\n")
    assert len(found.frame["text"][0]) == 200_000
    assert csv.field_size_limit() == before


# Any text but what no file of lines can hold apart: line ends are written as they are within quotation marks.
CELLS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\x00"), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8))
def test_what_a_csv_writer_wrote_comes_back_row_for_row(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "train.csv"
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(path, index=False)
    found = files.read_all("train", [path]).frame
    assert list(zip(found["text"], found["label"], strict=True)) == rows


def shards(folder: Path, *names: str) -> dict[str, list[Path]]:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps({"text": f"{number}"}) + "\n")
    return files.found(folder, ["train", "test"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl", "train-00002-of-00003.jsonl"],
            "holds shards of train of 2 and of 3, which are two sets",
        ),
        (
            ["train-00000-of-00003.jsonl", "train-00002-of-00003.jsonl"],
            r"lacks 1 of 3 shards of train \(number 1\)",
        ),
        (
            ["train.jsonl", "data/train.jsonl"],
            "holds train more than once, as train.jsonl, data/train.jsonl: keep one",
        ),
        (["train.jsonl", "train-00000-of-00001.jsonl"], "holds train more than once"),
        (["train-00000-of-00001.jsonl", "data/train-00000-of-00001.jsonl"], "a shard of train twice"),
        (["train.jsonl", "train.csv"], "holds train as train.csv, train.jsonl: keep one format"),
    ],
)
def test_two_generations_a_gap_and_a_copy_are_no_table(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        shards(tmp_path, *names)


@pytest.mark.parametrize(
    "names",
    [
        ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"],
        ["train-1-of-2.jsonl", "train-2-of-2.jsonl"],
        ["train-00000-of-00001-0123456789abcdef.jsonl"],
    ],
)
def test_whole_sets_of_shards_are_joined_in_order(tmp_path: Path, names: list[str]) -> None:
    found = files.read_all("train", shards(tmp_path, *names)["train"])
    assert found.frame["text"].tolist() == [str(n) for n in range(len(names))]
    assert found.words.startswith(f"train: {len(names)} rows of ")


def test_shards_of_one_table_have_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "train-00000-of-00002.csv").write_text("text,label\na,1\n")
    (tmp_path / "train-00001-of-00002.csv").write_text("text,category\nb,2\n")
    with pytest.raises(
        DataError, match=r"has the columns text, category, and train-00000-of-00002\.csv has text, label"
    ):
        files.read_all("train", files.found(tmp_path, ["train"])["train"])


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        (["01", "1"], ["01", "1"]),
        (["1", "2"], [1, 2]),
        (["0", "-3"], [0, -3]),
        (["-0", "0"], ["-0", "0"]),
        (["1.0", "1"], ["1.0", "1"]),
    ],
)
def test_labels_that_are_written_differently_stay_two(cells: list[Any], wanted: list[Any]) -> None:
    assert of("label", cells).labels("train", "label") == wanted


@pytest.mark.parametrize("cells", [["spam", "spam "], [1, "1"], ["2", 2.0]])
def test_labels_that_would_become_one_in_silence_are_refused(cells: list[Any]) -> None:
    with pytest.raises(DataError, match="which would become one label"):
        of("label", cells).labels("train", "label")


def test_what_a_label_was_meant_as() -> None:
    assert {labels.plainly(label) for label in (1, "1", "01", "1.0", " 1 ")} == {"1"}
    assert labels.plainly("Spam ") == labels.plainly("spam")
    assert labels.plainly("10") == "10"
    assert labels.plainly("0") == "0"


def test_what_was_read_is_told_and_a_noisy_label_that_nobody_named_is_not_taken(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"{part}.csv").write_text("text,label,noisy_label\na,1,2\nb,2,1\n")
    told = tables.read_local(tmp_path, {}, ["train", "test"]).source.parts
    assert told[:2] == ("train: 2 rows of train.csv", "test: 2 rows of test.csv") or told[:2] == (
        "test: 2 rows of test.csv",
        "train: 2 rows of train.csv",
    )
    assert "train: its column noisy_label is not used; --columns noisy_label=noisy_label takes it" in told
    named = tables.read_local(tmp_path, {"noisy_label": "noisy_label"}, ["train", "test"])
    assert not any("not used" in part for part in named.source.parts)
    assert named.column("train", "noisy_label") == "noisy_label"


@pytest.mark.parametrize(
    "content",
    [
        "text,label\r\na,1\r\n\r\nb,2\r\n",
        ",text,label\n0,a,1\n1,b,2\n",
        "text,label\na,1\nb,2",
        "text,label,\na,1,\nb,2,\n",
        'text,label\n"a",1\n"b",2\n\n\n',
    ],
)
def test_what_other_programs_write_is_taken(tmp_path: Path, content: str) -> None:
    frame = read(tmp_path, "train.csv", content).frame
    assert (frame["text"].tolist(), frame["label"].tolist()) == (["a", "b"], ["1", "2"])
