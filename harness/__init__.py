"""ML Skills Harness: practical, measured assessment of machine-learning engineers.

The map, from the top floor down (imports go downward only):

    cli                     the verbs; the only place that prints and exits
    runner, proving         one path from a submission to a score; a task's proof of itself
    grading, session        measurements to a score; the parent's end of the process wall
    reports, tasks          a Run in, text out; tasks/<id>/ in, a Task out
    submissions, profiles   folders and configs/ read and checked
    sources                 where data sets and models come from
    isolation               the only place that starts a process
    measures, store         arrays in, floats out; the only writer of results
    records, instances      the frozen values that travel between the floors
    worker, errors          the child's side of the wall; our own faults

Nothing is re-exported here: the worker starts from this package and must stay light.
"""

__version__ = "0.1.0"
