"""A Run in, text out: terminal, HTML, Markdown and JSON; no disk, no clock, no environment."""
