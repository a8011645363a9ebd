"""Sets signal handlers, an alarm and a faulthandler."""

import faulthandler
import signal


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        seen = []
        signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
        signal.raise_signal(signal.SIGUSR1)
        signal.signal(signal.SIGALRM, lambda *_: seen.append(2))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()
        faulthandler.enable()
        assert seen == [1, 2]
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
