"""What a score is told by its run and by the task's kept proof: guards, and where to look."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.proofs import ProofSlack
from harness.readings import Contents
from harness.records import Score
from harness.reports.run.markdown import render_run
from harness.runs import evaluate
from tests.fixtures import reports

WIDE = {"name": "training time", "measure": "x", "unit": "x", "bound": "at_most", "use": {"expert": 1.0}}


def guards(score: Score) -> list[str]:
    return [c.name for c in score.constraints if c.guard]


@pytest.mark.parametrize(
    ("threshold", "used", "brought", "guard"),
    [(6.0, 1.0, (), True), (6.0, 5.0, (), False), (7.0, 1.0, (), False), (6.0, 1.0, ("letters",), False)],
)
def test_a_guard_is_what_the_kept_proof_on_the_tasks_own_data_shows_to_be_wide(
    monkeypatch: pytest.MonkeyPatch, threshold: float, used: float, brought: tuple[str, ...], guard: bool
) -> None:
    run = reports.ok_run()
    assert run.score is not None
    limit = reports.constraint("training time", "pass", 3.0, threshold=6.0)
    score = run.score.model_copy(update={"constraints": (limit,)})
    line = ProofSlack.model_validate(WIDE | {"threshold": threshold, "use": {"expert": used}})
    asked = []
    proof = SimpleNamespace(slack=(line,), brought=brought)
    monkeypatch.setattr(evaluate, "kept_proofs", lambda *key: asked.append(key) or [proof])
    told = evaluate.told(score, run.head)
    assert asked == [(run.head.task, run.head.profile.name)]
    assert guards(told) == (["training time"] if guard else [])
    page = render_run(run.model_copy(update={"score": told}))
    assert ("training time (a guard)" in page) == guard
    monkeypatch.setattr(evaluate, "kept_proofs", lambda *key: [])
    assert guards(evaluate.told(told, run.head)) == []


def test_a_score_to_look_at_names_what_the_run_kept_of_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "kept_proofs", lambda *key: [])
    limit = reports.constraint("a result to look at", "inconclusive", 154.0, words="open: look at it: x")
    limit = limit.model_copy(update={"open_by": "evaluator"})
    head = reports.head(contents=Contents(files=1, largest="table.py", largest_bytes=2048))
    score = reports.score(outcome="inconclusive", constraints=(limit,), reasons=("open: look at it: x",))
    (reason,) = evaluate.told(score, head).reasons
    assert (
        reason
        == "open: look at it: x; its largest file is table.py (2 KiB); its Python files hold no literal"
    )
