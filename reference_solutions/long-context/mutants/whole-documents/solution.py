"""The expert less strips: documents are skipped, but each one's scores are one matrix, its length by its length."""

import expert
import numpy as np


class Solution(expert.Solution):
    """A strip as long as the longest document."""

    def attend(self, q, k, v, slopes, starts, softcap):
        self.use(int(np.diff([*starts, q.shape[1]]).max()))
        return super().attend(q, k, v, slopes, starts, softcap)
