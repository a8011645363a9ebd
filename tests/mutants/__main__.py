"""Puts single faults into modules of the harness and shows which of them no test notices.

Exit codes: 0 all was tried (whatever survived); 1 a module's score is below --least; 2 the call is wrong;
4 the tests cannot be run without any fault; 130 interrupted.
"""

from __future__ import annotations

import argparse
import ast
import queue
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_OURS, EXIT_USAGE
from tests.mutants import choosing, page, running
from tests.mutants.operators import Mutant, mutants

TOP = Path(__file__).parents[2]
PAGE = TOP / "docs" / "testing.md"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


def main() -> int:
    """Tries the modules named and prints the table."""
    options = _parsed()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        paths = [_path(name) for name in options.modules]
        tests = [file for name in options.tests for file in _files(name)]
        for path in paths:
            if options.lines and not _drawn(path, options):
                raise ValueError(
                    f"--lines: none of the mutants drawn of {path} is on these lines; see --list"
                )
        if options.lines and options.write:
            raise ValueError("--lines and --write: a row is of all that were drawn; leave one of the two out")
    except ValueError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return EXIT_USAGE
    if options.list:
        for path in paths:
            for mutant in _drawn(path, options):
                print(
                    f"{path}:{mutant.line} {mutant.function or 'at the top'}, {mutant.kind}: "
                    f"`{mutant.before}` -> `{mutant.after}`"
                )
        return EXIT_OK
    try:
        with ExitStack() as stack:
            copies = [stack.enter_context(running.Copy()) for _ in range(options.jobs)]
            if not running.wall():
                print("mutants: no namespaces here, so faults run unwalled", file=sys.stderr)
            results = []
            for path in paths:
                results.append(_module(path, tests or _near(path), copies, options))
                if options.write:  # at once, so that an interrupt loses one module only
                    PAGE.write_text(page.merged(PAGE.read_text("utf-8"), results[-1:]), "utf-8")
    except RuntimeError as error:
        print(f"mutants: {error}", file=sys.stderr)
        return EXIT_OURS
    except KeyboardInterrupt:
        print("mutants: interrupted; nothing of it is left running", file=sys.stderr)
        return EXIT_INTERRUPTED
    print(page.shown(results))
    return EXIT_FAILED if any((r.score or 0) < options.least for r in results) else EXIT_OK


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "modules",
        nargs="+",
        help="harness.grading.comparison, measures.names, or harness/grading/comparison.py",
    )
    parser.add_argument("--most", type=_positive, default=40, help="mutants of each module (40)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    parser.add_argument(
        "--tests", nargs="*", default=[], help="test files or folders; default: those that import the module"
    )
    parser.add_argument("--near", type=float, default=5, help="recorded seconds of the nearest tests (5)")
    parser.add_argument("--further", type=float, default=60, help="and of all, for what outlives these (60)")
    parser.add_argument("--recording", type=float, default=600, help="seconds to record a test file in (600)")
    parser.add_argument(
        "--jobs", type=_positive, default=1, help="mutants at a time, each in its own copy (1)"
    )
    parser.add_argument(
        "--list", action="store_true", help="print the mutants that would be tried, and try none"
    )
    parser.add_argument(
        "--lines",
        type=_positive,
        nargs="*",
        default=[],
        help="of the mutants drawn try those of these lines only",
    )
    parser.add_argument("--least", type=float, default=0, help="score in percent below which to exit with 1")
    parser.add_argument("--write", action="store_true", help="write the rows into docs/testing.md")
    return parser.parse_args()


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _path(name: str) -> str:
    """The path of a module, dotted or not, under the top folder."""
    file = TOP / name if name.endswith(".py") else TOP / f"{name.replace('.', '/')}.py"
    for candidate in (file, TOP / "harness" / file.relative_to(TOP)):
        if candidate.is_file() and candidate.resolve().is_relative_to(TOP / "harness"):
            return candidate.resolve().relative_to(TOP).as_posix()
    raise ValueError(
        f"{name} is no module of harness; give for instance harness.grading.comparison or harness/grading/comparison.py"
    )


def _files(name: str) -> list[str]:
    place = (TOP / name).resolve()
    files = sorted(place.rglob("test_*.py")) if place.is_dir() else [place] if place.is_file() else []
    if not files:
        raise ValueError(f"--tests {name}: there is no such test file or folder")
    return [file.relative_to(TOP).as_posix() for file in files]


