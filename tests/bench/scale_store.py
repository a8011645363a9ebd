"""A store of a hundred thousand trials: how long the verbs take that only read it."""

from __future__ import annotations

import math
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select

from harness.sheets import Assessment, Cell, TaskInSuite
from harness.store.ledger import Ledger
from harness.store.results import Store
from harness.store.schema import CELLS, CLAIMS, INSTANCES, RUNS, TRIALS
from tests.bench.figures import table
from tests.bench.scale_kit import (
    TASK,
    Sizes,
    environment,
    harness,
    score_command,
    seconds,
    timed,
    write_submissions,
    write_suite,
)

TITLE = "A large store"
SOURCES = 40  # real runs that are copied
_CHUNK = 500  # runs in one transaction


def measure(sizes: Sizes, work: Path) -> dict[str, Any]:
    """Fills the store from real runs, then times each verb as a command."""
    sources = min(SOURCES, sizes.candidates)
    real, home = work / "home-real", work / "home-large"
    for folder in (real, home):
        shutil.rmtree(folder, ignore_errors=True)
    suite = write_suite(work / "large.toml")
    handed = write_submissions(work / "handed-large", sources)
    own = ["--variants", "per-candidate"]  # on numbers of its own each run has the references beside it
    timed([*score_command(suite, handed, "process"), *own], environment(real))
    began = time.perf_counter()
    filled = fill(Store.open(real, ""), Store.open(home, ""), sizes)
    filled["seconds"] = time.perf_counter() - began
    filled["bytes"] = sum(f.stat().st_size for f in home.glob("results.sqlite*"))
    return {**filled, "sources": sources, "rows": _verbs(sizes, home, work / "exported")}


def _verbs(sizes: Sizes, home: Path, out: Path) -> list[dict[str, Any]]:
    env = environment(home)
    some = f"p{sizes.candidates // 2:04}"
    verbs = [
        (["leaderboard", "last"], sizes.times),
        (["report", "--candidate", some], sizes.times),
        (["export", "last", "--format", "parquet"], sizes.times),
        (["export", "last", "--format", "csv"], sizes.times),
        (["export", "last", "--format", "parquet", "--raw"], 1),
    ]
    rows = []
    for words, times in verbs:
        took, printed = [], ""
        for _ in range(times):
            shutil.rmtree(out, ignore_errors=True)
            extra = ["--out", str(out)] if words[0] == "export" else []
            once, printed = timed([*harness(), *words, *extra], env)
            took.append(once)
        written = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) if out.exists() else 0
        rows.append(
            {"verb": " ".join(words), "seconds": took, "lines": printed.count("\n"), "bytes": written}
        )
        shutil.rmtree(out, ignore_errors=True)
    return rows


def fill(real: Store, large: Store, sizes: Sizes) -> dict[str, int]:
    """Copies the real store's runs under new ids, row by row as they are, until there are enough trials.

    Only ids, aliases and the names of tasks differ. Returns how many candidates, cells and trials there are.
    """
    book = Ledger(real)
    source = book.assessment("last")
    cells = [kept.cell for kept in book.units(source.id).values()]
    rows = _rows_by_run(real)
    fewest = min(len(rows[cell.run_id]["trials"]) for cell in cells)
    candidates = max(sizes.candidates, math.ceil(sizes.trials / (fewest * sizes.tasks)))
    assessment = _assessment(source, sizes.tasks)
    aliases = [f"p{number:04}" for number in range(candidates)]
    Ledger(large).open(assessment, aliases)
    todo = _copies(cells, aliases, assessment)
    while chunk := [copy for _, copy in zip(range(_CHUNK), todo, strict=False)]:
        tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for cell, copied in chunk:
            _copy(rows[cell.run_id], cell, copied, assessment.id, tables)
        _insert(large, tables)
    return {
        "candidates": candidates,
        "tasks": sizes.tasks,
        "cells": Ledger(large).count(assessment.id),
        "trials": large.trials_kept(),
    }


