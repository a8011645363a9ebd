"""What only a CUDA device can show; run with `pytest -m gpu` on a machine that has one."""

from __future__ import annotations

import pytest

from harness.inputs import submissions, tasks
from harness.machine import devices
from harness.runs import runner
from harness.runs.options import Options, order
from harness.store.results import Store

pytestmark = pytest.mark.gpu
TASKS = tasks.all_tasks()


def test_cuda_is_found_and_named() -> None:
    assert devices.resolve("cuda") == "cuda"
    assert devices.resolve("auto") == "cuda"
    assert devices.name("cuda") != "cuda"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TASKS)
def test_the_expert_runs_and_its_device_memory_is_read(name: str, store: Store) -> None:
    task = TASKS[name]
    expert = submissions.references(task.id, task.folder)["expert"]
    run = runner.run(
        order(Options(task=name, folder=expert.folder, profile="ci-smoke", device="cuda")), store
    )
    assert run.score is not None
    assert run.score.outcome in ("ok", "budget_exceeded", "inconclusive"), run.score.reasons
    assert run.head.profile.device == "cuda"
    assert all((trial.peak_device_bytes or 0) > 0 for trial in run.trials)
