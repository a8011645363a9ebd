"""The expert less its favour for popular vectors: all are coded with the same steps."""

import expert
import numpy as np


class Solution(expert.Solution):
    """The same classes and arithmetic code, which still knows each class's widths."""

    def _favour(self, popular):
        return np.ones_like(popular)
