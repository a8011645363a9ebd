"""Ends runs in the middle, in every way that a machine can, and looks what was lost: `python -m tests.crash`."""
