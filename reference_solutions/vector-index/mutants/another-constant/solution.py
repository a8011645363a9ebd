"""The expert with steps that favour popular vectors more: 0.9 where it has 0.75."""

import expert

expert.FAVOUR = 0.9
Solution = expert.Solution
