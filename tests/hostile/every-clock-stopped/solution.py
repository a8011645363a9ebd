"""T12. Stops every clock of Python's in its process, its threads' and its libraries' too.

expected: ok
least: 0.02
"""
import datetime, sys, time, timeit
from kit import Empty, squares
work = time.sleep
for module in list(sys.modules.values()):
    for name in ("perf_counter", "monotonic", "time", "process_time", "thread_time", "perf_counter_ns", "default_timer"):
        if callable(getattr(module, name, None)):
            try:
                setattr(module, name, lambda *_: 0)
            except (AttributeError, TypeError):
                pass
class Solution(Empty):
    def answer(self, numbers):
        work(0.02)
        return squares(numbers)
