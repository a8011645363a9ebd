"""Fuzzing of the wire from both ends: seeded, and judged by a model that shares no code with the reader.

Not tests: nothing here is collected by pytest. `python -m tests.fuzz` runs it at length.
"""
