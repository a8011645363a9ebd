"""The child's side of the process wall: the only code that shares a process with a submission.

It imports nothing of ours outside this folder, and only the standard library at module top, so that a worker
costs as little as possible before the submission is imported. It stops nothing: the submission may rewrite
everything in this process. Protection is on the parent's side, which trusts only bytes of a size that it
fixed and its own clock.
"""
