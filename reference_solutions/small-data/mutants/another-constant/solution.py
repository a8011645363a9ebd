"""The expert with one number changed: as many more steps as the budget of training time still bears."""

import expert

expert.ALONE += 60
Solution = expert.Solution
