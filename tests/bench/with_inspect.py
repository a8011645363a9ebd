"""Run by .venv-others: the submissions as an Inspect task; each is run in the local sandbox, its answer compared."""

import json
import sys
from pathlib import Path

from inspect_ai import Task, eval  # ty: ignore[unresolved-import]
from inspect_ai.dataset import MemoryDataset, Sample  # ty: ignore[unresolved-import]
from inspect_ai.scorer import Score, accuracy, scorer  # ty: ignore[unresolved-import]
from inspect_ai.solver import solver  # ty: ignore[unresolved-import]
from inspect_ai.util import sandbox  # ty: ignore[unresolved-import]

RUNS = (
    "import json, sys; import numpy as np; from solution import Solution; "
    "print(json.dumps(Solution(None).answer(np.array(json.load(sys.stdin))).tolist()))"
)


@solver
def submitted():
    """Puts the sample's file into the sandbox and runs it on the sample's numbers."""

    async def solve(state, generate):
        box = sandbox()
        await box.write_file("solution.py", Path(state.metadata["file"]).read_text())
        ran = await box.exec([sys.executable, "-c", RUNS], input=state.input_text, timeout=30)
        state.output.completion = ran.stdout.strip()
        return state

    return solve


@scorer(metrics=[accuracy()])
def same():
    """1 where what was printed is the target."""

    async def score(state, target):
        return Score(value=1 if state.output.completion == target.text else 0)

    return score


def main(logs: str, numbers: str, *files: str) -> None:
    """One eval over all files; prints how many were right, of how many."""
    right = json.dumps([n * n % 97 for n in json.loads(numbers)])
    samples = [
        Sample(input=numbers, target=right, id=Path(file).parent.parent.name, metadata={"file": file})
        for file in files
    ]
    task = Task(dataset=MemoryDataset(samples), solver=submitted(), scorer=same(), sandbox="local")
    (done,) = eval(
        task,
        model="mockllm/model",
        max_samples=2,
        max_sandboxes=2,
        log_dir=logs,
        display="none",
        log_level="error",
    )
    values = [score.value for sample in done.samples for score in sample.scores.values()]
    print(json.dumps({"right": sum(value in (1, "C") for value in values), "of": len(values)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
