"""`python -I -P -m harness.worker FD`: serves one submission over the socket that is file descriptor FD."""

from __future__ import annotations

import socket
import sys

from harness.worker.serve import serve

if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
