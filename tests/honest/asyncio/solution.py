"""Runs an event loop with socket pairs, subprocesses and threads."""

import asyncio
import socket
import sys


class Solution:
    def __init__(self, context):
        self.context = context

    async def talk(self):
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.sendall(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await writer.wait_closed()
        theirs.close()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "print(1)", stdout=asyncio.subprocess.PIPE
        )
        assert (await child.communicate())[0].strip() == b"1"
        assert await asyncio.to_thread(abs, -1) == 1

    def learn(self, numbers):
        asyncio.run(self.talk())
        return b"notes"

    def answer(self, numbers):
        return numbers * numbers % 97
