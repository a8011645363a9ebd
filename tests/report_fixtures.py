"""Realistic runs for the tests of reports and of the web pages: built from fixed draws, no run needed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from harness.proofs import Proof, ProofCheat, ProofGap, ProofStarter, ProofTier
from harness.readings import Counters, MemoryPoint, PairReading, PhaseTime, Sample
from harness.records import (
    Assessed,
    Certificate,
    Condition,
    ConstraintResult,
    Machine,
    Measurement,
    Outcome,
    Probe,
    ProfileUsed,
    Run,
    Rung,
    RunHead,
    Score,
    Series,
    Source,
    Tier,
    Timing,
    Trial,
)

MIB = 1024**2
ESC = "\x1b"
HOSTILE = (
    f"<script>alert('owned')</script>{ESC}[31mred{ESC}[0m {ESC}]0;title\x07\u202egnp.exe\n"
    "<img src=http://evil.example/x.png onerror=alert(1)> & </pre></details>\n"
    "![x](http://evil.example/y.png) [click](javascript:alert(1)) ``` | pipe\n"
    f"{'x' * 5000}\n\x00\x07\x08[bold]not markup[/bold]\n"
)
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "solution.py", line 41, in train\n'
    "    loss = self.step(batch[self.order])\n"
    '  File "solution.py", line 78, in step\n'
    "    return torch.nn.functional.cross_entropy(logits, labels, weight=self.weight)\n"
    "ValueError: <b>expected</b> 20 classes, got 19\n"
)
SPEED: dict[str, float] = {"candidate": 0.86, "baseline": 1.0, "competent": 0.93, "expert": 0.62}
QUALITY: dict[str, float] = {"candidate": 0.812, "baseline": 0.741, "competent": 0.788, "expert": 0.836}


def machine(fingerprint: str = "9f1c2ab07d5e4410c3aa") -> Machine:
    """A laptop."""
    return Machine(
        id=fingerprint,
        system="Linux 6.18.0 x86_64, glibc 2.36",
        processor="AMD EPYC 9R14 Processor with a rather long name, AVX-512, model 17",
        cores=2,
        memory_bytes=15 * 1024**3,
        python="3.11.7",
        packages={
            "torch": "2.13.0+cpu",
            "transformers": "5.2.0",
            "scikit-learn": "1.9.1",
            "faiss-cpu": "1.13.0",
        },
        device="cpu",
        threads=1,
        load_before=0.42,
    )


def head(**changes: object) -> RunHead:
    """What a run was; `changes` replace fields."""
    profile = ProfileUsed(
        name="laptop-cpu",
        size="laptop-cpu",
        device="cpu",
        isolation="confined",
        executor="local",
        threads=1,
        trials=2,
        max_trials=6,
        split="practice",
    )
    sources = (
        Source(
            role="data",
            kind="builtin",
            name="stackdocs",
            digest="sha256:" + "ab12" * 16,
            size_bytes=7412331,
            license="BSD-3-Clause, Apache-2.0",
            public=True,
        ),
        Source(
            role="encoder",
            kind="local",
            name="all-MiniLM-L6-v2",
            digest="sha256:" + "cd34" * 16,
            size_bytes=91_000_000,
            license="Apache-2.0",
            revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        ),
    )
    values: dict[str, object] = {
        "harness_version": "0.1.0",
        "run_id": "20251123-010411-noisy-labels-7f3a",
        "started_at": "2025-11-23T01:04:11+00:00",
        "task": "noisy-labels",
        "task_title": "Fine-tune on labels that are partly wrong",
        "task_version": "1",
        "task_digest": "sha256:" + "0f" * 32,
        "submission": "candidate-17",
        "submission_digest": "sha256:" + "7e" * 32,
        "profile": profile,
        "machine": machine(),
        "sources": sources,
        "stamp": "practice",
        "seed": 7,
        "seed_id": "5c1d88",
        "facts": {"n_train": 1200, "n_test": 400, "noise_rate": 0.3, "noise_kind": "instance-dependent"},
    }
    return RunHead.model_validate(values | changes)


def _samples(rng: random.Random, group: str, centre: float, n: int) -> list[Sample]:
    return [
        Sample(
            item=f"{group}-{i}",
            group=group,
            seconds=centre * rng.lognormvariate(0.0, 0.16) * (2.4 if rng.random() < 0.02 else 1.0),
            count=1,
            position=i,
        )
        for i in range(n)
    ]


def _memory(stage: str, seconds: float, peak: float, device: bool) -> list[MemoryPoint]:
    points = []
    for i in range(41):
        share = min(1.0, 0.15 + 0.85 * min(1.0, i / 16)) * (1.0 if i % 8 < 6 else 0.94)
        points.append(
            MemoryPoint(
                stage=stage,
                seconds=seconds * i / 40,
                host_bytes=int(peak * share * MIB),
                device_bytes=int(peak * 2.2 * share * MIB) if device else None,
            )
        )
    return points


def trial(number: int, who: str, groups: Sequence[tuple[str, float]], device: bool = False) -> Trial:
    """One trial of the candidate or of a tier, timed for `groups` of (name, centre in seconds)."""
    rng = random.Random(f"{number} {who}")
    speed, candidate = SPEED[who], who == "candidate"
    samples = [s for name, centre in groups for s in _samples(rng, name, centre * speed, 120)]
    train = 34.0 * speed * rng.uniform(0.97, 1.03)
    memory = _memory("train", train, 812 * speed, device) + _memory("serve", 9 * speed, 431 * speed, device)
    return Trial.model_validate(
        {
            "number": number,
            "role": "candidate" if candidate else "reference",
            "label": "candidate-17" if candidate else who,
            "tier": None if candidate else who,
            "submission_digest": "sha256:" + "7e" * 32,
            "instance_id": f"{number:02d}c4d9e1b7aa0012",
            "outcome": "ok",
            "phases": (
                PhaseTime(item="start-train", group="start", seconds=4.2 * speed),
                PhaseTime(item="train", group="train", seconds=train),
                PhaseTime(item="save", group="save", seconds=0.00042 * speed),
            ),
            "samples": tuple(samples),
            "memory": tuple(memory),
            "peak_host_bytes": int(812 * speed * MIB),
            "peak_device_bytes": int(1786 * speed * MIB) if device else None,
            "memory_measured_by": "process tree, sampled at 20 Hz",
            "log_head": "epoch 1 loss 2.31\nepoch 2 loss 1.74\nepoch 3 loss 1.52\n" if candidate else "",
            "log_bytes": 54 if candidate else 0,
            "worker_says": {"torch": "2.13.0+cpu", "threads": "1"},
        }
    )


def assessed(number: int, who: str) -> Assessed:
    """What was derived from that trial."""
    value, speed = QUALITY[who], SPEED[who]
    steps = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)
    curve = tuple(value - 0.28 * 0.6**step for step in steps)
    return Assessed.model_validate(
        {
            "number": number,
            "role": "candidate" if who == "candidate" else "reference",
            "label": "candidate-17" if who == "candidate" else who,
            "tier": None if who == "candidate" else who,
            "outcome": "ok",
            "measurements": tuple(measurements(value, speed)),
            "series": (
                Series(
                    name="macro_f1_by_epoch",
                    x_label="epoch",
                    y_label="macro-F1, hidden split",
                    x=steps,
                    y=curve,
                ),
            ),
        }
    )


def measurements(value: float, speed: float) -> list[Measurement]:
    """A full set, with one that is absent."""

    def one(
        name: str, unit: str, better: str, v: float | None, wide: float = 0.02, **more: object
    ) -> Measurement:
        ends = {} if v is None or not wide else {"low": v * (1 - wide), "high": v * (1 + wide)}
        given = {"name": name, "unit": unit, "direction": better, "value": v}
        return Measurement.model_validate(given | ends | more)

    why = "nvidia-ml-py found no device, so nothing was read there"
    return [
        one("macro_f1", "", "higher", value, 0.015),
        one("accuracy", "", "higher", value + 0.021, 0.014),
        one("train_seconds", "s", "lower", 34.0 * speed, 0),
        one("single_p50", "s", "lower", 0.0142 * speed),
        one("single_p95", "s", "lower", 0.0192 * speed, 0.06),
        one("single_throughput", "1/s", "higher", 70.4 / speed),
        one("tokenize_p50", "s", "lower", 31e-6 * speed),
        one("peak_memory", "B", "lower", 812 * speed * MIB, 0, measured_by="process tree, sampled at 20 Hz"),
        one("model_bytes", "B", "lower", 22_713_216, 0, low=22_713_216, high=22_713_216),
        one("device_memory", "B", "lower", None, absent_because=why, measured_by="nvidia-ml-py"),
    ]


def constraint(name: str, verdict: str, value: float | None, **changes: object) -> ConstraintResult:
    """A ratio to the baseline of at most 1.25, unless changed."""
    wide = (None, None) if value is None else (value * 0.97, value * 1.03)
    given: dict[str, object] = {
        "name": name,
        "measure": name.replace(" ", "_"),
        "unit": "x",
        "verdict": verdict,
        "value": value,
        "low": wide[0],
        "high": wide[1],
        "threshold": 1.25,
        "bound": "at_most",
        "reference": "baseline",
        "words": f"{name} is {value}x the baseline's; at most 1.25x is allowed.",
    }
    return ConstraintResult.model_validate(given | changes)


def ladder() -> tuple[Rung, ...]:
    """All three tiers."""
    return (
        Rung(tier="baseline", objective=0.741, points=0.0),
        Rung(tier="competent", objective=0.788, points=49.5, reused_from="20251122-230000-noisy-labels-11aa"),
        Rung(tier="expert", objective=0.836, points=100.0),
    )


def score(**changes: object) -> Score:
    """A passing score; `changes` replace fields."""
    own = measurements(QUALITY["candidate"], SPEED["candidate"])
    values: dict[str, object] = {
        "outcome": "ok",
        "points": 74.7,
        "points_uncapped": 74.7,
        "points_low": 68.2,
        "points_high": 81.3,
        "tier": "competent",
        "objective": own[0],
        "constraints": (
            constraint("training time", "pass", 0.86),
            constraint("p50 inference time", "pass", 0.858, threshold=1.1, words="14.2 ms became 12.2 ms."),
            constraint(
                "peak memory",
                "pass",
                698 * MIB,
                unit="B",
                threshold=2048.0 * MIB,
                reference="",
                words="The whole process tree held 698 MiB at its peak; 2 GiB is allowed.",
            ),
        ),
        "measurements": tuple(own),
        "reasons": (
            "every constraint passed, and macro-F1 0.812 lies above the competent reference's 0.788",
            "the interval of the points (68 to 81) does not reach the expert",
        ),
    }
    return Score.model_validate(values | changes)


GROUPS = (("single", 0.0142), ("tokenize", 31e-6))


def _run(parts: dict[str, object], **changes: object) -> Run:
    return Run.model_validate({"wall_seconds": 187.3, "ladder": ladder()} | parts | changes)


def ok_run(groups: Sequence[tuple[str, float]] = GROUPS, device: bool = False, **changes: object) -> Run:
    """Candidate and three references on two instances, two timed groups, every constraint passed."""
    everyone = [(n, who) for n in (1, 2) for who in SPEED]
    parts: dict[str, object] = {
        "head": head(),
        "trials": tuple(trial(n, who, groups, device) for n, who in everyone),
        "assessed": tuple(assessed(n, who) for n, who in everyone),
        "score": score(),
    }
    return _run(parts, **changes)


def failed_run() -> Run:
    """A good value that broke a constraint: 0 points."""
    bad = constraint(
        "p50 inference time",
        "fail",
        3.17,
        words="The p50 of 45.0 ms is 3.17x the baseline's 14.2 ms; 1.25x is allowed.",
    )
    odd = constraint("peak memory", "inconclusive", 1.24)
    absent = constraint("device memory", "inconclusive", None, words="It was not measured on this machine.")
    why = (
        "p50 inference time is 3.17x the baseline's, and at most 1.25x is allowed: the constraint failed",
        "without the constraint it would have 74.7 points",
    )
    given = score(outcome="budget_exceeded", points=0.0, constraints=(bad, odd, absent), reasons=why)
    return ok_run(score=given, head=head(submission="a-label-that-is-rather-long-" * 3))


def inconclusive_run() -> Run:
    """Readings too noisy for a verdict."""
    odd = constraint("training time", "inconclusive", 1.26)
    why = (
        "training time lies within the noise of its bound after 6 trials; run it again on a quiet machine",
    )
    return ok_run(
        score=score(outcome="inconclusive", points=0.0, constraints=(odd,), reasons=why, tier="none")
    )


def crashed_run(outcome: Outcome = "crashed") -> Run:
    """A submission that raised, and printed what a report must not act on."""
    broken = trial(1, "candidate", ()).model_copy(
        update={
            "outcome": outcome,
            "reason": "train raised ValueError: <b>expected</b> 20 classes, got 19",
            "detail": TRACEBACK + HOSTILE,
            "log_head": HOSTILE,
            "log_tail": HOSTILE + "the last line\n",
            "log_bytes": 1_048_576,
            "peak_host_bytes": None,
            "memory": (),
            "worker_says": {"<i>torch</i>": f"{ESC}[1m2.13"},
        }
    )
    others: list[Tier] = ["baseline", "competent", "expert"]
    nothing = Measurement(
        name="macro_f1",
        unit="",
        direction="higher",
        value=None,
        absent_because="the submission crashed in train",
    )
    empty = score(
        outcome=outcome,
        points=0.0,
        points_uncapped=None,
        points_low=None,
        points_high=None,
        tier="none",
        objective=nothing,
        constraints=(),
        measurements=(nothing,),
        reasons=("train raised ValueError: <b>expected</b> 20 classes, got 19",),
    )
    return ok_run(
        trials=(broken, *(trial(1, who, GROUPS) for who in others)),
        assessed=tuple(assessed(1, who) for who in others),
        score=empty,
        head=head(submission="<script>alert(2)</script>"),
    )


def untimed_run() -> Run:
    """No timed requests, no curves, no constraints, no references."""
    only = trial(1, "candidate", ())
    plain = assessed(1, "candidate").model_copy(update={"series": ()})
    return _run(
        {
            "head": head(stamp="self-check", sources=(), facts={}),
            "trials": (only.model_copy(update={"memory": ()}),),
            "assessed": (plain,),
            "score": score(constraints=(), reasons=()),
            "ladder": (),
        }
    )


def unscored_run() -> Run:
    """A raw record that was stored and never scored."""
    return ok_run(score=None, ladder=(), assessed=())


def beyond_run(points: float = 240.0) -> Run:
    """Far beyond the expert or far below the baseline; tiers close together; official stamp; a device."""
    close = (
        Rung(tier="baseline", objective=0.741, points=0.0),
        Rung(tier="competent", objective=0.8355, points=98.0),
        Rung(tier="expert", objective=0.836, points=100.0),
    )
    held = min(max(points, -25.0), 125.0)
    tier = "expert" if points > 0 else "below baseline"
    own = score(points=held, points_uncapped=points, points_low=points - 9, points_high=points + 9, tier=tier)
    wide = (("single", 0.0142), ("batch", 4.1))
    return ok_run(groups=wide, device=True, ladder=close, score=own, head=head(stamp="official", seed=None))


FLOOR = 0.0002
# What submission and copy take by the baseline in each of five pairs.
IN_PAIRS = {"candidate": (1.18, 1.21, 1.2, 1.23, 1.19), "copy": (1.0, 1.01, 0.99, 0.995, 1.004)}


def paired(found: Trial, ratios: Sequence[float], kinds: bool = True) -> Trial:
    """The trial with one timed group that five fresh workers served; half of a pair's items are slow."""
    samples = [
        Sample(
            item=f"q{p}-{i}",
            group="query",
            seconds=(0.012 + 0.004 * (i % 2)) * ratio + FLOOR,
            count=1,
            position=20 * p + i,
            pair=p,
        )
        for p, ratio in enumerate(ratios)
        for i in range(20)
    ]
    phases = [
        PhaseTime(item="load", group="ready", seconds=0.05 + 0.01 * p, pair=p) for p in range(len(ratios))
    ]
    memory = [point.model_copy(update=_kinds(point) if kinds else {}) for point in found.memory]
    update = {"samples": tuple(samples), "phases": (*found.phases, *phases), "memory": tuple(memory)}
    return found.model_copy(update=update)


