"""The child's side of the process wall: the only code that shares a process with a submission.

It imports nothing of ours outside this folder, and only the standard library at module top, so
that what a worker costs before the submission is imported is as little as possible. It stops
nothing: everything in this process may be rewritten by the submission. What holds is on the
parent's side, which believes only the bytes of a size it fixed and its own clock.
"""
