"""Fingerprints of a file's code by its syntax tree, once what costs nothing to change is made alike; pure.

Made alike: names, numbers, texts, type hints, docstrings, imports (a name stands for what it was imported from), the
order of operands that may be swapped and of keyword arguments, comparisons turned round, `x += y`, a negated `if`,
and a name that is given once and used once, which is replaced by what it was given.
"""

from __future__ import annotations

import ast
import base64
import builtins
import contextlib
import hashlib
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from harness import syntax

DEPTH = 4  # levels of a tree that one fingerprint covers: what is changed below or above does not touch it
LEAST = 8  # nodes within them: smaller trees are everybody's
DEEPEST = 120  # levels of a tree that is read; a deeper one is compared by its tokens
TEXT_FROM = 200  # characters from which a text is looked at as code
MOST_UNPACKED = 2**18  # bytes of one text
# Of all texts of a submission together: more is no code of a task whose submissions may have 256 KiB.
MOST_ROOM = 2**19
_STEP = 5  # positions between two statements
_BASE, _PRIME = 1_000_003, (1 << 61) - 1
_BUILTIN = frozenset(dir(builtins))
_SWAPPED = {ast.Gt: ast.Lt, ast.GtE: ast.LtE}
_INVERSE = {ast.Eq: ast.NotEq, ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.Is: ast.IsNot, ast.In: ast.NotIn}
_OPPOSITE = _INVERSE | {there: here for here, there in _INVERSE.items()}
_COMMUTES = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


class Mark(NamedTuple):
    """One fingerprint: its hash, the position of its statement, and that statement's lines, from 1."""

    value: int
    at: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class _Tree:
    """A node made alike: hashes and sizes of it cut off after 0, 1, ... levels, and of the whole."""

    hashes: tuple[int, ...]
    sizes: tuple[int, ...]
    whole: int
    parts: tuple[_Tree, ...]


class Room:
    """How many bytes may yet be unpacked of the texts of one submission: each is read as code, which takes time."""

    def __init__(self, left: int = MOST_ROOM) -> None:
        self.left = left


def marks(text: str, helpers: Collection[str] = (), room: Room | None = None) -> list[Mark] | None:
    """The fingerprints of Python code, in the order of its statements; None where it does not parse or is too deep.

    `helpers` are the submission's own modules, whose names are its author's; `room` what its files share.
    """
    tree = parsed(text)
    if tree is None:
        return None
    try:
        return _all_marks(tree, helpers, room or Room())
    except RecursionError:  # of names that stand for deep expressions, one inside the other
        return None


def _all_marks(tree: ast.Module, helpers: Collection[str], room: Room) -> list[Mark]:
    every = list(_Reader(tree, helpers).marks())
    at = every[-1].at if every else 0
    for first, last, code in _packed(tree, room):
        inner = parsed(code)
        for mark in _Reader(inner, helpers).marks() if inner is not None else ():
            lines = [min(first + line - 1, last) for line in (mark.first, mark.last)]
            every.append(Mark(mark.value, at + _STEP + mark.at, *lines))
        at = every[-1].at if every else 0
    return every


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of a text; None where it has none, or one of more than DEEPEST levels."""
    tree = syntax.parsed(text)
    level: list[ast.AST] = [] if tree is None else [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
    return None


def _packed(tree: ast.Module, room: Room) -> Iterator[tuple[int, int, str]]:
    """Long texts that may be code themselves, plain or in base 64, compressed or not, with their lines."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bytes):
            continue
        if len(node.value) < TEXT_FROM or room.left < 0:
            continue
        raw = node.value.encode("utf-8", "replace") if isinstance(node.value, str) else node.value
        forms = [raw]
        with contextlib.suppress(ValueError):
            forms.append(base64.b64decode(raw, validate=True))
        for form in list(forms):
            with contextlib.suppress(zlib.error):
                forms.append(zlib.decompressobj().decompress(form, MOST_UNPACKED))
        room.left -= sum(map(len, forms))
        for form in forms:
            with contextlib.suppress(UnicodeDecodeError):
                yield node.lineno, node.end_lineno or node.lineno, form.decode("utf-8")


