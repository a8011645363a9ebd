"""The table of isolation levels, weakest first; `auto` takes the strongest that this machine has."""

from __future__ import annotations

from harness.errors import ProfileError
from harness.isolation.base import Level
from harness.isolation.process import ProcessLevel

LEVELS: dict[str, type[Level]] = {"process": ProcessLevel}


def level(name: str) -> Level:
    """The level called `name`; raises ProfileError when there is none."""
    if name == "auto":
        name = list(LEVELS)[-1]
    if name not in LEVELS:
        raise ProfileError(f"isolation level {name!r} is unknown; choose auto or one of {', '.join(LEVELS)}")
    return LEVELS[name]()
