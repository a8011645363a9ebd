"""The only place that starts a process: one module for each level, each with `launch(Launch) -> Launched`."""
