"""The built-in corpus: docstrings of the installed scientific stack, parsed from its files, not imported."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import os
import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.errors import DataError

COLLECTOR_VERSION = 5  # part of the cache's name: raise it with every change of what is collected
PACKAGES = {  # import name -> distribution, licence
    "datasets": ("datasets", "Apache-2.0"),
    "numpy": ("numpy", "BSD-3-Clause"),
    "pandas": ("pandas", "BSD-3-Clause"),
    "scipy": ("scipy", "BSD-3-Clause"),
    "sklearn": ("scikit-learn", "BSD-3-Clause"),
    "torch": ("torch", "BSD-3-Clause"),
    "transformers": ("transformers", "Apache-2.0"),
}
# Tests, copies of other projects, and the 400 models of transformers, which repeat one another's words.
SKIPPED = {
    "tests",
    "testing",
    "testing_utils.py",
    "conftest.py",
    "_vendor",
    "externals",
    "distutils",
    "f2py",
    "models",
}
# The classes: sub-packages of one subject each, with enough docstrings and no catch-all such as `utils`.
AREAS = (
    "numpy._core",
    "numpy.lib",
    "numpy.ma",
    "numpy.polynomial",
    "pandas.core.arrays",
    "pandas.core.indexes",
    "pandas.io",
    "scipy.optimize",
    "scipy.signal",
    "scipy.sparse",
    "scipy.stats",
    "sklearn.metrics",
    "torch.ao",
    "torch.cuda",
    "torch.distributed",
    "torch.fx",
    "torch.nn",
    "torch.onnx",
    "transformers.generation",
    "transformers.integrations",
)
AREA_AT_LEAST, AREA_AT_MOST = 60, 500
MASK = "[name]"
SUMMARY_CHARACTERS = 240
# About 80 tokens: MiniLM encodes some 20 to 40 such passages a second on one CPU thread.
BODY_CHARACTERS = 400
SUMMARY_WORDS = 4
BODY_WORDS = 12
SECTION = re.compile(r"(Arg(ument)?s?|Parameters|Returns?|Examples?|Notes?|Attributes|Raises)(:|\s*$)", re.M)
SIGNATURE = re.compile(r"[\w.]+\(.*(?:->|\)$|\n)", re.DOTALL)

Name = tuple[str, ...]


@dataclass(frozen=True)
class Docstring:
    """One documented object: its summary, and the rest with the name masked ('' if there is none)."""

    module: str
    name: str
    summary: str
    body: str


@dataclass(frozen=True)
class Corpus:
    """All docstrings in a fixed order, and what they were collected from."""

    docstrings: tuple[Docstring, ...]
    digest: str
    size_bytes: int
    versions: dict[str, str]


def collect(cache: Path) -> Corpus:
    """The corpus of the installed packages: from the cache, or collected (10 to 30 seconds) and cached."""
    versions = installed_versions()
    if not versions:
        raise DataError(f"stackdocs needs one of {', '.join(PACKAGES)}: run `pip install scikit-learn`")
    path = cache / f"stackdocs-{_cache_key(versions)}.jsonl"
    content = read_checked(path)
    if content is None:
        lines = (json.dumps(asdict(entry), sort_keys=True) for entry in distinct(read_packages(versions)))
        content = "\n".join(lines)
        write_checked(path, content)
    docstrings = tuple(Docstring(**json.loads(line)) for line in content.splitlines())
    return Corpus(docstrings, _sha256(content), len(content.encode()), versions)


def installed_versions() -> dict[str, str]:
    """Import name -> version of each package of the corpus that is installed."""
    installed = [package for package in PACKAGES if package_folder(package)]
    return {package: importlib.metadata.version(PACKAGES[package][0]) for package in installed}


def licences(corpus: Corpus) -> str:
    """The licences of the corpus, each with its packages."""
    packages: dict[str, list[str]] = {}
    for package in corpus.versions:
        packages.setdefault(PACKAGES[package][1], []).append(package)
    return "; ".join(f"{licence} ({', '.join(names)})" for licence, names in sorted(packages.items()))


def package_folder(package: str) -> Path | None:
    """Where a package was installed, found without importing it; None if it was not."""
    try:
        folder = Path(str(importlib.metadata.distribution(PACKAGES[package][0]).locate_file(package)))
    except importlib.metadata.PackageNotFoundError:
        return None
    return folder if folder.is_dir() else None


def read_packages(packages: Iterable[str]) -> Iterator[Docstring]:
    """Every usable docstring of the packages, in the order of their files."""
    for package in sorted(packages):
        root = package_folder(package)
        assert root is not None, package
        yield from read_folder(root, package)


def read_folder(root: Path, package: str) -> Iterator[Docstring]:
    """Every usable docstring of the public objects under `root`."""
    for parts in sorted(path.relative_to(root).parts for path in root.rglob("*.py")):
        private = len(parts) > 1 and parts[0].startswith("_") and parts[0] != "_core"
        if private or any(part in SKIPPED or part.startswith("test_") for part in parts):
            continue
        module = ".".join((package, *parts)).removesuffix(".py").removesuffix(".__init__")
        for name, text in documented(_parse(root.joinpath(*parts))):
            entry = split(module, name, text)
            if entry is not None:
                yield entry


def _parse(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's source
        try:
            return ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError):  # templates, other Pythons' syntax: not documentation
            return ast.Module([], [])


def documented(node: ast.AST, path: Name = ()) -> Iterator[tuple[Name, str]]:
    """Qualified name and docstring of each public class, function and method, and of `add_docstr` calls."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if child.name.startswith("_"):
                continue
            text = ast.get_docstring(child)
            if text:
                yield (*path, child.name), text
            if isinstance(child, ast.ClassDef):
                yield from documented(child, (*path, child.name))
        elif isinstance(child, ast.If | ast.Try):
            yield from documented(child, path)
        elif isinstance(child, ast.Expr) and isinstance(child.value, ast.Call):
            yield from _added(child.value)


