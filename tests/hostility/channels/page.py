"""The table of what arrived by which object, for the terminal and for docs/security.md."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tests.hostility.channels import inventory
from tests.hostility.channels.hunt import RELATIONS, Found
from tests.hostility.channels.sweep import Swept

BEGIN, END = "<!-- channels: begin -->", "<!-- channels: end -->"


def written(founds: Sequence[Found], swept: Sequence[Swept], made: str) -> str:
    """The table as Markdown: what carries first, by its bits; then what was tried and carried nothing."""
    by_name: dict[str, dict[str, Found]] = {}
    for found in founds:
        by_name.setdefault(found.thing.name, {})[found.relation] = found
    carries = {name: row for name, row in by_name.items() if any(f.arrives for f in row.values())}
    relations = [relation for relation in RELATIONS if any(relation in row for row in by_name.values())]
    lines = [
        made,
        "",
        "Bits that a pair of workers passed, by relation; in brackets bits right of bits sent (half are by chance).",
        "",
    ]
    lines += [f"| object | bits asked of a pair | {' | '.join(relations)} |"]
    lines += ["| --- |" + " --- |" * (len(relations) + 1)]
    for name, row in sorted(carries.items(), key=lambda item: -max(f.bits_a_pair for f in item[1].values())):
        bits = next(iter(row.values())).thing.bits
        cells = [_cell(row.get(relation)) for relation in relations]
        lines.append(f"| {name} | {bits} | {' | '.join(cells)} |")
    silent = [name for name in by_name if name not in carries]
    lines += [
        "",
        f"Tried, and nothing arrived ({len(silent)}): {'; '.join(_silent(by_name[n]) for n in silent)}.",
    ]
    lines += ["", *_swept(swept)]
    tried = {call for found in founds for call in found.thing.calls}
    return "\n".join([*lines, "", *_inventory(tried)])


def _cell(found: Found | None) -> str:
    if found is None:
        return "-"
    if not found.arrives:
        return "nothing"
    return f"{found.bits_a_pair:.3g} ({found.right_bits} of {found.pairs * found.thing.bits})"


def _silent(row: Mapping[str, Found]) -> str:
    found = next(iter(row.values()))
    reason = next((f.refused for f in row.values() if f.refused), "")
    return f"{found.thing.name} ({reason})" if reason else found.thing.name


def _swept(swept: Sequence[Swept]) -> list[str]:
    lines = []
    for one in swept:
        told = ", ".join(f"`{told.name}`" for told in one.tells) or "nothing"
        lines.append(
            f"- {one.relation}: {one.read} files and calls were read in {one.pairs} pairs, of which half had worked "
            f"hard; {one.chosen} were chosen by the first of these and judged by the others. What tells which: {told}."
        )
    return lines


def _inventory(tried: Collection[str]) -> list[str]:
    said = inventory.classes(tried)
    allowed = inventory.allowed("x86_64")
    by_object = sorted(name for name in allowed if said.get(name) in ("tried", "swept"))
    untried = sorted(name for name in allowed if said.get(name) == "untried")
    lines = [
        f"Of {len(allowed)} system calls that the filter lets pass on x86_64, {len(by_object)} are tried by these, "
        f"{len(allowed) - len(by_object) - len(untried)} can carry nothing by a reason that `inventory.py` names, "
        f"and {len(untried)} are allowed and untried: "
        f"{', '.join(f'`{name}`' for name in untried)}."
    ]
    return [
        *lines,
        "",
        "Allowed and untried besides:",
        "",
        *(f"- {words}" for words in inventory.UNTRIED_WITHIN),
    ]
