"""A run far above its task's expert: open until somebody has looked, on every page that shows it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.cli.output import to_json
from harness.inputs.tasks import find
from harness.looks import sentence
from harness.reports.run import text
from harness.reports.run.summary import summary
from harness.runs import rescore, runner
from harness.runs.options import Options, order
from harness.store.looks import Looks
from harness.store.results import Store
from tests.conftest import HERE

EDITION = HERE / "editions" / "losses-by-hand"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A task whose expert is only competent, so that the real one stands far above it."""
    copy = tmp_path / "packs" / "losses-by-hand"
    shutil.copytree(EDITION, copy)
    references = copy / "reference_solutions"
    shutil.copytree(references / "competent", references / "expert", dirs_exist_ok=True)
    shutil.rmtree(references / "mutants")
    return copy.parent


def test_it_is_open_with_where_to_look_and_stays_so_when_scored_again(
    tmp_path: Path, root: Path, store: Store
) -> None:
    quick = tmp_path / "quick.toml"
    quick.write_text('extends = "ci-smoke"\nsize = "check"\ntrials = 2\nmax_trials = 3\n')
    own = tmp_path / "own"
    shutil.copytree(EDITION / "reference_solutions" / "expert", own)
    (own / "table.py").write_text(f"WORDS = '{'x' * 9000}'\n")
    asked = Options(task="losses-by-hand", folder=own, tasks_root=root, profile=str(quick))
    run = runner.run(order(asked), store)
    assert run.score is not None
    assert (run.score.outcome, run.score.open_by, run.score.points) == ("inconclusive", "evaluator", 0.0)
    assert len({trial.number for trial in run.trials}) == 2, "more instances would say the same"
    (reason,) = run.score.reasons
    assert (
        "its largest file is table.py (9 KiB), its longest literal is in table.py, line 1 (9 KiB)" in reason
    )
    shown = " ".join(text.to_text(text.render_run(run), 200).split())
    assert "open no points: a verdict is open, until somebody has looked at it" in shown
    assert "table.py (9 KiB)" in shown
    assert (summary(run).points, summary(run).open_by) == (None, "evaluator")
    assert '"largest": "table.py"' in to_json(summary(run))
    again = rescore.rescore(run.head.run_id, store, lambda name, folder: find(name, root)).new
    assert again.score == run.score
    looks = Looks(store)
    look = looks.add(again, "accepted", by="Eva", why="read it whole")
    rescore.rescore(run.head.run_id, store, lambda name, folder: find(name, root))
    decided = looks.run(run.head.run_id).score
    assert decided is not None
    assert (decided.outcome, decided.tier, decided.points) == ("ok", "expert", 125.0), (
        "scored again, it still holds"
    )
    assert decided.reasons == (sentence(look),)
