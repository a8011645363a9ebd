"""How hard tasks are and how far a calibration can be trusted: its page, its plots, its simulation."""
