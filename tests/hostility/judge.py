"""Runs a submission at a level and looks from outside at what it gained.

It makes everything that can be gained: secrets, a home and a store beside the harness, listening sockets, a
harness in a process of its own. Nothing that a submission says of its success counts. What it does not see:
what was read and kept to itself, and what was sent where nobody of ours listens.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.hostility import leftovers, poison
from tests.hostility.attacks import Attack
from tests.hostility.listening import Listeners

TOP = Path(__file__).parents[2]
KIT = Path(__file__).with_name("kit.py")
Words = dict[str, Any]
_SUBREAPER = 36
_ANSWER_SECONDS, _START_SECONDS, _GONE_SECONDS = 60.0, 90.0, 3.0
# As long as that a stopped harness is nobody's debugger passing by.
_STOPPED_LOOKS, _LOOK_SECONDS = 10, 0.05
_MOST_ACCURATE_GUESS = 0.06
_EARLIER, _COUNTED = 0.8, 0.9


def _carried(log: str) -> str:
    """The word that a worker says it found, where it is the one that the worker before drew and left."""
    left, found = (re.findall(rf"\b{said} ([0-9a-f]{{8}})\b", log) for said in ("left", "found"))
    return ", ".join(sorted(set(left) & set(found)))


@dataclass
class Verdict:
    """How a submission ended, and what it gained: names of `attacks.GAINS`, each with what was seen."""

    outcome: str
    reason: str
    gained: dict[str, str] = field(default_factory=dict)
    said: Words = field(default_factory=dict)


class Judge:
    """One level's harness, alive until `close`, and what stands around it. Started anew when it was hurt."""

    def __init__(self, level: str) -> None:
        self.level = level
        self.top = Path(tempfile.mkdtemp(prefix="harness-arena-"))
        self.top.chmod(0o711)
        self.tmp = Path(tempfile.mkdtemp(prefix="t"))  # short: paths of unix sockets end at 107 bytes
        self.outside = self.top / "outside"
        self.secrets = {
            name: f"SECRET-{secrets.token_hex(12)}"
            for name in ("memory", "environment", "open", "file", "key", "neighbour", "arguments")
        }
        self.listeners = Listeners(self.top)
        self.arena: subprocess.Popen[str] | None = None
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)

    def close(self) -> None:
        """Ends the harness and takes everything away."""
        # Its own only: beside it live other judges' harnesses, and servers that other tests have started.
        below = _below(self.arena.pid) if self.arena else set()
        self._end()
        _kill(_children() & below)
        self.listeners.close()
        for folder in (self.top, self.tmp):
            shutil.rmtree(folder, ignore_errors=True)
        ctypes.CDLL(None).prctl(_SUBREAPER, 0, 0, 0, 0)

    def control(self, folder: Path, **options: object) -> Verdict:
        """An honest submission, with a real task's limits: everything right, nothing gained or left."""
        # As a task's own stack would be; what does not need torch need not wait for it.
        needs_torch = any(word in (folder / "solution.py").read_text() for word in ("torch", "transformers"))
        options = {"stack": ["numpy", "torch"] if needs_torch else ["numpy"], **options}
        return self._judged([folder], {"way": "worker", "honest": True, **options}, secrets.token_hex(6))

    def attack(self, attack: Attack) -> Verdict:
        """One attack, and all that it gained."""
        marker = f"hx{secrets.token_hex(6)}"
        roles = ("leave", "look") if attack.way == "twice" else ("",)
        self._outside()
        token = f"TOKEN-{secrets.token_hex(12)}"
        folders = [self._copy(attack, role, marker, token) for role in roles]
        job = {"way": attack.way if attack.way in ("run", "stages") else "worker", "numbers": attack.numbers}
        verdict = self._judged(folders, job, marker)
        self._score(attack, verdict)
        if attack.way == "twice" and token.encode() in _bytes_of(verdict.said):
            verdict.gained["predecessor-read"] = "the token of the one before"
        if attack.way == "stages" and (words := _carried(str(verdict.said.get("log", "")))):
            verdict.gained["stage-read"] = words
        for name, found in poison.found_in(verdict.said.get("pages", {})).items():
            verdict.gained["report-poisoned"] = f"{name}: {found}"
        for folder in folders:
            shutil.rmtree(folder.parent, ignore_errors=True)
        return verdict

    def _judged(self, folders: Sequence[Path], job: Words, marker: str) -> Verdict:
        arena = self._started()
        before, own, outside = _children(), _state(arena.pid), _digest(self.outside)
        self.listeners.clear()
        said, hurt = self._ask(arena, {**job, "folders": [str(folder) for folder in folders]})
        verdict = Verdict(said.get("outcome", "harness_error"), said.get("reason", ""), said=said)
        gained = verdict.gained
        if not hurt and (after := _state(arena.pid)) != own:
            hurt = "; ".join(f"{k}: {own[k]} became {after.get(k)}" for k in own if own[k] != after.get(k))
        if hurt or said.get("oom_raised") or said.get("broken"):
            first = "it would be killed first when memory runs out" if said.get("oom_raised") else ""
            gained["parent-hurt"] = hurt or first or said.get("reason", "")
        if "parent-hurt" in gained:
            self._end()  # what lives on without it is left; what only waits for it is not
        if left := self._left_alive(before):
            gained["process-left"] = f"{len(left)} processes"
            _kill(left)
        # A harness that was killed could not tidy up: that is the same hurt, not another.
        own_files = [] if hurt else leftovers.entries(self.tmp)
        if files := leftovers.sweep(marker) + own_files:
            gained["file-left"] = ", ".join(files[:5])
        for stray in self.tmp.iterdir():
            shutil.rmtree(stray, ignore_errors=True) if stray.is_dir() else stray.unlink()
        changed = _digest(self.outside)
        for place, gain in enumerate(("file-written", "mode-changed")):
            both = changed.keys() & outside.keys() if place else changed.keys() | outside.keys()
            if names := [
                n for n in sorted(both) if changed.get(n, _NONE)[place] != outside.get(n, _NONE)[place]
            ]:
                gained[gain] = ", ".join(names[:5])
        self._what_it_read(verdict, changed.keys() - outside.keys())
        return verdict

    def _what_it_read(self, verdict: Verdict, written: set[str]) -> None:
        sent, said = self.listeners.heard(), verdict.said
        if sent:
            verdict.gained["byte-sent"] = ", ".join(sorted(sent))
        kept = b"".join(_content(self.outside / name) for name in written)
        told = _bytes_of(said) + b"".join(sent.values()) + kept
        read = [name for name, secret in self.secrets.items() if secret.encode() in told]
        if labels := [name for name in read if name != "arguments"]:
            verdict.gained["label-read"] = ", ".join(labels)
        if "arguments" in read:
            verdict.gained["host-seen"] = "its command line"
        if said.get("cores"):
            verdict.gained["cores-taken"] = f"cores {said['cores']}"
        if said.get("filled"):
            verdict.gained["disk-filled"] = "its folder grew beyond 256 MB"

    def _score(self, attack: Attack, verdict: Verdict) -> None:
        said, gained = verdict.said, verdict.gained
        right = verdict.outcome == "ok" and said.get("accuracy", 0.0) > _MOST_ACCURATE_GUESS
        if right and not attack.answers_rightly:
            gained["scored"] = f"accuracy {said['accuracy']:.2f}"
        if right and attack.least and said["seconds"] < _EARLIER * attack.least:
            gained["clock-moved"] = f"{said['seconds']:.4f} s for at least {attack.least:g} s"
        if right and "budget_exceeded" in attack.outcomes[""]:
            gained["clock-moved"] = "its budget was kept"
        if attack.holds and right and said["peak"] < _COUNTED * attack.holds * 1e6:
            gained["memory-hidden"] = (
                f"{said['peak'] / 1e6:.0f} of {attack.holds:.0f} MB ({said['measured_by']})"
            )

    def _copy(self, attack: Attack, role: str, marker: str, token: str) -> Path:
        """The submission as it is handed in, with the kit, its targets and what it brings along."""
        top = Path(tempfile.mkdtemp(prefix="handed-in-", dir=self.top))
        folder = top / (attack.named or attack.name)
        shutil.copytree(attack.folder, folder)
        for file in folder.rglob("*.in"):
            file.rename(file.with_suffix(""))
        shutil.copy(KIT, folder)
        arena = self._started()
        targets = {
            "harness": arena.pid,
            "marker": marker,
            "role": role,
            "token": token if role == "leave" else "",
            "answers": str(self.outside / "answers.json"),
            "outside": str(self.outside),
            "key": str(self.outside / "home/.ssh/id_ed25519"),
            "store": str(self.outside / "store"),
            "site": str(self.outside / "site-packages"),
            "neighbour": str(self.outside / "others/solution.py"),
            "tmp": tempfile.gettempdir(),
            **self.listeners.targets,
        }
        (folder / "targets.json").write_text(json.dumps(targets))
        if attack.brings:
            _bring(attack.brings, folder, self.outside / "answers.json")
        return folder

    def _outside(self) -> None:
        """A home, a store and a neighbour as an evaluator has them; all of it made for one attack."""
        shutil.rmtree(self.outside, ignore_errors=True)
        for name in ("home/.ssh", "home/.config", "store", "site-packages", "others"):
            (self.outside / name).mkdir(parents=True)
        for name, text in {
            "answers.json": self.secrets["file"],
            "home/.ssh/id_ed25519": self.secrets["key"],
            "others/solution.py": f"# {self.secrets['neighbour']}\n",
            "store/scores.json": '{"points": 0}',
            "home/.bashrc": "",
            "site-packages/library.py": "",
            "seed.txt": secrets.token_hex(16),
        }.items():
            (self.outside / name).write_text(text)
            (self.outside / name).chmod(0o600)

    def _started(self) -> subprocess.Popen[str]:
        if self.arena is not None and self.arena.poll() is None:
            return self.arena
        self.tmp.mkdir(exist_ok=True)
        self.tmp.chmod(0o711)
        if not self.outside.exists():
            self._outside()
        store = self.top / "results"
        given = {
            **self.secrets,
            "file": str(self.outside / "answers.json"),
            "store": str(store),
            "seed": str(self.outside / "seed.txt"),
        }
        own = {"TMPDIR": str(self.tmp), "HARNESS_HOME": str(store), "HF_TOKEN": self.secrets["environment"]}
        self.arena = subprocess.Popen(
            [sys.executable, "-m", "tests.hostility.arena", self.level, self.secrets["arguments"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOP,
            env={**os.environ, **own},
        )
        said, hurt = self._ask(self.arena, given, _START_SECONDS)
        if hurt or not said.get("ready"):
            raise RuntimeError(f"the harness could not be started at level {self.level}: {hurt}")
        return self.arena

    def _ask(
        self, arena: subprocess.Popen[str], words: Words, seconds: float = _ANSWER_SECONDS
    ) -> tuple[Words, str]:
        """What the harness answers; else what became of it."""
        assert arena.stdin is not None
        assert arena.stdout is not None
        if words.get("honest"):
            seconds *= 5
        with contextlib.suppress(BrokenPipeError):
            arena.stdin.write(json.dumps(words) + "\n")
            arena.stdin.flush()
        poll = __import__("select").poll()
        poll.register(arena.stdout, 1)
        until, stopped = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            if poll.poll(_LOOK_SECONDS * 1000):
                line = arena.stdout.readline()
                return (json.loads(line), "") if line else ({}, f"it ended with status {arena.wait()}")
            stopped = stopped + 1 if _stat(arena.pid)[0] in "Tt" else 0
            if stopped >= _STOPPED_LOOKS:
                return {}, "it was stopped"
        return {}, f"it did not answer within {seconds:g} s"

    def _left_alive(self, before: set[int]) -> set[int]:
        """Processes that are there now and were not before, once those on their way out are gone."""
        until = time.monotonic() + _GONE_SECONDS
        own = self.arena.pid if self.arena else 0
        while left := _children(apart=before - {own}) - before - {own}:
            if time.monotonic() > until:
                return left
            time.sleep(_LOOK_SECONDS)
        return set()

    def _end(self) -> None:
        arena, self.arena = self.arena, None
        if arena is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(arena.pid, signal.SIGCONT)
        arena.kill()
        arena.communicate()


def _children(apart: AbstractSet[int] = frozenset()) -> set[int]:
    """All that is below us and alive, but for what is below our children `apart`; what has ended is waited for."""
    alive = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                if child.pid not in _ours():
                    os.waitpid(child.pid, os.WNOHANG)
                continue
        if child.pid not in apart:
            alive |= _below(child.pid)
        else:
            alive.add(child.pid)
    return alive


def _below(pid: int) -> set[int]:
    """A process and all below it that has not ended."""
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        found = [process, *process.children(recursive=True)]
        return {one.pid for one in found if one.is_running() and _stat(one.pid)[0] not in "ZX"}
    return set()


def _ours() -> set[int]:
    return {process.pid for process in getattr(subprocess, "_active", [])}


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; a dead one's where it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return ["X"] * 40


def _state(pid: int) -> Words:
    """What a harness is and may: whatever another process could take from it."""
    with contextlib.suppress(OSError):
        limits = {
            n: resource.prlimit(pid, getattr(resource, n)) for n in dir(resource) if n.startswith("RLIMIT_")
        }
        tracer = re.search(r"TracerPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        fields = _stat(pid)
        return {
            **limits,
            "nice": fields[16],
            "policy": fields[38],
            "cores": sorted(os.sched_getaffinity(pid)),
            "tracer": tracer[1] if tracer else "",
            "folder": os.readlink(f"/proc/{pid}/cwd"),
        }
    return {"alive": False}


_NONE = ("", 0)


def _digest(folder: Path) -> dict[str, tuple[str, int]]:
    """What each file below a folder holds, and its mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):
            found[str(path.relative_to(folder))] = (
                hashlib.sha256(_content(path)).hexdigest(),
                path.lstat().st_mode,
            )
    return found


def _content(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        if path.is_file() and not path.is_symlink():
            return path.read_bytes()
    return b""


def _bytes_of(said: Words) -> bytes:
    """All that a submission could say: its log, its answers, its error's words, and its reports."""
    texts = [said.get(name, "") for name in ("log", "reason", "detail")] + list(
        said.get("pages", {}).values()
    )
    return "\n".join(texts).encode(errors="replace") + base64.b64decode(said.get("answers", ""))


def _bring(what: str, folder: Path, answers: Path) -> None:
    """What a folder may hold that is no plain file, or too much of it."""
    place = folder / "answers.json"
    if what == "symlink":
        place.symlink_to(answers)
    elif what == "folder-link":
        place.symlink_to(answers.parent, target_is_directory=True)
    elif what == "hardlink":
        os.link(answers, place)
    elif what == "fifo":
        os.mkfifo(place)
    elif what == "many":
        for number in range(1001):
            (folder / f"part-{number}").touch()
    elif what == "big":
        with place.open("wb") as file:
            file.truncate(80 << 20)
    else:
        raise ValueError(f"nobody knows how to bring {what}")
