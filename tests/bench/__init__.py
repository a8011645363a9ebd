"""Benchmarks of the harness itself: whether its clock is right, how finely it tells, and what it costs.

Not tests: nothing here is collected by pytest. `python -m tests.bench` measures and writes a page.
"""
