"""The walls of the house as functions: sources in, every breach of a wall out, each as a sentence.

Sources are a dict from a module's dotted name inside the package ("runs.order", "__init__", "runs.__init__")
to its text, so that a test can plant a breach in a copy and see it named.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

Sources = Mapping[str, str]

# Who may import whom, besides the root's words and itself. A dotted name allows that module alone.
ROOMS = {
    "cli": "assessment receipts runs reports inputs store analysis machine",
    "assessment": "runs reports inputs store analysis machine",
    "receipts": "runs inputs store analysis machine",
    "runs": "trials isolation inputs store grading machine measures worker.wire",
    "trials": "isolation inputs machine measures worker",
    "reports": "analysis grading measures",
    "isolation": "machine worker",
    "inputs": "machine.temporary grading.criteria",
    "store": "machine",
    "analysis": "grading.criteria measures",
    "grading": "measures",
    "machine": "",
    "measures": "",
    "worker": "",
}
ROOT = {"__init__", "__main__", "digests", "errors", "instances", "observer", "proofs", "readings", "records"}
ROOT |= {"ladders", "looks", "sheets", "strangers", "syntax", "tasks", "tiers"}
PURE_ROOMS = {"reports", "analysis", "grading", "measures"}
IMPURE_WORDS = {"__main__", "digests", "tasks"}  # of the root; digests read files, tasks imports modules
AUTHORS = {"errors", "records", "instances", "measures", "tasks"}
MOST_MODULES = 16
OUTSIDE = {
    *("os", "time", "subprocess", "socket", "random", "shutil", "tempfile", "glob", "io", "sys", "signal"),
    *("threading", "urllib", "platform", "secrets", "uuid", "pathlib", "multiprocessing", "ctypes"),
}
SIDE_EFFECT = re.compile(
    r"(^|\.)(open|read_text|read_bytes|write_text|write_bytes|unlink|mkdir|now|today|utcnow|getenv)$"
)
PRINTS = {"print", "exit", "quit", "sys.exit", "SystemExit", "os._exit", "os.abort", "input"}
STARTS = re.compile(r"os\.(fork|forkpty|system|popen|exec|spawn|posix_spawn)")
STARTERS = {
    *("isolation", "assessment.executors", "worker.zygote", "worker.keeping", "worker.namespaces"),
    *("worker.probes.kernel", "worker.probes.between"),
}
CLOCKS = {
    *(
        "trials.session",
        "trials.channel",
        "trials.watch",
        "trials.round",
        "machine.counters",
        "machine.lease",
    ),
    *("runs.runner", "runs.prove", "assessment.calibrate", "assessment.executors", "cli.progress", "worker"),
    "isolation.selftest",  # waits for a process to be born later than another
}
EXECUTES = {"eval", "exec", "pickle.loads", "pickle.load", "torch.load", "marshal.loads", "__import__"}


def sources(top: Path) -> dict[str, str]:
    """The modules below `top` by their dotted names."""
    files = (file for file in sorted(top.rglob("*.py")) if "__pycache__" not in file.parts)
    return {".".join(file.relative_to(top).with_suffix("").parts): file.read_text("utf-8") for file in files}


@cache
def tree_of(text: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(text)


def room_of(name: str) -> str:
    """The room a module is in; "" for the root's words."""
    first = name.split(".")[0]
    return "" if "." not in name else first


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is executed: not what stands under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from running(node)


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """Dotted names of all imports, `from a import b` as a.b."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names}
    return names


def libraries(nodes: Iterable[ast.AST]) -> set[str]:
    """The first parts of all imports."""
    return {name.split(".")[0] for name in imported(nodes)} - {"__future__"}


def ours(text: str, known: Collection[str]) -> set[str]:
    """The modules of the package that a text imports at any depth, those for types alone too."""
    reached = set()
    for name in every_import(text):
        if name.split(".")[0] == "harness":
            inner = name.removeprefix("harness").lstrip(".") or "__init__"
            while inner and inner not in known and f"{inner}.__init__" not in known:
                inner = inner.rpartition(".")[0]
            reached.add(inner or "__init__")
    return reached


@cache
def every_import(text: str) -> frozenset[str]:
    """Dotted names of all imports at any depth, those for types alone too."""
    return frozenset(imported(ast.walk(tree_of(text))))


@cache
def loaded_libraries(text: str) -> frozenset[str]:
    """The first parts of all imports that are executed."""
    return frozenset(libraries(running(tree_of(text))))


@cache
def calls(text: str) -> frozenset[str]:
    """Every call as it is written: `print`, `sys.exit`, `os.fork`."""
    return frozenset(ast.unparse(node.func) for node in ast.walk(tree_of(text)) if isinstance(node, ast.Call))


def _allowed(name: str, target: str) -> bool:
    here, there = room_of(name), room_of(target)
    if not there and target not in ROOMS:
        return here != "worker" or target == "__init__"
    if not there:
        there = target  # the room's own __init__
    if here == there:
        return True
    if name == "__main__":
        return there == "cli"
    return bool(here) and any(target == entry or there == entry for entry in ROOMS.get(here, "").split())


def _may(name: str) -> str:
    entries = ROOMS.get(room_of(name), "").split()
    whom = (
        f"{room_of(name)} may import {', '.join(entries)}"
        if entries
        else "it may import the root's words alone"
    )
    return f"by ROOMS in tests/house.py {whom}"


# Through whom the inner rooms are reached.
ENTRANCES = {"trials": "runs", "isolation": "trials and runs", "worker": "isolation, trials and runs.prepare"}


def rooms(given: Sources) -> list[str]:
    """Modules that are in no room, and imports that the table does not allow."""
    breaches = [
        f"{name}.py stands in the root, which is closed; give it a room"
        for name in given
        if "." not in name and name not in ROOT
    ]
    breaches += [
        f"{name} is in no room; put it into one of {', '.join(ROOMS)}"
        for name in given
        if room_of(name) and room_of(name) not in ROOMS
    ]
    for name, text in given.items():
        breaches += [
            f"{name} may not import {target}; {_may(name)}"
            for target in sorted(ours(text, given))
            if not _allowed(name.removesuffix(".__init__"), target)
        ]
        breaches += [
            f"{name} imports relatively; write the whole path, harness.ROOM.MODULE"
            for one in every_import(text)
            if one[0] == "."
        ]
    return breaches


def loops(given: Sources) -> list[str]:
    """The modules that import each other in a circle, directly or over others."""
    waiting = {name: ours(text, given) - {name} for name, text in given.items()}
    while free := [name for name, needs in waiting.items() if not needs & waiting.keys()]:
        for name in free:
            del waiting[name]
    return [
        f"{name} is in a circle with {', '.join(sorted(needs & waiting.keys()))}"
        for name, needs in waiting.items()
    ]


def is_pure(name: str, text: str) -> bool:
    """Whether a module promises to touch nothing: by its room, as one of the root's words, or by its docstring."""
    if room_of(name):
        return room_of(name) in PURE_ROOMS or (ast.get_docstring(tree_of(text)) or "").startswith("Pure")
    return name not in IMPURE_WORDS


