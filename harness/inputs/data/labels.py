"""Cells as labels: whole numbers or else texts, and what to say of those that are neither."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from harness.inputs.data.files import listed

Label = int | str


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def is_number(text: str) -> bool:
    return bool(re.fullmatch(r"0|-?[1-9]\d*", text))


def plainly(label: Label) -> str:
    """A label as somebody may have meant it who wrote 1.0, 01 or " Spam" for 1 and spam."""
    text = str(label).strip().casefold()
    return re.sub(r"^(-?)0+(?=\d)", r"\1", re.sub(r"\.0+$", "", text))


def kind_and_mend(cell: Any) -> tuple[str, str]:
    """What a cell holds that is no label, in words, and what to do about it."""
    if missing(cell) or (isinstance(cell, str) and not cell.strip()):
        return (
            "nothing",
            "write it there, or leave these rows out of the file if they are to count for nothing",
        )
    if isinstance(cell, float):
        return (
            f"a fraction ({cell:g})",
            "name the column of classes, or write classes as whole numbers or texts",
        )
    if hasattr(cell, "__len__"):
        return (
            "several values",
            "a text with several labels has a column has_NAME for each, with true or false",
        )
    kind = type(cell).__name__
    return f"a value of the type {kind}", "write labels as whole numbers or texts"


def as_label(value: Any) -> Label | None:
    """A cell as a label; None where there is none, or a fraction or a list."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()):
        return int(value)
    return None


def strange_to(name: str, strange: Sequence[Label], total: int, values: Sequence[Label]) -> str:
    """What a part holds that no label of train is, beside what train has, and what to do about it."""

    def shown(labels: Sequence[Label]) -> str:
        kind = "whole numbers" if all(isinstance(label, int) for label in labels) else "texts"
        return f"{listed([repr(label) for label in labels], 5)} ({kind})"

    kinds = sorted(set(strange), key=str)
    alike = {plainly(label) for label in values}
    if all(plainly(label) in alike for label in kinds):
        mend = "they look like the same labels, written differently: write them alike in both"
    elif len(strange) == total:
        mend = "none of its labels is known, so that another column may be meant, or other names for the same classes"
    else:
        mend = "add such rows to train, or leave them out of both if they are to count for nothing"
    return (
        f"{len(strange):,} of {total:,} rows of {name} have labels that train lacks: {shown(kinds)}, where train has "
        f"{shown(values)}; {mend}"
    )
