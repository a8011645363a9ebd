"""The candidate's fast loop: one pass on the smallest instance, and what would make the real run fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness import syntax
from harness.grading.comparison import Comparison, side
from harness.grading.criteria import IMPLIED_LEAST, IMPLIED_STARTS
from harness.grading.verdicts import judge
from harness.inputs import submissions
from harness.inputs.tasks import Task
from harness.instances import Instance
from harness.measures.names import is_memory, is_time
from harness.observer import Observer
from harness.records import Assessed, Trial
from harness.runs.evaluate import assess
from harness.runs.order import Order, in_one_pair
from harness.runs.prepare import prepare, round_of, setting_of
from harness.trials.participant import Entry

CHECK_SIZE = "check"
NEAR = 0.5  # of a limit: from here on a busier machine may pass it
_OURS = {"harness", "tasks", "reference_solutions"}


@dataclass(frozen=True)
class Checked:
    """The result of a check: the trial, what was measured, what is wrong and what to look out for.

    `read` says what was read of data of one's own: rows of each part, and of which file.
    """

    trial: Trial
    assessed: Assessed
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    read: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the real run may be expected to go through."""
        return not self.problems


def check(order: Order, observer: Observer) -> Checked:
    """Runs the submission alone on the size called `check`, without references and without a score."""
    once = in_one_pair(order)
    small = replace(once, profile=once.profile.model_copy(update={"size": CHECK_SIZE}))
    with setting_of(small) as setting:
        prepared = prepare(small, 0, observer)
        (outcome,) = round_of(small, setting, prepared, observer).run([Entry(order.submission)])
    assessed = assess(order.task, prepared.instance, outcome.trial, outcome.answers)
    problems = (
        [f"{assessed.outcome.replace('_', ' ')}: {assessed.reason}"] if assessed.outcome != "ok" else []
    )
    problems += list(_forbidden_imports(order.submission.folder, order.submission.files))
    missed = list(_missed(order, outcome.trial, assessed)) if assessed.outcome == "ok" else []
    problems += [words for kind, words in missed if kind == "absolute"]
    warnings = [
        *(f"{words} (sizes of this small pass)" for kind, words in missed if kind != "absolute"),
        *_slow(order, prepared.instance, outcome.trial),
        *_slow_start(order, outcome.trial),
        *_chatty(outcome.trial),
    ]
    read = tuple(part for source in prepared.sources for part in source.parts)
    return Checked(outcome.trial, assessed, tuple(problems), tuple(warnings), read)


def growth(task: Task, size: str) -> float:
    """How many times larger the real instance is: the largest ratio among the sizes' counts."""
    small, real = task.size(CHECK_SIZE), task.size(size)
    ratios = [1.0]
    for key, value in small.items():
        large = real.get(key)
        if isinstance(value, int) and isinstance(large, int) and value > 0:
            ratios.append(large / value)
    return max(ratios)


def _missed(order: Order, trial: Trial, assessed: Assessed) -> Iterator[tuple[str, str]]:
    """Constraints on the submission alone that it fails here already, by how they compare.

    Those on a clock or on memory are left out: an instance this small says nothing about them.
    """
    alone = [Comparison(candidate=side(trial, assessed), references={})]
    for constraint in order.task.criteria.constraints:
        costly = is_time(constraint.measure) or is_memory(constraint.measure)
        if constraint.compare in ("absolute", "own_ratio") and not costly:
            result = judge(constraint, alone)
            if result.verdict == "fail":
                yield constraint.compare, result.words


def _slow(order: Order, instance: Instance, trial: Trial) -> Iterator[str]:
    """Phases of which a call would pass its limit: if its time grew as the data do, or nearly so already.

    The time of one request among many does not grow with the data.
    """
    requests = {request.item: request for request in instance.requests()}
    factor = growth(order.task, order.profile.size)
    for phase, limit in order.task.definition.phases.items():
        allowed = limit.wall_seconds * order.profile.limit_factor
        once, each = 0.0, 0.0
        for reading in (*trial.phases, *trial.samples):
            request = requests.get(reading.item)
            if request is None or request.phase != phase:
                continue
            if request.timed or request.warmup:
                each = max(each, reading.seconds)
            else:
                once = max(once, reading.seconds)
        if once * factor > allowed:
            yield (
                f"{phase} took {once:.1f} s here; the data of profile {order.profile.name} are up to "
                f"{factor:.0f} times larger, so it may pass its limit of {allowed:.0f} s"
            )
        if each > NEAR * allowed:
            yield f"a call of {phase} took {each:.1f} s here; a run stops what takes over {allowed:.0f} s"


def _slow_start(order: Order, trial: Trial) -> Iterator[str]:
    """Whether imports and `__init__` come near what stops a start, or what a start is judged by."""
    start = max((p.seconds for p in trial.phases if p.group == "start"), default=0.0)
    allowed = order.task.definition.limits.start_seconds * order.profile.limit_factor
    if start > NEAR * allowed:
        yield f"a start took {start:.1f} s here (imports and __init__); a run stops one of over {allowed:.0f} s"
    criteria, free = order.task.criteria, IMPLIED_STARTS * IMPLIED_LEAST
    own, clock = (
        next((c for c in criteria.constraints if c.measure == "start_seconds"), None),
        criteria.clock(),
    )
    if own is not None and own.compare == "absolute" and start > own.threshold:
        yield f"a start took {start:.1f} s here (imports and __init__); this task allows {own.threshold:g} s"
    if own is None and clock is not None and start > free:
        yield (
            f"a start took {start:.1f} s here (imports and __init__); a run allows {free:.0f} s, or "
            f"{IMPLIED_STARTS:g} times what the {clock}'s takes where that is more"
        )


def _chatty(trial: Trial) -> Iterator[str]:
    if trial.log_bytes > 1_000_000:
        yield f"the submission printed {trial.log_bytes / 1e6:.1f} MB; a run is ended at its limit on printed bytes"


def _forbidden_imports(folder: Path, files: tuple[Path, ...]) -> Iterator[str]:
    for file in files:
        if file.suffix != ".py":
            continue
        tree = syntax.parsed(syntax.text_of(submissions.content(folder / file)))
        for node in ast.walk(tree) if tree is not None else ():
            for name in _imported(node):
                if name.split(".")[0] in _OURS:
                    yield f"{file}: a submission may not import {name}; copy what you need"


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
