"""Local folders of parquet, CSV or JSONL files: read as frames, with digest, licence, column roles and renown."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.digests import of_bytes, of_files
from harness.errors import DataError
from harness.inputs.data import hub, known
from harness.records import Source

if TYPE_CHECKING:
    import pandas as pd

# A role's usual column names, in the order in which they are tried.
ROLES: dict[str, tuple[str, ...]] = {
    "text": ("text", "sentence", "content", "utterance", "question", "document", "sentence_text"),
    "label": ("label", "labels", "gold_label", "category", "intent", "target", "class"),
    "label_name": ("label_name", "label_text"),
    "noisy_label": ("noisy_label",),
    "doc_id": ("_id", "doc_id", "docid", "corpus-id", "corpus_id", "pid", "id"),
    "title": ("title",),
    "passage": ("text", "passage", "contents", "content", "body"),
    "query_id": ("_id", "query_id", "query-id", "qid", "id"),
    "query": ("text", "query", "question"),
    "score": ("score", "relevance", "grade"),
    "split": ("split",),
}
SHARED_ROLES = {"doc_id", "query_id"}  # these are in several tables, maybe under another name in each
FLAG = "has_"  # columns of this prefix each say of one label whether a row has it
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
SUFFIXES = (".parquet", ".csv", ".tsv", ".jsonl")
NOTES = ("DATASET.md", "README.md")

Label = int | str


@dataclass(frozen=True)
class Tables:
    """The tables of a data set by name, the roles the caller gave to columns, and where all came from."""

    frames: Mapping[str, pd.DataFrame]
    columns: Mapping[str, str]
    source: Source
    label_names: Sequence[str] = ()

    def column(self, table: str, role: str) -> str | None:
        """The column that plays `role` in a table: as the caller says, or by its usual name, or None."""
        present = [str(name) for name in self.frames[table].columns]
        chosen = self.columns.get(role)
        if chosen in present:
            return chosen
        if chosen is not None and role not in SHARED_ROLES:
            raise DataError(
                f"{self.source.name}: {table} has no column {chosen!r} for {role}, only {_listed(present)}"
            )
        return next((name for name in ROLES[role] if name in present), None)

    def need(self, table: str, role: str) -> str:
        """As `column`, where the role must be played."""
        column = self.column(table, role)
        if column is None:
            present = _listed([str(name) for name in self.frames[table].columns])
            raise DataError(
                f"{self.source.name}: no column of {table} has a usual name for {role}: "
                f"give columns {role}=NAME, with one of {present}"
            )
        return column

    def texts(self, table: str, role: str, blank_allowed: bool = False) -> tuple[str, ...]:
        """A column of texts; none may be missing or blank unless that is allowed."""
        name = self.need(table, role)
        values = ["" if _missing(value) else value for value in self.frames[table][name].tolist()]
        for row, value in enumerate(values, start=1):
            if not isinstance(value, str):
                raise DataError(
                    f"{self.source.name}: row {row} of {table} holds {value!r} in {name!r}: "
                    f"give {role}=NAME, a column of texts"
                )
            if not blank_allowed and not value.strip():
                raise DataError(f"{self.source.name}: row {row} of {table} has a blank {name!r}: drop it")
        return tuple(values)

    def labels(self, table: str, role: str) -> list[Label]:
        """A column of labels: whole numbers, or else strings."""
        name = self.need(table, role)
        values = [_label(value) for value in self.frames[table][name].tolist()]
        for row, value in enumerate(values, start=1):
            if value is None:
                raise DataError(f"{self.source.name}: row {row} of {table} has no label in {name!r}: drop it")
        present = [value for value in values if value is not None]
        if all(isinstance(value, int) or re.fullmatch(r"-?\d+", value) for value in present):
            return [int(value) for value in present]
        return [str(value) for value in present]

    def flags(self, table: str) -> list[str]:
        """The names of the labels that have a column of their own, `has_<label>`, in the table's order."""
        names = (str(name) for name in self.frames[table].columns)
        return [name.removeprefix(FLAG) for name in names if name.startswith(FLAG)]

    def flag(self, table: str, label: str) -> list[bool]:
        """Which rows have the label: a column of true and false, 1 and 0, or yes and no."""
        name = f"{FLAG}{label}"
        if name not in self.frames[table].columns:
            raise DataError(f"{self.source.name}: {table} has no column {name!r}, which train has: add it")
        values = []
        for row, value in enumerate(self.frames[table][name].tolist(), start=1):
            truth = TRUTHS.get(str(value).strip().lower().removesuffix(".0"))
            if truth is None:
                raise DataError(
                    f"{self.source.name}: row {row} of {table} holds {value!r} in {name!r}: "
                    "write true or false there"
                )
            values.append(truth)
        return values

    def cells(self) -> list[str]:
        """Every cell that holds a text, of all tables."""
        columns = (frame[name].tolist() for frame in self.frames.values() for name in frame.columns)
        return [value for column in columns for value in column if isinstance(value, str)]

    def ids(self, table: str, role: str) -> list[str]:
        """A column of identifiers, as strings."""
        return [str(value) for value in self.frames[table][self.need(table, role)].tolist()]