def _assessment(source: Assessment, tasks: int) -> Assessment:
    (task,) = source.suite.tasks
    listed: list[TaskInSuite] = [task.model_copy(update={"id": f"{TASK}-{n:02}"}) for n in range(tasks)]
    return source.model_copy(update={"suite": source.suite.model_copy(update={"tasks": tuple(listed)})})


def _copies(cells: list[Cell], aliases: list[str], assessment: Assessment) -> Iterator[tuple[Cell, Cell]]:
    """Each candidate's cells; the tasks of one candidate are copies of different runs."""
    for number, alias in enumerate(aliases):
        for place, task in enumerate(assessment.suite.tasks):
            cell = cells[(number + 7 * place) % len(cells)]
            named = f"{cell.run_id}-{number:04}-{place:02}"
            yield cell, cell.model_copy(update={"candidate": alias, "task": task.id, "run_id": named})


TABLES: dict[str, Table] = {
    "runs": RUNS,
    "claims": CLAIMS,
    "instances": INSTANCES,
    "trials": TRIALS,
    "cells": CELLS,
}


def _rows_by_run(store: Store) -> dict[str, dict[str, list[dict[str, Any]]]]:
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for name, kept in TABLES.items():
        for row in store.read(select(kept)):
            found[row.run_id][name].append(dict(row._mapping))
    return found


def _copy(
    rows: dict[str, list[dict[str, Any]]],
    cell: Cell,
    copied: Cell,
    assessment: str,
    out: dict[str, list[dict[str, Any]]],
) -> None:
    """A run's rows under its new id; its record names the new id, alias and task too."""

    def renamed(text: str) -> str:
        text = text.replace(cell.run_id, copied.run_id).replace(f'"{TASK}"', f'"{copied.task}"')
        return text.replace(f'"{cell.candidate}"', f'"{copied.candidate}"')

    for name in ("runs", "claims", "instances", "trials"):
        for row in rows[name]:
            fresh = {**row, "run_id": copied.run_id}
            if name == "runs":
                fresh |= {"task": copied.task, **{k: renamed(row[k]) for k in ("head", "call", "scored")}}
            if name == "claims":
                fresh["key"] = f"{row['key']}-{copied.run_id}"
            out[name].append(fresh)
    (old,) = rows["cells"]
    new = {
        "assessment": assessment,
        "candidate": copied.candidate,
        "task": copied.task,
        "run_id": copied.run_id,
    }
    new |= {"unit": f"{old['unit']}-{copied.run_id}", "cell": copied.model_dump_json()}
    out["cells"].append({**old, **new})


def _insert(store: Store, tables: dict[str, list[dict[str, Any]]]) -> None:
    def work(connection: Any) -> None:
        for name, rows in tables.items():
            connection.execute(insert(TABLES[name]), rows)

    store.write(work)


def section(told: dict[str, Any]) -> str:
    """What was asked, and the table."""
    lines = [
        [
            f"`harness {row['verb']}`",
            seconds(row["seconds"]) if len(row["seconds"]) > 1 else f"{row['seconds'][0]:.1f} s (once)",
            f"{row['bytes'] / 2**20:.1f} MiB of files" if row["bytes"] else f"{row['lines']:,} lines",
        ]
        for row in told["rows"]
    ]
    return f"""Question: how long do the commands that only read take on a large store? This one holds
**{told["trials"]:,} trials** in {told["cells"]:,} runs and cells of {told["candidates"]:,} candidates on
{told["tasks"]} tasks ({told["bytes"] / 2**20:.0f} MiB of SQLite): the rows of {told["sources"]} real runs of
`toy-free`, copied unchanged except for new ids, aliases and task names (in {told["seconds"]:.0f} s).
Those runs hold one untimed request for each trial, so `--raw` reads every trial but writes little, and
copies compress well. Each command runs in a process of its own;
its time is from the start of that process to its end.

{table(["Command", "Median (range)", "Output"], lines, 1)}"""
