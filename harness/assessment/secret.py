"""An assessment's secret: kept or made, and the order of units that is drawn from it."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from harness.assessment.executors.base import Unit
from harness.errors import UsageError
from harness.runs.seeds import seed_bytes


def secret_of(suite: str, home: Path, file: Path | None) -> bytes:
    """The assessment's secret: from `file`, or 128 bits kept under `home`, made on first use (mode 0600).

    Raises UsageError where it cannot be made, DataError where the file holds none that was drawn at random.
    """
    if file is None:
        file = home / "assessments" / f"{re.sub(r'[^A-Za-z0-9._-]', '-', suite)}.secret"
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not file.exists():
                make_secret(file)
        except OSError as error:
            raise UsageError(f"the secret {file} cannot be made: {error.strerror}") from error
    return seed_bytes(None, file)


def make_secret(file: Path) -> None:
    """Draws 128 bits and keeps them in `file`, for its owner alone; where it is there already, it stays as it is.

    It is written whole or not at all: a crash must not leave a short secret, nor two commands make two secrets.
    """
    making = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    opened = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(opened, secrets.token_hex(16).encode() + b"\n")
        os.fsync(opened)
    finally:
        os.close(opened)
    try:
        os.link(making, file)
    except FileExistsError:
        pass
    finally:
        making.unlink()


def shuffled(units: Sequence[Unit], secret: bytes) -> list[Unit]:
    """The units in rounds: each candidate has one unit in a round, and each round's order is drawn anew.

    Drawn from the secret, so that a resumed command keeps the order.
    """

    def drawn(*words: str) -> bytes:
        return hmac.new(secret, "\0".join(("order", *words)).encode(), sha256).digest()

    by_candidate: dict[str, list[Unit]] = {}
    for unit in units:
        by_candidate.setdefault(unit.candidate, []).append(unit)
    for alias, own in by_candidate.items():
        own.sort(key=lambda unit, alias=alias: drawn(alias, unit.task))
    ordered: list[Unit] = []
    for number in range(max(map(len, by_candidate.values()), default=0)):
        turn = sorted(by_candidate, key=lambda alias, number=number: drawn(str(number), alias))
        ordered += [by_candidate[alias][number] for alias in turn if number < len(by_candidate[alias])]
    return ordered
