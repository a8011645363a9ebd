"""The one contract of all isolation levels: what is launched, and what comes back."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.isolation.cgroups import Cgroup

# Passed on because a working interpreter or driver may need them; nothing else of the parent's
# environment reaches a worker, so no token and no path of the evaluator does either.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES")
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "RAYON_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Launch:
    """A worker to be started: its private `home` (created, empty), its `scratch` inside it."""

    home: Path
    scratch: Path
    threads: int
    device: str
    extra_environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Launched:
    """A started worker: its process, and the parent's ends of its socket and output pipes.

    `cgroup` is the control group it was started in; without one, `no_cgroup` says why.
    """

    process: subprocess.Popen[bytes]
    sock: socket.socket
    cgroup: Cgroup | None = None
    no_cgroup: str = ""

    @property
    def pid(self) -> int:
        """The worker's process id, as the parent sees it."""
        return self.process.pid


class Level(Protocol):
    """An isolation level."""

    name: str
    official: bool

    def launch(self, order: Launch) -> Launched:
        """Starts a worker; raises SandboxFailed when it cannot be started as promised."""
        ...


def environment(order: Launch) -> dict[str, str]:
    """A worker's whole environment, made from nothing: threads, private folders, no network hubs."""
    home = str(order.home)
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    variables |= dict.fromkeys(THREAD_VARIABLES, str(order.threads))
    variables |= {
        "HOME": home,
        "USERPROFILE": home,
        "TMPDIR": str(order.scratch),
        "TEMP": str(order.scratch),
        "XDG_CACHE_HOME": f"{home}/cache",
        "HF_HOME": f"{home}/cache/huggingface",
        "TORCHINDUCTOR_CACHE_DIR": f"{home}/cache/inductor",
        "TRITON_CACHE_DIR": f"{home}/cache/triton",
        "CUDA_CACHE_PATH": f"{home}/cache/cuda",
        "MPLCONFIGDIR": f"{home}/cache/matplotlib",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    if order.device == "cpu":
        variables["CUDA_VISIBLE_DEVICES"] = ""
    elif "CUDA_VISIBLE_DEVICES" in os.environ:
        variables["CUDA_VISIBLE_DEVICES"] = os.environ["CUDA_VISIBLE_DEVICES"]
    return variables | dict(order.extra_environment)
