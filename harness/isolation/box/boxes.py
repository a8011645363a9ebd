"""One sandbox ("box") of bubblewrap: what is visible inside, under which names, and the command that enters it.

Inside are the system's /usr, the interpreter as /python and /venv, the worker's half of the harness, and the
submission's files below /given. All of these are read-only; /tmp, /dev/shm and /box are memory disks of a
fixed size. No path, name or process of the outside is visible inside.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import SandboxFailed
from harness.isolation.base import Launch, environment
from harness.isolation.confined import cuda_devices, path_files
from harness.isolation.hiding import PACKAGE, hidden_in

HOME, SCRATCH = Path("/box"), Path("/box/scratch")
# Made anew for each worker; the sizes are what it can fill.
DISKS = (("/dev/shm", 1 << 30), ("/tmp", 1 << 30), ("/box", 4 << 30))
_ZYGOTE = (
    "import sys, runpy; sys.path.insert(0, '/harness'); "
    "runpy.run_module('harness.worker.zygote', run_name='__main__', alter_sys=True)"
)
_PASSWD = b"box:x:1000:1000:box:/box:/bin/sh\n"
_OPTIONAL = (
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/localtime",
    "/etc/mime.types",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/kernel/mm/transparent_hugepage",
)


@dataclass(kw_only=True)
class Box:
    """What the box will contain: mounts (source, name inside, may be missing), files by content, other options."""

    mounts: list[tuple[str, str, bool]] = field(default_factory=list)
    contents: list[tuple[bytes, str]] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    covers: list[tuple[str, int]] = field(default_factory=list)
    places: dict[Path, str] = field(default_factory=dict)
    python: str = ""

    def show(self, source: Path | str, name: str, missing: bool = False) -> None:
        """Shows a folder or file of ours, read-only."""
        self.mounts.append((str(source), name, missing))


def box_for(order: Launch) -> Box:
    """The box of one submission's workers."""
    box = Box()
    box.show("/usr", "/usr")
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", name)
        if path.is_symlink():
            box.options += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            box.show(path, str(path))
    for optional in _OPTIONAL:
        box.show(optional, optional, missing=True)
    box.contents.append((_PASSWD, "/etc/passwd"))
    _interpreter(box)
    _cover(box, order.hidden)
    box.show(PACKAGE / "__init__.py", "/harness/harness/__init__.py")
    box.show(PACKAGE / "worker", "/harness/harness/worker")
    for number, path in enumerate(order.readable):
        _given(box, path.absolute(), f"/given/{number}/{path.name}")
    return box


@functools.cache
def _base_python() -> Path:
    return Path(os.path.realpath(sys.executable))


def _interpreter(box: Box) -> None:
    """Shows Python as /python and its environment as /venv, without any other part of the harness."""
    base, prefix = Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve()
    if not _base_python().is_relative_to(base):
        raise SandboxFailed(
            f"{_base_python()} lies outside its own prefix {base}; level bubblewrap needs an ordinary Python"
        )
    moved = not base.is_relative_to("/usr")
    names = {base: "/python" if moved else str(base)}
    if moved:
        box.show(base, "/python")
    box.python = f"{names[base]}/{_base_python().relative_to(base)}"
    if prefix != base:
        names[prefix] = "/venv"
        _environment_of(box, prefix, box.python)
        box.python = "/venv/bin/python"
    _path_files(box, names)


def _cover(box: Box, named: Sequence[Path]) -> None:
    """Empty folders over tasks, references and the harness's own half, wherever what is shown holds them."""
    added = [folder for folders in path_files().values() for folder in folders]
    shown = [Path(folder) for folder in (sys.base_prefix, sys.prefix, *added, "/usr")]
    for path in hidden_in(shown, named):
        for source, inside, _ in box.mounts:
            if (real := Path(os.path.realpath(source))) in path.parents:
                box.covers.append((f"{inside}/{path.relative_to(real)}", 1 << 12))