class _Reader:
    """Goes through one file's statements; holds which names are imported, the author's own, or given once."""

    def __init__(self, tree: ast.Module, helpers: Collection[str]) -> None:
        self.tree = tree
        self.imports = _imports(tree, helpers)
        self.own = _own_names(tree)
        self.given: list[dict[str, ast.expr]] = []
        self.busy: list[str] = []
        self.number = 0
        # Nodes that may yet be put in the place of names. Honest code takes no more than it has: each once. Names of
        # several scopes can be made to stand for one another many times over, which would never end.
        self.room = 2 * sum(1 for _ in ast.walk(tree)) + 1000

    def marks(self) -> Iterator[Mark]:
        yield from self._body(self.tree, self.tree.body)

    def _body(self, scope: ast.AST, statements: Sequence[ast.stmt]) -> Iterator[Mark]:
        """The statements of a scope of its own: a module, a function or a class."""
        self.given.append({} if isinstance(scope, ast.ClassDef) else _given_once(scope))
        yield from self._statements(statements)
        self.given.pop()

    def _statements(self, statements: Sequence[ast.AST]) -> Iterator[Mark]:
        for statement in statements:
            if not self._left_out(statement):
                yield from self._statement(statement)

    def _left_out(self, statement: ast.AST) -> bool:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(target, ast.Name) and self.given[-1].get(target.id) is statement.value:
                return True
            return statement.value is None
        text_alone = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        return text_alone or isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass)

    def _statement(self, statement: ast.AST) -> Iterator[Mark]:
        """The fingerprints of a statement's head, then those of what stands inside it."""
        self.number += 1
        inside = [part for name in _BODIES if isinstance(part := getattr(statement, name, None), list)]
        first = getattr(statement, "lineno", 1)
        last = getattr(statement, "end_lineno", None) or first
        below = [line for part in inside for one in part if (line := getattr(one, "lineno", 0))]
        if below:
            last = max(first, min(below) - 1)
        at = self.number * _STEP
        for tree in _within(self._head(statement)):
            if tree.sizes[-1] >= LEAST:
                yield Mark(tree.hashes[-1], at, first, last)
        if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
            yield from self._body(statement, statement.body)
        else:
            for part in inside:
                yield from self._statements(part)

    def _head(self, node: ast.AST) -> _Tree:
        """A statement without the statements inside it."""
        if isinstance(node, ast.AugAssign):
            return _tree(
                "Assign", (self._made(node.target), self._operated(node.op, node.target, node.value))
            )
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            return _tree("Assign", (self._made(node.target), self._made(node.value)))
        if isinstance(node, _FUNCTIONS):
            return _tree("def", [*map(self._made, node.decorator_list), self._made(node.args)])
        if isinstance(node, ast.If):
            return _tree("If", (self._made(_plain(node.test)),))
        return self._made(node)

    def _made(self, node: ast.AST) -> _Tree:
        """A node made alike."""
        self.room -= bool(self.busy)
        match node:
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Constant():
                return _tree(
                    '"' if isinstance(node.value, str | bytes) else "None" if node.value is None else "0"
                )
            case ast.JoinedStr():
                return _tree('"')
            case ast.BinOp():
                return self._operated(node.op, node.left, node.right)
            case ast.BoolOp():
                return _tree(type(node.op).__name__, _sorted(map(self._made, node.values)))
            case ast.Compare(ops=[op], comparators=[right]):
                return self._compared(op, node.left, right)
            case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[op], comparators=[right]) as within):
                opposite = _OPPOSITE.get(type(op))
                return self._compared(opposite(), within.left, right) if opposite else self._plainly(node)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                return _tree("0")
            case ast.IfExp():
                sides = _sorted((self._made(node.body), self._made(node.orelse)))
                return _tree("IfExp", (self._made(_plain(node.test)), *sides))
            case ast.Call():
                named = _sorted(map(self._keyword, node.keywords))
                return _tree("Call", (self._made(node.func), *map(self._made, node.args), *named))
            case ast.Dict() | ast.Set():
                return _tree("Dict", _sorted(map(self._made, ast.iter_child_nodes(node))))
            case ast.arg():
                return _tree("N")
            case _:
                return self._plainly(node)

    def _plainly(self, node: ast.AST) -> _Tree:
        """A node by its kind and the expressions in it."""
        parts = []
        for name, value in ast.iter_fields(node):
            if name in _BODIES and isinstance(value, list):
                continue
            for one in value if isinstance(value, list) else (value,):
                if isinstance(one, ast.AST) and not isinstance(one, ast.expr_context):
                    parts.append(self._made(one))
        return _tree(type(node).__name__, parts)

    def _operated(self, op: ast.operator, left: ast.expr, right: ast.expr) -> _Tree:
        name = type(op).__name__
        if not isinstance(op, _COMMUTES):
            return _tree(name, (self._made(left), self._made(right)))
        operands: list[ast.expr] = []
        waiting, replaced = [right, left], set[str]()
        while waiting:
            one = waiting.pop()
            if isinstance(one, ast.Name):  # two names of two scopes may be given for each other
                known, _ = one.id in replaced, replaced.add(one.id)
                one = one if known else self._given_for(one)
            if isinstance(one, ast.BinOp) and type(one.op) is type(op):
                waiting += [one.right, one.left]
            else:
                operands.append(one)
        return _tree(name, _sorted(map(self._made, operands)))

    def _given_for(self, node: ast.expr) -> ast.expr:
        """What a name was given, where that is a sum or a product that goes on in this one."""
        value = self._value(node.id) if isinstance(node, ast.Name) else None
        return value if isinstance(value, ast.BinOp) and isinstance(value.op, _COMMUTES) else node

    def _compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> _Tree:
        sides = [self._made(left), self._made(right)]
        kind = _SWAPPED.get(type(op))
        if kind is not None:
            sides.reverse()
        if isinstance(op, ast.Eq | ast.NotEq):
            sides = _sorted(sides)
        return _tree((kind or type(op)).__name__, sides)

    def _keyword(self, node: ast.keyword) -> _Tree:
        own = node.arg is None or node.arg in self.own
        return _tree("=" if own else f"={node.arg}", (self._made(node.value),))

    def _name(self, node: ast.Name) -> _Tree:
        if isinstance(node.ctx, ast.Load) and node.id not in self.busy:
            value = self._value(node.id)
            if value is not None and len(self.busy) < DEEPEST // 4 and self.room > 0:
                self.busy.append(node.id)
                made = self._made(value)
                self.busy.pop()
                return made
        if node.id in self.imports:
            return _tree(self.imports[node.id])
        known = node.id in _BUILTIN and node.id not in self.own
        return _tree(node.id if known else "N")

    def _value(self, name: str) -> ast.expr | None:
        return next((given[name] for given in reversed(self.given) if name in given), None)

    def _attribute(self, node: ast.Attribute) -> _Tree:
        path = [node.attr]
        value: ast.expr = node.value
        while isinstance(value, ast.Attribute):
            path.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name) and value.id in self.imports:
            return _tree(".".join([self.imports[value.id], *reversed(path)]))
        return _tree(".A" if node.attr in self.own else f".{node.attr}", (self._made(node.value),))


