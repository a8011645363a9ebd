"""The expert on chunks of the window's length in place of paragraphs."""

from __future__ import annotations

import expert

CHUNK_WORDS = 20


def in_chunks(document: str) -> list[str]:
    """The document cut after every CHUNK_WORDS words, wherever paragraphs end."""
    words = document.split()
    return [" ".join(words[i : i + CHUNK_WORDS]) for i in range(0, len(words), CHUNK_WORDS)] or [document]


expert.in_pieces = in_chunks
Solution = expert.Solution
