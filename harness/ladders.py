"""How far a task's references stood apart on one instance: what points are a share of."""

from __future__ import annotations

from harness.readings import Record


class Lead(Record):
    """A value with its 95 % interval: a reference's objective, or by how much one is better than another."""

    value: float
    low: float
    high: float


class LadderOn(Record):
    """One instance's ladder. Leads are differences on the objective's scale, positive where the first is better.

    `expert` is over the baseline, `competent` over the baseline, `rest` the expert's over the competent reference;
    the last two are None where the competent one was not measured. `values` are the objective's, by tier.
    """

    expert: Lead
    competent: Lead | None = None
    rest: Lead | None = None
    values: dict[str, Lead]