def read_local(folder: Path, columns: Mapping[str, str], wanted: Sequence[str]) -> Tables:
    """The wanted tables of a local folder; `qrels` wants every table whose name starts so."""
    if not folder.is_dir():
        where = "is a file, not a folder" if folder.exists() else "does not exist"
        raise DataError(
            f"the data folder {folder} {where}: name a folder, builtin:stackdocs or hub:ORG/NAME@COMMIT"
        )
    saved = hub.is_saved(folder)
    groups = {} if saved else _files(folder, wanted)
    files = [path for group in groups.values() for path in group]
    if saved:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
    frames = hub.load_saved(folder) if saved else {name: _read_all(group) for name, group in groups.items()}
    source = Source(
        role="data",
        kind="local",
        name=folder.name,
        digest=of_files(files),
        license=licence(folder),
        size_bytes=sum(path.stat().st_size for path in files),
    )
    data = Tables(_filled(frames, str(folder)), _known_roles(columns), source, _label_names(folder))
    if renown := known.recognised(data.cells()):
        return replace(data, source=source.model_copy(update={"public": True, "revision": renown}))
    return data


def read_hub(name: str, revision: str, columns: Mapping[str, str], configs: Sequence[str | None]) -> Tables:
    """The tables of a hub data set, taken from each of the configurations."""
    repository, _, config = name.partition(":")
    frames: hub.Frames = {}
    for wanted in configs:
        splits = hub.load_splits(repository, revision, wanted or config or None)
        frames |= {split if wanted is None else f"{wanted}_{split}": frame for split, frame in splits.items()}
    content = [f"{key}\n{frame.to_csv(index=False)}".encode() for key, frame in sorted(frames.items())]
    source = Source(
        role="data",
        kind="hub",
        name=name,
        digest=of_bytes(b"\0".join(content)),
        size_bytes=sum(map(len, content)),
        revision=revision,
        public=True,
    )
    return Tables(_filled(frames, name), _known_roles(columns), source)


def licence(folder: Path) -> str:
    """What the folder's notes say of the licence: the front matter's key, or the line under the heading."""
    for name in NOTES:
        try:
            notes = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        stated = re.search(r"^licen[sc]e:\s*(\S.*)$", notes, re.IGNORECASE | re.MULTILINE) or re.search(
            r"^#+ *Licen[sc]e\s*\n+(?:[-*] *)?(\S.*)$", notes, re.IGNORECASE | re.MULTILINE
        )
        if stated:
            return re.split(r" \((?!c\))|\. ", stated[1])[0].strip(" ,.")[:100]
    return "unknown"


def _files(folder: Path, wanted: Sequence[str]) -> dict[str, list[Path]]:
    """Table name -> its files (shards in order), from the folder and its `data` and `qrels`."""
    groups: dict[str, list[Path]] = {}
    for place in (folder, folder / "data", folder / "qrels"):
        for path in sorted(place.iterdir()) if place.is_dir() else []:
            name = re.sub(r"-\d+-of-\d+$", "", path.stem)
            name = f"qrels_{name}" if place.name == "qrels" and place != folder else name
            if path.suffix in SUFFIXES and ("qrels" if name.startswith("qrels") else name) in wanted:
                groups.setdefault(name, []).append(path)
    for name, paths in groups.items():
        if len({path.suffix for path in paths}) > 1:
            raise DataError(f"{folder} holds {name} as {_listed([p.name for p in paths])}: keep one format")
    if not groups:
        present = sorted(path.name for path in folder.iterdir())
        raise DataError(
            f"{folder} has no parquet, CSV, TSV or JSONL file named {' or '.join(wanted)}, "
            f"only {_listed(present) or 'nothing at all'}"
        )
    return groups


def _read_all(files: Sequence[Path]) -> pd.DataFrame:
    import pandas as pd

    frames = [_read(path) for path in files]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    """One file as a frame. Cells of CSV stay strings: 007 is an identifier, and NA may be a text."""
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".jsonl":
            lines = path.read_text(encoding="utf-8").split("\n")
            return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
        mark = "\t" if path.suffix == ".tsv" else ","
        return pd.read_csv(path, sep=mark, dtype=str, keep_default_na=False)
    except (ValueError, OSError, RecursionError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} cannot be read, write it again ({reason[:200]})") from error


def _filled(frames: hub.Frames, where: str) -> hub.Frames:
    for name, frame in frames.items():
        if len(frame) == 0:
            raise DataError(f"{where}: {name} is empty, it needs at least one row")
    return frames


def _known_roles(columns: Mapping[str, str]) -> Mapping[str, str]:
    strange = sorted(set(columns) - set(ROLES))
    if strange:
        raise DataError(f"a column cannot play {strange[0]!r}: the roles are {_listed(list(ROLES))}")
    return columns


def _label_names(folder: Path) -> list[str]:
    """The names in labels.json, where it is a list: entry i names label i."""
    try:
        names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _label(value: Any) -> Label | None:
    """A cell as a label; None where there is none, or a fraction or a list."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return None


def _listed(names: Sequence[str], most: int = 16) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
