"""What an attacker would try first, tried by a worker of ours before any submission is let in.

Each probe returns what it reached, in words, or raises OSError where it was refused. The parent holds
the answers against what the level promises (`isolation.selftest`). They do no harm where they succeed:
the targets are made for them, and of the harness itself they only ask whether they might.

What it does not stop: it stops nothing, and it only shows that known ways are shut on this machine now.
"""

from __future__ import annotations

import json
import os
import socket
from typing import NoReturn

from harness.worker import probes_kernel, probes_outside
from harness.worker.probing import PROBES, Targets

# The modules whose probes are in the table once they are imported.
KINDS = (probes_outside, probes_kernel)


def answer(sock: socket.socket) -> NoReturn:
    """Is told the targets, tries every probe, tells what each reached ("" for nothing), and ends."""
    words = b""
    while not words.endswith(b"\n"):
        words += (part := sock.recv(1 << 16))
        if not part:
            os._exit(1)
    known: Targets = {**json.loads(words), "socket": sock.fileno()}
    found = {}
    for name, probe in PROBES.items():
        try:
            found[name] = probe(known) or "it was let"
        except OSError:
            found[name] = ""
    sock.sendall(json.dumps(found).encode() + b"\n")
    os._exit(0)