def _near(path: str) -> list[str]:
    texts = {f.relative_to(TOP).as_posix(): f.read_text("utf-8") for f in (TOP / "tests").rglob("test_*.py")}
    if files := choosing.importers(choosing.dotted(path), texts):
        return files
    raise RuntimeError(f"no test file imports {path}; name some with --tests")


def _module(
    path: str, files: Sequence[str], copies: Sequence[running.Copy], options: argparse.Namespace
) -> page.Result:
    """Draws this module's mutants and tries each that is not known to be equivalent."""
    source = (TOP / path).read_text("utf-8")
    records = running.recorded(copies[0], files, options.recording)
    if not records:
        raise RuntimeError(
            f"{path}: no test of {', '.join(files)} passes within --recording and could be recorded"
        )
    free: queue.SimpleQueue[running.Copy] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> page.Tried:
        copy = free.get()
        try:
            one = _tried(mutant, path, source, records, copy, options)
            print(f"{path}:{mutant.line} {mutant.kind}: {one.fate}", file=sys.stderr, flush=True)
            return one
        finally:
            free.put(copy)

    drawn = _drawn(path, options)
    with ThreadPoolExecutor(len(copies)) as pool:
        try:
            tried = tuple(pool.map(attempt, drawn))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for copy in copies:  # else the pool would wait for the tests that run
                copy.end()
            raise
    when = f"{datetime.now(UTC):%Y-%m-%d}, seed {options.seed}"
    return page.Result(path, len(_every(source)), when, tried)


def _every(source: str) -> list[Mutant]:
    """All mutants of a text that are not the same program."""
    plain = ast.dump(ast.parse(source))
    return [m for m in mutants(source) if _differs(m.applied(source), plain)]


def _drawn(path: str, options: argparse.Namespace) -> list[Mutant]:
    drawn = choosing.sample(_every((TOP / path).read_text("utf-8")), options.most, options.seed)
    return [mutant for mutant in drawn if not options.lines or mutant.line in options.lines]


def _differs(text: str, plain: str) -> bool:
    try:
        return ast.dump(ast.parse(text)) != plain
    except SyntaxError:
        return False


def _tried(
    mutant: Mutant,
    path: str,
    source: str,
    records: Sequence[choosing.Recorded],
    copy: running.Copy,
    options: argparse.Namespace,
) -> page.Tried:
    module = choosing.dotted(path)
    if any(known.is_(module, mutant) for known in choosing.equivalents(EQUIVALENT)):
        return page.Tried(mutant, "equivalent")
    reaching = choosing.reaching(mutant, path, records)
    unseen = not reaching
    if (
        unseen
    ):  # perhaps it runs in a worker only, where nothing is recorded: any test may be the one that notices
        reaching = sorted(records, key=lambda record: (record.seconds, record.test))
    near, further, left_out = choosing.parted(reaching, options.near, options.further)
    if not near:
        return page.Tried(mutant, "not reached", "no test is recorded")
    seconds = {record.test: record.seconds for record in reaching}
    texts = (mutant.applied(source), source)
    for tests in filter(None, (near, further)):
        code = _ended(copy, path, texts, tests, 30 + 10 * sum(seconds[test] for test in tests))
        if code != 0:
            return page.Tried(mutant, "by time" if code is None else "killed")
    words = f"outlived {len(near) + len(further)} tests" + (
        ", none of which was seen to enter it" if unseen else ""
    )
    return page.Tried(mutant, "survived", f"{words}; {left_out} more were too long" if left_out else words)


def _ended(
    copy: running.Copy, path: str, texts: tuple[str, str], tests: Sequence[str], limit: float
) -> int | None:
    """pytest's exit code on the first of `texts`, the faulty one; None where the fault made it run out of time.

    A busy machine runs out of time as well. So the second text, without a fault, is timed at once with the same
    tests, and the faulty one gets a second chance of five times that. Raises RuntimeError where even that fails.
    """
    code: int | None = None
    try:
        for _ in range(2):
            copy.write(path, texts[0])
            code, _, _ = copy.run(tests, limit, "-x")
            copy.write(path, texts[1])
            if code is not None:
                break
            sound, seconds, printed = copy.run(tests, 10 * limit, "-x")
            if sound != 0:
                raise RuntimeError(f"{path}: its tests fail without any fault: {printed[-1500:]}")
            limit = max(limit, 30 + 5 * seconds)
    finally:
        copy.write(path, texts[1])
    return code


if __name__ == "__main__":
    sys.exit(main())
