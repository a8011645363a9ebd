"""What a worker gets tells nothing of the seed of its instance, and a secret is one that was drawn, not thought up."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError, UsageError
from harness.inputs import tasks
from harness.isolation.process import ProcessLevel
from harness.observer import Silent
from harness.records import Run
from harness.runs import runner
from harness.runs.check import check
from harness.runs.options import Options, order
from harness.runs.order import Order, repeatable, with_key
from harness.runs.prepare import prepare, round_of, setting_of
from harness.runs.prove import prove
from harness.runs.seeds import derived_seed, new_secret, seed_bytes, weakness, worker_seed
from harness.store.results import Store
from harness.trials import session
from tests.conftest import TOYS

SEED = 31_337
# Tries 100,000 roots: for each it derives all that the harness ever drew from a root, and looks for it in all that
# a worker gets or sees but for the inputs themselves, which nobody can hide from whoever must answer to them.
ATTACK = """
import hashlib, hmac, json, os, re, sys
from pathlib import Path
import numpy as np

def drawn(root, *parts):
    return int.from_bytes(hmac.digest(root, "/".join(parts).encode(), "sha256")[:8], "big") >> 1

class Solution:
    def __init__(self, context):
        self.seed = context.seed
        seen = [repr(vars(context)), repr(dict(os.environ)), os.getcwd(), repr(sys.argv), __file__, repr(sys.path)]
        seen += [str(p) for p in Path(context.scratch).parent.rglob("*")]
        seen += [p for name in ("cmdline", "cgroup") if (p := Path("/proc/self", name).read_text())]
        text = "\\n".join(seen)
        numbers = {int(n) for n in re.findall(r"(?<![0-9])[0-9]{5,}(?![0-9])", text)}
        words = {w[:12] for w in re.findall(r"[0-9a-f]{12,}", text)}
        found = []
        for n in range(100_000):
            root = f"public:{n}".encode()
            for what in ("worker", "instance", "order"):
                one = drawn(root, "toy-squares", what, "0")
                if one in numbers or one & 0x7FFFFFFF in numbers or f"{one:x}"[:12] in words:
                    found.append((n, what))
            if hashlib.sha256(root).hexdigest()[:12] in words:
                found.append((n, "hash"))
        print("FOUND", found, "GOT", context.seed, flush=True)

    def learn(self, numbers):
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
"""


@pytest.fixture
def attack(tmp_path: Path) -> Path:
    folder = tmp_path / "attack"
    folder.mkdir()
    (folder / "solution.py").write_text(ATTACK)
    return folder


def asked(folder: Path | None, seed: int = SEED) -> Order:
    return order(
        Options(task="toy-squares", folder=folder, tasks_root=TOYS, profile="ci-smoke", seed=seed, trials=1)
    )


def told(run: Run) -> str:
    return run.trials[0].log_head


def test_a_submission_that_tries_100_000_roots_finds_nothing(attack: Path, store: Store) -> None:
    done = runner.run(asked(attack), store)
    assert (done.trials[0].outcome, "FOUND [] GOT" in told(done)) == ("ok", True), told(done)
    assert len(done.head.worker_key) == 32
    # The attack bites: where workers' seeds come from the root, as they once did, it finds the root.
    once = runner.run(repeatable(asked(attack)), store)
    assert f"FOUND [({SEED}, 'worker')] GOT" in told(once)


def test_two_runs_of_one_order_have_keys_of_their_own_and_one_that_goes_on_keeps_its(
    attack: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    (attack / "solution.py").write_text(ATTACK.replace("100_000", "1"))
    first, second = (runner.run(replace(asked(attack), anew=True), store) for _ in range(2))
    assert first.head.worker_key != second.head.worker_key
    assert re.findall(r"GOT \d+", told(first)) != re.findall(r"GOT \d+", told(second))
    measure = runner._measure

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "_measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runner.run(asked(attack), store)
    cut_short = store.heads()[-1]
    store.release(cut_short.run_id)
    monkeypatch.setattr(runner, "_measure", measure)
    done = runner.run(asked(attack), store)
    assert (done.head.run_id, done.head.worker_key) == (cut_short.run_id, cut_short.worker_key)
    key = bytes.fromhex(cut_short.worker_key)
    assert f"GOT {worker_seed(key, 'toy-squares', '0')}" in told(done)


def test_a_run_of_a_time_without_keys_goes_on_as_it_began() -> None:
    today = asked(None)
    assert with_key(today, "").worker_key == today.root == repeatable(today).worker_key
    assert with_key(today, "00ff").worker_key == b"\x00\xff"


def started(monkeypatch: pytest.MonkeyPatch, of: Order) -> list[dict[str, Any]]:
    """What each worker of an instance is given to start with, private folders' names left out."""
    payloads: list[dict[str, Any]] = []
    made = session._start_payload

    def noted(*arguments: Any) -> dict[str, Any]:
        payloads.append(made(*arguments))
        return payloads[-1]

    with monkeypatch.context() as patch:
        patch.setattr(session, "_start_payload", noted)
        check(of, Silent())
    for payload in payloads:
        for place in (payload, payload["context"]):
            place |= {
                name: re.sub(r"harness-[a-z]+-[^/]+", "FOLDER", value)
                for name, value in place.items()
                if isinstance(value, str)
            }
    return payloads


