"""Where the project's own folders lie, in a checkout and installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.inputs import layout


def test_a_checkout_has_its_folders_beside_the_package() -> None:
    top = Path(__file__).resolve().parents[2]
    for name in ("tasks", "reference_solutions", "configs"):
        assert layout.folder(name) == top / name


@pytest.mark.parametrize(
    ("present", "place"),
    [
        (("pyproject.toml", "tasks/"), "tasks"),
        (("tasks/",), "harness_pack/tasks"),  # another distribution's folder, beside an installed package
        (("pyproject.toml",), "harness_pack/tasks"),
        (("pyproject.toml/", "tasks"), "harness_pack/tasks"),
        ((), "harness_pack/tasks"),
    ],
)
def test_only_a_checkout_is_taken_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: tuple[str, ...], place: str
) -> None:
    for name in present:
        _ = (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).touch()
    monkeypatch.setattr(layout, "_PACKAGE", tmp_path / "harness")
    assert layout.folder("tasks") == tmp_path / place
