"""Copies of public solutions are named under every disguise, strangers are not, and no point is changed by it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.analysis.similarity import FEW
from harness.assessment import comparing
from harness.assessment.comparing import _of_code, compared
from harness.assessment.scoring import score
from harness.inputs import comparable, tasks
from harness.inputs.comparable import Contents
from harness.instances import ItemAnswers
from harness.records import Trial
from harness.sheets import Cell, Likeness, Unseen
from harness.store.ledger import KeptCell
from harness.store.results import Store
from tests.assessment.test_scoring import Fake, Quiet
from tests.assessment.test_scoring import asked as asked  # the fixture
from tests.conftest import TOYS
from tests.fixtures.likenesses import STRANGERS, code, disguised, packed

BUILT_IN = ("gradients", "noisy-labels", "vector-index")
DISGUISES = {"verbatim": dict, "rewritten": disguised, "packed": packed}


def expert(task: str) -> dict[str, bytes]:
    return comparable.public(tasks.find(task))["the public expert"]


@pytest.mark.parametrize("task", BUILT_IN)
@pytest.mark.parametrize("how", DISGUISES)
def test_a_copy_of_the_public_expert_is_named_under_every_disguise(task: str, how: str) -> None:
    if how == "packed" and len(expert(task)) > 1:
        pytest.skip("one file is packed")
    handed = {"eve": Contents(DISGUISES[how](expert(task)))}
    found = compared(tasks.find(task), handed)
    pair = found.known[0]
    assert (pair.one, pair.other, pair.few) == ("eve", "the public expert", False)
    assert min(pair.share, pair.other_share) > 0.7
    assert pair.regions
    assert found.parts[0].known == "the public expert"
    assert ("exec (solution.py:2)" in found.parts[0].unseen) is (how == "packed")


@pytest.mark.parametrize(
    "folder", sorted(path for path in STRANGERS.glob("*/*") if path.is_dir()), ids=lambda p: p.name
)
def test_a_strangers_solution_is_named_beside_nothing_and_can_be_compared(folder: Path) -> None:
    found = compared(tasks.find(folder.parent.name), {"ada": Contents(code(folder))})
    assert found.known == ()
    (part,) = found.parts
    assert part.known_share < 0.2
    too_few = f"{part.own} fingerprints beside the starter's: too few to say anything"
    assert part.unseen == ((too_few,) if part.own < FEW else ())


def test_who_hands_in_the_starter_shares_nothing_of_its_own() -> None:
    task = tasks.find("gradients")
    found = compared(task, {"bo": comparable.contents(task.starter, "bo", [])})
    assert found.known == ()
    assert found.parts[0].own == 0
    assert any("too few to say anything" in what for what in found.parts[0].unseen)


def test_a_copy_among_much_of_ones_own_is_named_by_the_other_share() -> None:
    own = {
        f"more{n}.py": (path / "solution.py").read_bytes()
        for n, path in enumerate(STRANGERS.glob("*/*"))
        if path.is_dir()
    }
    found = compared(tasks.find("gradients"), {"eve": Contents(expert("gradients") | own)})
    pair = next(pair for pair in found.known if pair.other == "the public expert")
    assert pair.share < 0.5
    assert pair.other_share > 0.9


def test_mutants_and_cheats_are_compared_by_what_is_their_own() -> None:
    names = comparable.public(tasks.find("long-context"))
    assert list(names)[:3] == ["the public expert", "the public competent", "the public baseline"]
    assert set(names["the mutant every-document"]) == {"solution.py"}
    assert any(name.startswith("the cheat ") for name in names)


def test_score_compares_by_itself_and_changes_no_cell(asked: Any, store: Store) -> None:
    shutil.copytree(TOYS / "toy-squares" / "starter", asked.place / "eve" / "toy-squares")
    (asked.place / "eve" / "toy-squares" / "solution.py").write_bytes(expert("gradients")["solution.py"])
    shutil.copytree(asked.place / "eve", asked.place / "fay")
    sheet = score(asked, store, Fake(), Quiet())
    assert sheet.compared is not None
    pairs = {(one.candidate, one.other, one.public) for one in sheet.compared.likenesses}
    assert pairs == {("eve", "fay", False), ("fay", "eve", False)}
    assert {one.points for one in sheet.cells} == {0.0}, "as the engine gave them"
    again = score(asked, store, Fake(), Quiet())
    assert again.compared == sheet.compared, "nothing changed, nothing is compared again"
    (asked.place / "fay" / "toy-squares" / "solution.py").write_text(
        "import os\n\n\nclass Solution:\n    pass\n"
    )
    changed = score(asked, store, Fake(), Quiet())
    assert changed.compared is not None
    assert changed.compared.key != sheet.compared.key
    assert changed.compared.likenesses == ()


def test_a_command_with_some_of_the_files_takes_no_hint_from_the_others(asked: Any, store: Store) -> None:
    """One late hand-in took every hint of the board with it, and the whole folder did not bring them back."""
    for name in ("eve", "fay"):
        shutil.copytree(TOYS / "toy-squares" / "starter", asked.place / name / "toy-squares")
        (asked.place / name / "toy-squares" / "solution.py").write_bytes(expert("gradients")["solution.py"])
    before = score(asked, store, Fake(), Quiet()).compared
    late = asked.place.parent / "late"
    shutil.copytree(asked.place / "eve", late / "gus")
    second = score(replace(asked, place=late), store, Fake(), Quiet()).compared
    assert before is not None
    assert second is not None
    assert {(one.candidate, one.other) for one in second.likenesses} == {("eve", "fay"), ("fay", "eve")}
    (told,) = [note for note in second.notes if "gus was not compared with" in note]
    assert told.startswith("toy-squares: gus was not compared with ")
    assert "eve, fay" in told
    assert told.endswith("whose files were not given this time: give all in one folder")
    shutil.copytree(late / "gus", asked.place / "gus")
    whole = score(asked, store, Fake(), Quiet()).compared
    assert whole is not None
    pairs = {frozenset((one.candidate, one.other)) for one in whole.likenesses}
    assert pairs == {frozenset(pair) for pair in (("eve", "fay"), ("eve", "gus"), ("fay", "gus"))}
    assert not any("not compared with" in note for note in whole.notes)
    assert score(replace(asked, place=late), store, Fake(), Quiet()).compared == whole


def test_who_hands_in_a_reference_is_not_said_to_share_with_the_cheats_that_hold_it() -> None:
    task = tasks.find("gradients")
    held = comparable.public(task)["the public competent"]
    named = [one.other for one in _of_code("gradients", compared(task, {"emil": Contents(held)}))]
    assert "the public competent" in named
    assert not [name for name in named if name.startswith("the cheat")]


class Kept:
    """Trials and answers as a store gives them: three references that err on their own, and candidates."""

    def __init__(self, answers: dict[str, np.ndarray]) -> None:
        self.kept = answers

    def trials(self, run_id: str) -> list[Trial]:
        names = [run_id, "baseline", "competent"] if run_id != "old" else ["expert"]
        return [self.trial(name) for name in names]

    def trial(self, name: str) -> Trial:
        tier = name if name in ("baseline", "competent", "expert") else None
        return Trial.model_validate(
            {
                "number": 0,
                "role": "reference" if tier else "candidate",
                "label": name,
                "tier": tier,
                "submission_digest": "sha256:0",
                "instance_id": "i1",
                "outcome": "ok",
                "answers": {"archive": name},
            }
        )

    def known(self, run_id: str, number: int) -> Any:
        return SimpleNamespace(references=[SimpleNamespace(reused_from="old")])

    def answers(self, digest: str) -> dict[str, np.ndarray]:
        return {"q": self.kept[digest]}


def test_answers_are_compared_with_references_that_ran_and_those_that_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 8, 500)

    def erring() -> np.ndarray:
        return np.where(rng.random(500) < 0.2, (truth + rng.integers(1, 8, 500)) % 8, truth)

    answers = {name: erring() for name in ("baseline", "competent", "expert", "ada")}
    answers |= {"eve": answers["expert"], "fay": answers["ada"]}
    store = cast("Store", Kept(answers))
    cells = [
        KeptCell(alias, Cell(candidate=alias, task="t", outcome="ok", run_id=alias, value=0.8))
        for alias in ("ada", "eve", "fay")
    ]
    monkeypatch.setattr(comparing, "instance_of", lambda *_: SimpleNamespace(instance=None))
    monkeypatch.setattr(comparing, "items_of", lambda task, instance, a: ItemAnswers(a["q"], a["q"] != truth))
    task: Any = SimpleNamespace(id="t", has_items=True)
    found = {(one.candidate, one.other): one for one in comparing._of_answers(store, task, cells)}
    assert set(found) == {("eve", "the public expert"), ("ada", "fay"), ("fay", "ada")}
    named = found["eve", "the public expert"]
    assert (named.kind, named.public, named.alike) == ("errors", True, named.possible)
    assert named.chance is not None
    assert named.chance < 1e-12
    assert not found["ada", "fay"].public


def test_equal_bits_are_told_only_beside_code_that_is_alike_or_cannot_be_compared() -> None:
    def one(candidate: str, kind: str) -> Likeness:
        return Likeness.model_validate(
            {
                "candidate": candidate,
                "task": "t",
                "kind": kind,
                "other": "the public expert",
                "public": True,
                "share": 1.0,
            }
        )

    answers = [one(name, "bits") for name in ("ann", "bob", "cy")] + [one("ann", "errors")]
    shown = comparing._beside_code(
        answers, [one("bob", "code")], [Unseen(candidate="cy", task="t", what=("exec",))]
    )
    assert [(o.candidate, o.kind) for o in shown] == [("bob", "bits"), ("cy", "bits"), ("ann", "errors")]


def test_what_cannot_be_read_has_a_note_and_stops_nothing(
    asked: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise comparing.HarnessError("the answers are gone")

    monkeypatch.setattr(comparing, "_of_answers", broken)
    sheet = score(asked, store, Fake(), Quiet())
    assert sheet.compared is not None
    assert "toy-squares: answers were not compared: the answers are gone" in sheet.compared.notes
