"""ML Skills Harness: practical, measured assessment of machine-learning engineers.

Four pure rooms, eight rooms that touch the world, one door, and the worker on the other side of the wall.
The files beside this one are the dictionary: words that every room may use.

    door
      cli/         the verbs; the only room that prints and exits
    rooms that touch the world
      assessment/  many candidates on a suite: plan it, hand units to engines, fill the sheet, export
      receipts/    signed records of runs: keys, receipts, and whether one holds
      runs/        one order on this machine: prepare, run, judge, check, prove, rescore, doctor
      trials/      submissions side by side in workers: sessions, turns, pairs, clocks; raw trials out
      store/       what is kept, and the only SQL: runs, ledger, ownership, blobs, migrations
      inputs/      what other people wrote, read and checked: tasks, submissions, hand-ins, configs, data, models
      isolation/   the only room that starts a candidate's process, one module a level
      machine/     what this machine is, has, counts and lends: fingerprint, devices, counters, leases, temporary files
    pure rooms (no disk, no clock, no process, no environment)
      reports/     values in, text out
      analysis/    what many results say together: standings, differences, agreement, similar code, calibration
      grading/     what one submission's measurements are worth: criteria, comparison, certificate, verdicts, score
      measures/    arrays in, floats out, with the formula's source
    beyond the wall
      worker/      the child's side; imports nothing of ours but its own modules

    errors         our faults, and the one that is a submission's
    records        values that are stored, shown and compared
    readings       what a clock, a meter or the kernel said
    instances      what a task hands over: requests, specs, hidden answers
    tiers          which tier points reach
    looks          what somebody who looked at a result decided
    sheets         suite, cell, assessment, sheet
    syntax         the tree and the literals of Python code that somebody else wrote
    proofs         a task's proof of itself
    observer       who is told about progress
    digests        content hashes
    tasks          how the files of a task import each other

Who may import whom is the table ROOMS in `tests/house.py`; each room's `__init__` says what it is for, and
what it never does. Nothing is re-exported here: the worker starts from this package and must stay light.
"""

__version__ = "0.1.0"
