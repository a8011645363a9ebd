"""Assessments as tables: every row and column against hand-made sheets, and read back from every format."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from harness.assessment.export import files, mlflow
from harness.assessment.export import rows as exporting
from harness.assessment.export.rows import COLUMNS, Table
from harness.errors import StoreError, UsageError
from harness.looks import Look
from harness.reports.parts import clean
from harness.sheets import (
    Assessment,
    Cell,
    CellConstraint,
    Sheet,
    Suite,
    TaskInSuite,
    not_attempted,
    with_look,
)
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


def test_what_a_submission_said_is_printable_in_tags() -> None:
    """A database of PostgreSQL takes no NUL in a text: every export ended there."""
    odd = ANN.model_copy(update={"reasons": ("ended: \0\x1b[31mred\x1b[0m", "x" * 100_000)})
    found = mlflow.tags(ASSESSMENT, odd)["harness.reasons"]
    assert found.startswith("ended: red; xxx")
    assert len(found) == mlflow._LONGEST


def test_whose_doing_it_is_and_what_was_decided_are_tags_and_columns() -> None:
    look = Look(
        run_id="r1",
        assessment="abc123",
        candidate="=ann()",
        task="a",
        decision="accepted",
        by="Eva",
        looked_at="2026-11-30T10:00:00+00:00",
        why="read it",
        submission_digest="d1",
        run_digest="x",
    )
    limit = LIMIT.model_copy(update={"verdict": "inconclusive", "open_by": "evaluator"})
    waits = ANN.model_copy(update={"outcome": "inconclusive", "constraints": (limit,)})
    assert mlflow.tags(ASSESSMENT, waits)["harness.open_by"] == "evaluator"
    assert "harness.open_by" not in mlflow.tags(ASSESSMENT, ANN)
    decided = with_look(waits, look)
    words = "accepted by Eva on 2026-11-30: read it"
    assert mlflow.tags(ASSESSMENT, decided)["harness.decision"] == words
    (cells, *_) = exporting.tables([SHEET.model_copy(update={"cells": (decided,)})], [])
    (row,) = _as_dicts(cells)
    assert (row["outcome"], row["points"], row["open_by"]) == ("ok", 61.5, "")
    assert [row[f"decided_{what}"] for what in ("by", "at", "why")] == ["Eva", look.looked_at, "read it"]
    assert (row["decision"], row["reasons"]) == ("accepted", f"{words}; too slow; by half")


@pytest.mark.parametrize(("value", "points"), [(3.1, None), (2.9, 61.5)])
def test_what_is_open_and_was_measured_beyond_its_limit_has_no_points(
    value: float, points: float | None
) -> None:
    limit = {"name": "latency", "unit": "x", "verdict": "inconclusive", "low": 2.5, "high": 3.5}
    limit |= {"threshold": 3.0, "bound": "at_most", "value": value, "open_by": "candidate"}
    changes = {
        "outcome": "inconclusive",
        "points": 61.5,
        "constraints": (CellConstraint.model_validate(limit),),
    }
    one = ANN.model_copy(update=changes)
    cells, constraints, instances, _ = exporting.tables([SHEET.model_copy(update={"cells": (one,)})], [])
    (ann,) = _as_dicts(cells)
    assert (ann["points"], ann["points_uncapped"], ann["standing"]) == (points, points, "open")
    assert (ann["points_low"] is None, ann["open_by"]) == (points is None, "candidate")
    assert [row["points"] is None for row in _as_dicts(instances)] == [points is None] * 2
    assert [row["open_by"] for row in _as_dicts(constraints)] == ["candidate"]
    assert ("points" in mlflow.metrics(one)) == (points is not None)
    assert ("points_uncapped" in mlflow.metrics(one)) == (points is not None)


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
        "open_by": "",
        "decision": None,
        "decided_by": None,
        "decided_at": None,
        "decided_why": None,
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
            "",
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
    assert exporting.guarded(text) == f"'{clean.printable(text)}"


def test_what_would_move_a_terminals_cursor_is_left_out() -> None:
    assert exporting.guarded("a\x1b]0;mine\x07b\u202ec\0") == "abc"
    assert exporting.guarded("\x1b[1m=1+1") == "'=1+1"


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


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_file_of_its_own_or_a_folder_that_is_called_like_one(tmp_path: Path, form: str) -> None:
    tables = [Table("instances", list(exporting.instance_rows([SHEET]))), Table("samples", [])]
    alone = tmp_path / "deep" / f"own.{form}"
    assert files.write(tables, form, alone) == {alone: 3}
    assert b"i1" in alone.read_bytes()
    folder = tmp_path / f"folder.{form}"
    folder.mkdir()
    assert files.write(tables, form, folder) == {
        folder / f"instances.{form}": 3,
        folder / f"samples.{form}": 0,
    }
    assert files.write(tables, form, tmp_path / "own.txt") == {
        tmp_path / "own.txt" / f"instances.{form}": 3,
        tmp_path / "own.txt" / f"samples.{form}": 0,
    }


def test_files_are_for_everybody_whom_the_user_lets_read_and_closed(tmp_path: Path) -> None:
    before, was = psutil.Process().num_fds(), os.umask(0o027)
    try:
        _write("csv", tmp_path)
        now = os.umask(0o027)
    finally:
        os.umask(was)
    assert now == 0o027
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}
    assert psutil.Process().num_fds() <= before


@pytest.mark.parametrize("form", ["json", "parquet"])
@pytest.mark.parametrize("lengths", [(6, 6), (8, 8), (7, 8)])
def test_a_row_that_does_not_fit_its_columns_is_never_written(
    tmp_path: Path, form: str, lengths: tuple[int, ...]
) -> None:
    row: exporting.Row = ("abc123", "ann", "a", "r1", 0, "i0", 60.0, "more")
    with pytest.raises(ValueError, match="zip"):
        files.write([Table("instances", [row[:length] for length in lengths])], form, tmp_path)
    assert not list(tmp_path.iterdir())


def test_json_holds_text_as_it_is_and_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    row: exporting.Row = ("abc123", "Zoë", "a", "r1", 0, "i0", 60.0)
    files.write([Table("instances", [row])], "json", tmp_path)
    assert '"candidate": "Zoë"' in (tmp_path / "instances.json").read_text("utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write([Table("instances", [(*row[:-1], float("nan"))])], "json", tmp_path)


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


def counted(exported: mlflow.Exported) -> tuple[int, int]:
    return exported.added, exported.there


def _client(folder: Path) -> Any:
    return mlflow._client(mlflow.target(str(folder)))


def test_a_run_for_each_submission_in_a_real_mlflow_store(tmp_path: Path) -> None:
    uri = mlflow.target(str(tmp_path))
    assert uri == f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert counted(mlflow.export([SHEET], uri)) == (2, 0)
    assert counted(mlflow.export([SHEET], uri)) == (0, 2)
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
    assert counted(mlflow.export([again], uri)) == (1, 1)
    runs = client.search_runs([experiment.experiment_id])
    replaced = [run.info.run_id for run in runs if "harness.replaced" in run.data.tags]
    assert replaced == [ann.info.run_id]
    # One that was cut short is made again.
    client.create_run(experiment.experiment_id, tags={"harness.key": "half", "harness.cell": "x"})
    assert counted(mlflow.export([again], uri)) == (0, 2)
    assert len(client.search_runs([experiment.experiment_id])) == 3


class Pages:
    """A server of MLflow that gives its runs in pages of two and says at its last one that there is no more."""

    def __init__(self, runs: list[SimpleNamespace]) -> None:
        self.runs, self.calls = runs, list[tuple[Any, ...]]()
        self.tags: dict[str, dict[str, str]] = {}

    def get_experiment_by_name(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(experiment_id=f"of {name}")

    def search_runs(self, experiments: list[str], max_results: int, page_token: str | None) -> list[Any]:
        assert experiments == ["of pairs abc123"]
        assert ("page", page_token) not in self.calls, "a page is read once"
        self.calls.append(("page", page_token))
        start = int(page_token or 0)

        class Page(list[Any]):
            token = str(start + 2) if start + 2 < len(self.runs) else ""

        return Page(self.runs[start : start + 2])

    def create_run(self, experiment: str, tags: dict[str, str], run_name: str) -> SimpleNamespace:
        self.calls.append(("create", run_name))
        self.tags[run_name] = tags
        return SimpleNamespace(info=SimpleNamespace(run_id="new", start_time=7))

    def log_batch(self, run_id: str, metrics: list[Any], params: list[Any]) -> None:
        self.calls.append(("metrics", {(m.timestamp, m.step) for m in metrics}))

    def set_terminated(self, run_id: str) -> None:
        self.calls.append(("ended", run_id))

    def set_tag(self, run_id: str, name: str, value: str) -> None:
        self.calls.append(("tag", run_id, name, value))

    def delete_run(self, run_id: str) -> None:
        self.calls.append(("delete", run_id))


def _known(run_id: str, status: str = "FINISHED", **tags: str) -> SimpleNamespace:
    named = {f"harness.{name}": value for name, value in tags.items()}
    return SimpleNamespace(
        info=SimpleNamespace(run_id=run_id, status=status), data=SimpleNamespace(tags=named)
    )


def test_of_many_pages_every_run_is_looked_at_and_what_is_somebody_elses_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Pages([])
    monkeypatch.setattr(mlflow, "_client", lambda uri: made)
    assert counted(mlflow.export([SHEET], "http://host")) == (2, 0)
    assert ("metrics", {(7, 0)}) in made.calls
    ann, ben = (
        {k.removeprefix("harness."): v for k, v in made.tags[name].items()} for name in ("=ann() a", "ben a")
    )
    server = Pages(
        [
            _known("else"),
            _known("older", key="another", cell=ann["cell"], replaced="true"),
            _known("half", "RUNNING", key=ann["key"], cell=ann["cell"]),
            _known("before", key="yet another", cell=ann["cell"]),
            _known("bens", key=ben["key"], cell=ben["cell"]),
        ]
    )
    monkeypatch.setattr(mlflow, "_client", lambda uri: server)
    assert counted(mlflow.export([SHEET], "http://host")) == (1, 1)
    assert server.calls == [
        ("page", None),
        ("page", "2"),
        ("delete", "half"),
        ("page", "4"),
        ("create", "=ann() a"),
        ("metrics", {(7, 0)}),
        ("ended", "new"),
        ("tag", "before", "harness.replaced", "true"),
    ]


def test_a_server_that_refuses_is_quoted_by_its_first_line_and_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.exceptions import MlflowException

    def refuse(name: str) -> None:
        raise MlflowException("the table is locked\nand more")

    monkeypatch.setattr(mlflow, "_client", lambda uri: SimpleNamespace(get_experiment_by_name=refuse))
    with pytest.raises(
        StoreError, match=r"MLflow at http://host:5000 refused: the table is locked; type the"
    ):
        mlflow.export([SHEET], "http://ann:hunter2@host:5000")


def test_what_is_not_known_of_a_cell_has_no_parameter_and_no_tag() -> None:
    assert mlflow.params(ASSESSMENT, BEN) == {
        "suite": "pairs",
        "task": "a",
        "direction": "higher",
        "instances": "1",
    }
    assert mlflow.metrics(BEN) == {"points": 0.0, "wall_seconds": 0.0}
    assert set(mlflow.tags(ASSESSMENT, BEN)) == {
        f"harness.{name}"
        for name in ("assessment", "candidate", "task", "run", "outcome", "standing", "tier")
    }
    told = mlflow.tags(ASSESSMENT, ANN)
    assert (told["harness.grade"], told["harness.stamp"], told["harness.reasons"]) == (
        "B",
        "official",
        "too slow; by half",
    )


def test_texts_are_cut_and_names_hold_only_what_mlflow_takes() -> None:
    odd = LIMIT.model_copy(update={"name": "p95 (ms), 50% of/all é-x_y.z" + "n" * 300})
    cell = ANN.model_copy(update={"constraints": (odd,), "reasons": ("x" * 600,), "isolation": "y" * 600})
    (name,) = [name for name in mlflow.metrics(cell) if name.startswith("threshold.")]
    assert name == "threshold." + ("p95 _ms__ 50_ of/all é-x_y.z" + "n" * 300)[:200]
    assert mlflow.tags(ASSESSMENT, cell)["harness.reasons"] == "x" * 500
    assert mlflow.params(ASSESSMENT, cell)["isolation"] == "y" * 500


def test_without_mlflow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(UsageError, match=r"pip install 'ml-skills-harness\[mlflow\]'"):
        mlflow.export([SHEET], mlflow.target(str(tmp_path)))


def test_targets_of_mlflow(tmp_path: Path) -> None:
    assert mlflow.target("http://mlflow.example:5000") == "http://mlflow.example:5000"
    assert mlflow.target("sqlite:///x.db") == "sqlite:///x.db"
    with pytest.raises(UsageError, match="ftp://x is not known"):
        mlflow.target("ftp://x")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="under cannot be written: Not a directory"):
        mlflow.target(str(tmp_path / "file" / "under"))


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