def _added(call: ast.Call) -> Iterator[tuple[Name, str]]:
    """What numpy's `add_newdoc(module, name, text)` and torch's `add_docstr(object, text)` document."""
    if not isinstance(call.func, ast.Name) or len(call.args) < 2:
        return
    target, text = call.args[-1], _literal(call.args[-1])
    if call.func.id == "add_newdoc" and len(call.args) == 3:
        member = [_literal(target.elts[0])] if isinstance(target, ast.Tuple) else []
        yield (_literal(call.args[1]), *member), text
    elif call.func.id in ("add_docstr", "add_docstr_all"):
        name = _literal(call.args[0]) or ast.unparse(call.args[0])
        yield (name.rpartition(".")[2],), text


def _literal(node: ast.expr) -> str:
    """The string in an expression: a literal, `literal.format(...)`, a sum, or (name, text) -> text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        template = re.sub(r"(?<!\{)\{\w*\}(?!\})", "", _literal(node.func.value))
        return template.replace("{{", "{").replace("}}", "}")
    if isinstance(node, ast.BinOp):
        return _literal(node.left) + _literal(node.right)
    if isinstance(node, ast.Tuple) and node.elts:
        return _literal(node.elts[-1])
    return ""


def split(module: str, name: Name, text: str) -> Docstring | None:
    """The docstring as summary and masked body; None if its first paragraph is not an English sentence."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    if SIGNATURE.match(paragraphs[0]) or len(paragraphs[0]) < 2:
        paragraphs = paragraphs[1:] or [""]
    summary = trim(prose(paragraphs[0]), SUMMARY_CHARACTERS)
    is_list = SECTION.match(paragraphs[0].strip()) or "*optional*" in summary or summary.endswith(":")
    if is_list or not is_english(summary, SUMMARY_WORDS):
        return None
    body = mask(trim(" ".join(filter(None, map(prose, paragraphs[1:]))), BODY_CHARACTERS), name)
    return Docstring(module, ".".join(name), summary, body if is_english(body, BODY_WORDS) else "")


