"""Which device a run uses, and the parent's reading of its memory through NVML.

NVML is asked per process over the worker's whole tree. In a container it may know host process
ids only, or show none; as long as it has never named one of our processes, the device's used memory
above what it was before the first worker started is taken instead, which is right only while
nobody else uses the device: other workers of the same round do.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from harness.errors import DeviceError


def nvml() -> Any | None:
    """The pynvml module, initialised, or None where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml


def resolve(wanted: str) -> str:
    """ "cpu" or "cuda" for auto, cpu or cuda; raises DeviceError rather than fall back silently."""
    if wanted == "cpu":
        return "cpu"
    library = nvml()
    count = int(library.nvmlDeviceGetCount()) if library and not _hidden() else 0
    if wanted == "auto":
        return "cuda" if count else "cpu"
    if not count:
        raise DeviceError(
            "device cuda was asked for and this machine shows no NVIDIA GPU; use --device cpu or auto"
        )
    return "cuda"


def _hidden() -> bool:
    # As CUDA reads it: an empty list, or one that begins with -1, shows no device.
    return os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip() in ("", "-1")


def index() -> int:
    """The NVML index of the device that workers see first (CUDA_VISIBLE_DEVICES, else 0)."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0].strip()
    return int(first) if first.isdigit() else 0


def name(device: str) -> str:
    """The device's name for the record."""
    library = nvml() if device == "cuda" else None
    if library is None:
        return device
    text = library.nvmlDeviceGetName(library.nvmlDeviceGetHandleByIndex(index()))
    return text.decode() if isinstance(text, bytes) else str(text)


@dataclass(kw_only=True)
class DeviceMemory:
    """Reads device memory of process trees on one device. `library` has pynvml's interface."""

    library: Any
    handle: Any
    empty_bytes: int
    measured_by: str = "parent: NVML per process"
    asked_about: set[int] = field(default_factory=set)
    knows_ours: bool = False

    @classmethod
    def open(cls, library: Any, device_index: int) -> DeviceMemory:
        """A reader whose baseline is the device's used memory now, before any worker runs."""
        handle = library.nvmlDeviceGetHandleByIndex(device_index)
        empty = int(library.nvmlDeviceGetMemoryInfo(handle).used)
        return cls(library=library, handle=handle, empty_bytes=empty)

    def used_bytes(self, pids: list[int]) -> int | None:
        """Bytes of device memory held by `pids`; the device's growth where NVML does not know them."""
        self.asked_about.update(pids)
        try:
            running = self.library.nvmlDeviceGetComputeRunningProcesses(self.handle)
            mine = [p.usedGpuMemory for p in running if p.pid in pids]
            known = all(used is not None for used in mine)
            self.knows_ours |= known and any(p.pid in self.asked_about for p in running)
            if self.knows_ours:
                return int(sum(mine)) if known else None
            used = int(self.library.nvmlDeviceGetMemoryInfo(self.handle).used)
            if used > self.empty_bytes:
                self.measured_by = "parent: NVML device total less its empty state (exclusive device assumed)"
            return max(0, used - self.empty_bytes)
        except self.library.NVMLError:
            return None


def reader(device: str) -> DeviceMemory | None:
    """A reader for a run on `device`, or None on the CPU."""
    library = nvml() if device == "cuda" else None
    return DeviceMemory.open(library, index()) if library else None
