"""The expert less double precision: the same forms in float32."""

import expert
import numpy as np

expert.WIDE = np.float32
Solution = expert.Solution
