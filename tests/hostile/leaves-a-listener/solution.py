"""T10 T49. Leaves a daemon that tells on an abstract socket what it has learnt.

expected: wrong
gains: process predecessor-read, process-left, file-left
way: twice
"""
import os, socket
from kit import TO, Empty, die_in, say
class Solution(Empty):
    def attack(self):
        name = "\0" + TO["marker"]
        if TO["role"] != "leave":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(name)
                say(sock.recv(100))
            return
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(name)
        listener.listen()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                die_in(10)
                while True:
                    talker, _ = listener.accept()
                    talker.sendall(TO["token"].encode())
            os._exit(0)
        os.wait()
