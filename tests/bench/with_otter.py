"""Run by .venv-others: grades all files with otter-grader in one process, as its documentation has it."""

import json
import sys

from otter.api import grade_submission  # ty: ignore[unresolved-import]


def main(autograder: str, *files: str) -> None:
    """Prints how many files passed, of how many."""
    right = sum(grade_submission(file, autograder, quiet=True).total == 1 for file in files)
    print(json.dumps({"right": right, "of": len(files)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
