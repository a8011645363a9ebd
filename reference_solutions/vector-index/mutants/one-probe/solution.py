"""The expert less its tuned number of probes: one list is searched, as FAISS does by default."""

import expert


class Solution(expert.Solution):
    """The same index, searched less."""

    def _tuned(self, sample):
        self.index.nprobe = 1
        return 1
