"""Which level is taken for a name, with levels that only say whether they hold."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from harness.errors import ProfileError, SandboxFailed
from harness.isolation import levels
from harness.isolation.process import ProcessLevel

calls: list[str] = []


@dataclass
class Fake:
    """A level that does not hold, for this reason; it holds where there is none."""

    name: str
    reason: str
    note: str = ""

    def check(self) -> None:
        calls.append(f"check {self.name}")
        if self.reason:
            raise SandboxFailed(self.reason)

    def close(self) -> None:
        calls.append(f"close {self.name}")


def three(monkeypatch: pytest.MonkeyPatch, *reasons: str) -> None:
    """Three levels, the strongest last."""
    made = {name: lambda n=name, r=reason: Fake(n, r) for name, reason in zip("abc", reasons, strict=True)}
    monkeypatch.setattr(levels, "LEVELS", made)
    calls.clear()


def test_a_level_that_is_named_is_taken_untried() -> None:
    taken = levels.level("process")
    assert (type(taken), taken.note) == (ProcessLevel, "")
    assert [levels.require_known(name) for name in ("process", "confined", "bubblewrap", "auto")] == [
        "process",
        "confined",
        "bubblewrap",
        "auto",
    ]


@pytest.mark.parametrize("name", ["fortress", "", "Auto"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ProfileError) as caught:
        levels.level(name)
    words = f"isolation level {name!r} is unknown; choose auto or one of process, confined, bubblewrap"
    assert str(caught.value) == words


def test_auto_takes_the_strongest_that_holds_and_closes_those_it_passes_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    three(monkeypatch, "", "", "no wall")
    taken = levels.level("auto")
    assert taken.name == "b"
    assert taken.note == "isolation b, the strongest that holds here; c was passed over: no wall"
    assert calls == ["check c", "close c", "check b"]


def test_where_none_holds_none_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    three(monkeypatch, "no", "no", "no")
    with pytest.raises(SandboxFailed, match="no isolation level can be used"):
        levels.level("auto")
    assert calls == ["check c", "close c", "check b", "close b", "check a", "close a"]
