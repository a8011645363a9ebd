"""The expert less augmentation: images are learned, and looked at, as they are."""

import expert

expert.augment = lambda pixels, strength=1.0: pixels
expert.LOOKS = 1  # all looks are alike then
Solution = expert.Solution
