"""Fuzzing of the wire from both ends and of what is handed over: seeded, and judged by models of their own.

Not tests: nothing here is collected by pytest. `python -m tests.fuzz` runs it at length.
"""