def prose(paragraph: str) -> str:
    """A paragraph on one line, without doctests, rules, directives and the marks of cross-references."""
    lines = [line.strip() for line in paragraph.partition(">>>")[0].splitlines()]
    kept = [line for line in lines if not line.startswith(("..", "```")) and re.search(r"\w", line)]
    text = re.sub(r":(?:\w+:)+`[~!]?([^`]*)`|%\(\w+\)s", r"\1", " ".join(kept))
    return " ".join(re.sub(r"\[`+([^`]*)`+\]|`+", r"\1", text).split())


def trim(text: str, limit: int) -> str:
    """At most `limit` characters: cut after a sentence in the second half, or else at a blank."""
    if len(text) <= limit:
        return text
    start = text[: limit + 1]
    stop = start.rfind(". ", limit // 2)
    return start[: stop + 1] if stop > 0 else start.rpartition(" ")[0]


def is_english(text: str, words: int) -> bool:
    """Whether the text has at least `words` words and is mostly plain letters."""
    letters = re.findall(r"[A-Za-z]{2,}", text)
    return len(letters) >= words and sum(map(len, letters)) >= 0.6 * len("".join(text.split()))


def mask(text: str, name: Name) -> str:
    """The text with the object's name replaced, also spelled with blanks, hyphens or underscores.

    A method's class is replaced too where it is written as such.
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name[-1].removesuffix("_gen"))
    if words and words[0].lower() in text.lower():
        variants = r"[\s_-]*".join(words)
        text = re.sub(rf"(?<!\w)_*{variants}s?_*(?!\w)", MASK, text, flags=re.IGNORECASE)
    for owner in name[:-1]:
        if owner in text:
            text = re.sub(rf"(?<!\w){re.escape(owner)}(?!\w)", MASK, text)
    return text


def distinct(entries: Iterable[Docstring]) -> Iterator[Docstring]:
    """The entries whose summary is new, in words; a body that was there before is dropped."""
    seen: set[str] = set()
    bodies: set[str] = set()
    for entry in entries:
        summary, body = normalised(entry.summary), normalised(entry.body)
        if summary not in seen:
            yield entry if body not in bodies else replace(entry, body="")
        seen.add(summary)
        bodies.add(body)


def by_area(corpus: Corpus) -> dict[str, list[str]]:
    """Area -> its summaries, in the order of their digests; the large areas are cut, the small left out."""
    areas: dict[str, list[str]] = {}
    for area in AREAS:
        texts = [entry.summary for entry in corpus.docstrings if f"{entry.module}.".startswith(f"{area}.")]
        if len(texts) >= AREA_AT_LEAST:
            areas[area.replace("._", ".")] = sorted(texts, key=_sha256)[:AREA_AT_MOST]
    return areas


def normalised(text: str) -> str:
    """The words in lower case: texts that differ in nothing else count as one."""
    return " ".join(re.findall(r"[a-z]+", text.lower()))


def in_share(text: str, percent: int) -> bool:
    """Whether a text belongs to a share of all texts: decided by its words alone."""
    return int(_sha256(normalised(text))[:8], 16) % 100 < percent


def read_checked(path: Path) -> str | None:
    """A file's content, if its first line is the digest of the rest; otherwise None."""
    try:
        digest, _, content = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return content if _sha256(content) == digest else None


def write_checked(path: Path, content: str) -> None:
    """Write digest and content beside the target and rename: a reader sees all of it or nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(f"{_sha256(content)}\n{content}")
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(
            f"the cache folder {path.parent} cannot be written ({error.strerror}): set HARNESS_CACHE"
        ) from error


def _cache_key(versions: dict[str, str]) -> str:
    return _sha256(json.dumps([COLLECTOR_VERSION, versions], sort_keys=True))[:16]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
