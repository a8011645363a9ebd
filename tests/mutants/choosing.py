"""Which mutants are tried, which are set aside as equivalent, and which tests are run against each."""

from __future__ import annotations

import ast
import random
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.operators import WEIGHTS, Mutant


@dataclass(frozen=True)
class Recorded:
    """One test as it ran on the program without a fault: seconds, and the functions that it entered.

    A function is `path:qualified.name`, the path being that of its module under the top folder.
    """

    test: str
    seconds: float
    functions: frozenset[str]


@dataclass(frozen=True)
class Equivalent:
    """A mutant that no test can notice, and why; `module` is the end of its dotted name, so that it may move."""

    module: str
    function: str
    before: str
    after: str
    reason: str

    def is_(self, module: str, mutant: Mutant) -> bool:
        """Whether it is this mutant of the module with this dotted name."""
        own = (mutant.function, mutant.before, mutant.after)
        return f".{module}".endswith(f".{self.module}") and own == (self.function, self.before, self.after)


def equivalents(file: Path) -> list[Equivalent]:
    """The list as it is kept; raises ValueError for an entry without a reason, TypeError for an unknown key."""
    known = [Equivalent(**entry) for entry in tomllib.loads(file.read_text("utf-8")).get("mutant", [])]
    for one in known:
        if not one.reason.strip():
            raise ValueError(f"{file.name}: {one.module}: {one.before}: say why it is equivalent")
    return known


def sample(mutants: Sequence[Mutant], most: int, seed: int) -> list[Mutant]:
    """`most` of them, drawn without replacement by the weights of their kinds; in the order of the text.

    Each mutant's lot hangs on `seed` and what it is alone, so that a change elsewhere in the module or a new name
    of its file leaves the others in the sample. (Efraimidis and Spirakis: the highest u ** (1 / weight).)
    """

    def lot(mutant: Mutant) -> float:
        return random.Random(f"{seed}|{mutant.identity}").random() ** (1 / WEIGHTS[mutant.kind])

    drawn = sorted(mutants, key=lot, reverse=True)[:most]
    return sorted(drawn, key=lambda m: (m.start, m.end, m.kind, m.after))


def reaching(mutant: Mutant, module: str, records: Iterable[Recorded]) -> list[Recorded]:
    """The tests that enter the mutant's function, the nearest first.

    Near is a test that enters few functions besides, and among equals a short one. What stands at the top of a module,
    or in a class, belongs to every function of the module.
    """
    exact = f"{module}:{mutant.function}"

    def reaches(record: Recorded) -> bool:
        if mutant.function:
            return exact in record.functions
        return any(name.startswith(f"{module}:") for name in record.functions)

    return sorted(filter(reaches, records), key=lambda r: (len(r.functions), r.seconds, r.test))


def parted(tests: Sequence[Recorded], near: float, most: float) -> tuple[list[str], list[str], int]:
    """Names of the first tests up to `near` recorded seconds, of further ones up to `most`, and how many are left out.

    The first test is always among the near ones.
    """
    first: list[str] = []
    further: list[str] = []
    total, left_out = 0.0, 0
    for record in tests:
        total += record.seconds
        if not first or total <= near:
            first.append(record.test)
        elif total <= most:
            further.append(record.test)
        else:
            left_out += 1
    return first, further, left_out


def dotted(path: str) -> str:
    """`harness/measures/stats.py` as `harness.measures.stats`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def importers(module: str, sources: Mapping[str, str]) -> list[str]:
    """The test files, of `sources` by path, that name the module in an import."""
    return sorted(path for path, text in sources.items() if module in _imported(text))


def _imported(text: str) -> set[str]:
    """Dotted names of all imports; of `from a import b` both a and a.b, since b may be a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names
