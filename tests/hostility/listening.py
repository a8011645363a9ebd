"""Sockets of the test's own that nobody has a reason to talk to: what arrives was sent by an attack."""

from __future__ import annotations

import contextlib
import secrets
import selectors
import socket
import threading
from pathlib import Path


class Listeners:
    """TCP, UDP, and unix sockets with a path and without; `targets` is where they are."""

    def __init__(self, folder: Path) -> None:
        self._selector = selectors.DefaultSelector()
        self._heard: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        path, abstract = folder / "engine.sock", f"harness-arena-{secrets.token_hex(8)}"
        tcp, udp = self._open("tcp", socket.AF_INET), self._open("udp", socket.AF_INET, socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        self._open("unix socket with a path", socket.AF_UNIX).bind(str(path))
        path.chmod(0o666)
        self._open("abstract unix socket", socket.AF_UNIX).bind(f"\0{abstract}")
        for key in list(self._selector.get_map().values()):
            if key.data != "udp":
                key.fileobj.listen()  # type: ignore[union-attr]  # ty: ignore[unresolved-attribute]
        self.targets = {
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "unix": str(path),
            "abstract": abstract,
        }
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _open(self, name: str, family: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        sock = socket.socket(family, kind)
        self._selector.register(sock, selectors.EVENT_READ, name)
        return sock

    def _listen(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.1):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if key.data == "udp":
                    self._note(key.data, sock.recv(1 << 16))
                    continue
                with contextlib.suppress(OSError):
                    talker, _ = sock.accept()
                    talker.settimeout(1.0)
                    with talker:
                        self._note(key.data, talker.recv(1 << 16))

    def _note(self, name: str, data: bytes) -> None:
        with self._lock:
            self._heard[name] = self._heard.get(name, b"") + data

    def heard(self) -> dict[str, bytes]:
        """What arrived since `clear`, by the socket's kind; a connection without a byte is none."""
        with self._lock:
            return {name: data for name, data in self._heard.items() if data}

    def clear(self) -> None:
        """Forgets what arrived."""
        with self._lock:
            self._heard.clear()

    def close(self) -> None:
        """Closes all of them."""
        self._over.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]  # ty: ignore[unresolved-attribute]
        self._selector.close()
