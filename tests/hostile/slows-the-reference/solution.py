"""T21. Renices the workers beside it, so that it seems no slower than the reference.

expected: budget_exceeded or inconclusive
gains: process clock-moved
way: run
"""
import os, time
from pathlib import Path
from kit import Empty, ancestor, attempt, squares
class Solution(Empty):
    def attack(self):
        above = ancestor()
        for task in Path(f"/proc/{above}/task").iterdir():
            for pid in map(int, (task / "children").read_text().split()):
                if pid != os.getpid():
                    attempt(lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19),
                            lambda pid=pid: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
    def answer(self, numbers):
        time.sleep(0.1)
        return squares(numbers)
