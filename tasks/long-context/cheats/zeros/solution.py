"""Answers zeros at once, of the right shape.

Ends by: checked rows of every answer differ from float64's by whole units: the error constraint.
"""

from __future__ import annotations

from typing import Any

import numpy as np


class Solution:
    def __init__(self, context: Any) -> None: ...

    def attend(self, q: Any, k: Any, v: Any, slopes: Any, starts: Any, softcap: float) -> Any:
        return np.zeros_like(v)
