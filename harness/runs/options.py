"""Turns what was typed into an Order: task, submission, profile, device, data, model and seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from harness.errors import UsageError
from harness.inputs import profiles, submissions, tasks
from harness.inputs.data import sources
from harness.inputs.profiles import Profile
from harness.isolation.levels import require_known
from harness.machine import devices
from harness.records import TIERS, Tier
from harness.runs.order import Order
from harness.runs.seeds import seed_bytes


@dataclass(frozen=True)
class Options:
    """The options of `check`, `run` and `prove`, as typed; None where nothing was."""

    task: str
    folder: Path | None = None
    tasks_root: Path | None = None
    profile: str = "laptop-cpu"
    device: str | None = None
    data: str | None = None
    columns: str | None = None
    model: str | None = None
    seed: int | None = None
    secret_seed_file: Path | None = None
    isolation: str | None = None
    trials: int | None = None
    against: str | None = None
    fresh: bool = False
    anew: bool = False


def order(asked: Options) -> Order:
    """The order; raises UsageError naming the option that is wrong."""
    task = tasks.find(asked.task, asked.tasks_root)
    profile = _profile(asked)
    seed = 0 if asked.seed is None and asked.secret_seed_file is None else asked.seed
    root = seed_bytes(seed if asked.secret_seed_file is None else asked.seed, asked.secret_seed_file)
    folder = asked.folder if asked.folder is not None else task.starter
    submission = submissions.read(task.id, folder)
    return Order(
        task=task,
        submission=submission,
        profile=profile,
        device=devices.resolve(profile.device),
        root=root,
        seed=seed,
        data=_data(asked, profile, task.definition.data),
        model=sources.parse_model(asked.model or profile.model),
        against=_tiers(asked.against),
        fresh=asked.fresh,
        anew=asked.anew,
    )


def _profile(asked: Options) -> Profile:
    profile = profiles.read(asked.profile)
    changed: dict[str, object] = {}
    if asked.device is not None:
        if asked.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device {asked.device} is not known; give auto, cpu or cuda")
        changed["device"] = asked.device
    if asked.isolation is not None:
        changed["isolation"] = require_known(asked.isolation)
    if asked.trials is not None:
        changed |= {"trials": asked.trials, "max_trials": max(asked.trials, profile.max_trials)}
    return profile.model_copy(update=changed)


def _data(asked: Options, profile: Profile, kind: str) -> sources.DataSpec:
    choice = profile.data.get(kind, profiles.DataChoice())
    spec = sources.parse_data(asked.data or choice.source)
    columns = _columns(asked.columns) if asked.columns else choice.columns if asked.data is None else {}
    return replace(spec, columns=columns)


def _columns(text: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in text.split(",") if part.strip()]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise UsageError(f"--columns {text!r} is not ROLE=COLUMN,...; for example text=sentence,label=gold")
    return {role.strip(): column.strip() for role, column in pairs}


def _tiers(text: str | None) -> tuple[Tier, ...]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    unknown = [name for name in names if name not in TIERS]
    if unknown:
        raise UsageError(f"--against {unknown[0]} is no tier; give some of {', '.join(TIERS)}")
    return tuple(cast(Tier, name) for name in names)
