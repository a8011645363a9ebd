"""The expert less all that it does about wrong labels, but for a stronger ridge: every label is taken as given."""

import expert
import numpy as np

expert.FINAL_RIDGE = 5.0
expert.infer = lambda ridge, labels, classes: np.eye(classes)[labels]
Solution = expert.Solution
