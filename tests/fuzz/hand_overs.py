"""Fuzzes what submissions hand over: drawn answers and mutated files, to each task's judge and evaluation.

No worker is started. Answers are held against what is due as the parent does it, a judge is called in this
process, and what the task's own code raises, other than a Fault, is misjudged: it would end a run as ours.
"""

from __future__ import annotations

import importlib.util
import io
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from harness.errors import Fault
from harness.inputs import tasks
from harness.inputs.submissions import references
from harness.instances import Answer, ArraySpec, BlobSpec, FromAnswers, FromItem, Instance, Request, Stage
from harness.observer import Silent
from harness.readings import PhaseTime, Sample
from harness.records import Trial
from harness.runs.check import CHECK_SIZE
from harness.runs.evaluate import assess
from harness.runs.options import Options, order
from harness.runs.order import Order, in_one_pair
from harness.runs.prepare import prepare
from harness.trials.validation import check_array
from tests.fuzz.judged import Found, counted

MIB = 2**20
Rng = np.random.Generator


def fuzz(frames: int, seed: int, names: Sequence[str] = ()) -> Found:
    """`frames` hand-overs in all, shared among the tasks `names` (all of them where none is named)."""
    found = Found("hand-overs")
    chosen = list(names or tasks.all_tasks())
    with counted(found):
        for place, name in enumerate(chosen):
            share = frames // len(chosen) + (place < frames % len(chosen))
            if share:
                _fuzz_task(found, name, share, np.random.default_rng([seed, place]))
    return found


def fuzz_reader(
    frames: int, seed: int, whole: bytes, read: Callable[[bytes], object], refuses: type[Exception]
) -> Found:
    """`frames` mutations of `whole` to a judge's function that reads it, or says by `refuses` that it does not."""
    found, rng, names = Found("a judge's reader"), np.random.default_rng(seed), list(MUTATIONS)
    with counted(found):
        for number in range(frames):
            mutation = names[number % len(names)]
            content = MUTATIONS[mutation](whole, rng)
            try:
                read(content)
                outcome = "read"
            except refuses:
                outcome = "refused"
            except Exception as error:  # noqa: BLE001  (whatever it is, a run would end by it)
                outcome = "harness_error"
                found.blame(f"number {number}, {mutation}: {type(error).__name__}: {error}")
            found.frames += 1
            found.outcomes[outcome] += 1
            found.mutations[mutation] += 1
    return found


def _fuzz_task(found: Found, name: str, frames: int, rng: Rng) -> None:
    with Bench.of(name) as bench:
        for number in range(frames):
            mutation, said = "", ""
            try:
                mutation, answers = bench.handed_over(rng)
                outcome = bench.judged(answers)
            except Fault as fault:
                outcome = fault.outcome
            except Exception as error:  # noqa: BLE001  (whatever it is, a run would end by it)
                outcome = "harness_error"
                said = f"{type(error).__name__}: {error}"
            found.frames += 1
            found.outcomes[outcome] += 1
            found.mutations[f"{name}: {mutation}"] += 1
            if outcome == "harness_error":
                found.blame(f"{name}, number {number}, {mutation}: {said or bench.said}")


