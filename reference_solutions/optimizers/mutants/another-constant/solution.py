"""The expert with one number changed: the one that gained most of those tried, on public seeds."""

import expert

expert.LEAST_BEND = 0.15
Solution = expert.Solution
