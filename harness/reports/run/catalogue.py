"""Pure: how far all tasks separate skill, as proven: one table over the proofs, then each proof."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.measures.stats import t_interval_of
from harness.proofs import BINDS, Proof, ProofSlack, ProofTier
from harness.records import TIERS
from harness.reports.parts import units, words
from harness.reports.parts.tables import Cell, Table, cell, row
from harness.reports.run import markdown

INTRODUCTION = """# What the tasks separate, as proven

Written by `scripts/prove-all` from the proofs in `docs/proofs`, each of them what `harness prove TASK --json` printed.
Points are anchored on each instance: the baseline is 0 and the expert 100 by definition, so the spread that matters,
the noise of drawing another instance, is the competent tier's. Intervals are 95 % (Student's t over instances).
"Apart" is the gap between neighbouring tiers in standard deviations of the gap itself; 3 are needed. A ladder is all
three tiers on one instance. How to read a row: `CONTRIBUTING.md`."""

SLACK_NOTE = (
    "A budget binds where the expert is allowed at most {:g} times what it uses: to work within it is part of the "
    "task. What leaves more room is a guard: it stops what is absurd (the most that a cheat, a mutant or the starter "
    "used), and meeting it shows nothing. So is what the expert uses nothing of."
)
_BUDGET = re.compile(r"within a|budget|constraints")

COLUMNS = (
    "Task",
    "Profile",
    "Baseline",
    "Competent",
    "Expert",
    "Competent's points",
    "Apart",
    "Mutants",
    "Cheats",
    "A ladder",
    "Minutes stated",
)
FOOTNOTE = (
    "A task is tuned on its own data; here it shows what carries over, and a gap below 3 is no fault of it."
)


def render(proofs: Sequence[Proof], after: str = "") -> str:
    """The page: a table of all proofs by task, then each proof; `after` is text that people wrote."""
    ordered = sorted(proofs, key=lambda proof: (proof.task, proof.profile, len(proof.brought)))
    own, brought = [p for p in ordered if not p.brought], [p for p in ordered if p.brought]
    parts = [INTRODUCTION, *([markdown.section(overview(own))] if own else [])]
    parts += [markdown.section(on_other_data(brought))] if brought else []
    if tight := slacks(own):
        without = ", ".join(sorted({f"{p.task} on {p.profile}" for p in own if not p.slack}))
        note = f"Proofs that were kept before slack was, or of tasks without constraints: {without}."
        parts += [markdown.section(slack(tight)), *([note] if without else [])]
    parts += [_lower(markdown.render_proof(proof)) for proof in ordered]
    return "\n\n".join(part.strip() for part in (*parts, after) if part.strip()) + "\n"


def overview(proofs: Sequence[Proof]) -> Table:
    """One row for each proof on the task's own data."""
    return Table(
        caption="All tasks",
        columns=COLUMNS,
        rows=tuple(_row(proof) for proof in proofs),
        numeric=(2, 3, 4, 5, 6, 9, 10),
    )


def on_other_data(proofs: Sequence[Proof]) -> Table:
    """One row for each proof on other data, with their names and licences."""
    rows = tuple(
        (
            *row(cell(", ".join(s.name for s in proof.brought), "; ".join(s.license for s in proof.brought))),
            *_row(proof),
        )
        for proof in proofs
    )
    return Table(
        caption="On real data",
        columns=("Data", *COLUMNS),
        rows=rows,
        numeric=(3, 4, 5, 6, 7, 10, 11),
        footnote=FOOTNOTE,
    )


class Slack(NamedTuple):
    """What the constraints of one task leave its references on one profile."""

    task: str
    profile: str
    slack: tuple[ProofSlack, ...]


def slacks(proofs: Sequence[Proof]) -> list[Slack]:
    """The slack of each proof that keeps any, on the task's own data."""
    return [Slack(p.task, p.profile, p.slack) for p in proofs if p.slack and not p.brought]


def speaks_of_a_budget(competency: str) -> bool:
    """Whether a competency promises that a budget is what makes the task hard."""
    return bool(_BUDGET.search(competency))


def slack(lines: Sequence[Slack]) -> Table:
    """One row for each constraint: what it allows, and what the expert, the competent tier and the worst used."""
    rows = tuple(
        row(
            cell(line.task, line.profile),
            cell(
                s.name, f"against the {s.reference}'s" if s.reference in TIERS else words.measure(s.reference)
            ),
            "budget" if s.binds else "guard",
            f"{'at most' if s.bound == 'at_most' else 'at least'} {units.quantity(s.threshold, s.unit)}",
            units.quantity(s.use.get("expert"), s.unit),
            "" if s.room is None else f"{s.room:,.1f} times",
            units.quantity(s.use.get("competent"), s.unit),
            cell(units.quantity(s.absurd, s.unit), s.absurd_by) if s.absurd_by else "",
        )
        for line in lines
        for s in line.slack
    )
    return Table(
        caption="Slack of the budgets",
        columns=("Task", "Constraint", "It is a", "Allowed", "Expert", "Room", "Competent", "Absurd"),
        rows=rows,
        numeric=(3, 4, 5, 6, 7),
        footnote=SLACK_NOTE.format(BINDS),
    )


def _row(proof: Proof) -> tuple[Cell, ...]:
    by = {tier.tier: tier for tier in proof.tiers}
    competent = by["competent"]
    allowed = sum(0 < cheat.points <= cheat.expected_at_most for cheat in proof.cheats)
    caught = sum(cheat.points <= min(cheat.expected_at_most, 0) for cheat in proof.cheats)
    placed = sum(mutant.in_place for mutant in proof.mutants)
    return row(
        cell(proof.task, ", ".join(proof.competencies), mark="" if proof.proven else "fail"),
        proof.profile,
        *(_objective(by[tier], proof.instances) for tier in ("baseline", "competent", "expert")),
        f"{competent.points_mean:.0f} \u00b1 {competent.points_sd:.1f}",
        " and ".join(f"{gap.pooled_sds:.1f}" for gap in proof.separation),
        f"{placed} of {len(proof.mutants)} in place" if proof.mutants else "none",
        f"{caught} of {len(proof.cheats)} caught" + (f", {allowed} allowed" if allowed else ""),
        units.seconds(float(np.mean(proof.ladder_seconds))) if proof.ladder_seconds else "",
        str(proof.minutes) if proof.minutes else "",
    )


def _objective(tier: ProofTier, instances: int) -> Cell:
    low, high = t_interval_of(tier.objective_mean, tier.objective_sd, instances)
    return cell(f"{tier.objective_mean:.3g}", f"{low:.3g} to {high:.3g}" if instances > 1 else "")


def _lower(page: str) -> str:
    """A page with its headings one level lower."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in page.splitlines())
