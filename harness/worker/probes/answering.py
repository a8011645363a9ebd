"""A worker of ours that tries the probes, instead of serving a submission.

Each probe returns in words what it reached, or raises OSError if it was refused. The parent compares the
answers with the level's promises (`isolation.selftest`). The probes do no harm when they succeed: their
targets are made for them, and as to the harness itself they only ask whether they would be allowed.

What it does not stop: it stops nothing, and only shows that known attacks are refused on this machine now.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import NoReturn

from harness.worker.probes import between, kernel, outside
from harness.worker.probes.table import BETWEEN, PROBES, Targets

# The modules whose probes are in the tables once they are imported.
KINDS = (outside, kernel, between)
_PART_BYTES = 1 << 16


def answer(sock: socket.socket) -> NoReturn:
    """Receives the targets, tries every probe, reports what each reached ("" for nothing), and ends.

    The first of two workers leaves something for the second, which looks for that and does nothing else.
    """
    words = b""
    while not words.endswith(b"\n"):
        words += (part := sock.recv(_PART_BYTES))
        if not part:
            os._exit(1)
    known: Targets = {**json.loads(words), "socket": sock.fileno()}
    reached = {}
    second = bool(known["second"])
    for name, probe in ({n: b.find for n, b in BETWEEN.items()} if second else PROBES).items():
        try:
            reached[name] = probe(known) or "it was let"
        except OSError:
            reached[name] = ""
    for two in () if second else BETWEEN.values():
        with contextlib.suppress(OSError):
            two.leave(known)
    sock.sendall(json.dumps(reached).encode() + b"\n")
    os._exit(0)
