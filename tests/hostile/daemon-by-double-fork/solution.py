"""T49. Leaves a daemon behind by forking twice into another session.

expected: wrong
gains: process process-left
"""
import os, time
from kit import Empty, die_in
class Solution(Empty):
    def attack(self):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                die_in(15)
                for fd in range(3):
                    os.close(fd)
                time.sleep(15)
            os._exit(0)
        os.wait()
