"""The only place that starts a process: one module a level, each with `launch(Launch) -> Launched`."""
