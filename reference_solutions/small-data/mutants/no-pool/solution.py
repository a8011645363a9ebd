"""The expert less the pool: as many steps, on the labelled images alone."""

import expert
import torch

expert.with_pool = lambda pupil, known, targets, unknown: (known, targets, torch.ones(len(known)))
Solution = expert.Solution
