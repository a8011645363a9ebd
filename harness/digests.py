"""Content hashes: the same bytes under the same names give the same digest anywhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def of_bytes(content: bytes) -> str:
    """sha256 of `content`, in hex."""
    return hashlib.sha256(content).hexdigest()


def of_value(value: Any) -> str:
    """sha256 of a JSON value in canonical form."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def of_files(files: Iterable[Path]) -> str:
    """sha256 over the last two parts of each file's name and its content, in the given order."""
    whole = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        whole.update(f"{file.parent.name}/{file.name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()
