"""Where the project's own folders lie: beside the package in a checkout, in `harness_pack` when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folder(name: str) -> Path:
    """The project's folder `name` (tasks, reference_solutions, configs); it may not exist."""
    checkout = _PACKAGE.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    return checkout / "harness_pack" / name
