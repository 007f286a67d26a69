"""A proxy by HTTP CONNECT on loopback, as a partner's network has one; what it sees is kept.

with proxying() as proxy:
    environment["HTTPS_PROXY"] = proxy.url
    ...
    assert proxy.asked == ["127.0.0.1:8443"]
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """Where it listens, which hosts it was asked for, and every byte that went through."""

    port: int
    asked: list[str] = field(default_factory=list)
    passed: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """What ``HTTPS_PROXY`` names."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, listener: socket.socket) -> None:
        """Open tunnels until the listener is closed."""
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._open, args=(near,), daemon=True).start()

    def _open(self, near: socket.socket) -> None:
        head = near.recv(65536)
        method, target, _ = head.split(b" ", 2)
        assert method == b"CONNECT"
        self.asked.append(target.decode())
        host, _, port = target.decode().rpartition(":")
        far = socket.create_connection((host, int(port)))
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self._pass_on, args=(far, near), daemon=True).start()
        self._pass_on(near, far)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with source, sink:
            try:
                while data := source.recv(65536):
                    self.passed.append(data)
                    sink.sendall(data)
            except OSError:
                return


@contextmanager
def proxying() -> Iterator[ConnectProxy]:
    """Serve until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = ConnectProxy(listener.getsockname()[1])
        threading.Thread(target=proxy.serve, args=(listener,), daemon=True).start()
        yield proxy
        # A thread that waits in accept() does not notice that its socket is closed.
        listener.shutdown(socket.SHUT_RDWR)
