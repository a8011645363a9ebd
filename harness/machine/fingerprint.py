"""The fingerprint of the machine a run was made on."""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from harness.digests import of_value
from harness.machine import devices
from harness.readings import Machine

# Versions that can move a number; anything else on the machine is left out of its identity.
PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "sentence-transformers",
    "datasets",
    "faiss-cpu",
    "numpy",
    "scipy",
    "scikit-learn",
    "onnxruntime",
)


def fingerprint(device: str, threads: int) -> Machine:
    """This machine, as a record; `id` changes whenever a time or quality could change with it."""
    packages = {name: version for name in PACKAGES if (version := _version(name))}
    parts = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "device": devices.name(device),
        "threads": threads,
        "packages": packages,
    }
    memory = psutil.virtual_memory().total
    return Machine(
        id=of_value([parts, memory >> 28])[:16],
        memory_bytes=memory,
        load_before=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        **parts,
    )


@cache  # ten look-ups on disk, which an assessment of many units would repeat for each
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def in_words(machine: Machine) -> str:
    """One line that names a machine: processor, cores, memory, system, Python and torch."""
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    torch = machine.packages.get("torch", "none")
    return (
        f"{machine.processor}, {machine.cores} cores, {memory}, {machine.system}, "
        f"Python {machine.python}, torch {torch}, {machine.threads} thread"
    )
