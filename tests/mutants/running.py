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
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType

from tests.mutants.choosing import Recorded
from tests.mutants.prefork import BROKEN

TOP = Path(__file__).parents[2]
KEPT = TOP / ".scratch" / "mutants"
# Small pids of a new namespace meet those of boxes inside it, which the isolation's own test takes for a leak.
_INSIDE = 'echo 20000 2>/dev/null > /proc/sys/kernel/ns_last_pid; "$@"; exit $?'
_WALL = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
# What a fork has imported already cannot have its assertions rewritten, and need not.
_IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
_PYTEST = (*_IMPORTED, "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", "--no-header", "--tb=line")


class Copy:
    """A copy of every file that git knows or would add, with an environment whose workers import this copy.

    Workers start with -I and see no PYTHONPATH: so the environment's one .pth names the copy, and after it the
    packages of the environment that this process runs in.
    """

    def __init__(self) -> None:
        self._server: subprocess.Popen[str] | None = None
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
        self.end()
        self._folder.cleanup()

    def end(self) -> None:
        """Ends whatever runs in the copy: an interrupt, too, must leave nothing running."""
        if self._server is not None and self._server.poll() is None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()

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
        printed = self.top.parent / "printed"
        order = {"arguments": [*_PYTEST, *options, *tests], "printed": str(printed), "limit": limit}
        server = self._served()
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        answer = server.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that runs the tests ended with {server.wait()}")
        ended = json.loads(answer)
        text = printed.read_bytes()[-3000:].decode(errors="replace") if printed.is_file() else ""
        if ended["code"] == BROKEN:
            raise RuntimeError(f"a run of tests could not be begun: {text}")
        return ended["code"], ended["seconds"], text

    def _served(self) -> subprocess.Popen[str]:
        """The process that runs the tests in forks of itself; started once."""
        if self._server is None:
            environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
            environment.pop("PYTHONPATH", None)
            walled = ("--walled",) if wall() else ()
            self._server = subprocess.Popen(
                [*wall(), str(self.python), "-m", "tests.mutants.prefork", *walled],
                cwd=self.top,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        return self._server


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
            if code is None:  # cut: what there is serves this run alone
                kept = fresh
            else:
                shutil.move(fresh, kept)
        whole = (line for line in kept.read_text("utf-8").splitlines() if line.endswith("}"))
        for line in whole:
            row = json.loads(line)
            found.append(Recorded(row["test"], row["seconds"], frozenset(row["functions"])))
    return found