def test_but_for_its_inputs_a_worker_gets_the_same_whatever_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the key held, nothing in START may change with the root: what is left to tell roots apart is the inputs."""
    for name in ("toy-squares", "toy-pairs", "toy-dialogue"):
        made = [order(Options(task=name, tasks_root=TOYS, profile="ci-smoke", seed=seed)) for seed in (1, 2)]
        held = [replace(one, worker_key=b"0123456789abcdef") for one in made]
        assert len(seen := [started(monkeypatch, one) for one in held]) == 2
        assert seen[0] == seen[1] != []
        assert started(monkeypatch, repeatable(made[0])) != started(monkeypatch, repeatable(made[1]))


def test_the_order_of_turns_which_a_clock_can_tell_does_not_come_from_the_root() -> None:
    def state(one: Order) -> Mapping[str, Any]:
        with setting_of(one) as setting:
            made = round_of(one, setting, prepared, Silent())
        assert made.reference_seed == worker_seed(one.root, "toy-squares", "0")
        return made.order.bit_generator.state

    one = asked(None)
    prepared = prepare(one, 0, Silent())
    of_root = np.random.default_rng(derived_seed(one.root, "toy-squares", "order", "0")).bit_generator.state
    assert state(one) != of_root
    assert state(one) == state(replace(one, root=b"public:1")), "the key alone decides"
    assert state(one) != state(asked(None)), "and it is drawn for each order"
    assert state(repeatable(one)) == of_root, "as kept proofs had it"


def test_places_of_models_do_not_name_an_instance() -> None:
    """A derived model's folder is named by a hash of what it is made of: so nothing drawn by seed may be in that."""
    seen = []
    for name, task in tasks.all_tasks().items():
        if "workbench.derive" not in "".join(f.read_text() for f in task.folder.glob("*.py")):
            continue
        made = order(Options(task=name, profile="ci-smoke"))
        small = replace(made, profile=made.profile.model_copy(update={"size": "check"}))
        try:
            places = [prepare(small, number, Silent(), may_derive=False).instance.models for number in (0, 1)]
        except DataError:
            continue  # it reads what it derives, and that is not in the cache here
        assert places[0] == places[1], name
        seen.append(name)
    assert {"latency-budget", "long-documents"} <= set(seen)


def test_a_proof_gives_references_what_it_always_did_and_cheats_nothing_of_the_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: dict[str, set[int]] = {}
    made = session._start_payload

    def noted(seat: session.WorkerSpec, *more: Any) -> dict[str, Any]:
        text = (seat.submission / "solution.py").read_text()
        given.setdefault(text, set()).add(seat.seed)
        return made(seat, *more)

    monkeypatch.setattr(session, "_start_payload", noted)
    prove(asked(None), 1, Silent())
    of_root = {worker_seed(b"public:%d" % SEED, "toy-squares", "0")}
    for folder in (TOYS / "toy-squares").rglob("solution.py"):
        found = given.get(folder.read_text())
        assert found is not None
        if "cheats" in folder.parts:
            assert len(found) == 1
            assert found.isdisjoint(of_root)
        else:
            assert found == of_root
    again = dict(given)
    prove(asked(None), 1, Silent())
    assert given == again, "the same figures each time"


