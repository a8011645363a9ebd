"""The table of isolation levels, weakest first; `auto` takes the strongest that works on this machine."""

from __future__ import annotations

from harness.errors import ProfileError, SandboxFailed
from harness.isolation.base import Level
from harness.isolation.box.bubblewrap import BubblewrapLevel
from harness.isolation.confined import ConfinedLevel
from harness.isolation.process import ProcessLevel

LEVELS: dict[str, type[ProcessLevel]] = {
    "process": ProcessLevel,
    "confined": ConfinedLevel,
    "bubblewrap": BubblewrapLevel,
}


def require_known(name: str) -> str:
    """Returns `name` if it is a level's name or auto; otherwise raises ProfileError."""
    if name not in LEVELS and name != "auto":
        raise ProfileError(f"isolation level {name!r} is unknown; choose auto or one of {', '.join(LEVELS)}")
    return name


def level(name: str) -> Level:
    """The level called `name`; for auto the strongest whose self-test passes, with the reason in its note."""
    if require_known(name) != "auto":
        return LEVELS[name]()
    passed_over = []
    for strongest in reversed(LEVELS):
        candidate = LEVELS[strongest]()
        try:
            candidate.check()
        except SandboxFailed as error:
            candidate.close()
            passed_over.append(f"{strongest} was passed over: {error}")
            continue
        candidate.note = "; ".join([f"isolation {strongest}, the strongest that holds here", *passed_over])
        return candidate
    raise SandboxFailed("no isolation level can be used on this machine")
