"""The verb `calibrate`: how hard a suite's tasks are, how well they tell people apart, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import UsageError
from harness.output import print_json, say, show

if TYPE_CHECKING:
    from harness.calibration.results import Simulation


def add(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(calibrate)


def calibrate(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite's name, or tasks as A,B,C.")] = "",
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Plant known skills, and see how well they come back.")
    ] = False,
    generator: Annotated[
        str | None, typer.Option("--generator", metavar="NAME", help="Simulate only from this one.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Calibrate a suite: difficulty, discrimination, reliability, cuts."""
    if simulate:
        _simulate(generator, seed, as_json)
        return
    raise UsageError("name a suite")


def _simulate(generator: str | None, seed: int, as_json: bool) -> None:
    from harness import calibrating
    from harness.calibration.generators import GENERATORS
    from harness.progress import Shown

    if generator is not None and generator not in GENERATORS:
        raise UsageError(f"--generator {generator} is not known; give one of {', '.join(GENERATORS)}")
    with Shown("simulate", quiet=as_json) as shown:
        found = calibrating.simulate(generator, calibrating.SETS, seed, shown.note)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _show(found)


def _show(found: Simulation) -> None:
    from harness.reports import simulation, text

    say(simulation.headline(found))
    show(text.table(simulation.table(found)))
    if found.forecasts:
        show(text.table(simulation.forecasts(found.forecasts)))