@dataclass
class Bench:
    """One task at its smallest size, with its judges loaded.

    `whole` is a real hand-over for each blob that a judge reads; `said` is why the last one was refused; `judgements`
    are what judges answered, by item and hand-overs.
    """

    order: Order
    instance: Instance
    judges: dict[str, Any]
    whole: dict[str, bytes]
    said: str = ""
    judgements: dict[tuple[str, tuple[bytes, ...]], Answer] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def of(cls, name: str) -> Iterator[Bench]:
        """The task called `name`; what its judges imported is forgotten afterwards."""
        before = set(sys.modules)
        task = tasks.find(name)
        asked = order(Options(task=name, folder=task.starter, profile="ci-smoke", isolation="process"))
        once = in_one_pair(asked)
        small = replace(once, profile=once.profile.model_copy(update={"size": CHECK_SIZE}))
        instance = prepare(small, 0, Silent()).instance
        context = SimpleNamespace(device="cpu", models=instance.models, threads=1, seed=1)
        judges = {
            stage.judge: loaded(task.folder / stage.judge).Solution(context)
            for stage in instance.stages
            if stage.judge
        }
        bench = cls(small, instance, judges, {})
        if judges:
            expert = loaded(references(name, task.folder)["baseline"].folder).Solution(context)
            bench.whole = bench._made_by(expert)
        yield bench
        for module in set(sys.modules) - before:
            if module in ("model", "solution"):
                del sys.modules[module]

    def _made_by(self, solution: Any) -> dict[str, bytes]:
        """What a reference really hands over for each file that a judge reads."""
        read = {
            value.item
            for stage in self.instance.stages
            if stage.judge
            for request in stage.all_requests()
            for value in request.arguments.values()
            if isinstance(value, FromItem)
        }
        return {
            request.item: getattr(solution, request.phase)(**request.arguments)
            for request in self.instance.requests()
            if request.item in read
        }

    def handed_over(self, rng: Rng) -> tuple[str, dict[str, Answer]]:
        """A mutation's name and the answers of all stages; raises Fault where one is not what is due."""
        drawn = str(rng.choice(list(DRAWN)))
        mutation = str(rng.choice(list(MUTATIONS))) if self.whole else drawn
        answers: dict[str, Answer] = {}
        hit = str(rng.choice(list(self.whole))) if self.whole else ""
        for stage in self.instance.stages:
            for request in (*stage.each, *stage.requests):
                if request.warmup or request.returns is None:
                    continue
                answers[request.item] = (
                    self._asked(stage, request, answers)
                    if stage.judge
                    else self._answered(request, answers, hit, mutation, DRAWN[drawn], rng)
                )
        return mutation, answers

    def _answered(
        self,
        request: Request,
        answers: dict[str, Answer],
        hit: str,
        mutation: str,
        draw: Callable[[ArraySpec, Rng], np.ndarray],
        rng: Rng,
    ) -> Answer:
        for value in request.arguments.values():
            if isinstance(value, FromAnswers):
                value.compute(answers)
        if isinstance(request.returns, ArraySpec):
            with np.errstate(all="ignore"):
                array = draw(request.returns, rng).astype(request.returns.dtype)
            return check_array(array.tobytes(), request.returns, request.phase)
        assert isinstance(request.returns, BlobSpec)
        if request.item in self.whole:
            whole = self.whole[request.item]
            return MUTATIONS[mutation](whole, rng) if request.item == hit else whole
        size = int(rng.choice([0, 1, 100, min(MIB, request.returns.max_bytes)]))
        return rng.bytes(size)

    def _asked(self, stage: Stage, request: Request, answers: dict[str, Answer]) -> Answer:
        """What the judge answers; to the same hand-overs it is asked once, since it keeps nothing of them."""
        arguments = {
            name: answers[value.item] if isinstance(value, FromItem) else value
            for name, value in request.arguments.items()
        }
        handed = tuple(bytes(argument) for argument in arguments.values() if isinstance(argument, bytes))
        if (request.item, handed) not in self.judgements:
            answer = getattr(self.judges[stage.judge], request.phase)(**arguments)
            spec = request.returns
            assert isinstance(spec, ArraySpec)
            raw = np.ascontiguousarray(answer, dtype=spec.dtype).tobytes()
            checked = check_array(raw, spec, request.phase)
            if any(one not in self.whole.values() for one in handed):
                return checked
            self.judgements[request.item, handed] = checked
        return self.judgements[request.item, handed]

    def judged(self, answers: dict[str, Answer]) -> str:
        """The outcome that the task's evaluation comes to."""
        with np.errstate(all="ignore"):
            assessed = assess(self.order.task, self.instance, self._trial(answers), answers)
        self.said = assessed.reason
        return assessed.outcome

    def _trial(self, answers: dict[str, Answer]) -> Trial:
        """A trial that ended well, with a time for each request and some memory."""
        asked = [r for s in self.instance.stages for r in (*s.each, *s.requests) if not r.warmup]
        return Trial(
            number=0,
            role="candidate",
            label="fuzz",
            tier=None,
            submission_digest="",
            instance_id="",
            outcome="ok",
            phases=tuple(PhaseTime(item=r.item, group=r.label, seconds=0.1) for r in asked if not r.timed),
            samples=tuple(
                Sample(item=r.item, group=r.label, seconds=0.1, count=r.count, position=n)
                for n, r in enumerate(r for r in asked if r.timed)
            ),
            peak_host_bytes=2**30,
            base_host_bytes=2**27,
            blob_bytes={item: len(a) for item, a in answers.items() if isinstance(a, bytes)},
        )


