"""Reads configs/: profiles, the settings of a run, and suites, lists of tasks; the only reader of that folder."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import ProfileError, first_of
from harness.inputs import layout
from harness.records import Split
from harness.sheets import Cut


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataChoice(_Closed):
    """Where data come from: `source` as `--data` takes it, and the role of each column."""

    source: str = "builtin:stackdocs"
    columns: dict[str, str] = {}


class Profile(_Closed):
    """The settings of a run. `size` names the table in each task's task.toml.

    trials, max_trials   instances: so many, and more while a verdict is open
    pairs, max_pairs     fresh process pairs for the timed stage of each, and more while a verdict is open
    pair_seconds         no further pair is begun after so long, a submission's own time left out
    memory_pass          whether each submission also runs alone, for its memory only
    """

    name: str
    description: str = ""
    size: str
    device: Literal["auto", "cpu", "cuda"] = "auto"
    isolation: str = "auto"
    executor: str = "local"
    threads: int = Field(default=1, ge=1)
    trials: int = Field(default=1, ge=1)
    max_trials: int = Field(default=3, ge=1)
    pairs: int = Field(default=5, ge=1)
    max_pairs: int = Field(default=12, ge=1)
    pair_seconds: float = Field(default=600.0, gt=0)
    memory_pass: bool = True
    limit_factor: float = Field(default=1.0, gt=0)
    split: Split = "final"
    data: dict[str, DataChoice] = {}
    model: str = "builtin:all-MiniLM-L6-v2"


class ListedTask(_Closed):
    """One task as a suite's file lists it. `minutes` are a candidate's; left out, the task's own."""

    id: str
    profile: str = "laptop-cpu"
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    minutes: int | None = Field(default=None, gt=0)


class SuiteFile(_Closed):
    """The content of a suite's file."""

    name: str
    title: str = ""
    description: str = ""
    tasks: tuple[ListedTask, ...] = Field(min_length=1)
    cut: Cut | None = None

    @model_validator(mode="after")
    def _each_once(self) -> SuiteFile:
        names = [task.id for task in self.tasks]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the task {twice[0]!r} is listed twice")
        return self


def names() -> list[str]:
    """The profiles that come with the project."""
    return sorted(file.stem for file in (layout.folder("configs") / "profiles").glob("*.toml"))


def read(name: str) -> Profile:
    """The profile called `name`, or in the file `name`; `extends` takes over another's settings."""
    content = _content(name, seen=())
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        raise ProfileError(f"profile {name}: {first_of(error, Profile)}") from error


def suite_names() -> list[str]:
    """The suites that come with the project."""
    return sorted(file.stem for file in (layout.folder("configs") / "suites").glob("*.toml"))


def suite(name: str) -> SuiteFile:
    """The suite called `name`, or in the file `name`; raises ProfileError with what is wrong in it."""
    file = Path(name) if name.endswith(".toml") else layout.folder("configs") / "suites" / f"{name}.toml"
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ProfileError(
            f"there is no suite {name!r}; choose one of {', '.join(suite_names())} or a .toml file"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"suite {file} cannot be read: {error}") from error
    try:
        return SuiteFile.model_validate({"name": file.stem, **content})
    except ValidationError as error:
        raise ProfileError(f"suite {name}: {first_of(error, SuiteFile)}") from error


def _content(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    file = Path(name) if name.endswith(".toml") else layout.folder("configs") / "profiles" / f"{name}.toml"
    if name in seen:
        raise ProfileError(f"profile {name} extends itself by way of {' and '.join(seen)}")
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise ProfileError(
            f"there is no profile {name!r}; choose one of {', '.join(names())} or a .toml file"
        ) from None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"profile {file} cannot be read: {error}") from error
    base = content.pop("extends", None)
    if base is None:
        return {"name": file.stem, **content}
    return {**_content(str(base), (*seen, name)), "name": file.stem, **content}
