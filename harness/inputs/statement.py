"""What a candidate is told besides a task's own statement: what kills, and the time that every task judges."""

from __future__ import annotations

from harness.grading.criteria import (
    IMPLIED_CALLS,
    IMPLIED_LEAST,
    IMPLIED_STARTS,
    OVER_EXPERT,
    START_SECONDS,
    Criteria,
)
from harness.inputs.definition import Definition
from harness.records import SHOWN


def _near_perfect(criteria: Criteria) -> str:
    """The task's own bounds of the kind, for the middle of a sentence."""
    words = ""
    for bound in criteria.plausible:
        if bound.over_references:
            words += f", or with `{bound.measure}` far above every reference's"
            continue
        ends = [f"below {bound.low:g}"] if bound.low is not None else []
        ends += [f"above {bound.high:g}"] if bound.high is not None else []
        if not bound.impossible:
            words += f", or with `{bound.measure}` {' or '.join(ends)} where the expert's is not"
    return words


def limits(definition: Definition, criteria: Criteria) -> str:
    """A section in Markdown, made from task.toml: the same rules for every task, with this task's figures."""
    kills = definition.limits
    calls = ", ".join(f"`{name}` {phase.wall_seconds:g} s" for name, phase in definition.phases.items())
    lines = [
        "## Limits of every task",
        f"- A call may take {calls}; a start (imports and `__init__`) {kills.start_seconds:g} s; a process and "
        f"all that it starts {kills.memory_gib:g} GiB of memory and {kills.processes} processes. A submission "
        "that passes one of these is stopped and gets 0 points. Budgets, here and above, may be tighter; a profile's "
        "`limit_factor` stretches the times of this line and the next, and no budget.",
        f"- A stage, which is all that one fresh process or one set of process pairs is asked for, may take "
        f"{kills.stage_factor:g} times what the slowest reference takes for it in the same run, starts included, "
        f"and {definition.stage_floor(criteria.clock()):g} s in any case. Beyond that the submission is stopped, too.",
    ]
    kinds = "" if kills.binary_files else ", and text files only (UTF-8)"
    lines += [
        f"- A submission may hold {kills.submission_kib} KiB, all files together{kinds}: code, and no answers or "
        "weights from elsewhere. One that holds more, or other files, is refused before it is run.",
        f"- At most {SHOWN.high:g} points count, and what was reached beyond is shown. A result over "
        f"{OVER_EXPERT:g} points above the expert's{_near_perfect(criteria)} stays open until a person has looked at "
        "the code: a better idea then counts.",
    ]
    clock = criteria.clock()
    if clock is None:
        lines.append("- Within these limits time is free in this task: nothing else of it is judged.")
    else:
        lines += [
            f"- Time that no budget above names is judged as well, against the {clock}'s, which counts as "
            f"{IMPLIED_LEAST:g} s at least: a start may take {IMPLIED_STARTS:g} times as long, the calls of any "
            f"other kind {IMPLIED_CALLS:g} times, all process pairs added up.",
            f"- What your start takes beyond the {clock}'s and {START_SECONDS:g} s more counts as time of the first "
            "call after it, in a stage that one process serves: training is no start.",
            "- A call that only warms up is not in any median. What it takes beyond your own median of such calls "
            'is added to your time to be ready, or judged by itself as "time of warm-up and rare calls" where the '
            "task has no such time; so is the excess of a timed call over ten times your median.",
            "- Some inputs of the warm-up are asked again at the end: where most are then answered otherwise, the "
            "answers were made up, and the outcome is `wrong`.",
            "- Time is free where nothing can be gained by it: after the last answer that counts.",
        ]
    return "\n".join(lines) + "\n"