def pure(given: Sources) -> list[str]:
    """Pure modules that touch the disk, a clock, a process or the environment, or import one that may."""
    breaches = []
    for name, text in given.items():
        if not is_pure(name, text):
            continue
        spared = {"io"} if name == "reports.run.text" else set()  # an in-memory sink for rich
        spared |= {"pathlib"} if name in PATHS_AS_VALUES else set()
        touched = loaded_libraries(text) & (OUTSIDE - spared)
        breaches += [f"{name} is pure and imports {library}" for library in sorted(touched)]
        breaches += [
            f"{name} is pure and calls {call}" for call in sorted(calls(text)) if SIDE_EFFECT.search(call)
        ]
        breaches += [f"{name} is pure and draws without a seed"] * _draws_freely(text)
        for target in sorted(ours(text, given)):
            full = target if target in given else f"{target}.__init__"
            if not is_pure(full, given[full]):
                breaches.append(f"{name} is pure and imports {target}, which is not")
    return breaches


@cache
def _draws_freely(text: str) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func).endswith("default_rng") and not node.args
        for node in ast.walk(tree_of(text))
    )


# A path in a frozen value is a name; nothing there opens it.
PATHS_AS_VALUES = {"instances"}


def inits(given: Sources) -> list[str]:
    """Rooms whose __init__ holds more than its sentence."""
    return [
        f"{name} holds more than a docstring; move the code to a module of its own"
        for name, text in given.items()
        if name.endswith(".__init__")
        and (len(tree_of(text).body) != 1 or not ast.get_docstring(tree_of(text)))
    ]


