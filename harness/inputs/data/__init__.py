"""Data sets and models: where they come from, how their tables are read, and what is built in."""
