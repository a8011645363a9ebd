"""Assessments as tables: every row and column against hand-made sheets, and read back from every format."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.assessment.export import files, mlflow
from harness.assessment.export import rows as exporting
from harness.assessment.export.rows import COLUMNS, Table
from harness.errors import StoreError, UsageError
from harness.sheets import Assessment, Cell, CellConstraint, Sheet, Suite, TaskInSuite, not_attempted
from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.cli.test_verbs import harness
from tests.fixtures.reports import ok_run

DOC = Path(__file__).parent.parent.parent / "docs" / "export.md"
LIMIT = CellConstraint(
    name="p95_latency",
    unit="s",
    verdict="fail",
    value=0.5,
    low=0.4,
    high=0.6,
    threshold=0.25,
    bound="at_most",
    words="0.5 s is more than 0.25 s",
)
ANN = Cell(
    candidate="=ann()",
    task="a",
    outcome="budget_exceeded",
    run_id="r1",
    points=0.0,
    points_uncapped=61.5,
    points_low=50.0,
    points_high=70.0,
    points_each=(60.0, 63.0),
    instances=("i0", "i1"),
    tier="competent",
    measure="accuracy",
    unit="1",
    value=0.9,
    low=0.8,
    high=0.95,
    constraints=(LIMIT,),
    certified=True,
    grade="B",
    stamp="official",
    isolation="confined",
    machine_id="m1",
    submission_digest="d1",
    task_digest="t1",
    started_at="2026-01-01T00:00:00",
    wall_seconds=12.5,
    reasons=("too slow", "by half"),
)
BEN = Cell(candidate="ben", task="a", outcome="crashed", run_id="r2", instances=("i0",), value=None)
SUITE = Suite(name="pairs", title="Pairs", tasks=(TaskInSuite(id="a", weight=2.0), TaskInSuite(id="b")))
ASSESSMENT = Assessment(id="abc123", suite=SUITE, seed_id="s", begun_at="2026", harness_version="0")
SHEET = Sheet(
    assessment=ASSESSMENT, candidates=("=ann()", "ben"), cells=(ANN, BEN, not_attempted("ben", "b"))
)


def _as_dicts(table: Table) -> list[dict[str, exporting.Value]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_every_figure_of_a_sheet_is_in_its_row() -> None:
    cells, constraints, instances, runs = exporting.tables([SHEET], [ok_run().head])
    ann, ben, left_out = _as_dicts(cells)
    assert ann == {
        "assessment": "abc123",
        "candidate": "=ann()",
        "task": "a",
        "run": "r1",
        "suite": "pairs",
        "weight": 2.0,
        "outcome": "budget_exceeded",
        "standing": "unfit",
        "points": 0.0,
        "points_uncapped": 61.5,
        "points_low": 50.0,
        "points_high": 70.0,
        "tier": "competent",
        "measure": "accuracy",
        "unit": "1",
        "direction": "higher",
        "value": 0.9,
        "low": 0.8,
        "high": 0.95,
        "certified": True,
        "grade": "B",
        "stamp": "official",
        "isolation": "confined",
        "machine": "m1",
        "submission_digest": "d1",
        "task_digest": "t1",
        "started_at": "2026-01-01T00:00:00",
        "wall_seconds": 12.5,
        "instances": 2,
        "reasons": "too slow; by half",
    }
    assert (ben["value"], ben["certified"], ben["standing"]) == (None, None, "unfit")
    assert (left_out["standing"], left_out["run"], left_out["weight"]) == ("not attempted", "", 1.0)
    assert list(constraints.rows) == [
        (
            "abc123",
            "=ann()",
            "a",
            "r1",
            "p95_latency",
            "s",
            "fail",
            0.5,
            0.4,
            0.6,
            "at_most",
            0.25,
            LIMIT.words,
        )
    ]
    assert list(instances.rows) == [
        ("abc123", "=ann()", "a", "r1", 0, "i0", 60.0),
        ("abc123", "=ann()", "a", "r1", 1, "i1", 63.0),
        ("abc123", "ben", "a", "r2", 0, "i0", None),
    ]
    (run,) = _as_dicts(runs)
    head = ok_run().head
    assert (run["run"], run["machine"], run["threads"]) == (
        head.run_id,
        head.machine.id,
        head.profile.threads,
    )


def test_samples_are_the_raw_readings() -> None:
    run = ok_run()
    rows = list(exporting.sample_rows(run.head, run.trials))
    assert len(rows) == sum(len(trial.samples) for trial in run.trials) > 0
    first = run.trials[0].samples[0]
    assert rows[0][-1] == first.seconds
    assert rows[0][0] == run.head.run_id


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_text_that_is_a_formula_is_guarded(text: str) -> None:
    assert exporting.guarded(text) == f"'{text}"


@pytest.mark.parametrize("value", ["ann", "a=1", "", None, -1.5, True])
def test_all_else_is_left_as_it_is(value: exporting.Value) -> None:
    assert exporting.guarded(value) is value


def _write(form: str, folder: Path) -> dict[str, int]:
    written = files.write(exporting.tables([SHEET], [ok_run().head]), form, folder)
    return {path.name: count for path, count in written.items()}


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_what_is_written_is_read_back(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "new" / "out"
    counts = _write(form, folder)
    assert counts == {f"cells.{form}": 3, f"constraints.{form}": 1, f"instances.{form}": 3, f"runs.{form}": 1}
    wanted = _as_dicts(exporting.tables([SHEET], [])[0])
    file = folder / f"cells.{form}"
    if form == "parquet":
        table = pq.read_table(file)
        assert table.to_pylist() == wanted
        assert {f.name: str(f.type) for f in table.schema}["certified"] == "bool"
        assert table.schema.metadata == {b"table": b"cells", b"version": b"1"}
    elif form == "json":
        found = json.loads(file.read_text())
        assert found["rows"] == wanted
        assert (found["table"], found["version"], found["columns"]) == ("cells", 1, COLUMNS["cells"])
    else:
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert rows[0]["candidate"] == "'=ann()"
        assert [row["value"] for row in rows] == ["0.9", "", ""]
        assert rows[0]["reasons"] == "too slow; by half"
    assert sorted(path.name for path in folder.iterdir()) == sorted(counts)


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_nothing_at_all_is_a_table_without_rows(tmp_path: Path, form: str) -> None:
    files.write([Table("samples", [])], form, tmp_path)
    file = tmp_path / f"samples.{form}"
    if form == "parquet":
        assert pq.read_table(file).column_names == list(COLUMNS["samples"])
    elif form == "json":
        assert json.loads(file.read_text())["rows"] == []
    else:
        assert file.read_text().strip().split(",") == list(COLUMNS["samples"])


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_file_is_whole_or_as_it_was(tmp_path: Path, form: str) -> None:
    _write(form, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def breaks() -> Generator[exporting.Row]:
        yield from exporting.cell_rows([SHEET])
        raise StoreError("the server is gone")

    with pytest.raises(StoreError):
        files.write([Table("cells", breaks())], form, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_wrong_form_or_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--format xlsx is not known; give parquet, csv, json or mlflow"):
        _write("xlsx", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        _write("csv", tmp_path / "file" / "under")


def test_every_column_is_described() -> None:
    text = DOC.read_text()
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^#|\Z)", text, flags=re.S | re.M))
    assert set(sections) == set(COLUMNS) == {"cells", "constraints", "instances", "runs", "samples"}
    for table, columns in COLUMNS.items():
        described = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", sections[table], flags=re.M))
        assert described == columns, table


def _client(folder: Path) -> Any:
    return mlflow._client(mlflow.target(str(folder)))


def test_a_run_for_each_submission_in_a_real_mlflow_store(tmp_path: Path) -> None:
    uri = mlflow.target(str(tmp_path))
    assert uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert mlflow.export([SHEET], uri) == {"added": 2, "there": 0}
    assert mlflow.export([SHEET], uri) == {"added": 0, "there": 2}
    client = _client(tmp_path)
    experiment = client.get_experiment_by_name("pairs abc123")
    found = {
        run.data.tags["harness.candidate"]: run for run in client.search_runs([experiment.experiment_id])
    }
    assert set(found) == {"=ann()", "ben"}, "a task that was left out is no submission"
    ann = found["=ann()"]
    assert ann.data.metrics == {
        "points": 0.0,
        "points_uncapped": 61.5,
        "points_low": 50.0,
        "points_high": 70.0,
        "objective": 0.9,
        "objective_low": 0.8,
        "objective_high": 0.95,
        "wall_seconds": 12.5,
        "constraint.p95_latency": 0.5,
        "threshold.p95_latency": 0.25,
    }
    assert ann.data.params["verdict.p95_latency"] == "fail"
    assert ann.data.tags["harness.outcome"] == "budget_exceeded"
    assert (ann.data.tags["harness.run"], ann.data.tags["harness.stamp"]) == ("r1", "official")
    assert ann.info.status == "FINISHED"
    # What is scored again is a run of its own, and the one before it says that it was replaced.
    again = SHEET.model_copy(
        update={"cells": (ANN.model_copy(update={"points": 61.5, "outcome": "ok"}), BEN)}
    )
    assert mlflow.export([again], uri) == {"added": 1, "there": 1}
    runs = client.search_runs([experiment.experiment_id])
    replaced = [run.info.run_id for run in runs if "harness.replaced" in run.data.tags]
    assert replaced == [ann.info.run_id]
    # One that was cut short is made again.
    client.create_run(experiment.experiment_id, tags={"harness.key": "half", "harness.cell": "x"})
    assert mlflow.export([again], uri) == {"added": 0, "there": 2}
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_without_mlflow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match=r"pip install 'ml-skills-harness\[mlflow\]'"):
        mlflow.export([SHEET], mlflow.target(str(tmp_path)))


def test_targets_of_mlflow(tmp_path: Path) -> None:
    assert mlflow.target("http://mlflow.example:5000") == "http://mlflow.example:5000"
    assert mlflow.target("sqlite:///x.db") == "sqlite:///x.db"
    with pytest.raises(UsageError, match="ftp://x is not known"):
        mlflow.target("ftp://x")


def test_the_verb_exports_one_assessment_or_all(tmp_path: Path, store: Store) -> None:
    ledger, run = Ledger(store), ok_run()
    store.claim(run.head, "{}")
    store.keep(run.head.run_id, 0, run.trials)
    store.scored(run)
    ledger.open(ASSESSMENT, ["=ann()", "ben"])
    ledger.keep("abc123", ANN.model_copy(update={"run_id": run.head.run_id}), "u1")
    ledger.open(ASSESSMENT.model_copy(update={"id": "def"}), ["cleo"])
    ledger.keep("def", not_attempted("cleo", "a"), "u1")
    said = harness("export", "all", "--out", tmp_path / "all", "--format", "csv", "--raw")
    assert said.code == 0, said.err
    assert "        2 rows  " in said.out
    samples = sum(len(trial.samples) for trial in run.trials)
    assert len((tmp_path / "all" / "samples.csv").read_text().splitlines()) == samples + 1
    found = harness("export", "abc", "--out", tmp_path / "one", "--json")
    assert {Path(p).name: n for p, n in found.json["files"].items()} == {
        "cells.parquet": 1,
        "constraints.parquet": 1,
        "instances.parquet": 2,
        "runs.parquet": 1,
    }
    file = tmp_path / "cells.csv"
    assert harness("export", "abc", "--format", "csv", "--out", file).code == 0
    assert file.read_text().splitlines()[0].startswith("assessment,candidate,task")
    assert harness("export", "nobody", "--out", tmp_path).code == 2
    assert harness("export", "abc", "--out", tmp_path, "--format", "xlsx").code == 2
    assert "--raw is for" in harness("export", "abc", "--out", tmp_path, "--format", "mlflow", "--raw").err
    for words in (
        "1 runs added to MLflow, 0 were there already",
        "0 runs added to MLflow, 1 were there already",
    ):
        assert words in harness("export", "abc", "--out", tmp_path / "ml", "--format", "mlflow").out
