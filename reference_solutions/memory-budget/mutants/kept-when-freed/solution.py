"""The expert less giving back what is freed: glibc's allocator as it comes."""

import expert

expert.give_back_what_is_freed = lambda: None
Solution = expert.Solution
