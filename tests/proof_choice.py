"""Pure: which tasks are proven anew here, and which kept proofs stand, chosen by what changed and by a tree's hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from harness.proofs import MadeOf, Proof

Way = Literal["anew", "ladder", "one instance"]
# Ladders beside the proofs that are due: each commit takes other three.
LADDERS_MORE = 3
# As many as the proofs that are kept under docs/proofs.
INSTANCES = 5


@dataclass(frozen=True)
class Standing:
    """A task, its kept proof if there is one, what that would be made of now, and what it must have tried."""

    task: str
    kept: Proof | None
    now: MadeOf
    cheats: frozenset[str] = frozenset()
    mutants: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Choice:
    """What is done about a task's proof, and why.

    `instance` is the one that is run where it is only one, `cheat` the one that is tried beside a ladder.
    """

    task: str
    way: Way
    why: str
    instance: int = 0
    cheat: str = ""

    @property
    def words(self) -> str:
        """One line for a person."""
        if self.way == "one instance":
            return f"{self.task}: kept, and tried on instance {self.instance + 1}; {self.why}"
        if self.way == "ladder":
            return f"{self.task}: kept, and tried on {INSTANCES} instances and with {self.cheat}; {self.why}"
        return f"{self.task}: proven anew; {self.why}"


def choose(standings: Sequence[Standing], tree: str, *, everything: bool = False) -> dict[str, Choice]:
    """Each task's choice: a whole proof where one is due, the ladder of three more, one instance of each of the rest.

    The same standings and the same tree give the same choices.
    """
    found: dict[str, Choice] = {}
    rest: list[Standing] = []
    for one in standings:
        due = "--all-proofs" if everything else why_due(one)
        if due:
            found[one.task] = Choice(one.task, "anew", due)
        else:
            rest.append(one)
    rest.sort(key=lambda one: _drawn(tree, one.task))
    for one in rest[:LADDERS_MORE]:
        why = f"drawn by the tree {tree[:12]}; the kept proof is {by(one)}"
        cheat = min(one.cheats, key=lambda name: _drawn(tree, one.task, name), default="")
        found[one.task] = Choice(one.task, "ladder", why, cheat=cheat)
    for one in rest[LADDERS_MORE:]:
        number = int(_drawn(tree, one.task, "instance"), 16) % INSTANCES
        found[one.task] = Choice(one.task, "one instance", f"the kept proof is {by(one)}", number)
    return {one.task: found[one.task] for one in standings}


def why_due(one: Standing) -> str:
    """Why the kept proof says nothing of the task as it is; '' where it does."""
    if one.kept is None:
        return "no proof is kept"
    if not one.kept.proven:
        return "the kept proof did not hold"
    if one.kept.made_of is None:
        return "the kept proof does not name its parts"
    if one.kept.instances < INSTANCES:
        return f"the kept proof is on {one.kept.instances} instances, and {INSTANCES} are needed"
    if any(source.kind in ("local", "hub") for source in one.kept.sources):
        return "the kept proof is on data or a model that were brought along"
    untried = one.cheats.difference(cheat.id for cheat in one.kept.cheats)
    untried |= one.mutants.difference(mutant.id for mutant in one.kept.mutants)
    if untried:
        return f"the kept proof has not tried {', '.join(sorted(untried))}"
    changed = one.kept.made_of.changes(one.now)
    return f"changed since: {', '.join(changed)}" if changed else ""


def by(one: Standing) -> str:
    """Which program made the kept proof, with both digests where it is not this one."""
    before = one.kept.made_of.program if one.kept and one.kept.made_of else ""
    if before == one.now.program:
        return "by this program"
    return f"by an earlier program ({before[:12]}, now {one.now.program[:12]})"


def _drawn(*words: str) -> str:
    return sha256("\0".join(words).encode()).hexdigest()
