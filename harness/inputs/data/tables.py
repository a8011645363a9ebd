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
from harness.inputs.data import files, hub, known
from harness.inputs.data.files import listed
from harness.inputs.data.labels import Label, as_label, is_number, kind_and_mend, missing
from harness.records import Source

if TYPE_CHECKING:
    import pandas as pd

# A role's usual column names, in the order in which they are tried.
ROLES: dict[str, tuple[str, ...]] = {
    "text": ("text", "sentence", "content", "utterance", "question", "document", "sentence_text"),
    "label": ("label", "labels", "gold_label", "category", "intent", "target", "class"),
    "label_name": ("label_name", "label_text"),
    "noisy_label": (),  # never by its name alone
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
NOTES = ("DATASET.md", "README.md")


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
                f"{self.source.name}: {table} has no column {chosen!r} for {role}, only {listed(present)}"
            )
        return next((name for name in ROLES[role] if name in present), None)

    def need(self, table: str, role: str) -> str:
        """As `column`, where the role must be played."""
        column = self.column(table, role)
        if column is None:
            present = listed([str(name) for name in self.frames[table].columns])
            raise DataError(
                f"{self.source.name}: no column of {table} has a usual name for {role}: "
                f"give columns {role}=NAME, with one of {present}"
            )
        return column

    def texts(self, table: str, role: str, blank_allowed: bool = False) -> tuple[str, ...]:
        """A column of texts; none may be missing or blank unless that is allowed."""
        name = self.need(table, role)
        values = ["" if missing(value) else value for value in self.frames[table][name].tolist()]
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
        """A column of labels: whole numbers, or else strings. Raises DataError for what could be meant as either.

        Digits are a number where the number is written so: `01` is a name, and another than `1`.
        """
        name = self.need(table, role)
        cells = self.frames[table][name].tolist()
        values = [as_label(cell) for cell in cells]
        self._require_labels(table, name, cells, values)
        present = [value for value in values if value is not None]
        self._require_apart(table, name, cells, present)
        if all(isinstance(value, int) or is_number(value) for value in present):
            return [int(value) for value in present]
        return [str(value) for value in present]

    def _require_labels(
        self, table: str, name: str, cells: Sequence[Any], values: Sequence[Label | None]
    ) -> None:
        """Raises DataError where a cell holds no label, with what it holds, of which kind, and in how many rows."""
        wrong = [
            (row, cell)
            for row, (cell, value) in enumerate(zip(cells, values, strict=True), 1)
            if value is None
        ]
        if not wrong:
            return
        row, cell = wrong[0]
        kind, mend = kind_and_mend(cell)
        alike = sum(kind_and_mend(other)[0] == kind for _, other in wrong)
        rows = f"row {row} of {table}" + (f" and {alike - 1} more of its {len(cells)}" if alike > 1 else "")
        hold = "hold" if alike > 1 else "holds"
        raise DataError(
            f"{self.source.name}: {rows} {hold} {kind} in {name!r}, where a label is wanted: {mend}"
        )

    def _require_apart(self, table: str, name: str, cells: Sequence[Any], values: Sequence[Label]) -> None:
        """Raises DataError where two labels would become one that were written differently."""
        written: dict[str, Any] = {}
        for cell, value in zip(cells, values, strict=True):
            before = written.setdefault(str(value), cell)
            if isinstance(before, str) != isinstance(cell, str) or (isinstance(cell, str) and before != cell):
                raise DataError(
                    f"{self.source.name}: {table} holds {before!r} and {cell!r} in {name!r}, which would become one "
                    "label: write it in one way, or tell two labels apart by more than blanks"
                )

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
    if saved:
        frames, words = hub.load_saved(folder), ()
        parts = sorted(path for path in folder.rglob("*") if path.is_file())
    else:
        groups = files.found(folder, wanted)
        read = {name: files.read_all(name, group) for name, group in groups.items()}
        frames = {name: one.frame for name, one in read.items()}
        words = tuple(one.words for one in read.values())
        parts = [path for group in groups.values() for path in group]
    source = Source(
        role="data",
        kind="local",
        name=folder.name,
        digest=of_files(parts),
        license=licence(folder),
        size_bytes=sum(path.stat().st_size for path in parts),
        parts=(*(words or _counted(frames)), *_unused(frames, columns)),
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
        parts=_counted(frames),
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


def _counted(frames: hub.Frames) -> tuple[str, ...]:
    return tuple(f"{name}: {len(frame):,} rows" for name, frame in frames.items())


def _unused(frames: hub.Frames, columns: Mapping[str, str]) -> tuple[str, ...]:
    """A column that would be taken up if it were named; it changes what is learned from, so that nobody guesses it."""
    name = "noisy_label"
    there = [
        table for table, frame in frames.items() if name in map(str, frame.columns) and name not in columns
    ]
    return tuple(
        f"{table}: its column {name} is not used; --columns {name}={name} takes it" for table in there
    )


def _filled(frames: hub.Frames, where: str) -> hub.Frames:
    for name, frame in frames.items():
        if len(frame) == 0:
            raise DataError(f"{where}: {name} is empty, it needs at least one row")
    return frames


def _known_roles(columns: Mapping[str, str]) -> Mapping[str, str]:
    strange = sorted(set(columns) - set(ROLES))
    if strange:
        raise DataError(f"a column cannot play {strange[0]!r}: the roles are {listed(list(ROLES))}")
    return columns


def _label_names(folder: Path) -> list[str]:
    """The names in labels.json, where it is a list: entry i names label i."""
    try:
        names = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