def loaded(folder: Path) -> ModuleType:
    """The program in `folder`, imported as a worker does it: beside its own modules."""
    for name in ("model", "solution"):
        sys.modules.pop(name, None)
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("solution", folder / "solution.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(folder))


# ---------------------------------------------------------------- arrays


def _bounds(spec: ArraySpec) -> tuple[float, float]:
    kind = np.dtype(spec.dtype)
    most = np.finfo(kind).max if kind.kind == "f" else np.iinfo(kind).max
    least = np.finfo(kind).min if kind.kind == "f" else np.iinfo(kind).min
    return (least if spec.low is None else spec.low), (most if spec.high is None else spec.high)


def _filled(value: float, spec: ArraySpec) -> np.ndarray:
    return np.full(spec.shape, int(value) if np.dtype(spec.dtype).kind in "iu" else value, dtype=spec.dtype)


def _between(spec: ArraySpec, rng: Rng) -> np.ndarray:
    low, high = _bounds(spec)
    if spec.unique_rows:
        rows = int(np.prod(spec.shape[:-1]))
        drawn = [rng.permutation(int(high) - int(low) + 1)[: spec.shape[-1]] + int(low) for _ in range(rows)]
        return np.array(drawn).reshape(spec.shape)
    if np.dtype(spec.dtype).kind in "iu":
        return rng.integers(int(low), int(high), spec.shape, endpoint=True)
    reach = min(-low, high, 1e30)
    return rng.uniform(-1, 1, spec.shape) * reach


def _edges(spec: ArraySpec, rng: Rng) -> np.ndarray:
    low, high = (_filled(edge, spec) for edge in _bounds(spec))
    return np.where(rng.random(spec.shape) < 0.5, low, high)


def _one_edge(spec: ArraySpec, rng: Rng) -> np.ndarray:
    array = np.array(_between(spec, rng).astype(spec.dtype))
    array.flat[rng.integers(array.size)] = _filled(_bounds(spec)[int(rng.integers(2))], spec).flat[0]
    return array


DRAWN: dict[str, Callable[[ArraySpec, Rng], np.ndarray]] = {
    "anything allowed": _between,
    "normal": lambda spec, rng: rng.normal(size=spec.shape),
    "zeros": lambda spec, rng: np.zeros(spec.shape),
    "the least": lambda spec, rng: _filled(_bounds(spec)[0], spec),
    "the most": lambda spec, rng: _filled(_bounds(spec)[1], spec),
    "least or most": _edges,
    "one at an edge": _one_edge,
    "next to nothing": lambda spec, rng: rng.uniform(-1, 1, spec.shape) * 1e-300,
    "any bytes": lambda spec, rng: np.frombuffer(rng.bytes(spec.nbytes), spec.dtype).reshape(spec.shape),
    "not a number": lambda spec, rng: np.full(spec.shape, np.nan if np.dtype(spec.dtype).kind == "f" else -1),
}

# ---------------------------------------------------------------- files

Mutation = Callable[[bytes, Rng], bytes]


def _flip(whole: bytes, rng: Rng) -> bytes:
    changed = bytearray(whole)
    for _ in range(int(rng.integers(1, 9))):
        changed[rng.integers(len(changed))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _cut(whole: bytes, rng: Rng) -> bytes:
    return whole[: rng.integers(len(whole))]


def _twice(whole: bytes, rng: Rng) -> bytes:
    start, stop = sorted(rng.integers(len(whole), size=2).tolist())
    place = int(rng.integers(len(whole)))
    return whole[:place] + whole[start : min(stop, start + 4096)] + whole[place:]


def _gone(whole: bytes, rng: Rng) -> bytes:
    start = int(rng.integers(len(whole)))
    return whole[:start] + whole[start + int(rng.integers(1, 64)) :]


def _directory(whole: bytes, rng: Rng) -> bytes:
    """A field of the archive's directory set to something telling."""
    changed = bytearray(whole)
    marks = [at for mark in (b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04") for at in _places(whole, mark)]
    at = marks[rng.integers(len(marks))] + 4 + int(rng.integers(42))
    value = TELLING[rng.integers(len(TELLING))]
    changed[at : at + len(value)] = value
    return bytes(changed)


TELLING = [
    b"\0\0",
    b"\xff\xff",
    b"\x0e\0",
    b"\x0c\0",
    b"\x63\0",
    b"\x09\0",
    b"\xff" * 4,
    b"\0" * 4,
    b"\xff" * 8,
]
TELLING += [struct.pack("<I", 2**31), struct.pack("<I", 64 * MIB + 1), b"\x01\0\x08\0"]


def _places(whole: bytes, mark: bytes) -> list[int]:
    found, at = [], whole.find(mark)
    while at >= 0:
        found.append(at)
        at = whole.find(mark, at + 1)
    return found


def _entries(whole: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _packed(entries: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


def _header(whole: bytes, rng: Rng) -> bytes:
    """One array's header replaced by text that a reader of Python's literals may stumble over."""
    entries = _entries(whole)
    name = str(rng.choice(list(entries)))
    text = HEADERS[rng.integers(len(HEADERS))].encode("latin-1")
    version = bytes(rng.choice([1, 1, 1, 2, 3, 255], size=1).astype(np.uint8)) + b"\0"
    body = entries[name][10 + struct.unpack("<H", entries[name][8:10])[0] :]
    length = struct.pack("<H", len(text) % 65536) if version[0] == 1 else struct.pack("<I", len(text))
    return _packed(entries | {name: b"\x93NUMPY" + version + length + text + body})


FORM = "{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}\n"
KINDS = [
    "()",
    "[]",
    "'|O'",
    "'<f8'",
    "''",
    "[('', '')]",
    "'<U9'",
    "('<f4', (0,))",
    "{'names': ()}",
    "'V0'",
    "0",
    "None",
]
SHAPES = [
    "()",
    "(0,)",
    "(-1,)",
    "(2**40,)",
    "(999999999, 999999999)",
    "(1.5,)",
    "('1',)",
    "5",
    f"({'1, ' * 40})",
]
HEADERS = [
    "(",
    "",
    "{",
    "[" * 500,
    "-" * 5000 + "1",
    "()",
    "{1: 2}",
    "'" * 9,
    "\0",
    "0x",
    "1" * 5000,
    "{'a': 'b'",
]
HEADERS += [
    "\xff\xfe",
    "lambda: 0",
    "{'descr': '<f4'}",
    "x" * 60000,
    "{**{}}",
    "{'descr': '<f4', 'shape': (1,)\n",
]
HEADERS += [FORM.format(kind, "False", "(3, 4)") for kind in KINDS]
HEADERS += [FORM.format("'<f4'", order, shape) for order in ("False", "True", "0", "'x'") for shape in SHAPES]


def _arrays(whole: bytes, rng: Rng) -> bytes:
    """Arrays of other shapes, values and names, honestly packed."""
    with np.load(io.BytesIO(whole)) as opened:
        arrays = {name: opened[name] for name in opened.files}
    name = str(rng.choice(list(arrays)))
    arrays[name] = VALUES[rng.integers(len(VALUES))](arrays[name])
    if rng.random() < 0.3:
        arrays[NAMES[rng.integers(len(NAMES))]] = arrays.pop(name)
    out = io.BytesIO()
    (np.savez_compressed if rng.random() < 0.5 else np.savez)(out, **{f"{k}": v for k, v in arrays.items()})
    return out.getvalue()


VALUES: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda a: np.full_like(a, np.nan),
    lambda a: np.full_like(a, np.inf),
    lambda a: np.full_like(a, 3.4e38),
    lambda a: np.full_like(a, 1e-45),
    lambda a: a[:0],
    lambda a: a[..., None],
    lambda a: np.asfortranarray(a.T),
    lambda a: a.astype(np.float64),
    lambda a: a.astype(">f4"),
    lambda a: np.float32(1.0),
    lambda a: np.zeros((3, 0), np.float32),
    lambda a: np.repeat(a, 70, axis=0),
    lambda a: a.view(np.uint8),
    lambda a: a.ravel(),
]
NAMES = [
    "head.weight.A",
    ".A",
    ".B",
    "encoder",
    "a/b",
    "..",
    "x.npy",
    "é",
    "head",
    "embeddings.word_embeddings.A",
]


def _method(whole: bytes, rng: Rng) -> bytes:
    kinds = [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    packed = _packed(_entries(whole), kinds[rng.integers(len(kinds))])
    return packed if rng.random() < 0.3 else _flip(packed, rng)


def _named(whole: bytes, rng: Rng) -> bytes:
    entries = _entries(whole)
    return _packed({**entries, NAMES[rng.integers(len(NAMES))]: rng.bytes(int(rng.integers(200)))})


MUTATIONS: dict[str, Mutation] = {
    "bits": _flip,
    "cut": _cut,
    "a piece twice": _twice,
    "a piece gone": _gone,
    "directory": _directory,
    "header": _header,
    "arrays": _arrays,
    "packing": _method,
    "an entry more": _named,
    "other bytes": lambda whole, rng: rng.bytes(int(rng.integers(2000))),
    "as it is": lambda whole, rng: whole,
}
