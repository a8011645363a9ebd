"""A private copy of the checkout, and one run of tests in it, walled off from this machine where that is possible."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType

from tests.mutants.choosing import Recorded

TOP = Path(__file__).parents[2]
KEPT = TOP / ".scratch" / "mutants"
# Small pids of a new namespace meet those of boxes inside it, which the isolation's own test takes for a leak.
_INSIDE = 'echo 20000 2>/dev/null > /proc/sys/kernel/ns_last_pid; "$@"; exit $?'
_WALL = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
_PYTEST = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--no-header", "--tb=line")


class Copy:
    """A copy of every file that git knows or would add, with an environment whose workers import this copy.

    Workers start with -I and see no PYTHONPATH: so the environment's one .pth names the copy, and after it the
    packages of the environment that this process runs in.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True)
        self.top = Path(self._folder.name).resolve() / "copy"
        for name in _listed():
            target = self.top / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, target, follow_symlinks=False)
        subprocess.run(["git", "init", "-q", str(self.top)], check=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(self.top / ".venv")], check=True)
        self.python = self.top / ".venv" / "bin" / "python"
        inside = Path(
            self._output("-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )
        (inside / "copy.pth").write_text(f"{self.top}\n{sysconfig.get_path('purelib')}\n")
        imported = self._output("-I", "-c", "import harness; print(harness.__file__)").strip()
        if not Path(imported).is_relative_to(self.top):
            raise RuntimeError(f"the copy would test {imported}, not itself")

    def __enter__(self) -> Copy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def _output(self, *arguments: str) -> str:
        command = [str(self.python), *arguments]
        return subprocess.run(command, cwd=self.top, check=True, capture_output=True, text=True).stdout

    def write(self, path: str, text: str) -> None:
        """Puts a module's text in place, and takes away what was compiled of it: its time and size may be the same."""
        file = self.top / path
        file.write_text(text, "utf-8")
        for stale in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            stale.unlink()

    def run(self, tests: Sequence[str], limit: float, *options: str) -> tuple[int | None, float, str]:
        """pytest's exit code (None: ended at `limit` seconds), seconds, and the end of what it printed."""
        command = [*wall(), str(self.python), *_PYTEST, *options, *tests]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        began = time.monotonic()
        with tempfile.TemporaryFile() as printed:
            started = subprocess.Popen(
                command,
                cwd=self.top,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            code: int | None = None
            try:
                code = started.wait(limit)
            except subprocess.TimeoutExpired:
                pass
            finally:  # an interrupt as well must leave nothing running
                if started.poll() is None:
                    os.killpg(started.pid, signal.SIGKILL)
                    started.wait()
            printed.seek(max(0, printed.seek(0, os.SEEK_END) - 3000))
            return code, time.monotonic() - began, printed.read().decode(errors="replace")


@cache
def wall() -> tuple[str, ...]:
    """What goes before a command to give it mounts and pids of its own; nothing where that is not allowed."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return ()
    whole = (*_WALL, "sh", "-c", _INSIDE, "sh")
    tried = subprocess.run([*whole, "true"], capture_output=True, check=False)
    return whole if tried.returncode == 0 else ()


@cache
def _listed() -> tuple[str, ...]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=TOP, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(name for name in sorted(set(names)) if name and (TOP / name).is_file())


def digest(names: Iterable[str] | None = None) -> str:
    """Of the program and its tests as they are now: what was recorded of others is worth nothing."""
    whole = hashlib.sha256()
    for name in names if names is not None else _listed():
        own = name.startswith("tests/mutants/") and name != "tests/mutants/recording.py"
        if name.startswith(("harness/", "tests/")) and not own:
            whole.update(f"{name}\0".encode() + hashlib.sha256((TOP / name).read_bytes()).digest())
    return whole.hexdigest()[:16]


def recorded(copy: Copy, files: Sequence[str], limit: float) -> list[Recorded]:
    """What every passing test of these files enters; kept under `.scratch`, which git ignores, file by file."""
    folder = KEPT / digest()
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Recorded] = []
    for file in files:
        kept = folder / f"{file.replace('/', '.')}.jsonl"
        if not kept.is_file():
            fresh = copy.top / "recorded.jsonl"
            fresh.write_text("")
            options = ("-p", "tests.mutants.recording", f"--record={fresh}", "-m", "not slow and not gpu")
            code, seconds, printed = copy.run([file], limit, *options)
            ended = f"cut at {limit:.0f} s" if code is None else f"pytest's code {code}"
            print(f"recorded {file}: {ended}, {seconds:.0f} s", file=sys.stderr)
            if code not in (0, 1, 5, None):
                raise RuntimeError(f"{file} cannot be run without any fault: {printed[-1500:]}")
            shutil.move(fresh, kept)
        whole = (line for line in kept.read_text("utf-8").splitlines() if line.endswith("}"))
        for line in whole:
            row = json.loads(line)
            found.append(Recorded(row["test"], row["seconds"], frozenset(row["functions"])))
    return found
