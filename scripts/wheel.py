"""Part of the build of a wheel: tasks, references and profiles travel in the folder harness_pack beside the package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKED = ("tasks", "reference_solutions", "configs", "docs/proofs")


class Pack(BuildHookInterface):
    """An editable installation has the checkout; a copy in site-packages would only be one more place to hide."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the folders to a wheel of the version "standard"; to an editable one, nothing."""
        if version == "standard":
            packed = {str(Path(self.root, name)): f"harness_pack/{name}" for name in PACKED}
            build_data["force_include"].update(packed)
