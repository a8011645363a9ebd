"""Assessments in MLflow: an experiment for each, a run for each candidate's submission to a task.

What is there already is left as it is. A cell that was scored again since is a new run, and the one that it
took the place of is tagged so.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import looks
from harness.digests import of_bytes
from harness.errors import StoreError, UsageError
from harness.readings import Record
from harness.reports.parts import clean
from harness.sheets import Assessment, Cell, Sheet

_KEY, _CELL, _REPLACED = "harness.key", "harness.cell", "harness.replaced"
_LONGEST = 500  # of a tag or parameter; MLflow's own limits are higher


def target(out: str) -> str:
    """The URI that `out` names; a folder stands for an SQLite database in it. Raises UsageError."""
    scheme = out.split("://")[0] if "://" in out else ""
    if scheme in ("http", "https", "sqlite", "postgresql", "mysql"):
        return out
    if scheme:
        raise UsageError(
            f"--out {out} is not known to MLflow here; give a folder, sqlite:///FILE or http://HOST"
        )
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from error
    return f"sqlite:///{folder.resolve() / 'mlflow.db'}"


class Exported(Record):
    """How many runs an export added to MLflow, and how many were there already."""

    uri: str
    added: int
    there: int


def export(sheets: list[Sheet], uri: str) -> Exported:
    """Adds the runs that are not there yet.

    Raises UsageError where MLflow is not installed, StoreError where it cannot be reached.
    """
    with warnings.catch_warnings():
        # MLflow uses functions that its libraries have deprecated: a user here can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        return _export(_client(uri), sheets, uri)


def _export(client: Any, sheets: list[Sheet], uri: str) -> Exported:
    from mlflow.exceptions import MlflowException

    added: list[bool] = []
    try:
        for sheet in sheets:
            added += _one(client, sheet)
    except MlflowException as error:
        why = (str(error).splitlines() or ["no reason given"])[0]
        raise StoreError(f"MLflow at {_shown(uri)} refused: {why}; type the same command again") from error
    return Exported(uri=uri, added=added.count(True), there=added.count(False))


def _client(uri: str) -> Any:
    # MLflow would report its own use over the network; nothing about candidates may leave this machine.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # by itself it tries for minutes
    try:
        import mlflow
    except ImportError as error:
        raise UsageError(
            "--format mlflow needs MLflow's client, which is not installed; pip install 'ml-skills-harness[mlflow]'"
        ) from error
    for name in ("alembic", "mlflow"):  # they would log a line for each revision of MLflow's own tables
        logging.getLogger(name).setLevel(logging.ERROR)
    return mlflow.MlflowClient(tracking_uri=uri)


def _one(client: Any, sheet: Sheet) -> Iterator[bool]:
    """For each cell of a sheet, whether it was added."""
    experiment = _experiment(client, sheet.assessment)
    known: dict[str, str] = {}
    current: dict[str, list[str]] = {}
    for run in _runs(client, experiment):
        tags = run.data.tags
        if _KEY not in tags:
            continue  # somebody else's
        if run.info.status != "FINISHED":
            client.delete_run(run.info.run_id)  # an export that was cut short
        else:
            known[tags[_KEY]] = run.info.run_id
            if _REPLACED not in tags:
                current.setdefault(tags[_CELL], []).append(run.info.run_id)
    for cell in sheet.cells:
        if cell.outcome == "not_attempted":
            continue
        name = of_bytes(f"{cell.candidate}\0{cell.task}".encode())[:16]
        key = of_bytes(cell.model_dump_json(exclude=None if cell.look else {"look"}).encode())[:32]
        if key in known:
            yield False
            continue
        _add(client, experiment, sheet.assessment, cell, {_KEY: key, _CELL: name})
        for earlier in current.get(name, []):
            client.set_tag(earlier, _REPLACED, "true")
        yield True


def _experiment(client: Any, assessment: Assessment) -> str:
    name = f"{assessment.suite.name} {assessment.id}"
    known = client.get_experiment_by_name(name)
    return str(known.experiment_id if known is not None else client.create_experiment(name))


def _runs(client: Any, experiment: str) -> Iterator[Any]:
    token: str | None = ""
    while token is not None:
        page = client.search_runs([experiment], max_results=1000, page_token=token or None)
        yield from page
        token = page.token or None


def _add(client: Any, experiment: str, assessment: Assessment, cell: Cell, marks: dict[str, str]) -> None:
    from mlflow.entities import Metric, Param

    values = tags(assessment, cell) | marks
    run = client.create_run(experiment, tags=values, run_name=f"{cell.candidate} {cell.task}"[:250])
    at = int(run.info.start_time)
    measured = [Metric(name, value, at, 0) for name, value in metrics(cell).items()]
    described = [Param(name, value) for name, value in params(assessment, cell).items()]
    client.log_batch(run.info.run_id, metrics=measured, params=described)
    client.set_terminated(run.info.run_id)


def metrics(cell: Cell) -> dict[str, float]:
    """Points with their interval, the objective with its own, and every constraint's value; what was measured.

    No points while a verdict is open on what was measured beyond its limit.
    """
    values: dict[str, float | None] = {
        "points": None if cell.withheld else cell.points,
        "points_uncapped": None if cell.withheld else cell.points_uncapped,
        "points_low": None if cell.withheld else cell.points_low,
        "points_high": None if cell.withheld else cell.points_high,
        "objective": cell.value,
        "objective_low": cell.low,
        "objective_high": cell.high,
        "wall_seconds": cell.wall_seconds,
    }
    for constraint in cell.constraints:
        name = _name(constraint.name)
        values[f"constraint.{name}"] = constraint.value
        values[f"threshold.{name}"] = constraint.threshold
    return {name: float(value) for name, value in values.items() if value is not None}


def params(assessment: Assessment, cell: Cell) -> dict[str, str]:
    """The settings that the cell was measured under, and the verdict of every constraint."""
    texts = {
        "suite": assessment.suite.name,
        "task": cell.task,
        "task_digest": cell.task_digest,
        "measure": cell.measure,
        "unit": cell.unit,
        "direction": cell.direction,
        "isolation": cell.isolation,
        "machine": cell.machine_id,
        "instances": str(len(cell.instances)),
    }
    texts |= {f"verdict.{_name(c.name)}": c.verdict for c in cell.constraints}
    return _bounded(texts)


def tags(assessment: Assessment, cell: Cell) -> dict[str, str]:
    """The candidate, the run, its outcome, the reasons for it, and what was decided about it."""
    texts = {
        "harness.assessment": assessment.id,
        "harness.candidate": cell.candidate,
        "harness.task": cell.task,
        "harness.run": cell.run_id,
        "harness.outcome": cell.outcome,
        "harness.standing": cell.standing,
        "harness.tier": cell.tier,
        "harness.stamp": cell.stamp or "",
        "harness.grade": cell.grade or "",
        "harness.submission_digest": cell.submission_digest,
        "harness.started_at": cell.started_at,
        "harness.reasons": "; ".join(cell.reasons),
        "harness.open_by": cell.open_by,
        "harness.decision": looks.sentence(cell.look) if cell.look else "",
    }
    return _bounded(texts)


def _bounded(texts: dict[str, str]) -> dict[str, str]:
    """Those that say something, as printable text of a bounded length: a database may take no others."""
    shown = {name: clean.printable(value)[:_LONGEST] for name, value in texts.items()}
    return {name: value for name, value in shown.items() if value}


def _name(text: str) -> str:
    """The name with every character that MLflow refuses replaced by an underscore."""
    return re.sub(r"[^\w./ -]", "_", text)[:200]


def _shown(uri: str) -> str:
    """The URI without the part before the @, which may hold a password."""
    return re.sub(r"//[^/@]*@", "//", uri)
