"""The expert on words alone: the encoder reads nothing, neither in training nor when a document is scored."""

from __future__ import annotations

from typing import Any

import expert


class Solution(expert.Solution):
    """Without a reader, words speak alone."""

    def __init__(self, context: Any) -> None:
        self.seed, self.reader = int(context.seed), None