def _imports(tree: ast.Module, helpers: Collection[str]) -> dict[str, str]:
    """What each imported name stands for; the submission's own modules are left out."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {name: whence for name, whence in names.items() if whence.split(".")[0] not in helpers}


def _own_names(tree: ast.Module) -> frozenset[str]:
    """Names that the author gave: of functions, classes, parameters, variables and attributes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return frozenset(names)


def _given_once(scope: ast.AST) -> dict[str, ast.expr]:
    """Names that are given once, by a plain assignment directly in this scope, and used once in all of it."""
    values: dict[str, ast.expr] = {}
    given: Counter[str] = Counter()
    used: Counter[str] = Counter()
    for node in ast.walk(scope):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else given)[node.id] += 1
        elif isinstance(node, ast.arg):
            given[node.arg] += 2
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            given[node.target.id] += 2
        elif isinstance(node, ast.Global | ast.Nonlocal):
            given.update(dict.fromkeys(node.names, 2))
        elif (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            values[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            values[node.target.id] = node.value
    return {name: value for name, value in values.items() if given[name] == used[name] == 1}


def _plain(test: ast.expr) -> ast.expr:
    """A condition without its `not`: the branches may stand either way round."""
    while isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    return test


def _tree(label: str, parts: Sequence[_Tree] = ()) -> _Tree:
    own = _number(label)
    hashes, sizes = [own], [1]
    for level in range(DEPTH):
        value = own
        for part in parts:
            value = (value * _BASE + part.hashes[level] + 1) % _PRIME
        hashes.append((value * _BASE + len(parts)) % _PRIME if parts else own)
        sizes.append(1 + sum(part.sizes[level] for part in parts))
    whole = own
    for part in parts:
        whole = (whole * _BASE + part.whole + 1) % _PRIME
    return _Tree(tuple(hashes), tuple(sizes), whole, tuple(parts))


def _sorted(parts: Iterator[_Tree] | Sequence[_Tree] | map[_Tree]) -> list[_Tree]:
    return sorted(parts, key=lambda tree: (tree.hashes, tree.whole))


def _within(tree: _Tree) -> Iterator[_Tree]:
    waiting = [tree]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += reversed(one.parts)


@lru_cache(maxsize=1 << 16)
def _number(label: str) -> int:
    digest = hashlib.blake2b(label.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _PRIME