def _stands_in(name: str, places: Iterable[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def doors(given: Sources) -> list[str]:
    """Side effects away from their door: printing, starting processes, SQL, clocks, executing data."""
    breaches = []
    for name, text in given.items():
        used, loaded = calls(text), loaded_libraries(text)
        if room_of(name) not in ("cli", "worker"):
            breaches += [f"{name} calls {call}" for call in sorted(used & PRINTS)]
            breaches += [f"{name} names {s}" for s in ("sys.stdout", "sys.stderr") if s in text]
        if not _stands_in(name, STARTERS):
            breaches += [
                f"{name} imports {library}" for library in sorted(loaded & {"subprocess", "multiprocessing"})
            ]
            breaches += [f"{name} calls {call}" for call in sorted(used) if STARTS.match(call)]
        if room_of(name) != "store":
            breaches += [
                f"{name} imports {library}" for library in sorted(loaded & {"sqlalchemy", "sqlite3"})
            ]
        if "time" in loaded and not _stands_in(name, CLOCKS):
            breaches.append(f"{name} imports time")
        breaches += [f"{name} calls {call}" for call in sorted(used & EXECUTES)]
    return breaches


def inner_rooms(given: Sources) -> list[str]:
    """Who enters trials, isolation and worker besides those that must."""
    may = {
        "trials": lambda name: room_of(name) == "runs",
        "isolation": lambda name: room_of(name) in ("trials", "runs"),
        "worker": lambda name: room_of(name) in ("isolation", "trials") or name == "runs.prepare",
    }
    breaches = []
    for name, text in given.items():
        for target in sorted(ours(text, given)):
            room = target.split(".")[0]
            if room in may and room_of(name) != room and not may[room](name):
                breaches.append(
                    f"{name} enters {room} by {target}; only {ENTRANCES[room]} may: call what it offers"
                )
    return breaches


READERS = {"tasks": "inputs.tasks", "reference_solutions": "inputs.submissions", "configs": "inputs.profiles"}
READERS |= {"docs": "inputs.proofs"}


def readers(given: Sources) -> list[str]:
    """Modules that read a top folder whose reader is another; and readers that read nothing."""
    seen: dict[str, set[str]] = {}
    for name, text in given.items():
        for node in ast.walk(tree_of(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("layout.folder", "folder"):
                argument = node.args[0]
                label = argument.value if isinstance(argument, ast.Constant) else "a folder that is not named"
                seen.setdefault(str(label), set()).add(name)
    wanted = {folder: {reader} for folder, reader in READERS.items()}
    return [
        f"{folder} is read by {', '.join(sorted(seen.get(folder, set())))}"
        for folder in {**seen, **wanted}
        if seen.get(folder) != wanted.get(folder)
    ]


def authors(files: Mapping[str, str]) -> list[str]:
    """What task authors import of ours beyond their words; and submissions that import anything of ours.

    `files` maps paths below the top folder to texts.
    """
    breaches = []
    for path, text in files.items():
        names = {
            n
            for n in imported(ast.walk(tree_of(text)))
            if n.split(".")[0] in ("harness", "tasks", "reference_solutions", "tests")
        }
        parts = set(Path(path).parts)
        if parts & {"starter", "cheats", "reference_solutions", "common_cheats"} or _is_judge(path):
            breaches += [f"{path} imports {name}" for name in sorted(names)]
        else:
            breaches += [
                f"{path} imports {name}"
                for name in sorted(names)
                if f"{name}.".split(".")[1] not in AUTHORS or name.split(".")[0] != "harness"
            ]
    return breaches


def _is_judge(path: str) -> bool:
    return Path(path).name in ("solution.py", "contract.py")


def crowded(given: Sources) -> list[str]:
    """Rooms and sub-rooms that hold more than sixteen modules directly."""
    inside: dict[str, int] = {}
    for name in given:
        folder, _, last = name.rpartition(".")
        if folder and last not in ("__init__", "__main__"):
            inside[folder] = inside.get(folder, 0) + 1
    return [
        f"{folder} holds {count} modules, and {MOST_MODULES} are allowed; give it sub-rooms"
        for folder, count in inside.items()
        if count > MOST_MODULES
    ]


def reach(room: str) -> set[str]:
    """The rooms that `room` can reach by the table, itself included."""
    seen, queue = set(), [room]
    while queue:
        here = queue.pop()
        if here not in seen:
            seen.add(here)
            queue += [entry.split(".")[0] for entry in ROOMS[here].split()]
    return seen
