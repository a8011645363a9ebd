"""The expert less noticing noise: it never suspects any, so L-BFGS believes whatever it is told."""

import expert

expert.PATIENCE = expert.MOST_TRIALS
Solution = expert.Solution
