"""ML Skills Harness: practical, measured assessment of machine-learning engineers.

The map, from the top floor down (imports go downward only):

    cli, output, progress       the verbs (cli_*: by what they are about); the only place that prints and exits
    scoring, executors          an assessment, from suite and hand-ins to a sheet; where its units run
    suites, intake, calibrating configs/suites; folders, CSV and archives; what a calibration is made of
    reassessing, export_*       every cell scored again; tables for other programs
    asking, check, proving,     what was typed, made an order; the candidate's fast loop; a task's
    doctor                      proof of itself; a look at the machine
    runner                      the one path from a submission to a score
    trials, assess, workbench,  submissions side by side on one instance; a trial to measurements;
    steadiness                  what a task's `prepare` works with; a program beside its own copy
    grading, session, watch     measurements to a score; the parent's end of the process wall
    reports, tasks              a Run or a Sheet in, text out; tasks/<id>/ in, a Task out
    standings, differences,     pure: who stands where, by how much, and whether it could be noise;
    calibration                 difficulty, reliability, cuts, simulation
    submissions, profiles       folders and configs/ read and checked
    sources                     data sets and models (stackdocs, tables, qrels, hub)
    isolation                   the only place that starts a process
    measures, store, ledger     arrays in, floats out; the only writer of results (database, engines,
                                migrations, claims, kept, artefacts); assessments and their cells
    packets, moving             a whole run as bytes, and into another store
    owners, leftovers           who works on what a crash can leave behind; the sweep of it
    devices, machine, counters  NVML; the fingerprint of where it ran; what its kernel counts meanwhile
    records, assessments,       the frozen values that travel between the floors
    instances, criteria, checks
    worker, errors              the child's side of the wall; our own faults

Nothing is re-exported here: the worker starts from this package and must stay light.
"""

__version__ = "0.1.0"
