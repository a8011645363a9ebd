"""The expert less what it carries along: its convolutions start from chance."""

import expert

expert.begun = expert.build
Solution = expert.Solution
