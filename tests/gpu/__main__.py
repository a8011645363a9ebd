"""`scripts/gpu-check`: everything that needs a GPU to be shown, in under eight minutes, as one table.

Each part stands by itself: one that fails is a row that says so, and the others still run.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.inputs import tasks
from harness.inputs.submissions import references, staged
from harness.isolation.levels import level
from harness.machine import devices, fingerprint
from harness.measures.paired import median_log_ratio
from harness.observer import Silent
from harness.records import Run
from harness.runs import runner
from harness.runs.options import Options, order
from harness.runs.order import in_one_pair
from harness.runs.prepare import prepare, round_of, setting_of
from harness.runs.prove import prove
from harness.store.results import Store
from harness.trials import session
from harness.trials.participant import Entry, Participant, Place, Setting
from harness.trials.schedule import Plan

HERE = Path(__file__).parent
BLOCKS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Row:
    """One line of the table: what was asked, what was found, and whether it is as it should be."""

    part: str
    asked: str
    found: str
    good: bool | None


@dataclass(frozen=True)
class Check:
    """What all parts share."""

    device: str
    profile: str
    quick: bool
    store: Store


def the_tests(check: Check) -> Iterator[Row]:
    """The tests marked gpu."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    last = (done.stdout.strip().splitlines() or ["nothing was printed"])[-1]
    yield Row("tests", "pytest -m gpu", last.strip("= "), done.returncode == 0)


def the_ladders(check: Check) -> Iterator[Row]:
    """Each task's references on the profile's size, one instance."""
    for name in tasks.all_tasks():
        proof = prove(
            order(Options(task=name, profile=check.profile, device=check.device)), 1, Silent(), cheats=False
        )
        told = ", ".join(f"{t.tier} {t.points_mean:.0f} ({t.objective_mean:.3g})" for t in proof.tiers)
        yield Row(
            "ladder", f"{name} on {check.profile}", f"{told}; {proof.wall_seconds:.0f} s", not proof.reasons
        )


def _matmul(check: Check, size: str) -> Run:
    asked = order(
        Options(
            task="matmul",
            folder=HERE / "matmul" / "starter",
            tasks_root=HERE,
            profile=check.profile,
            device=check.device,
        )
    )
    asked = order_with(asked, size=size, max_pairs=5, pairs=5, memory_pass=False)
    return runner.run(asked, check.store)


def order_with(asked: object, **changed: object) -> object:
    """The order with some of its profile's settings changed."""
    from dataclasses import replace

    return replace(asked, profile=asked.profile.model_copy(update=changed))  # type: ignore[type-var, attr-defined]


def the_copies(check: Check) -> Iterator[Row]:
    """A/A: the baseline as its own candidate, several runs."""
    values, wide, certified = [], [], 0
    runs = 2 if check.quick else 4
    for _ in range(runs):
        run = _matmul(check, "gpu-box" if check.device == "cuda" else "laptop-cpu")
        if run.score is None or run.score.timing is None:
            yield Row("A/A", "a scored run", "; ".join(run.score.reasons if run.score else ()), False)
            return
        latency = run.score.constraints[0]
        values.append(latency.value or float("nan"))
        wide.append(((latency.high or 0) - (latency.low or 0)) / 2)
        certified += run.score.timing.certified
    spread = statistics.stdev(np.log(values))
    yield Row(
        "A/A",
        f"{runs} runs of 5 pairs: ratio of equal code",
        f"{min(values):.3f} to {max(values):.3f}, SD {spread:.2%}, half-width {max(wide):.2%}, {certified} certified",
        max(abs(np.log(values))) < 0.03,
    )


def the_blocks(check: Check) -> Iterator[Row]:
    """K, the calls that one worker serves in a row: how far equal code comes apart, and what a first call costs."""
    asked = in_one_pair(
        order(
            Options(
                task="matmul",
                folder=HERE / "matmul" / "starter",
                tasks_root=HERE,
                profile=check.profile,
                device=check.device,
            )
        )
    )
    asked = order_with(asked, size="gpu-box" if check.device == "cuda" else "laptop-cpu")
    baseline = references("matmul", HERE / "matmul")["baseline"]
    for block in BLOCKS[:3] if check.quick else BLOCKS:
        logs, rests = [], []
        for number in range(2 if check.quick else 4):
            prepared = prepare(asked, number, Silent())
            with setting_of(asked) as setting:
                around = round_of(asked, setting, prepared, Silent(), Plan(block=block))
                mine, theirs = around.run([Entry(asked.submission), Entry(baseline, "reference")])
            other = {sample.item: sample.seconds for sample in theirs.trial.samples}
            rows = np.array([[s.seconds, other[s.item]] for s in mine.trial.samples if s.item in other])
            logs.append(median_log_ratio(rows))
            rests.append(float(np.median(rows)))
        yield Row(
            "block",
            f"K = {block}",
            f"ratio {np.exp(np.mean(logs)):.4f}, SD {np.std(logs, ddof=1):.2%}, "
            f"median call {np.mean(rests) * 1e3:.3g} ms",
            None,
        )


