"""Turns what was typed into an Order: task, submission, profile, device, data, model and seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from harness.errors import UsageError
from harness.inputs import contents, profiles, submissions, tasks
from harness.inputs.data import sources
from harness.inputs.profiles import Profile
from harness.isolation.levels import require_known
from harness.machine import devices
from harness.records import TIERS, Tier
from harness.runs.order import Order
from harness.runs.seeds import seed_bytes


@dataclass(frozen=True, kw_only=True)
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


def order(options: Options) -> Order:
    """The order; raises UsageError naming the option that is wrong."""
    task = tasks.find(options.task, options.tasks_root)
    profile = _profile(options)
    seed = 0 if options.seed is None and options.secret_seed_file is None else options.seed
    root = seed_bytes(seed if options.secret_seed_file is None else options.seed, options.secret_seed_file)
    folder = options.folder if options.folder is not None else task.starter
    submission = submissions.read(task.id, folder)
    contents.require_fit(submission, task.definition.limits)
    data = _data(options, profile, task.definition.data)
    if task.definition.data == "none" and (options.data or options.columns):
        given = "--data" if options.data else "--columns"
        raise UsageError(f"{task.id} reads no data set, so that {given} would change nothing; leave it out")
    return Order(
        task=task,
        submission=submission,
        profile=profile,
        device=devices.resolve(profile.device),
        root=root,
        seed=seed,
        data=data,
        model=sources.parse_model(options.model or profile.model),
        against=_tiers(options.against),
        fresh=options.fresh,
        anew=options.anew,
    )


def _profile(options: Options) -> Profile:
    profile = profiles.read(options.profile)
    changed: dict[str, object] = {}
    if options.device is not None:
        if options.device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"--device {options.device} is not known; give auto, cpu or cuda")
        changed["device"] = options.device
    if options.isolation is not None:
        changed["isolation"] = require_known(options.isolation)
    if options.trials is not None:
        changed |= {"trials": options.trials, "max_trials": max(options.trials, profile.max_trials)}
    return profile.model_copy(update=changed)


def _data(options: Options, profile: Profile, kind: str) -> sources.DataSpec:
    choice = profile.data.get(kind, profiles.DataChoice())
    spec = sources.parse_data(options.data or choice.source)
    columns = _columns(options.columns) if options.columns else choice.columns if options.data is None else {}
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
