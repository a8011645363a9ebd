"""For the files of a task: how they import each other and are imported, and a reserve of the same questions."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from harness.errors import TaskError
from harness.instances import Request


def beside(file: str, name: str) -> ModuleType:
    """The module `name`.py next to a task's `file`, as in `beside(__file__, "inputs")`; names may recur among tasks."""
    path = Path(file).with_name(f"{name}.py")
    return imported(f"harness_task_{path.parent.name.replace('-', '_')}_{name}", path)


def imported(name: str, path: Path) -> ModuleType:
    """The module in the file `path`, executed anew under `name`; raises TaskError where it cannot be read."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TaskError(f"{path} cannot be read")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def asked_again(
    requests: Sequence[Request], pairs: int, more: int, rng: np.random.Generator
) -> tuple[Request, ...]:
    """A reserve for `more` further pairs that asks what the first `pairs` are asked: `requests` of a paired stage.

    In each group every further pair gets other ones than those before it, drawn anew, until all were asked again; no
    pair is asked one twice. Which worker was asked one before, and whether one will be asked, nobody can tell.
    """
    groups: dict[tuple[str, bool], list[Request]] = {}
    for request in requests:
        groups.setdefault((request.label, request.warmup), []).append(request)
    shares = [_shares(members, len(members) // pairs, more, rng) for members in groups.values()]
    blocks = [[request for share in shares for request in share[number]] for number in range(more)]
    place = {request.item: number for number, request in enumerate(requests)}
    return tuple(
        replace(request, item=f"more-{number}-{request.item}", again=request.item)
        for number, block in enumerate(blocks)
        for request in sorted(block, key=lambda request: place[request.item])
    )


def _shares(
    members: Sequence[Request], size: int, count: int, rng: np.random.Generator
) -> list[list[Request]]:
    """`count` draws of `size` members, none twice before all of them (but for a rest) were drawn."""

    def drawn() -> Iterator[list[Request]]:
        while True:
            order = rng.permutation(len(members)).tolist()
            for start in range(0, len(members) - size + 1, max(size, 1)):
                yield [members[place] for place in order[start : start + size]]

    shares = drawn()
    return [next(shares) for _ in range(count)]
