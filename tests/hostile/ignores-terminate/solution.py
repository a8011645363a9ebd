"""T48 T49. Ignores every signal that can be ignored and spawns a child of another session.

expected: timeout
"""
import os, signal, time
class Solution:
    def __init__(self, context):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    def learn(self, numbers):
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
        time.sleep(3600)
    def answer(self, numbers): return numbers
