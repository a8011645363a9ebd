"""The hunt for channels: no word arrives by what the docs do not name, and nothing that a worker reaches is unnamed."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from harness.isolation.levels import LEVELS
from tests.conftest import HERE
from tests.hostility.channels import chance, inventory, known, page
from tests.hostility.channels.hunt import CARRIERS, RELATIONS, Found, Hunt, Thing, ask
from tests.hostility.channels.sweep import Pair, Swept, Told, judged

boxes = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("bwrap"), reason="boxes need Linux and the program bwrap"
)
# What arrives by it in two boxes at once, so that a hunt that carries nothing at all is known as one.
CONTROL = "whole-file locks of shared files"


@pytest.fixture(scope="module")
def table() -> list[Thing]:
    """The table of objects, read by a process of its own: its modules have names that others could have."""
    code = "import json, solution; print(json.dumps(solution.Solution(None).objects({})))"
    said = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=CARRIERS, capture_output=True, text=True, check=True
    )
    return [
        Thing(o["name"], o["bits"], tuple(o["calls"]), o["alive"], o["alone"])
        for o in json.loads(said.stdout)
    ]


@pytest.fixture(scope="module")
def hunt() -> Iterator[Hunt]:
    made = Hunt(LEVELS["bubblewrap"]())
    yield made
    made.close()


def commit() -> str:
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return said.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="the table has Linux's numbers")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_of_every_call_that_the_filter_allows_it_is_said_whether_it_is_tried(
    machine: str, table: list[Thing], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = {call for thing in table for call in thing.calls}
    assert tried <= inventory.numbers().keys()
    assert inventory.unclassified_calls(tried, machine) == set()
    assert "ustat" not in inventory.allowed(machine)
    # Take one away, and it is missed.
    assert inventory.unclassified_calls(tried - {"flock"}, machine) == {"flock"}
    monkeypatch.setattr(inventory, "HARMLESS", {})
    assert "getppid" in inventory.unclassified_calls(tried, machine)


def test_a_number_without_a_name_is_none_that_a_kernel_has() -> None:
    named = {int(x86) for x86, _ in inventory.numbers().values() if x86 != "-"}
    assert set(range(471)) - named == set(range(337, 424))  # left free, so that newer calls have one number
    named = {int(arm) for _, arm in inventory.numbers().values() if arm != "-"}
    # For calls of single processors (244 to 259), of 32 bits (403 to 423), and free.
    assert set(range(471)) - named <= {*range(244, 260), *range(295, 424)}


def test_nothing_is_both_harmless_and_tried_for_two_reasons(table: list[Thing]) -> None:
    said = [
        name
        for names in (*inventory.HARMLESS.values(), *inventory.UNTRIED.values())
        for name in names.split()
    ]
    assert len(said) == len(set(said))
    assert set(said) <= inventory.numbers().keys()
    assert {call for thing in table for call in thing.calls}.isdisjoint(said)
    assert set(inventory.WRITABLE.values()) <= {thing.name for thing in table}
    assert known.EVER.keys() | known.OF_A_USER <= {thing.name for thing in table}


def test_what_a_commit_tries_is_what_ever_carried_and_some_of_the_others(table: list[Thing]) -> None:
    names = [thing.name for thing in table]
    first, again = known.chosen(names, "a"), known.chosen(names[::-1], "a")
    assert first == again
    assert known.EVER.keys() < set(first)
    assert len(first) == len(known.EVER) + known.DRAWN
    drawn = {name for number in range(60) for name in known.chosen(names, f"{number}")}
    assert drawn == set(names)


@pytest.mark.parametrize(
    ("right", "tried", "bits", "due"),
    [
        (1, 1, 64, True),
        (0, 1, 64, False),
        (18, 22, 1, False),
        (22, 22, 1, True),
        (4, 16, 4, False),
        (16, 16, 4, True),
    ],
)
def test_a_word_arrives_where_chance_would_not_have_brought_it(
    right: int, tried: int, bits: int, due: bool
) -> None:
    assert chance.above(right, tried, bits) is due
    found = Found(
        Thing("x", bits, (), False, False), "stage", [1] * tried, [1] * right + [None] * (tried - right)
    )
    assert (found.arrives, found.right) == (due, right)
    assert (found.bits_a_pair > 0) is due


def test_a_word_of_which_one_bit_is_wrong_arrives_too() -> None:
    found = Found(Thing("x", 64, (), False, False), "beside", [0xF0F0F0F0F0F0F0F0], [0xF0F0F0F0F0F0F0F1])
    assert (found.arrives, found.right, found.right_bits) == (True, 0, 63)
    assert found.bits_a_pair == pytest.approx(64 * chance.bits(63, 64, 1))
    for constant in (0, (1 << 64) - 1, None, -1, 1 << 64):
        assert not replace(found, received=[constant]).arrives


def test_a_rate_is_the_capacity_of_a_channel_with_so_many_errors() -> None:
    assert chance.bits(16, 16, 4) == 4
    assert chance.bits(0, 16, 4) == 0
    assert chance.bits(8, 16, 1) == 0  # as good as none
    # 11 % wrong of a bit: about half a bit (Cover and Thomas, 7.1.4).
    assert chance.bits(89, 100, 1) == pytest.approx(0.5, abs=1e-3)


def test_the_chance_of_an_order_is_counted() -> None:
    assert chance.separation([1, 2, 3], [4, 5]) == chance.separation([4, 5], [1, 2, 3]) == 1
    assert chance.separation([1, 2], [1, 2]) == 0
    assert chance.chance_of(1.0, 10, 10) == pytest.approx(2 / math.comb(20, 10))
    assert chance.chance_of(0.0, 4, 5) == pytest.approx(1)
    # Of the six orders of two and two, four are at least half apart: U of 0, 1, 3 and 4.
    assert chance.chance_of(0.5, 2, 2) == pytest.approx(4 / 6)


def test_a_sweep_finds_the_one_number_that_tells_and_no_other() -> None:
    rng, pairs, at = random.Random(4), [], 1000.0
    before: dict[str, list[float]] = {}
    for number in range(36):
        bit = number % 2
        at += 3 + 50 * bit
        after = {
            "/proc/counts": [7.0, at],
            "/proc/tells": [rng.random(), bit + rng.random() / 2],
            **{f"/proc/{name}": [rng.random() for _ in range(20)] for name in range(60)},
        }
        pairs.append(Pair(bit, after, before))
        before = after
    swept = judged("stage", pairs[:16], pairs[16:])
    assert [(told.name, told.number, told.kind) for told in swept.tells] == [
        ("/proc/counts", 1, "step"),
        ("/proc/tells", 1, "value"),
    ]
    assert (swept.read, swept.pairs) == (62, 36)
    mixed = [replace(pair, bit=rng.getrandbits(1)) for pair in pairs]
    assert judged("stage", mixed[:16], mixed[16:]).tells == ()


def test_the_page_says_what_carries_at_which_rate_and_what_is_untried(table: list[Thing]) -> None:
    loud, quiet = replace(table[0], name="loud", bits=16), replace(table[0], name="quiet", bits=64)
    founds = [
        Found(loud, "stage", [1, 2, 3, 4], [1, 2, 3, 4]),
        Found(loud, "beside", [1, 2, 3, 4], [None, "refused", 0, 1 << 16]),
        Found(quiet, "stage", [5], ["no"], "no such thing"),
    ]
    swept = Swept("stage", 900, 4, 36, (Told("/proc/x", 1, "step", 1.0, 1e-5),))
    words = page.written(founds, [swept], "Made.")
    assert "| object | bits asked of a pair | stage | beside |" in words
    assert "| loud | 16 | 16 (64 of 64) | nothing |" in words
    assert "quiet (no such thing)" in words
    assert "What tells which: `/proc/x`." in words
    assert "`membarrier`" in words


def test_the_docs_hold_the_table_and_what_may_still_carry_is_in_it() -> None:
    text = (HERE.parent / "docs" / "security.md").read_text("utf-8")
    table = text.partition(page.BEGIN)[2].partition(page.END)[0]
    carrying = {line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if " of " in line}
    for name, relations in known.EVER.items():
        assert name in table
        assert (name in carrying) is bool(relations) or name in known.OF_A_QUIET_MACHINE, name


@boxes
@pytest.mark.slow
def test_nothing_that_a_worker_can_read_or_write_is_left_unnamed(hunt: Hunt) -> None:
    with hunt.worker(hunt.folders[0]) as worker:
        walked = ask(worker, {"do": "walk"})
        read = ask(worker, {"do": "read"})
    assert inventory.unclassified_files(walked["files"]) == {}
    assert inventory.unclassified_paths([*walked["folders"], *walked["writable"]]) == set()
    assert {"/tmp", "/dev/shm", "/box", "/dev/null"} <= set(walked["folders"])
    assert sum(how == "read" for how in walked["files"].values()) > 100
    assert {"/proc/self/status", "/proc/stat", "sysinfo()"} <= read.keys()


@boxes
@pytest.mark.slow
@pytest.mark.parametrize("relation", RELATIONS)
def test_no_word_arrives_by_what_the_docs_do_not_name(relation: str, hunt: Hunt) -> None:
    things = {thing.name: thing for thing in hunt.things()}
    root = os.geteuid() == 0
    due = [name for name in known.chosen(things, commit()) if not known.may_carry(name, relation, root)]
    due += [CONTROL] if relation == "beside" else []
    founds = {
        f.thing.name: f for f in hunt.try_words([things[name] for name in due], relation, random.Random())
    }
    arrived: dict[str, Any] = {name: found.word for name, found in founds.items() if found.arrives}
    assert arrived.keys() == ({CONTROL} if relation == "beside" else set()), arrived
