"""Every HMAC of a seed: what is drawn for a run, a task, an instance or a worker from one root."""

from __future__ import annotations

import hashlib
import hmac
from hashlib import sha256
from pathlib import Path

from harness.errors import DataError, UsageError


def derived_seed(secret: bytes, *parts: str) -> int:
    """63 bits from HMAC-SHA256 of the parts under `secret` (RFC 2104): no part tells another."""
    code = hmac.new(secret, "/".join(parts).encode(), hashlib.sha256).digest()
    return int.from_bytes(code[:8], "big") >> 1


def seed_bytes(seed: int | None, secret_file: Path | None) -> bytes:
    """The root of all instance seeds of a run: a public number, or the content of a secret file."""
    if secret_file is None:
        return f"public:{seed or 0}".encode()
    if seed is not None:
        raise UsageError("--seed and --secret-seed-file exclude each other; give one of them")
    try:
        secret = secret_file.read_bytes().strip()
    except OSError as error:
        raise DataError(f"the secret seed file {secret_file} cannot be read: {error.strerror}") from error
    if len(secret) < 16:
        raise DataError(
            f"the secret seed file {secret_file} holds under 16 bytes; `openssl rand -hex 16` makes a good one"
        )
    return b"secret:" + secret


def root_of(secret: bytes, task: str, alias: str = "") -> bytes:
    """The root of a task's instances: HMAC-SHA256 (RFC 2104) of the task, and of the alias for own variants."""
    return hmac.new(secret, f"unit\0{task}\0{alias}".encode(), sha256).digest()
