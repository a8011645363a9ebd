"""What an attacker would try first, tried by a worker of ours before any submission is started.

Each probe returns in words what it reached, or raises OSError if it was refused. The parent compares the
answers with the level's promises (`isolation.selftest`). The probes do no harm when they succeed: their
targets are made for them, and as to the harness itself they only ask whether they would be allowed.

What it does not stop: it stops nothing, and only shows that known attacks are refused on this machine now.
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
    """Receives the targets, tries every probe, reports what each reached ("" for nothing), and ends."""
    words = b""
    while not words.endswith(b"\n"):
        words += (part := sock.recv(1 << 16))
        if not part:
            os._exit(1)
    known: Targets = {**json.loads(words), "socket": sock.fileno()}
    reached = {}
    for name, probe in PROBES.items():
        try:
            reached[name] = probe(known) or "it was let"
        except OSError:
            reached[name] = ""
    sock.sendall(json.dumps(reached).encode() + b"\n")
    os._exit(0)
