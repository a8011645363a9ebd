"""Turns a Run into text: terminal, HTML, Markdown and JSON; uses no disk, no clock and no environment."""
