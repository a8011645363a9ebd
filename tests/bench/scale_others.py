"""The same submissions graded here and by two other tools: what each takes for a submission beyond running it."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.store.ledger import Ledger
from harness.store.results import Store
from tests.bench.figures import middle, table
from tests.bench.scale_kit import (
    JOBS,
    NUMBERS,
    ROOT,
    TASK,
    Sizes,
    both_ways,
    environment,
    ms,
    score_command,
    timed,
    write_submissions,
    write_suite,
)

TITLE = "The same submissions in other tools"
OTHERS = ROOT / ".venv-others" / "bin"
HERE = Path(__file__).parent
WRONG_EVERY = 5
NAMES = {
    "harness": f"this harness: `harness score --jobs {JOBS} --isolation process`",
    "otter run": "otter-grader: `otter run`, one by one",
    "otter api": "otter-grader: `grade_submission` in a loop, one process",
    "inspect": f'Inspect: one eval, sandbox "local", `max_samples={JOBS}`',
}
AT_ONCE = {"harness", "inspect"}
# otter's test file: it runs in the kernel that has run the submission.
TEST = """OK_FORMAT = False
from otter.test_files import test_case

name = "q1"
points = 1

@test_case(points=1)
def test_squares(Solution):
    import numpy as np
    numbers = np.array({numbers})
    assert np.array_equal(Solution(None).answer(numbers), numbers * numbers % 97)
"""


def missing() -> str:
    """Why this part cannot be measured; empty where it can."""
    found = (OTHERS / "otter").is_file() and (OTHERS / "inspect").is_file()
    return "" if found else f"{OTHERS.parent} lacks otter or inspect; scripts/bench-scale installs them"


def measure(sizes: Sizes, work: Path) -> dict[str, Any]:
    """Rounds in which each side grades the submissions once; every other round goes the other way about."""
    folder = write_submissions(work / "handed", sizes.others, WRONG_EVERY)
    autograder = _autograder(work / "autograder.zip")
    files, number = sorted(folder.glob(f"*/{TASK}/solution.py")), 0

    def take(count: int) -> list[Path]:
        return files[number * count :][:count]

    sides: dict[str, Callable[[], tuple[float, int, int]]] = {
        "harness": lambda: _harness(work, folder),
        "otter run": lambda: _otter_run(work, take(sizes.otter_runs), autograder),
        "otter api": lambda: _otter_api(work, take(sizes.otter_loop), autograder),
        "inspect": lambda: _inspect(work, files),
    }
    rows: list[dict[str, Any]] = []
    bare = [both_ways(folder, min(sizes.bare, sizes.others))]
    for number in range(sizes.rounds):
        for name in list(sides) if number % 2 == 0 else reversed(sides):
            wall, right, count = sides[name]()
            rows.append({"side": name, "wall": wall, "right": right, "count": count})
        bare.append(both_ways(folder, min(sizes.bare, sizes.others)))
    return {"rows": rows, "bare": bare, "versions": _versions(), "wrong_every": WRONG_EVERY}


def _harness(work: Path, folder: Path) -> tuple[float, int, int]:
    home = work / "home"
    shutil.rmtree(home, ignore_errors=True)
    wall, _ = timed(score_command(write_suite(work / "same.toml"), folder, "process"), environment(home))
    ledger = Ledger(Store.open(home, ""))
    cells = ledger.sheet(ledger.assessment("last")).cells
    return wall, sum(cell.value == 1 for cell in cells), len(cells)


def _autograder(file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr("otter_config.json", json.dumps({"show_stdout": False, "pdf": False}))
        packed.writestr("tests/q1.py", TEST.format(numbers=NUMBERS))
    return file


def _otter_run(work: Path, files: Sequence[Path], autograder: Path) -> tuple[float, int, int]:
    """A command for each file."""
    out, wall, right = work / "otter", 0.0, 0
    out.mkdir(exist_ok=True)
    for file in files:
        took, _ = timed(
            [str(OTHERS / "otter"), "run", "-a", str(autograder), "-o", str(out), "--no-logo", str(file)],
            _environment(),
            out,
        )
        wall += took
        told = json.loads((out / "results.json").read_text())
        right += any(test["name"] == "q1" and test.get("score") == 1 for test in told["tests"])
    return wall, right, len(files)


def _otter_api(work: Path, files: Sequence[Path], autograder: Path) -> tuple[float, int, int]:
    return _told(["with_otter.py", str(autograder), *map(str, files)], work)


def _inspect(work: Path, files: Sequence[Path]) -> tuple[float, int, int]:
    return _told(["with_inspect.py", str(work / "logs"), json.dumps(NUMBERS), *map(str, files)], work)


def _told(words: list[str], work: Path) -> tuple[float, int, int]:
    """Wall seconds of a program of the other environment, start-up included; how many were right, of how many."""
    wall, said = timed([str(OTHERS / "python"), str(HERE / words[0]), *words[1:]], _environment(), work)
    told = json.loads(said.strip().splitlines()[-1])
    return wall, int(told["right"]), int(told["of"])


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1", "INSPECT_LOG_LEVEL": "error"}


def _versions() -> dict[str, str]:
    code = (
        "import json; from importlib.metadata import version as v; "
        "print(json.dumps({'otter-grader': v('otter-grader'), 'inspect-ai': v('inspect-ai')}))"
    )
    return json.loads(timed([str(OTHERS / "python"), "-c", code])[1])


def section(told: dict[str, Any]) -> str:
    """What was asked, and the table."""
    each = [one for bare in told["bare"] for one in bare["each"]]
    shared = [bare["shared"] for bare in told["bare"]]
    versions = ", ".join(f"{name} {version}" for name, version in told["versions"].items())
    lines = [_line(name, told["rows"], middle(shared if name in AT_ONCE else each)) for name in NAMES]
    head = ["Side", "Graded, round by round", "Right", "Wall a submission", "**Overhead a submission**"]
    rounds = len([row for row in told["rows"] if row["side"] == "harness"])
    way = ", the second in reverse order" if rounds > 1 else ""
    return f"""Question: how long do other tools take to grade the same program ({versions})?
