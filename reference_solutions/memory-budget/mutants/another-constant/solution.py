"""The expert with a quarter of the positions whose logits are held at once."""

import expert

expert.CHUNK = 16
Solution = expert.Solution
