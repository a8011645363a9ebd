"""Every single fault that can be put into a source text: what is replaced, where, and by what."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# How likely a kind is to be drawn: faults that a person could make, and that shift a number, come first.
WEIGHTS = {
    "attr": 4.0,
    "bin": 3.0,
    "bool": 3.0,
    "boundary": 3.0,
    "call": 3.0,
    "guard": 3.0,
    "negate": 3.0,
    "not": 3.0,
    "word": 3.0,
    "const": 2.0,
    "filter": 2.0,
    "raise": 2.0,
    "default": 1.0,
    "drop": 1.0,
    "loop": 1.0,
    "return": 1.0,
    "swap": 1.0,
}
_BOUNDARY = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
_NEGATION = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
}
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "abs": "", "set": "list"}
_ATTRIBUTES = {"low": "high", "high": "low", "points_low": "points_high", "points_high": "points_low"}
# Outcomes, verdicts, grades and what is measured: each becomes another word of its own family.
_FAMILIES = (
    ("ok", "wrong", "malformed", "timeout", "out_of_memory", "crashed", "protocol_error", "implausible"),
    ("pass", "fail", "inconclusive"),
    ("A", "B", "C"),
    ("p50", "throughput", "p95"),
    ("baseline", "competent", "expert"),
    ("higher", "lower"),
    ("train", "test"),
    ("candidate", "reference"),
)
_WORDS = {word: family[(i + 1) % len(family)] for family in _FAMILIES for i, word in enumerate(family)}


@dataclass(frozen=True)
class Mutant:
    """One fault: the text from `start` to `end` (character offsets) gives way to `after`.

    `function` is the qualified name of the innermost function around it, empty at the top of a module. `turn`
    numbers, from 0, the mutants of a function that read the same.
    """

    kind: str
    function: str
    line: int
    start: int
    end: int
    before: str
    after: str
    turn: int = 0

    @property
    def identity(self) -> str:
        """The same for the same fault wherever its module or its line moves to."""
        return "|".join((self.kind, self.function, self.before, self.after, str(self.turn)))

    def applied(self, source: str) -> str:
        """The source with the fault in it."""
        return source[: self.start] + self.after + source[self.end :]


def mutants(source: str) -> list[Mutant]:
    """All mutants of a module that still compile and differ from it, in the order of the text."""
    maker = _Maker(source)
    maker.visit(ast.parse(source))
    turns: dict[str, int] = {}
    made = []
    for one in sorted(maker.made, key=lambda m: (m.start, m.end, m.kind, m.after)):
        turn = turns.get(one.identity, 0)
        turns[one.identity] = turn + 1
        made.append(Mutant(**{**vars(one), "turn": turn}))
    return made


class _Maker(ast.NodeVisitor):
    """Walks the tree and notes what each node could be instead; annotations, decorators and docstrings are left."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.names: list[str] = []
        self.depth: list[bool] = []
        self.made: list[Mutant] = []
        lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in lines:
            self.starts.append(self.starts[-1] + len(line))
        self.lines = lines

    def _at(self, line: int, column: int) -> int:
        """A place of the tree, whose columns are bytes, as an offset in characters."""
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def note(self, kind: str, node: ast.expr | ast.stmt, after: ast.AST | str) -> None:
        text = after if isinstance(after, str) else f"({ast.unparse(ast.fix_missing_locations(after))})"
        start = self._at(node.lineno, node.col_offset)
        end = self._at(node.end_lineno or node.lineno, node.end_col_offset or 0)
        before = " ".join(self.source[start:end].split())
        if text.strip("()") != before.strip("()"):
            function = ".".join(self.names) if True in self.depth else ""
            self.made.append(Mutant(kind, function, node.lineno, start, end, before, text))

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.JoinedStr):  # Python 3.11 does not say where the parts of an f-string are
            return
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("Literal", "typing.Literal"):
            return
        for kind, owner, maker in _RULES:
            if isinstance(node, owner):
                for target, after in maker(node):
                    self.note(kind, target, after)
        super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        own = [node.name] if not (self.depth and self.depth[-1]) else ["<locals>", node.name]
        self._within(own, True, _body(node))
        self.names += own
        self.depth.append(True)
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            if isinstance(default, ast.Constant):
                for target, after in _constant(default):
                    self.note("default", target, after)
        self.depth.pop()
        del self.names[-len(own) :]

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        own = [node.name] if not (self.depth and self.depth[-1]) else ["<locals>", node.name]
        self._within(own, False, _body(node))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def _within(self, names: list[str], function: bool, body: list[ast.stmt]) -> None:
        self.names += names
        self.depth.append(function)
        for statement in body:
            self.visit(statement)
        self.depth.pop()
        del self.names[-len(names) :]