def test_a_reference_keeps_its_seed_beside_a_candidate_that_has_its_own(
    attack: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    made = session._start_payload

    def noted(seat: session.WorkerSpec, *more: Any) -> dict[str, Any]:
        given.append(seat.seed)
        return made(seat, *more)

    monkeypatch.setattr(session, "_start_payload", noted)
    (attack / "solution.py").write_text(ATTACK.replace("100_000", "1"))
    done = runner.run(asked(attack), store)
    own = worker_seed(bytes.fromhex(done.head.worker_key), "toy-squares", "0")
    assert set(given) == {own, worker_seed(b"public:%d" % SEED, "toy-squares", "0")}
    assert given.count(own) == 1


def test_a_public_seed_and_a_secret_never_meet(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text("\n8c1f0d6be2a34957b0c6d1e84f7a2935\n")
    assert seed_bytes(None, None) == seed_bytes(0, None) == b"public:0"
    assert seed_bytes(3, None) != seed_bytes(4, None)
    assert seed_bytes(None, file) == b"secret:8c1f0d6be2a34957b0c6d1e84f7a2935"
    with pytest.raises(UsageError, match="exclude each other"):
        seed_bytes(1, file)
    with pytest.raises(UsageError, match="exclude each other"):
        seed_bytes(0, file)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "no 32 or more hexadecimal digits"),
        ("sixteen bytes or more", "no 32 or more hexadecimal digits"),
        ("correct horse battery staple, thirty-two and more", "no 32 or more hexadecimal digits"),
        ("0123456789abcde" * 2, "no 32 or more hexadecimal digits"),
        ("d41d8cd98f00b204e9800998ecf8427", "no 32 or more hexadecimal digits"),
        ("d41d8cd98f00b204e9800998ecf8427é", "no 32 or more hexadecimal digits"),
        ("0" * 64, "follow a pattern"),
        ("0123456789abcdef" * 2, "follow a pattern"),
        ("0123456789abcdeffedcba9876543210", "follow a pattern"),
        ("20240131" * 4, "follow a pattern"),
        ("deadbeef" * 5 + "dea", "follow a pattern"),
        ("11111112222222333333344444445555", "follow a pattern"),
    ],
)
def test_a_secret_that_could_be_guessed_is_refused_with_its_mend(
    tmp_path: Path, content: str, why: str
) -> None:
    file = tmp_path / "seed"
    file.write_text(content)
    with pytest.raises(DataError, match=why) as caught:
        seed_bytes(None, file)
    assert "`harness keys secret FILE` makes one of 128 random bits" in str(caught.value)
    assert not content or content not in str(caught.value), "the secret itself is not printed"


def test_what_was_drawn_at_random_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    with pytest.raises(DataError, match="cannot be read: No such file"):
        seed_bytes(None, file)
    file.write_bytes(b"  " + os.urandom(16).hex().encode() + b"\n")
    file.chmod(stat.S_IRUSR)
    assert len(seed_bytes(None, file)) == len(b"secret:") + 32
    for _ in range(2000):
        assert weakness(new_secret()) == ""
    for size in (16, 24, 32, 64):
        assert weakness(b"secret:" + secrets.token_hex(size).upper().encode()) == ""
    assert new_secret() != new_secret()


@pytest.mark.parametrize(
    ("secret", "official", "settled"), [(True, True, 1), (True, False, 0), (False, True, 0)]
)
def test_what_earlier_submissions_left_in_memory_is_settled_where_others_are_asked_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: bool, official: bool, settled: int
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(runner, "settle_pages", lambda: calls.append(1))
    monkeypatch.setattr(ProcessLevel, "official", official)
    folder = TOYS / "toy-squares" / "reference_solutions" / "baseline"
    asked = order(Options(task="toy-squares", folder=folder, tasks_root=TOYS, profile="ci-smoke"))
    asked = replace(asked, root=b"x" * 32, seed=None) if secret else asked
    runner.run(asked, Store.open(tmp_path / "home"))
    assert len(calls) == settled
