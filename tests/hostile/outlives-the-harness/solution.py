"""T77 T53. Leaves a daemon and then kills the harness, so that nobody tidies up.

expected: wrong; process harness_error
gains: process parent-hurt, process-left
"""
import os, signal, time
from kit import TO, Empty, die_in
class Solution(Empty):
    def attack(self):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                die_in(10)
                for fd in range(64):
                    try:
                        os.close(fd)
                    except OSError:
                        pass
                time.sleep(10)
            os._exit(0)
        os.wait()
        os.kill(TO["harness"], signal.SIGKILL)
