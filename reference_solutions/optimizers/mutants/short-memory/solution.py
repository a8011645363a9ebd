"""The expert less its long memory: 5 pairs, as scipy and most textbooks would keep."""

import expert

expert.MEMORY = 5
Solution = expert.Solution
