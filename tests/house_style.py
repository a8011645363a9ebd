"""The walls of style as functions: sources in, every breach out, each as a sentence with its line."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tests.house import tree_of

Sources = Mapping[str, str]

# A participle instead of a noun: the reader has to go back to where it was set. Name the thing.
NOUNLESS = {"found", "said", "asked", "told", "came"}
NAME_IT = "name the thing itself"
FIELDS = "return a frozen dataclass or a NamedTuple whose fields have names"
FAR = 5  # lines below its assignment within which a local may be called so
WIDE = 5  # fields of a dataclass that may be given by position


def names(given: Sources) -> list[str]:
    """Parameters, attributes and far-read locals that are called found, said, asked, told or came."""
    breaches = []
    for module, text in given.items():
        for node in ast.walk(tree_of(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                breaches += [
                    f"{module}:{node.lineno}: parameter {arg.arg}; {NAME_IT}"
                    for arg in _arguments(node)
                    if arg.arg in NOUNLESS
                ]
            if isinstance(node, ast.ClassDef):
                breaches += [
                    f"{module}:{line}: attribute {name}; {NAME_IT}"
                    for name, line in _fields(node)
                    if name in NOUNLESS
                ]
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in NOUNLESS:
                breaches.append(f"{module}:{node.lineno}: attribute {node.attr}; {NAME_IT}")
        breaches += [
            f"{module}:{line}: local {name}, still read in line {last}; {NAME_IT}"
            for name, line, last in _far(tree_of(text))
        ]
    return breaches


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    a = node.args
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, int]]:
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            yield line.target.id, line.lineno
        if isinstance(line, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield line.name, line.lineno


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    yield from (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope that are not another function's."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _inside(node)


def _far(tree: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Locals that are read far below the assignment that they are read for: name, its line, the last line."""
    for scope in _scopes(tree):
        stored: dict[str, list[int]] = {}
        reads: dict[str, list[int]] = {}
        for node in _inside(scope):
            if isinstance(node, ast.Name) and node.id in NOUNLESS:
                (stored if isinstance(node.ctx, ast.Store) else reads).setdefault(node.id, []).append(
                    node.lineno
                )
        for name, lines in stored.items():
            for line in reads.get(name, []):
                last_set = max((at for at in lines if at <= line), default=line)
                if line - last_set > FAR:
                    yield name, last_set, line
                    break


def returns(given: Sources) -> list[str]:
    """Functions that another file calls and that return a tuple of unlike things or a dict of anything."""
    breaches = []
    for module, text in given.items():
        for node, public in _functions(tree_of(text)):
            if not public or node.returns is None:
                continue
            kind = ast.unparse(node.returns)
            if ("dict[str, Any]" in kind and node.name != "model_dump") or _is_mixed(node.returns):
                breaches.append(f"{module}:{node.lineno}: {node.name} returns {kind}; {FIELDS}")
    return breaches


def _functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Functions of a module and methods of its classes, and whether another file may call them."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, not node.name.startswith("_")
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield inner, not inner.name.startswith("_")


def _is_mixed(annotation: ast.expr) -> bool:
    """Whether a return annotation is a tuple of unlike things, or of the same kind under two meanings of `| None`."""
    if isinstance(annotation, ast.BinOp):
        return _is_mixed(annotation.left) or _is_mixed(annotation.right)
    if not (isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "tuple"):
        return False
    if not isinstance(annotation.slice, ast.Tuple):
        return False
    kinds = {ast.unparse(one) for one in annotation.slice.elts} - {"..."}
    return len(kinds) > 1


def wide(given: Sources) -> list[str]:
    """Dataclasses of more than five fields that may be given by position."""
    breaches = []
    for module, text in given.items():
        for node in ast.walk(tree_of(text)):
            if not isinstance(node, ast.ClassDef):
                continue
            for decorator in node.decorator_list:
                written = ast.unparse(decorator)
                if not written.startswith("dataclass") or "kw_only=True" in written:
                    continue
                count = sum(isinstance(line, ast.AnnAssign) for line in node.body)
                if count > WIDE:
                    breaches.append(
                        f"{module}:{node.lineno}: {node.name} has {count} fields by position; say kw_only=True"
                    )
    return breaches