def _kinds(point: MemoryPoint) -> dict[str, int]:
    parts = {"anonymous_bytes": point.host_bytes * 7 // 10, "file_bytes": point.host_bytes * 2 // 10}
    return parts | {"shared_bytes": point.host_bytes - sum(parts.values())}


def timing(**changes: object) -> Timing:
    """Times that are certified; `changes` replace fields."""
    counters = Counters(seconds=40.0, cpu_seconds=8.0, wait_seconds=0.1)
    quiet = Condition(
        grade="A", words=("the machine was quiet: 12 ms of waiting a second",), counters=counters
    )
    names = (
        "repeated input",
        "reference alone",
        "stopped means still",
        "empty request",
        "steady state",
        "plausible",
    )
    values: dict[str, object] = {
        "pairs": 5,
        "floor_seconds": FLOOR,
        "certified": True,
        "certificate": Certificate(
            measure="query_p50",
            value=0.994,
            low=0.981,
            high=1.007,
            spread=0.0105,
            margin=0.03,
            pairs=5,
            holds=True,
            words="the baseline against its own copy: 0.994 times (0.981 to 1.007), equal within 3.0%",
        ),
        "condition": quiet,
        "probes": tuple(
            Probe(name=n, verdict="clear", value=None, words=f"of {n}, nothing was found") for n in names
        ),
        "words": ("times are certified: 5 fresh process pairs, machine grade A",),
    }
    return Timing.model_validate(values | changes)


def paired_run(trust: Timing | None = None, **verdict: object) -> Run:
    """One instance served by process pairs, with a copy of the baseline, and a tier that was not timed."""
    pairs = tuple(
        PairReading(stage="serve", pair=p, started=("baseline", "candidate"), floor=(FLOOR,) * 3)
        for p in range(5)
    )
    own = paired(trial(1, "candidate", (), device=True), IN_PAIRS["candidate"]).model_copy(
        update={"pairs": pairs}
    )
    base = paired(trial(1, "baseline", (), device=True), (1.0,) * 5)
    copy = paired(base, IN_PAIRS["copy"]).model_copy(update={"role": "copy"})
    expert = paired(trial(1, "expert", (), device=True), (0.5,)).model_copy(update={"timed": False})
    latency = {
        "verdict": "pass",
        "low": 1.18,
        "high": 1.23,
        "tolerance": 0.03,
        "pairs": 5,
        "measure": "query_p50",
        "words": "median query latency: 1.2 times the baseline's; at most 1.25 allowed",
    }
    given = latency | verdict
    judged = constraint("median query latency", str(given.pop("verdict")), 1.2, **given)
    outcome = "inconclusive" if judged.verdict == "inconclusive" else "ok"
    return ok_run(
        trials=(own, base, expert, copy),
        assessed=tuple(assessed(1, who) for who in ("candidate", "baseline", "expert")),
        score=score(constraints=(judged,), timing=trust or timing(), outcome=outcome),
    )


def doubtful_run() -> Run:
    """Times that nobody should rely on: every check found something."""
    broken = Certificate(
        measure="query_p50",
        value=1.081,
        low=1.064,
        high=1.098,
        spread=0.014,
        margin=0.03,
        pairs=4,
        holds=False,
        words="the baseline against its own copy: 1.081 times (1.064 to 1.098), not equal within 3.0%",
    )
    disturbed = Condition(
        grade="C",
        words=("other work took the core; stop other programs", "not told: the cores' clock"),
        counters=Counters(seconds=40.0),
    )
    probes = (
        Probe(
            name="repeated input",
            verdict="note",
            value=0.1,
            words="answers are remembered (none was asked twice)",
        ),
        Probe(
            name="reference alone", verdict="void", value=1.2, words="the baseline was 20.0% slower beside it"
        ),
        Probe(name="plausible", verdict="implausible", value=1e-6, words="query took 0.001 ms"),
        Probe(name="something new", verdict="clear", value=None, words="as it should be"),
    )
    told = (
        "times are not certified: 4 process pairs, 5 are needed",
        f"times are not certified: {broken.words}",
        "times are not certified: the machine is grade C",
        "times are not certified: the baseline was 20.0% slower beside it",
    )
    trust = timing(
        pairs=4, certified=False, certificate=broken, condition=disturbed, probes=probes, words=told
    )
    too_close = "median query latency: 1.2 times the baseline's, anywhere from 1.1 to 1.4: too close to call"
    return paired_run(trust, verdict="inconclusive", low=1.1, high=1.4, pairs=4, words=too_close)


def proof(proven: bool = True) -> Proof:
    """A task's proof; without `proven` one cheat pays and two tiers are too close."""
    gap = 49.0 if proven else 9.0
    return Proof(
        task="noisy-labels",
        profile="laptop-cpu",
        proven=proven,
        tiers=(
            ProofTier(
                tier="baseline", points_mean=0.0, points_sd=0.0, objective_mean=0.741, objective_sd=0.006
            ),
            ProofTier(
                tier="competent", points_mean=gap, points_sd=6.1, objective_mean=0.788, objective_sd=0.005
            ),
            ProofTier(
                tier="expert", points_mean=100.0, points_sd=0.0, objective_mean=0.836, objective_sd=0.004
            ),
        ),
        separation=(
            ProofGap(lower="baseline", upper="competent", gap_points=gap, pooled_sds=8.0, inversions=0),
            ProofGap(lower="competent", upper="expert", gap_points=100 - gap, pooled_sds=8.3, inversions=1),
        ),
        cheats=(
            ProofCheat(id="constant-label", points=-25.0, outcome="ok", reason="always the same label"),
            ProofCheat(
                id="reads-test", points=0.0 if proven else 100.0, outcome="crashed", reason="opens /data"
            ),
        ),
        starter=ProofStarter(outcome="ok", points=-3.2),
        instances=5,
        wall_seconds=1640.0,
        reasons=() if proven else ("cheat reads-test got 100.0 points, at most 0.0 is allowed",),
    )


RUNS: dict[str, Callable[[], Run]] = {
    "ok": ok_run,
    "failed": failed_run,
    "inconclusive": inconclusive_run,
    "crashed": crashed_run,
    "untimed": untimed_run,
    "unscored": unscored_run,
    "beyond": beyond_run,
    "below": lambda: beyond_run(-180.0),
    "paired": paired_run,
    "doubtful": doubtful_run,
}
