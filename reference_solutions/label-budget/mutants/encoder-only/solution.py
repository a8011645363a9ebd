"""The expert less the words themselves: only layers of the encoder."""

import expert

expert.WORD_SHARES = (0.0,)
Solution = expert.Solution