def _body(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.stmt]:
    return node.body[1:] if ast.get_docstring(node) is not None else node.body


_Made = Iterator[tuple["ast.expr | ast.stmt", "ast.AST | str"]]


def _compared(table: dict[type, type]) -> Callable[[ast.Compare], _Made]:
    def make(node: ast.Compare) -> _Made:
        for i, op in enumerate(node.ops):
            if other := table.get(type(op)):
                ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
                yield node, ast.Compare(node.left, ops, node.comparators)

    return make


def _arithmetic(node: ast.BinOp) -> _Made:
    if (other := _ARITHMETIC.get(type(node.op))) and not _is_text(node.left) and not _is_text(node.right):
        yield node, ast.BinOp(node.left, other(), node.right)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _constant(node: ast.Constant) -> _Made:
    if isinstance(node.value, bool):
        yield node, repr(not node.value)
    elif isinstance(node.value, int):
        yield node, repr(node.value + 1)
    elif isinstance(node.value, float):
        yield node, repr(node.value * 2 if node.value else 1.0)


def _word(node: ast.Constant) -> _Made:
    if isinstance(node.value, str) and (other := _WORDS.get(node.value)):
        yield node, repr(other)


def _bool(node: ast.BoolOp) -> _Made:
    yield node, ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
    for i in range(len(node.values)):
        rest = [*node.values[:i], *node.values[i + 1 :]]
        yield node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _not(node: ast.UnaryOp) -> _Made:
    if isinstance(node.op, ast.Not) or (
        isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant)
    ):
        yield node, node.operand


def _guard(node: ast.If | ast.IfExp) -> _Made:
    yield node.test, "False"
    yield node.test, "True"


def _return(node: ast.Return) -> _Made:
    if node.value is not None and ast.unparse(node.value) != "None":
        yield node.value, "None"


def _raise(node: ast.Raise) -> _Made:
    yield node, "pass"


def _drop(node: ast.Expr | ast.AugAssign) -> _Made:
    if isinstance(node, ast.AugAssign) or isinstance(node.value, ast.Call):
        yield node, "pass"


def _call(node: ast.Call) -> _Made:
    name = getattr(node.func, "id", None)
    if name in _CALLS and node.args and (name != "set" or len(node.args) == 1):
        kept = [k for k in node.keywords if _CALLS[name] in ("min", "max") or name not in ("sorted", "set")]
        other = _CALLS[name]
        yield node, ast.Call(ast.Name(other), node.args, kept) if other else node.args[0]


def _swap(node: ast.Call) -> _Made:
    if len(node.args) == 2 and not any(isinstance(a, ast.Starred) for a in node.args):
        yield node, ast.Call(node.func, node.args[::-1], node.keywords)


def _attribute(node: ast.Attribute) -> _Made:
    if isinstance(node.ctx, ast.Load) and (other := _ATTRIBUTES.get(node.attr)):
        yield node, ast.Attribute(node.value, other, ast.Load())


def _loop(node: ast.For | ast.AsyncFor) -> _Made:
    yield node.iter, "()"


def _filter(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> _Made:
    for part in node.generators:
        for condition in part.ifs:
            yield condition, "True"


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_RULES: tuple[tuple[str, type | tuple[type, ...], Callable], ...] = (
    ("boundary", ast.Compare, _compared(_BOUNDARY)),
    ("negate", ast.Compare, _compared(_NEGATION)),
    ("bin", ast.BinOp, _arithmetic),
    ("const", ast.Constant, _constant),
    ("word", ast.Constant, _word),
    ("bool", ast.BoolOp, _bool),
    ("not", ast.UnaryOp, _not),
    ("guard", (ast.If, ast.IfExp), _guard),
    ("return", ast.Return, _return),
    ("raise", ast.Raise, _raise),
    ("drop", (ast.Expr, ast.AugAssign), _drop),
    ("call", ast.Call, _call),
    ("swap", ast.Call, _swap),
    ("attr", ast.Attribute, _attribute),
    ("loop", (ast.For, ast.AsyncFor), _loop),
    ("filter", _COMPREHENSIONS, _filter),
)
