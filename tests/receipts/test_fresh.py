"""A submission that knows the answers of its receipt's seed agrees on that seed, and is found out on a fresh one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.analysis.agreement import Objective, Result
from harness.analysis.fresh import Draws, Fresh, Results, Spread, broken, compare, expected
from harness.digests import of_bytes
from harness.errors import HarnessError
from harness.inputs import layout, profiles, tasks
from harness.inputs.proofs import kept_proofs
from harness.observer import Silent
from harness.proofs import Proof
from harness.receipts import fresh
from harness.receipts.receipt import Receipt
from harness.records import Source
from harness.runs.made_of import made_of
from harness.runs.options import Options, order
from harness.runs.order import Order
from harness.runs.prepare import prepare
from harness.runs.seeds import weakness
from tests.cli.test_verbs import COMPETENT, SMOKE, TOY, Said, harness, refused
from tests.conftest import TOYS

FRESH = b"secret:5d0e93b1f7a846c2983eb06d1fc47a25"
# Knows the numbers of public seed 0, and nothing of squares.
TABLE = """
import numpy as np

KNOWN = {known}

class Solution:
    def __init__(self, context):
        pass

    def learn(self, numbers):
        return b""

    def answer(self, numbers):
        if int(numbers[0]) in KNOWN:
            return np.array([pow(int(n), 2, 97) for n in numbers])
        return np.ones_like(numbers)
"""


def asked(**options: Any) -> Order:
    return order(Options(task="toy-squares", tasks_root=TOYS, profile="ci-smoke", **options))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with two runs and their receipts: of an honest submission, and of one that has a table of answers."""
    top = tmp_path_factory.mktemp("fresh")
    shutil.copytree(COMPETENT, top / "honest")
    instance = prepare(asked(), 0, Silent()).instance
    known = {int(np.asarray(r.arguments["numbers"])[0]) for r in instance.requests()}
    (top / "table").mkdir()
    (top / "table" / "solution.py").write_text(TABLE.format(known=known))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(top / "home"))
        for name in ("honest", "table"):
            assert harness("run", "toy-squares", top / name, *SMOKE, "--out", top / f"{name} out").code == 0
    return top