The submissions are the same files; every {told["wrong_every"]}th is wrong, and every tool must detect that from
{len(NUMBERS)} numbers. Rounds: {rounds}, with the tools in turn{way}. Wall time is that of the whole command, start-up
included, divided by the number of submissions: median and range over rounds.

{table(head, lines, 1)}

Overhead is the median minus the time of the bare process: {ms(each)} one by one, for the tools
that grade one by one, and {ms(shared)} for each when two run at once, for the tools that grade two at
once. otter-grader is slow, so each round grades only some of the submissions with it, and the next round the
next ones. These times are not a verdict on the tools: each does something that the others do not.

- **This harness** draws its questions from a secret and sends only their numbers to a separate worker process. It
  stores answers, trial and cell in a database before a submission counts as done, and runs three reference solutions
  on the same numbers (measured once, then remembered).
- **otter-grader** runs the submission in a Jupyter kernel (a script is turned into a notebook first). So it can grade
  notebooks cell by cell, and it writes feedback on each test for the student; the test runs in the same kernel
  as the submission.
- **Inspect** writes one log of the whole evaluation, in which one can look through every sample's messages, sandbox
  calls and scores. It is made for a language model, in whose place the solver here only copies a file;
  its sandbox "local" is a temporary folder, not a wall."""


def _line(name: str, rows: list[dict[str, Any]], bare: float) -> list[str]:
    own = [row for row in rows if row["side"] == name]
    each = [row["wall"] / row["count"] for row in own]
    return [
        NAMES[name],
        ", ".join(str(row["count"]) for row in own),
        ", ".join(f"{row['right']} of {row['count']}" for row in own),
        ms(each),
        f"**{(middle(each) - bare) * 1e3:.0f} ms**",
    ]
