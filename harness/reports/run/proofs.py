"""A task's proof of itself as tables: the tiers, the gaps between them, the cheats."""

from __future__ import annotations

from harness.proofs import Proof, ProofCheat
from harness.reports.parts import units, words
from harness.reports.parts.tables import Cell, Table, cell, row


def verdict(proof: Proof) -> str:
    """The verdict in one sentence."""
    data = f"with {', '.join(source.name for source in proof.brought)}, " if proof.brought else ""
    settings = f"on {proof.profile}, {data}{proof.instances} instances, {units.seconds(proof.wall_seconds)}"
    return f"{proof.task} {'proves itself' if proof.proven else 'does not prove itself'} ({settings})."


def tiers(proof: Proof) -> Table:
    """Mean and spread of each tier, and the starter."""
    rows = [
        row(
            t.tier.capitalize(),
            f"{t.points_mean:.1f}",
            f"{t.points_sd:.1f}",
            f"{t.objective_mean:.4g}",
            f"{t.objective_sd:.2g}",
        )
        for t in proof.tiers
    ]
    starter = proof.starter
    rows.append(row("Starter", f"{starter.points:.1f}", "", words.OUTCOMES[starter.outcome][0].lower(), ""))
    return Table(
        caption="Tiers",
        columns=("Tier", "Points", "SD", "Objective", "SD"),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4),
    )


def separation(proof: Proof) -> Table:
    """The gaps between neighbouring tiers, in points and as multiples of the noise."""
    rows = tuple(
        row(
            f"{gap.lower} to {gap.upper}",
            f"{gap.gap_points:.1f}",
            f"{gap.pooled_sds:.1f}",
            f"{gap.inversions} of {proof.instances}",
        )
        for gap in proof.separation
    )
    return Table(
        caption="Separation",
        columns=("Between", "Points", "Pooled SDs", "Inversions"),
        rows=rows,
        numeric=(1, 2, 3),
    )


def mutants(proof: Proof) -> Table:
    """The mutants (the expert without one idea) and their points."""
    rows = tuple(
        row(
            cell(m.id, f"without {m.without}"),
            cell("in place", mark="pass") if m.in_place else cell("out of place", mark="fail"),
            ", ".join(f"{points:.0f}" for points in m.points) or "none",
            m.expected,
            ", ".join(m.broke),
        )
        for m in proof.mutants
    )
    return Table(
        caption="Mutants",
        columns=("Mutant", "Verdict", "Points", "Expected", "Broke"),
        rows=rows,
        numeric=(2,),
    )


def cheats(proof: Proof) -> Table:
    """Every cheat, its points, and whether they are no more than allowed."""
    rows = tuple(
        row(
            cell(c.id, c.reason),
            _judged(c),
            f"{c.points:.1f}",
            f"{c.expected_at_most:.1f}",
            words.OUTCOMES[c.outcome][0].lower(),
        )
        for c in proof.cheats
    )
    return Table(
        caption="Cheats",
        columns=("Cheat", "Verdict", "Points", "At most", "Outcome"),
        rows=rows,
        numeric=(2, 3),
    )


def _judged(cheat: ProofCheat) -> Cell:
    """Caught, allowed (the reason says why), or found to pay."""
    if cheat.points > cheat.expected_at_most:
        return cell("pays", mark="fail")
    return cell("allowed" if cheat.points > 0 else "caught", mark="pass")


def everything(proof: Proof) -> tuple[Table, ...]:
    """All tables that have rows, in reading order."""
    every = (tiers(proof), separation(proof), mutants(proof), cheats(proof))
    return tuple(table for table in every if table.rows)
