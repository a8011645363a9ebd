"""The expert less re-ranking: answers come in the order of the codes' own inner products.

The byte that the correction takes is free for a longer code here.
"""

import io

import expert
import numpy as np


class Solution(expert.Solution):
    """The same index without products, its codes a byte longer."""

    def build(self, vectors, most_bytes):
        with np.load(io.BytesIO(super().build(vectors, most_bytes + len(vectors)))) as stored:
            kept = {name: stored[name] for name in stored.files if name != "products"}
        archive = io.BytesIO()
        np.savez(archive, **kept)
        return archive.getvalue()

    def _open(self, stored):
        alike = np.full(len(stored["codes"]), 255, dtype=np.uint8)  # stands for a product of 1
        super()._open({**stored, "products": alike})
