"""Signed records of runs: keys, receipts, and whether one holds.

Never: scores; a signature changes no number.
"""
