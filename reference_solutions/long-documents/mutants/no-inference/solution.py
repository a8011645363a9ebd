"""The expert less the inference: every paragraph of a labelled document is taken to have earned the label."""

from __future__ import annotations

import expert

expert.ROUNDS = 0
Solution = expert.Solution
