"""One run, its check and a task's proof: tables and series, as text, Markdown, HTML and JSON."""
