"""Tables written as Parquet, CSV or JSON: row by row, and each file whole or absent."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from harness.assessment.export.rows import TABLES_VERSION, Kind, Row, Table, guarded
from harness.errors import UsageError

_BATCH = 20_000


def write(tables: Sequence[Table], form: str, out: Path) -> dict[Path, int]:
    """Writes each table to a file of its own in the folder `out`; returns their paths and numbers of rows.

    Where `out` is named like a file of this form (`cells.csv`), the first table alone is written there.
    Raises UsageError where the form is not known or the folder cannot be written.
    """
    if form not in _FORMS:
        raise UsageError(f"--format {form} is not known; give {', '.join(_FORMS)} or mlflow")
    if out.suffix == f".{form}" and not out.is_dir():
        places = {out: tables[0]}
    else:
        places = {out / f"{table.name}.{form}": table for table in tables}
    written: dict[Path, int] = {}
    try:
        for path, table in places.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _whole(path) as part:
                written[path] = _FORMS[form](table, part)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from error
    return written


@contextlib.contextmanager
def _whole(path: Path) -> Generator[Path]:
    """A file beside `path` that takes its place when all is written."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    now = os.umask(0o077)
    os.umask(now)
    return now


def _csv(table: Table, path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        for batch in _batches(table.rows):
            writer.writerows([guarded(value) for value in row] for row in batch)
            count += len(batch)
    return count


def _json(table: Table, path: Path) -> int:
    """One object with what the columns hold and the rows, each an object, a line each."""
    head = {"table": table.name, "version": TABLES_VERSION, "columns": table.columns}
    count, names = 0, list(table.columns)
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "rows": [')
        for row in table.rows:
            line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, allow_nan=False)
            file.write(f"{',' if count else ''}\n{line}")
            count += 1
        file.write("\n]}\n")
    return count


def _parquet(table: Table, path: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types: dict[Kind, Any] = {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
    }
    about = {"table": table.name, "version": str(TABLES_VERSION)}
    schema = pa.schema([(name, types[kind]) for name, kind in table.columns.items()], metadata=about)
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(table.rows):
            columns = zip(*batch, strict=True)
            arrays = [pa.array(list(c), type=field.type) for c, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
            count += len(batch)
    return count


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield batch


_FORMS: dict[str, Callable[[Table, Path], int]] = {"parquet": _parquet, "csv": _csv, "json": _json}
