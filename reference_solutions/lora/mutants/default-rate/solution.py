"""The expert less its learning rate: the one that suits adapters in large models."""

import expert

expert.LEARNING_RATE = 3e-4
Solution = expert.Solution