def _path_files(box: Box, names: dict[Path, str]) -> None:
    """Further folders of the import path: shown, and given to Python by their names inside."""
    for number, (file, folders) in enumerate(path_files().items()):
        # Libraries tell by "site-packages" in a path what was installed: dill pickles such by name alone.
        inside = [f"/packages/{number}-{i}/site-packages" for i in range(len(folders))]
        for folder, name in zip(folders, inside, strict=True):
            box.show(folder, name)
        for outside, named in names.items():
            if folders and file.resolve().is_relative_to(outside):
                content = "".join(f"{name}\n" for name in inside).encode()
                box.contents.append((content, f"{named}/{file.resolve().relative_to(outside)}"))


def _environment_of(box: Box, prefix: Path, python: str) -> None:
    box.show(prefix / "lib", "/venv/lib")
    for name in ("include", "share", "etc"):
        box.show(prefix / name, f"/venv/{name}", missing=True)
    for name in ("python", "python3", f"python{sys.version_info.major}.{sys.version_info.minor}"):
        box.options += ["--symlink", python, f"/venv/bin/{name}"]
    if (prefix / "lib64").is_symlink():
        box.options += ["--symlink", "lib", "/venv/lib64"]
    settings = (prefix / "pyvenv.cfg").read_text().splitlines()
    system = next((line for line in settings if line.startswith("include-system-site-packages")), "")
    content = f"home = {os.path.dirname(python)}\n{system}\n"
    box.contents.append((content.encode(), "/venv/pyvenv.cfg"))


def _given(box: Box, path: Path, name: str) -> None:
    """Shows a folder as it is, or file by file if it has links that lead outside of it (a hub's cache)."""
    box.places[path] = name
    if not any(file.is_symlink() for file in path.rglob("*")):
        box.show(path, name)
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            box.show(file.resolve(), f"{name}/{file.relative_to(path)}")


def sources(box: Box) -> list[str]:
    """Every path of ours that is shown and exists."""
    return [source for source, _, missing in box.mounts if not missing or os.path.exists(source)]


def arguments(box: Box, order: Launch, renamed: dict[str, str], fds: Sequence[int]) -> list[str]:
    """The arguments of bwrap. `renamed`: the name that a source has for bwrap; `fds`: a descriptor of each content."""
    words = [
        "--unshare-all",
        "--unshare-user",
        "--disable-userns",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        "--uid",
        "1000",
        "--gid",
        "1000",
        "--hostname",
        "box",
        # The zygote's, for the namespaces of its workers, who give it up before they see any submission.
        "--cap-add",
        "CAP_SYS_ADMIN",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    for disk, size in DISKS:
        words += ["--size", str(size), "--tmpfs", disk]
    words += box.options
    for source, name, missing in box.mounts:
        if not missing or os.path.exists(source):
            words += ["--ro-bind", renamed.get(source, source), name]
    for fd, (_, name) in zip(fds, box.contents, strict=True):
        words += ["--ro-bind-data", str(fd), name]
    for name, size in box.covers:
        words += ["--size", str(size), "--tmpfs", name, "--remount-ro", name]
    if order.device == "cuda":
        words += ["--ro-bind", "/sys", "/sys"]
        for device in cuda_devices():
            words += ["--dev-bind", device, device]
    for variable, value in zygote_environment(order).items():
        words += ["--setenv", variable, value]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(HOME)]


def worker_environment(order: Launch) -> dict[str, str]:
    """A worker's whole environment, with nothing in it that names a place outside."""
    variables = environment(Launch(home=HOME, scratch=SCRATCH, threads=order.threads, device=order.device))
    kept = [
        part for part in variables.pop("LD_LIBRARY_PATH", "").split(":") if part.startswith(("/usr/", "/lib"))
    ]
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and not sys.base_prefix.startswith("/usr"):
        kept.append("/python/lib")
    variables |= {
        "PATH": "/venv/bin:/python/bin:/usr/local/bin:/usr/bin:/bin",
        "USER": "box",
        "LOGNAME": "box",
    }
    return variables | ({"LD_LIBRARY_PATH": ":".join(kept)} if kept else {})


def zygote_environment(order: Launch) -> dict[str, str]:
    """The same for the zygote, which is also told that every process around it belongs to its worker."""
    return worker_environment(order) | {"HARNESS_BOXED": "1", "HOME": "/box/zygote"}


def zygote_command(box: Box, fd: int, stack: Sequence[str]) -> list[str]:
    """The command that runs in the box."""
    return [box.python, "-I", "-P", "-u", "-c", _ZYGOTE, str(fd), *stack]
