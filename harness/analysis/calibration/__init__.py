"""Calibration: how hard tasks are, how well they tell people apart, and how far a decision can be trusted."""
