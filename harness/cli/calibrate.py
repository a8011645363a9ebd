"""The verb `calibrate`: how hard a suite's tasks are, how well they tell people apart, and what follows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import AsJson
from harness.cli.output import print_json, say, show, write_file
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.analysis.calibration.results import Calibration, Simulation
    from harness.analysis.calibration.tables import Row
    from harness.assessment.calibrate import Past
    from harness.observer import Observer
    from harness.sheets import Cut, Suite


CutJudges = Annotated[
    Path | None, typer.Option("--cut-judges", metavar="CSV", help="Judges' cut: judge,task,points.")
]
CutRatings = Annotated[
    Path | None,
    typer.Option("--cut-ratings", metavar="CSV", help="Borderline cut: candidate,[task,]points,rating."),
]
OfList = Annotated[
    str | None,
    typer.Option(
        "--profile", help="Of tasks as A,B,C: a profile's name or a .toml file; default laptop-cpu."
    ),
]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="Plant known skills, and see how well they come back.")
]
From = Annotated[str | None, typer.Option("--generator", metavar="NAME", help="Simulate only from this one.")]
Rows = Annotated[
    Path | None,
    typer.Option("--rows", metavar="FILE", help="Measured before: the rows.json that a calibration kept."),
]
Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Seeds of the workers on each instance.")]


def add(app: typer.Typer) -> None:
    """Registers the verb."""
    app.command()(calibrate)


def calibrate(
    suite: Annotated[str, typer.Argument(metavar="SUITE", help="A suite, or tasks as A,B,C.")] = "",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Instances that the ladder is run on.")] = 5,
    repeats: Repeats = 2,
    profile: OfList = None,
    minutes: Annotated[int | None, typer.Option("--minutes", min=1, help="Plan a form of so many.")] = None,
    cut_judges: CutJudges = None,
    cut_ratings: CutRatings = None,
    borderline: Annotated[
        float | None, typer.Option("--borderline", help="Rating of the borderline; 2 unless given.")
    ] = None,
    cut: Annotated[float | None, typer.Option("--cut", help="A cut in points, set by hand.")] = None,
    simulate: Simulate = False,
    generator: From = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where the report goes.")] = None,
    rows_file: Rows = None,
    as_json: AsJson = False,
    tasks: Annotated[Path | None, typer.Option("--tasks", metavar="DIR", help="More tasks.")] = None,
) -> None:
    """Calibrate a suite: difficulty, discrimination, reliability, bands.

    Runs every task's reference tiers over many instances, and adds what the store holds of people.
    """
    if simulate:
        _simulate(generator, seed, out, as_json)
        return
    if generator is not None:
        raise UsageError("--generator only goes with --simulate; give both or neither")
    from harness.analysis.calibration.analysis import calibrate as analyse
    from harness.assessment import calibrate as calibrating
    from harness.cli.progress import Shown

    chosen = calibrating.suite_of(suite, tasks, profile)
    set_to = _cut(chosen, cut, cut_judges, cut_ratings, borderline)
    if set_to is not None:
        chosen = chosen.model_copy(update={"cut": set_to})
    with Shown("calibrate", quiet=as_json) as shown:
        rows = (
            calibrating.rows_in(rows_file, chosen)
            if rows_file is not None
            else _measured(chosen, tasks, (seeds, repeats, seed), out, shown)
        )
        known, others = _past(chosen)
        shown.note("fitting")
        calibration = analyse(chosen, rows + known, seed, minutes)
    if others:
        note = f"Past hand-ins left out, as their task was another version or of another profile: {others}."
        calibration = calibration.model_copy(update={"notes": (*calibration.notes, note)})
    _present(calibration, out, as_json)


def _measured(
    suite: Suite, tasks: Path | None, counts: tuple[int, int, int], out: Path | None, shown: Observer
) -> list[Row]:
    """The ladders' rows, kept as they come: they cost more than whatever follows."""
    from harness.assessment import calibrate as calibrating

    rows, kept = [], _rows_file(out)
    instances, repeats, seed = counts
    for of_task in calibrating.ladders(suite, tasks, instances, repeats, seed, shown):
        rows += of_task
        write_file(kept, calibrating.rows_as_text(rows))
    shown.note(f"what was measured is kept in {kept}; --rows {kept} starts from it")
    return rows


def _rows_file(out: Path | None) -> Path:
    """Where measured rows are kept: beside the report, else among the results."""
    from datetime import UTC, datetime

    from harness.store.results import home

    if out is not None:
        return out / "rows.json"
    return home() / "calibrations" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-rows.json"


def _past(suite: Suite) -> Past:
    """What was handed in before on a suite's tasks; nothing where no results were ever kept."""
    from harness.assessment.calibrate import Past, past
    from harness.store.connections import is_begun
    from harness.store.ledger import Ledger
    from harness.store.results import Store, home

    return past(Ledger(Store.open(home())), suite) if is_begun(home()) else Past([], 0)


def _cut(
    suite: Suite, points: float | None, judges: Path | None, ratings: Path | None, at: float | None
) -> Cut | None:
    """The cut that the options set; None if they set none: the suite's own or a provisional one is then shown."""
    from harness.assessment import cuts

    if sum(one is not None for one in (points, judges, ratings)) > 1:
        raise UsageError("--cut, --cut-judges and --cut-ratings each set the cut; give one of them")
    if at is not None and ratings is None:
        raise UsageError("--borderline only goes with --cut-ratings; give both or neither")
    if points is not None:
        return cuts.by_hand(points)
    if judges is not None:
        return cuts.judges_cut(suite, judges)
    return None if ratings is None else cuts.ratings_cut(suite, ratings, 2.0 if at is None else at)


def _present(calibration: Calibration, out: Path | None, as_json: bool) -> None:
    from harness.reports.calibration import report
    from harness.reports.run import text

    if out is not None:
        write_file(out / "calibration.html", report.render_html(calibration))
        write_file(out / "calibration.json", calibration.model_dump_json(indent=1) + "\n")
    if as_json:
        print_json(calibration.model_dump(mode="json"))
        return
    say(report.headline(calibration))
    for one in report.tables(calibration):
        show(text.table(one))
    for note in calibration.notes:
        say(f"- {note}")
    if out is not None:
        say(f"Report: {out / 'calibration.html'}")


def _simulate(generator: str | None, seed: int, out: Path | None, as_json: bool) -> None:
    from harness.analysis.calibration.generators import GENERATORS
    from harness.assessment import calibrate as calibrating
    from harness.cli.progress import Shown

    if generator is not None and generator not in GENERATORS:
        raise UsageError(f"--generator {generator} is not known; give one of {', '.join(GENERATORS)}")
    with Shown("simulate", quiet=as_json) as shown:
        results = calibrating.simulate(generator, calibrating.SETS, seed, shown.note)
    if out is not None:
        from harness.reports.calibration.simulation import markdown

        write_file(out / "simulation.json", results.model_dump_json(indent=1) + "\n")
        write_file(out / "simulation.md", markdown(results))
    if as_json:
        print_json(results.model_dump(mode="json"))
    else:
        _show(results)


def _show(results: Simulation) -> None:
    from harness.reports.calibration import simulation
    from harness.reports.run import text

    say(simulation.headline(results))
    show(text.table(simulation.table(results)))
    if results.forecasts:
        show(text.table(simulation.forecasts(results.forecasts)))
