"""Serves itself on a unix socket in its scratch folder."""

import os
import socket
import threading


class Solution:
    def __init__(self, context):
        self.context = context

    def learn(self, numbers):
        os.chdir(self.context.scratch)
        server = socket.socket(socket.AF_UNIX)
        server.bind("s")
        server.listen()
        threading.Thread(target=lambda: server.accept()[0].sendall(b"ok"), daemon=True).start()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("s")
            assert client.recv(2) == b"ok"
        server.close()
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
