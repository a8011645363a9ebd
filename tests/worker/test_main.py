"""The command that serves one submission: a worker's first and last line."""

from __future__ import annotations

import runpy
import socket
import sys

import pytest

from harness.worker import serve


@pytest.mark.parametrize(("name", "served"), [("__main__", 1), ("harness.worker.__main__", 0)])
def test_the_socket_named_on_the_command_line_is_served(
    name: str, served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socks: list[socket.socket] = []
        monkeypatch.setattr(serve, "serve", socks.append)
        monkeypatch.setattr(sys, "argv", ["worker", str(theirs.fileno())])
        runpy.run_module("harness.worker.__main__", run_name=name)
        assert [sock.detach() for sock in socks] == [theirs.fileno()] * served
