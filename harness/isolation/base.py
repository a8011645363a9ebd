"""The contract that all isolation levels share: the order for a worker, and the started worker."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from harness.isolation.cgroups import Cgroup
from harness.isolation.tree import Group, Kept

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


@dataclass(frozen=True, kw_only=True)
class Launch:
    """The order for a worker: its private folder `home` (created, empty) with its `scratch` inside.

    `readable` are the files and folders that it may read: the staged submission, the contract, the models; `hidden`
    are folders that it may not, wherever they lie: the tasks and references of the run.
    `stack` names the modules that the task wants imported before a submission is, as `module` or
    `module:attribute`; with a stack the worker may be forked from a process that has imported it. Empty: a
    fresh interpreter that has imported nothing.
    """

    home: Path
    scratch: Path
    threads: int
    device: str
    extra_environment: Mapping[str, str] = field(default_factory=dict)
    stack: tuple[str, ...] = ()
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()


class Process(Protocol):
    """The interface of a started worker's process; `subprocess.Popen` has it, and so has a forked worker."""

    @property
    def pid(self) -> int:
        """Its process id, as the parent sees it."""
        ...

    @property
    def stdout(self) -> IO[bytes] | None:
        """The parent's end of its standard output."""
        ...

    @property
    def stderr(self) -> IO[bytes] | None:
        """The parent's end of its standard error."""
        ...

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it lives."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end; raises subprocess.TimeoutExpired."""
        ...


@dataclass(frozen=True)
class Inherited:
    """Bytes of memory by kind that a worker inherited, and from which process; zero for a fresh interpreter."""

    anonymous: int = 0
    file: int = 0
    stack: str = ""


@dataclass(kw_only=True)
class Launched:
    """A started worker: its process, and the parent's ends of its socket and output pipes.

    `cgroup` is the control group it was started in; without one, `no_cgroup` says why. `forked_from` is the
    process it was forked from, if any: when that process ends, the worker ends too. `keeper` is the ancestor
    of all of the worker's processes, where there is one. `places` maps our paths to their names inside. `boxed`:
    names like /tmp stand for folders of its own.
    `home` is its private folder on our side, where what it writes is looked for.
    `swept` names what the worker left in shared memory, once it has ended.
    """

    process: Process
    sock: socket.socket
    cgroup: Cgroup | None = None
    no_cgroup: str = ""
    inherited: Inherited = field(default_factory=Inherited)
    forked_from: Process | None = None
    keeper: int = 0
    places: Mapping[Path, str] = field(default_factory=dict)
    boxed: bool = False
    home: Path | None = None
    swept: list[str] = field(default_factory=list)

    @property
    def group(self) -> Group | None:
        """The group of all of its processes, also those that left its tree; None if there is no such group."""
        return self.cgroup or (Kept(self.keeper) if self.keeper else None)

    def inside(self, path: Path) -> str:
        """The name that a path of ours has in the worker."""
        for ours, name in self.places.items():
            if path.is_relative_to(ours):
                return str(PurePosixPath(name) / path.relative_to(ours))
        return str(path)

    @property
    def pid(self) -> int:
        """The worker's process id, as the parent sees it."""
        return self.process.pid

    def went_with_another(self) -> bool:
        """Whether the process it was forked from has ended: then the worker may not have ended by itself."""
        if self.forked_from is None:
            return False
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.forked_from.wait(timeout=0.5)  # it may be on its way out still
            return True
        return False


@dataclass(frozen=True)
class Checked:
    """The result of a level's self-test on this machine: what each probe reached, "" if it was refused.

    `promised` names the probes that the level promises to refuse, `residual` says what it is known not to
    stop.
    """

    reached: Mapping[str, str] = field(default_factory=dict)
    promised: tuple[str, ...] = ()
    residual: tuple[str, ...] = ()


class Level(Protocol):
    """An isolation level. `official`: strong enough for an official score; `note`: why this level was chosen."""

    name: str
    official: bool
    note: str

    def check(self) -> Checked:
        """Tests its promises on this machine, once; raises SandboxFailed if one of them does not hold.

        `launch` does this by itself before the first worker.
        """
        ...

    def launch(self, order: Launch) -> Launched:
        """Starts a worker; raises SandboxFailed when it cannot be started as promised."""
        ...

    def warm(self, order: Launch) -> None:
        """Starts importing the order's stack, so that its workers start sooner; optional."""
        ...

    def close(self) -> None:
        """Ends the processes that serve several workers; call it after the workers themselves are closed."""
        ...


def environment(order: Launch) -> dict[str, str]:
    """A worker's complete environment, built from nothing: threads, private folders, no network hubs."""
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
        # pyarrow (pandas and scikit-learn bring it) would start a thread, and a zygote may have but one.
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
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
