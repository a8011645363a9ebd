"""Engines that run the units of an assessment: `local` on this machine, `ray` on several."""