@pytest.fixture
def top(written: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_HOME", str(written / "home"))
    monkeypatch.setattr(fresh, "new_secret", lambda: FRESH)  # what is drawn must not decide a test
    return written


def proof(sd: float = 2.0, **changes: Any) -> Proof:
    """A kept proof of the toy task as it is here."""
    tiers = [
        {"tier": t, "points_mean": p, "points_sd": s, "objective_mean": 0.5, "objective_sd": 0.1}
        for t, p, s in (("baseline", 0, 0), ("competent", 50, sd), ("expert", 100, 0))
    ]
    document = {
        "task": "toy-squares",
        "profile": "ci-smoke",
        "proven": True,
        "tiers": tiers,
        "separation": [],
        "cheats": [],
        "starter": {"outcome": "ok", "points": 1},
        "instances": 5,
        "wall_seconds": 1,
    }
    return Proof.model_validate(document).model_copy(update={"made_of": made_of(asked()), **changes})


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets these be the proofs that are kept of the toy task."""

    def put(*proofs: Proof) -> None:
        monkeypatch.setattr(fresh, "kept_proofs", lambda task, profile: list(proofs))

    return put


def verified(top: Path, name: str, *options: object) -> Said:
    return harness("verify", top / f"{name} out" / "receipt.json", top / name, *TOY, *options)


def test_a_table_of_answers_agrees_on_its_seed_and_is_found_out_on_a_fresh_one(
    top: Path, publish: Callable[..., None]
) -> None:
    publish(proof())
    said = verified(top, "table", "--json")
    found = said.json
    states = {f["name"]: f["state"] for f in found["findings"]}
    assert (states["objective"], states["points"], states["fresh seed"]) == ("same", "same", "differs")
    assert (said.code, found["verdict"]) == (1, "differs on a fresh seed")
    one = found["fresh"]
    assert (one["state"], one["instances"], one["spread"]) == (
        "differs",
        1,
        {"points_sd": 2.0, "instances": 5},
    )
    assert one["receipt_objective"] == 1.0
    assert one["fresh_objective"] < 0.2
    assert one["receipt_points"] - one["fresh_points"] > 50 > one["allowed"] >= 7.85
    (words,) = [f["words"] for f in found["findings"] if f["name"] == "fresh seed"]
    assert f"{one['receipt_points']:.4g} points (accuracy 1) in the receipt" in words
    assert f"{one['fresh_points']:.4g} (accuracy" in words
    # The run is kept like any other, and no page of it holds the secret.
    kept = harness("report", one["run"], "--json").json
    assert (kept["points_uncapped"], kept["run_id"]) == (one["fresh_points"], one["run"])
    assert kept["seed_id"] == of_bytes(FRESH)[:12]
    assert FRESH.decode()[7:] not in said.out + json.dumps(kept)
    shown = verified(top, "table")
    assert "The receipt agrees on its own seed and does NOT agree on a fresh one" in shown.out


def test_an_honest_submission_agrees_on_both(top: Path, publish: Callable[..., None]) -> None:
    publish(proof())
    found = verified(top, "honest", "--json").json
    assert found["fresh"]["state"] == "same", found["fresh"]
    assert found["fresh"]["fresh_points"] != found["fresh"]["receipt_points"]
    assert found["verdict"] in ("agrees", "inconclusive")  # its latency may be open on a busy machine


def test_the_fresh_seed_can_be_left_out_and_the_result_says_so(
    top: Path, publish: Callable[..., None]
) -> None:
    publish(proof())
    found = verified(top, "table", "--same-seed-only", "--json").json
    assert (found["fresh"]["state"], found["fresh"]["run"]) == ("left out", None)
    assert "nothing shows that the submission does not know the receipt's seed" in found["fresh"]["words"]
    said = verified(top, "table", "--same-seed-only")
    assert ("No fresh seed was tried." in said.out) == (said.code == 0)
    assert "exclude each other" in refused(
        "verify", top / "table out" / "receipt.json", top / "table", "--same-seed-only", "--fresh-trials", "1"
    )
    nothing = verified(top, "table", "--no-rerun", "--json").json
    assert (nothing["fresh"], nothing["new_run"]) == (None, None)


def test_so_many_instances_of_the_fresh_seed_as_are_asked_for(
    top: Path, publish: Callable[..., None]
) -> None:
    publish(proof())
    found = verified(top, "table", "--fresh-trials", "2", "--json").json["fresh"]
    assert found["instances"] == 2
    assert len({t["number"] for t in harness("report", found["run"], "--json").json["trials"]}) == 2


def test_without_a_published_spread_nothing_passes_silently(top: Path) -> None:
    said = verified(top, "table", "--json")
    one = said.json["fresh"]
    assert (said.code, said.json["verdict"], one["state"], one["spread"]) == (3, "inconclusive", "open", None)
    assert "no spread between seeds is published for toy-squares on ci-smoke" in one["words"]
    same = verified(top, "honest", "--json").json["fresh"]
    assert (same["state"], "no spread between seeds is published" in same["words"]) == ("same", True)


def receipt_of(top: Path, **profile: object) -> Receipt:
    payload = json.loads((top / "honest out" / "receipt.json").read_text())["payload"]
    payload["profile"] |= profile
    return Receipt.model_validate_json(json.dumps(payload))


def test_only_a_proof_of_such_runs_tells_their_spread(top: Path, publish: Callable[..., None]) -> None:
    mine = asked()
    parts = made_of(mine)
    data = Source(role="data", kind="local", name="mine", digest="d", size_bytes=1)
    publish(proof(3.0))
    assert fresh.published(mine, ()) == Spread(points_sd=3.0, instances=5)
    assert "and such data" in str(fresh.published(mine, (data,)))
    for change in ({"size": "laptop-cpu"}, {"name": "mine"}, {"device": "cuda"}):
        other = replace(mine, profile=mine.profile.model_copy(update=change))
        assert "no spread between seeds is published" in str(fresh.published(other, ()))
    long = replace(mine, profile=mine.profile.model_copy(update={"name": "\u2800" * 9 + "x" * 999}))
    assert len(str(fresh.published(long, ()))) < 160, "a receipt's name fills no line"
    publish(proof(sources=(data,)), proof(4.0))
    assert fresh.published(mine, ()) == Spread(points_sd=4.0, instances=5)
    assert fresh.published(mine, (data,)) == Spread(points_sd=2.0, instances=5)
    for stale in (
        {"made_of": None},
        {"made_of": parts.model_copy(update={"task": "0"})},
        {"made_of": parts.model_copy(update={"references": "0"})},
        {"proven": False},
        {"instances": 2},
    ):
        publish(proof(**stale))
        assert "is of another version of it" in str(fresh.published(mine, ())), stale
    publish(proof(0.0))
    assert isinstance(fresh.published(mine, ()), str), "points that never vary tell no spread"


def test_kept_proofs_of_the_project_tell_spreads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    named = (("gradients", "ci-smoke"), ("gradients", "ci"), ("x", "y"))
    assert [len(kept_proofs(*one)) for one in named] == [1, 0, 0]
    told = {
        (task, profile): max(tier.points_sd for tier in kept.tiers)
        for task in tasks.all_tasks()
        for profile in profiles.names()
        for kept in kept_proofs(task, profile)
    }
    assert {task for task, _ in told} == set(tasks.all_tasks())
    assert all(sd > 0 for sd in told.values())
    monkeypatch.setattr(layout, "folder", lambda name: tmp_path / name)
    assert kept_proofs("gradients", "ci-smoke") == []
    (tmp_path / "docs" / "proofs").mkdir(parents=True)
    (tmp_path / "docs" / "proofs" / "gradients.ci-smoke.json").write_text("{}")
    with pytest.raises(HarnessError, match=r"gradients\.ci-smoke\.json cannot be read"):
        kept_proofs("gradients", "ci-smoke")


def test_a_fresh_order_differs_in_nothing_but_what_is_drawn() -> None:
    made = asked()
    one, two = fresh.fresh_order(made, None), fresh.fresh_order(made, 4)
    assert one == replace(made, root=one.root, worker_key=one.worker_key, seed=None)
    assert (two.profile.trials, two.profile.max_trials) == (4, 4)
    assert len({one.root, two.root, made.root, one.worker_key, two.worker_key, made.worker_key}) == 6
    assert weakness(one.root) == ""


def test_the_interval_is_the_one_of_the_book_and_holds_what_it_says() -> None:
    spread = Spread(points_sd=2.0, instances=5)
    # t(0.975, 4) = 2.7764 (any table): times 2, times sqrt(1 + 1) and sqrt(1/3 + 1/3)
    assert expected(spread, Draws(1, 1)) == pytest.approx(2.7764 * 2 * 2**0.5, rel=1e-4)
    assert expected(spread, Draws(3, 3)) == pytest.approx(2.7764 * 2 * (2 / 3) ** 0.5, rel=1e-4)
    rng = np.random.default_rng(1)
    for draws in (Draws(1, 1), Draws(1, 3), Draws(3, 2)):
        unit = expected(Spread(points_sd=1.0, instances=5), draws)
        sds = rng.normal(size=(20_000, 5)).std(axis=1, ddof=1)
        first = rng.normal(size=(20_000, draws.receipt)).mean(axis=1)
        second = rng.normal(size=(20_000, draws.fresh)).mean(axis=1)
        assert (np.abs(first - second) <= unit * sds).mean() == pytest.approx(0.95, abs=0.006)


def result(points: float | None, half: float = 0.0, **changes: Any) -> Result:
    low, high = (None, None) if points is None else (points - half, points + half)
    objective = Objective(name="accuracy", unit="", direction="higher", value=points, low=low, high=high)
    return Result.model_validate(
        {
            "outcome": "ok",
            "tier": "competent",
            "points": min(max(points or 0, 0), 100),
            "constraints": (),
            "points_uncapped": points,
            "points_low": low,
            "points_high": high,
            "objective": objective.model_dump(),
            **changes,
        }
    )


def compared(
    claimed: Result,
    seen: Result,
    spread: Spread | str = "none",
    again: Result | None = None,
    same: bool = True,
) -> Fresh:
    criteria = asked().task.criteria
    return compare(Results(claimed, again or claimed, seen), spread, Draws(1, 1), criteria, same)


SPREAD = Spread(points_sd=2.0, instances=5)  # allows 7.853 points


@pytest.mark.parametrize(
    ("claimed", "seen", "state"),
    [
        (result(60), result(52.2), "same"),
        (result(60), result(52.1), "differs"),
        (result(60), result(67.8), "same"),
        (result(60), result(67.9), "differs"),
        (result(60, 40), result(50), "differs"),  # what its maker wrote about its noise counts for nothing
        (result(60), result(50, 12), "open"),  # what is measured here leaves it open, and agrees with nothing
        (result(60), result(55, 12), "same"),
        (result(200), result(190), "same"),  # 1.9 times as much is allowed up there
        (result(200), result(60), "differs"),
        (result(60), result(None, outcome="crashed"), "differs"),
        (result(60), result(None, outcome="timeout"), "differs"),
    ],
)
def test_what_is_allowed(claimed: Result, seen: Result, state: str) -> None:
    assert compared(claimed, seen, SPREAD, result(claimed.points_uncapped)).state == state


def test_what_cannot_be_judged_is_open_and_says_why() -> None:
    assert compared(result(60), result(None, outcome="timeout"), SPREAD, same=False).state == "open"
    assert compared(result(60), result(None, outcome="crashed"), SPREAD, same=False).state == "differs"
    unpublished = compared(result(60), result(10), "nobody published any")
    assert (unpublished.state, unpublished.words.endswith("nobody published any")) == ("open", True)
    assert compared(result(60), result(60.5, 1), "nobody published any").state == "same"
    # Noise that a submission, or a small size, makes as wide as it likes agrees with nothing.
    assert compared(result(60), result(45, 19.9), "nobody published any").state == "same"
    assert compared(result(120), result(47, 280), "nobody published any").state == "open"


def test_a_constraint_that_held_on_the_receipts_seed_alone_differs(top: Path) -> None:
    held = receipt_of(top).result
    assert {c.name for c in held.constraints} >= {"answer latency", "notes size"}
    passed = [c.model_copy(update={"verdict": "pass"}) for c in held.constraints]
    failed = tuple(c.model_copy(update={"verdict": "fail", "value": 30.0}) for c in passed)
    claimed = held.model_copy(update={"constraints": tuple(passed)})
    seen = held.model_copy(update={"constraints": failed})
    criteria = asked().task.criteria
    found = {f.name: (f.state, f.words) for f in broken(claimed, seen, criteria, True)}
    assert found["fresh seed, constraint notes size"][0] == "differs"
    assert "fail at 30 on a fresh seed" in found["fresh seed, constraint notes size"][1]
    assert found["fresh seed, constraint answer latency"][0] == "open", "one pair certifies no time"
    assert list(broken(seen, seen, criteria, True)) == []
    assert list(broken(claimed, claimed, criteria, True)) == []
