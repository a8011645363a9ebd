"""Files of data as frames: read as they were meant or refused, so that no row and no field changes in silence."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl")
# train-00000-of-00002, and with the sixteen digits that older data sets have behind it.
_SHARD = re.compile(r"^(?P<name>.+?)-(?P<number>\d+)-of-(?P<total>\d+)(-[0-9a-f]{16})?$")
_LONGEST_FIELD = 2**31 - 1
# How a tab-separated file was read whose quotation marks are text.
PLAIN_TABS = "quotation marks taken as text"


@dataclass(frozen=True)
class Read:
    """A table with where it came from, in words: "train: 10,003 rows of train.tsv"."""

    frame: pd.DataFrame
    words: str


def found(folder: Path, wanted: Sequence[str]) -> dict[str, list[Path]]:
    """Table name -> its files (shards in order), from the folder and its `data` and `qrels`.

    Raises DataError where a table has files of two formats or in two places, and where shards are missing or of two
    sets.
    """
    groups: dict[str, list[Path]] = {}
    for place in (folder, folder / "data", folder / "qrels"):
        for path in sorted(place.iterdir()) if place.is_dir() else []:
            shard = _SHARD.match(path.stem)
            name = shard["name"] if shard else path.stem
            name = f"qrels_{name}" if place.name == "qrels" and place != folder else name
            if path.suffix in SUFFIXES and ("qrels" if name.startswith("qrels") else name) in wanted:
                groups.setdefault(name, []).append(path)
    if not groups:
        present = sorted(path.name for path in folder.iterdir())
        raise DataError(
            f"{folder} has no parquet, CSV, TSV or JSONL file named {' or '.join(wanted)}, "
            f"only {listed(present) or 'nothing at all'}"
        )
    return {name: _whole(folder, name, paths) for name, paths in groups.items()}


def read_all(name: str, files: Sequence[Path]) -> Read:
    """The files of one table, joined in their order; raises DataError naming file and line."""
    import pandas as pd

    parts = [_read(path) for path in files]
    frames = [frame for frame, _ in parts]
    for path, frame in zip(files[1:], frames[1:], strict=True):
        if set(map(str, frame.columns)) != set(map(str, frames[0].columns)):
            raise DataError(
                f"{path} has the columns {listed(list(map(str, frame.columns)))}, and {files[0].name} has "
                f"{listed(list(map(str, frames[0].columns)))}: shards of one table have the same columns"
            )
    whole = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    where = files[0].name if len(files) == 1 else f"{len(files)} shards, {files[0].name} and on"
    hows = {how for _, how in parts if how}
    return Read(whole, f"{name}: {len(whole):,} rows of {where}{''.join(f', {how}' for how in sorted(hows))}")


def listed(names: Sequence[str], most: int = 16) -> str:
    """Names in a row, the first of many."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _whole(folder: Path, name: str, paths: list[Path]) -> list[Path]:
    if len({path.suffix for path in paths}) > 1:
        raise DataError(f"{folder} holds {name} as {listed([p.name for p in paths])}: keep one format")
    shards = [shard for path in paths if (shard := _SHARD.match(path.stem)) is not None]
    if not shards and len(paths) == 1:
        return paths
    places = listed([str(path.relative_to(folder)) for path in paths])
    if len(shards) < len(paths):
        raise DataError(f"{folder} holds {name} more than once, as {places}: keep one of them")
    totals = {int(shard["total"]) for shard in shards}
    if len(totals) > 1:
        kept = " and ".join(f"of {total}" for total in sorted(totals))
        raise DataError(
            f"{folder} holds shards of {name} {kept}, which are two sets ({places}): keep one set"
        )
    (total,) = totals
    numbers = sorted(int(shard["number"]) for shard in shards)
    if len(set(numbers)) < len(numbers):
        raise DataError(f"{folder} holds a shard of {name} twice ({places}): keep one of each number")
    first = 1 if numbers[-1] == total else 0
    if missing := sorted(set(range(first, first + total)) - set(numbers)):
        raise DataError(
            f"{folder} lacks {len(missing)} of {total} shards of {name} (number {listed(list(map(str, missing)), 5)}): "
            "add them"
        )
    by_number = sorted(zip(shards, paths, strict=True), key=lambda pair: int(pair[0]["number"]))
    return [path for _, path in by_number]


def _read(path: Path) -> tuple[pd.DataFrame, str]:
    """One file as a frame, and what is to be said of how. Cells of CSV stay strings: 007 is an identifier."""
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path), ""
        if path.suffix == ".jsonl":
            return pd.DataFrame(list(_objects(path))), ""
        return _delimited(path)
    except (ValueError, OSError, RecursionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read, write it again ({reason[:200]})") from error


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8: save it as UTF-8"
        ) from error


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError(
                f"{path}, line {number} is not JSON ({error}): each line is one object"
            ) from error
        if not isinstance(value, dict):
            raise DataError(
                f"{path}, line {number} holds {type(value).__name__}, not an object with named fields"
            )
        yield value


def _delimited(path: Path) -> tuple[pd.DataFrame, str]:
    text = _text(path)
    if path.suffix == ".csv":
        return _frame(path, _quoted(path, text, ",")), ""
    # Some programs quote fields of tab-separated files, others take every character as it is. Where no field holds
    # a line end both give the same rows, and the marks around a field are no part of it.
    plain = [(number, line.removesuffix("\r").split("\t")) for number, line in enumerate(text.split("\n"), 1)]
    plain = [(number, fields) for number, fields in plain if fields != [""]]
    try:
        quoted = _quoted(path, text, "\t")
    except DataError:
        quoted = []
    fits = [[len(fields) == len(rows[0][1]) for _, fields in rows] for rows in (quoted, plain) if rows]
    if quoted and all(fits[0]) and len(quoted) == len(plain):
        return _frame(path, quoted), ""
    if plain and all(fits[-1]):
        return _frame(path, plain), PLAIN_TABS
    return _frame(path, quoted or plain), ""


def _quoted(path: Path, text: str, mark: str) -> list[tuple[int, list[str]]]:
    """Rows with the line that each ends on, quotation marks as in RFC 4180."""
    with _long_fields():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
        try:
            return [(reader.line_num, fields) for fields in reader if fields]
        except csv.Error as error:
            raise DataError(
                f"{path}, line {reader.line_num}: {error}: a field that holds a quotation mark stands between two, "
                "and each mark in it is doubled"
            ) from error


@contextmanager
def _long_fields() -> Generator[None]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _frame(path: Path, rows: Sequence[tuple[int, list[str]]]) -> pd.DataFrame:
    import pandas as pd

    if not rows:
        raise DataError(f"{path} is empty: its first line names the columns")
    (_, header), *body = rows
    if (
        len(header) == 1
        and path.suffix == ".csv"
        and (mark := next((m for m in ";\t|" if m in header[0]), ""))
    ):
        raise DataError(f"{path} parts its fields by {mark!r}: save it with commas, or with tabs as .tsv")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise DataError(f"{path} has two columns named {twice[0]!r}: give each a name of its own")
    for line, fields in body:
        if len(fields) != len(header):
            raise DataError(
                f"{path}, line {line} has {len(fields)} field{'' if len(fields) == 1 else 's'} where the first line "
                f"names {len(header)} columns: quote a field that holds the separator, or a line end"
            )
    return pd.DataFrame([fields for _, fields in body], columns=header, dtype=str)
