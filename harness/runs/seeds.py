"""Every HMAC of a seed: what is drawn for a run, a task, an instance or a worker, and the keys it is drawn from."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from harness.errors import DataError, UsageError

KEY_BYTES = 16  # 128 bits
_HEX = frozenset(b"0123456789abcdefABCDEF")
# Of 32 digits drawn at random fewer are distinct once in 26 million times (C(16, 7) (7/16)^32).
_LEAST_DISTINCT = 8


def derived_seed(secret: bytes, *parts: str) -> int:
    """63 bits from HMAC-SHA256 of the parts under `secret` (RFC 2104): no part tells another."""
    code = hmac.new(secret, "/".join(parts).encode(), hashlib.sha256).digest()
    return int.from_bytes(code[:8], "big") >> 1


def worker_seed(key: bytes, task: str, number: str) -> int:
    """The 31 bits that a worker is given as its seed on an instance, drawn from the key of its run."""
    return derived_seed(key, task, "worker", number) & 0x7FFFFFFF


def new_key() -> bytes:
    """128 bits from the system's random numbers, for one run's workers."""
    return secrets.token_bytes(KEY_BYTES)


def new_secret() -> bytes:
    """A fresh root of instance seeds, 128 bits that nobody knows yet, as `seed_bytes` gives those of a file."""
    return b"secret:" + secrets.token_hex(KEY_BYTES).encode()


def seed_bytes(seed: int | None, secret_file: Path | None) -> bytes:
    """The root of all instance seeds of a run: a public number, or the content of a secret file.

    Raises UsageError for both at once, DataError for a file that cannot be read or holds no secret that was drawn:
    a phrase could be guessed and tried against the hash in every record, at millions a second.
    """
    if secret_file is None:
        return f"public:{seed or 0}".encode()
    if seed is not None:
        raise UsageError("--seed and --secret-seed-file exclude each other; give one of them")
    root = root_in(secret_file)
    if weak := weakness(root):
        raise DataError(
            f"the secret seed file {secret_file} {weak}, which can be guessed; "
            "`harness keys secret FILE` makes one of 128 random bits, and so does `openssl rand -hex 16`"
        )
    return root


def root_in(secret_file: Path) -> bytes:
    """The root that a secret file holds, however weak: for a record that was made of it before secrets were tested."""
    try:
        return b"secret:" + secret_file.read_bytes().strip()
    except OSError as error:
        raise DataError(f"the secret seed file {secret_file} cannot be read: {error.strerror}") from error


def weakness(root: bytes) -> str:
    """What shows that a secret root was not drawn at random with 128 bits or more; '' where nothing does.

    Only hexadecimal digits are taken, since nobody writes a phrase in them. That they are random cannot be seen, but
    what is typed with one finger can: few digits, a part that is repeated, digits that count up or down.
    """
    secret = root.removeprefix(b"secret:")
    if len(secret) < 2 * KEY_BYTES or not _HEX.issuperset(secret):
        return f"holds no {2 * KEY_BYTES} or more hexadecimal digits"
    digits = secret.lower()
    repeats = any(digits[shift:] == digits[:-shift] for shift in range(1, len(digits) // 2 + 1))
    steps = Counter((int(b, 16) - int(a, 16)) % 16 for a, b in pairwise(digits.decode()))
    counted = max(*steps.values(), steps[0] + steps[1] + steps[15])
    if len(set(digits)) < _LEAST_DISTINCT or repeats or 3 * counted > 2 * len(digits):
        return "holds hexadecimal digits that follow a pattern"
    return ""


def root_of(secret: bytes, task: str, alias: str = "") -> bytes:
    """The root of a task's instances: HMAC-SHA256 (RFC 2104) of the task, and of the alias for own variants."""
    return hmac.new(secret, f"unit\0{task}\0{alias}".encode(), sha256).digest()
