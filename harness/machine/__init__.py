"""What this machine is, has, counts and lends: fingerprint, devices, counters, leases, processes, temporary folders.

Never: starts a process, knows a task or a score.
"""