def the_freeze(check: Check) -> Iterator[Row]:
    """A stopped worker with a live context: it goes on afterwards, and slows nobody meanwhile."""
    asked = in_one_pair(
        order(
            Options(
                task="matmul",
                folder=HERE / "matmul" / "starter",
                tasks_root=HERE,
                profile=check.profile,
                device=check.device,
            )
        )
    )
    asked = order_with(asked, size="gpu-box" if check.device == "cuda" else "laptop-cpu")
    prepared = prepare(asked, 0, Silent())
    learn, serve = prepared.instance.stages
    setting = Setting(
        task=asked.task, level=level("process"), device=asked.device, threads=asked.profile.threads
    )
    place = Place(setting=setting, models=prepared.instance.models, seed=0, stage="serve")
    requests = [r for r in serve.requests if not r.warmup][:120]
    with staged(asked.submission) as one, staged(asked.submission) as two:
        first, second = (
            Participant(entry=Entry(asked.submission), copy=one),
            Participant(entry=Entry(asked.submission), copy=two),
        )
        try:
            for participant in (first, second):
                participant.start(place)
                participant.ask(learn.requests[0])
                participant.ask(serve.each[0])
            alone = [second.ask(request) for request in requests[:60]]
            before = first.worker.cpu_seconds() if isinstance(first.worker, session.Session) else None
            time.sleep(0.5)
            beside = [second.ask(request) for request in requests[60:]]
            after = first.worker.cpu_seconds() if isinstance(first.worker, session.Session) else None
            again = first.ask(requests[0])
        finally:
            first.close()
            second.close()
    still = (after or 0) - (before or 0)
    ratio = _median(beside) / _median(alone)
    yield Row(
        "freeze",
        "stopped worker goes on; its processor time meanwhile; its neighbour's times",
        f"{'goes on' if again else 'is lost'}; {still * 1e3:.2f} ms; ratio of later to earlier calls {ratio:.3f}",
        again is not None and still < 0.01,
    )


def _median(values: Iterable[float | None]) -> float:
    return statistics.median([value for value in values if value is not None] or [float("nan")])


def the_meter(check: Check) -> Iterator[Row]:
    """NVML: what one reading costs, and what a process of a known size is read as."""
    reader = devices.reader(check.device)
    if reader is None:
        yield Row("NVML", "one reading", "not run: no NVIDIA driver here", None)
        return
    took = []
    for _ in range(200):
        began = time.perf_counter()
        reader.used_bytes([1])
        took.append(time.perf_counter() - began)
    cost = statistics.median(took)
    yield Row(
        "NVML",
        "one reading; share of a core at 100 Hz",
        f"{cost * 1e6:.0f} us; {cost * 100:.2%}",
        cost < 0.002,
    )


PARTS: dict[str, Callable[[Check], Iterator[Row]]] = {
    "nvml": the_meter,
    "freeze": the_freeze,
    "block": the_blocks,
    "aa": the_copies,
    "ladders": the_ladders,
    "tests": the_tests,
}


def attempted(name: str, check: Check) -> Iterator[Row]:
    """A part's rows; its failure is a row as well."""
    began = time.monotonic()
    try:
        yield from PARTS[name](check)
    except Exception as error:  # noqa: BLE001  (a part that breaks must not take the others along)
        yield Row(name, "the part runs", f"{type(error).__name__}: {str(error).splitlines()[0]}", False)
    print(f"gpu-check: {name} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def table(rows: Iterable[Row], device: str) -> str:
    """Markdown."""
    words = {True: "good", False: "BAD", None: ""}
    lines = ["| part | what | found | |", "|---|---|---|---|"]
    lines += [f"| {r.part} | {r.asked} | {r.found} | {words[r.good]} |" for r in rows]
    told = fingerprint.in_words(fingerprint.fingerprint(device, 1))
    return f"{datetime.date.today()}, {told}, {devices.name(device)}\n\n" + "\n".join(lines)


def main() -> int:
    """Runs the parts and prints the table; 1 when one is bad."""
    parser = argparse.ArgumentParser(prog="gpu-check", description=__doc__)
    parser.add_argument(
        "--device", default="cuda", choices=("cuda", "cpu"), help="cpu: a dry run of the check itself"
    )
    parser.add_argument("--profile", default="gpu-box")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer runs, for a dry run")
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    asked = parser.parse_args()
    device = devices.resolve(asked.device)
    with tempfile.TemporaryDirectory(prefix="harness-gpu-check-") as home:
        check = Check(device, asked.profile, asked.quick, Store.open(Path(home)))
        rows = [row for name in asked.only.split(",") for row in attempted(name, check)]
    text = table(rows, device)
    print(text)
    if asked.out:
        asked.out.write_text(text + "\n", "utf-8")
    return int(any(row.good is False for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
