"""The expert less double precision: nothing cancels badly, much is rounded early."""

import expert
import numpy as np

expert.WIDE = np.float32
Solution = expert.Solution
