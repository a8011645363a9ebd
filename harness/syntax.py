"""Pure: the syntax tree of Python code that somebody else wrote, and its literals; nothing that it holds raises."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import NamedTuple


class Literal(NamedTuple):
    """A text, bytes or a display: its line, its length in the source in bytes, and what it holds.

    `size` counts characters of a text, bytes, or the constants anywhere within a display; `unit` says which.
    """

    line: int
    source_bytes: int
    size: int
    unit: str


def text_of(content: bytes) -> str:
    """A file as Python code in UTF-8, with what is no UTF-8 replaced; a mark at its start is no part of it."""
    return content.decode("utf-8-sig", "replace")


def parsed(text: str) -> ast.Module | None:
    """The syntax tree; None where there is none. What a comment says of the encoding is not heeded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what its author wrote, which is not ours to say
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def literals(tree: ast.AST, text: str) -> Iterator[Literal]:
    """Every text, number, display and formatted text of `tree`, which is the tree of `text`."""
    starts = [0]
    for line in text.encode("utf-8", "replace").splitlines(
        keepends=True
    ):  # of bytes: at \n, \r and \r\n alone
        starts.append(starts[-1] + len(line))

    def at(line: int, column: int) -> int:
        return starts[min(max(line - 1, 0), len(starts) - 1)] + column

    nodes = list(ast.walk(tree))
    within: dict[ast.AST, int] = {}
    for node in reversed(nodes):  # what is within comes first, so that each is counted once
        below = sum(within[child] for child in ast.iter_child_nodes(node))
        within[node] = below + isinstance(node, ast.Constant)
    for node in nodes:
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict)):
            end = at(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
            length = max(0, end - at(node.lineno, node.col_offset))
            yield Literal(node.lineno, length, *_holds(node, within[node]))


class _Held(NamedTuple):
    size: int
    unit: str


def _holds(node: ast.expr, within: int) -> _Held:
    if not isinstance(node, ast.Constant):
        return _Held(within, "" if isinstance(node, ast.JoinedStr) else "values")
    if isinstance(node.value, (str, bytes)):
        return _Held(len(node.value), "characters" if isinstance(node.value, str) else "bytes")
    return _Held(1, "")
