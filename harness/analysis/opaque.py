"""What a comparison of code cannot see: code that is made while it runs, long tables, files that are no code; pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from harness.analysis.trees import parsed
from harness.syntax import Literal, literals, text_of

LONG_TEXT = 2_000  # characters or bytes of one literal
LONG_TABLE = 200  # numbers and texts in one display
LARGE_FILE = 4_096  # bytes of a file that is no Python, or of several: code can be cut into pieces
# Characters or bytes from which a literal counts with others of its file, and in all of them together.
PIECE, LONG_PIECES = 200, 2 * LONG_TEXT
MOST_NAMED = 8  # places of one submission
_RUNS = {"exec", "eval", "compile", "__import__", "globals", "execfile", "__builtins__", "__loader__"}
# What gives a module's names by a text, which can be put together where it is used.
_RUNS |= {"vars", "locals"}
_NAMES = {
    "__dict__",
    "__globals__",
    "__builtins__",
    "f_globals",
    "f_builtins",
    "__subclasses__",
    "__loader__",
}
_MODULES = {
    "builtins",
    "code",
    "marshal",
    "timeit",
    "zipimport",
    "ctypes",
    "runpy",
    "cffi",
    "importlib",
    "imp",
    "codeop",
    "types.CodeType",
    "sys.modules",
    "types.FunctionType",
}
_STORES = {"pickle", "dill", "cloudpickle", "joblib", "_pickle"}


class Opaque(NamedTuple):
    """One thing that cannot be compared: what it is, in which file, and on which line (0: the whole file)."""

    what: str
    file: str
    line: int

    @property
    def words(self) -> str:
        """As a person reads it."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{self.what} ({place})" if place else self.what


def opaque(code: Mapping[str, bytes], others: Mapping[str, int]) -> tuple[Opaque, ...]:
    """What of a submission cannot be compared; of one kind in one file only the first, and MOST_NAMED at most.

    `code` are its Python files, `others` the bytes of its other files. A store of objects (pickle) is named where it is
    read and nothing is written with it: then it was filled somewhere else.
    """
    hidden: dict[tuple[str, str], Opaque] = {}
    for name, content in sorted(code.items()):
        text = text_of(content)
        tree = parsed(text)
        if tree is None:
            hidden[name, ""] = Opaque("is no Python that parses", name, 0)
            continue
        for one in (*_in_tree(tree, name), *_long(tuple(literals(tree, text)), name)):
            hidden.setdefault((name, one.what.split(" of ")[0]), one)
    small = {name: size for name, size in others.items() if size < LARGE_FILE}
    for name, size in sorted(others.items(), key=lambda item: -item[1]):
        if name not in small:
            hidden[name, ""] = Opaque(f"a file of {max(1, size >> 10):,} KiB", name, 0)
    if (total := sum(small.values())) >= LARGE_FILE:
        hidden["", ""] = Opaque(f"{len(small)} files of {total >> 10:,} KiB in all", min(small), 0)
    return tuple(hidden.values())[:MOST_NAMED]


def _in_tree(tree: ast.Module, file: str) -> Iterator[Opaque]:
    nodes = list(ast.walk(tree))
    writes = any(isinstance(n, ast.Attribute | ast.alias) and _last(n) in ("dump", "dumps") for n in nodes)
    for node in nodes:
        line = getattr(node, "lineno", 0)
        for what in _named(node):
            if what not in _STORES or not writes:
                yield Opaque(what, file, line)


def _long(every: Sequence[Literal], file: str) -> Iterator[Opaque]:
    pieces = [one for one in every if one.unit in ("characters", "bytes") and PIECE <= one.size < LONG_TEXT]
    if (total := sum(one.size for one in pieces)) >= LONG_PIECES:
        yield Opaque(f"{len(pieces)} literals of {total:,} characters in all", file, pieces[0].line)
    for one in every:
        if one.unit == "values" and one.size >= LONG_TABLE:
            yield Opaque(f"a table of {one.size:,} values", file, one.line)
        elif one.unit in ("characters", "bytes") and one.size >= LONG_TEXT:
            yield Opaque(f"a literal of {one.size:,} {one.unit}", file, one.line)


def _named(node: ast.AST) -> Iterator[str]:
    """What a node names of what runs or reads code that is not there to be read."""
    if isinstance(node, ast.Name) and node.id in _RUNS:
        yield node.id
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        yield from (str(n.value) for n in node.args[1:2] if isinstance(n, ast.Constant) and n.value in _RUNS)
    elif isinstance(node, ast.Import):
        yield from (first for a in node.names if (first := a.name.split(".")[0]) in _MODULES | _STORES)
    elif isinstance(node, ast.ImportFrom) and node.module:
        first = node.module.split(".")[0]
        whole = {first, *(f"{node.module}.{alias.name}" for alias in node.names)}
        yield from sorted(whole & (_MODULES | _STORES))
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield node.attr
    elif isinstance(node, ast.Attribute) and node.attr == "modules" and _is_sys(node.value):
        yield "sys.modules"
    elif isinstance(node, ast.Attribute) and node.attr in (
        "CodeType",
        "FunctionType",
        "import_module",
        "exec_module",
    ):
        yield node.attr


def _is_sys(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "sys"


def _last(node: ast.Attribute | ast.alias) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.name.split(".")[-1]
