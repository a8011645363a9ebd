"""The expert less its rescaling: decoded vectors are searched at the lengths that coding left them."""

import expert


class Solution(expert.Solution):
    """The same bytes; what is known of the vectors is not used."""

    def _restored(self, vectors):
        return vectors
