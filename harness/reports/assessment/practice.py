"""Why results of an assessment are not official: data whose answers anybody can look up, too few process pairs."""

from __future__ import annotations

from collections.abc import Iterable

from harness.readings import FEWEST_PAIRS
from harness.records import RunHead, Source
from harness.reports.parts import clean, words
from harness.sheets import Sheet


def runs(sheet: Sheet) -> set[str]:
    """The ids of the runs of a sheet that are not official."""
    return {cell.run_id for cell in sheet.cells if cell.run_id and cell.stamp in ("practice", "self-check")}


def because(heads: Iterable[RunHead]) -> str:
    """One sentence on runs that used public data, and what to use instead; '' where none did."""
    used = {head.task: [source for source in head.sources if source.public] for head in heads}
    tasks = [task for task, public in used.items() if public]
    if not tasks:
        return ""
    data = dict.fromkeys(_named(source) for task in tasks for source in used[task])
    return (
        f"practice: the answers of {words.join(tasks)} can be looked up, since the data are public "
        f"({'; '.join(data)}), so these results are no evidence for a decision: for official ones, "
        "give a profile whose [data.text-classification] or [data.retrieval] names a folder of texts "
        "that were never published"
    )


def few_pairs(heads: Iterable[RunHead]) -> str:
    """One sentence on runs that are not official for their few process pairs, and what to use; '' where none is."""
    tasks = dict.fromkeys(head.task for head in heads if words.few_pairs(head))
    if not tasks:
        return ""
    return (
        f"self-check: the times of {words.join(list(tasks))} rest on fewer than {FEWEST_PAIRS} process pairs, which "
        "cannot show whether a submission slowed the reference that it is compared with: for official results, give "
        f"a profile with {FEWEST_PAIRS} pairs or more, such as laptop-cpu"
    )


def _named(source: Source) -> str:
    name = clean.line(source.name, 60)
    if source.kind == "local":
        return f"{name}, which holds {clean.line(words.revision(source), 60)}"
    return f"{name}, {'from the hub' if source.kind == 'hub' else 'built in'}"
