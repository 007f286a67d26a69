"""What every server here does with clients that never finish a TLS handshake, or speak something else."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.home.tls import OwnAuthority, server_context
from strongroom.listening import HttpServer
from tests.integration.test_listening import LONG, Limits, app, holder_of


@pytest.fixture
def own(tmp_path: Path) -> OwnAuthority:
    own = OwnAuthority(tmp_path / "tls", "clinic", [])
    own.ensure(datetime.now(UTC))
    return own


@contextmanager
def serving(own: OwnAuthority, limits: Limits) -> Iterator[int]:
    context = server_context(own.certificate_path, own.key_path)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        ready = threading.Event()
        server = HttpServer(
            app, limits, listener=listener, holder_of=holder_of, context=context, ready=ready.set
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert ready.wait(20)
            yield listener.getsockname()[1]
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


def secured(own: OwnAuthority, port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context(cadata=own.authority.decode("ascii"))
    plain = socket.create_connection(("127.0.0.1", port), timeout=10)
    return context.wrap_socket(plain, server_hostname="localhost")


def body_of(connection: ssl.SSLSocket, target: str, length: int) -> bytes:
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    found = b""
    while len(found.partition(b"\r\n\r\n")[2]) < length:
        chunk = connection.recv(1 << 16)
        assert chunk
        found += chunk
    return found.partition(b"\r\n\r\n")[2]


def has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_answers_come_whole_over_tls(own: OwnAuthority) -> None:
    with serving(own, Limits()) as port, secured(own, port) as connection:
        assert body_of(connection, "/short", 6) == b"/short"
        assert body_of(connection, "/long", len(LONG)) == LONG


def test_who_never_finishes_a_handshake_takes_the_place_of_nobody_known(own: OwnAuthority) -> None:
    with serving(own, Limits(handshake_seconds=60)) as port, ExitStack() as stack:
        known = stack.enter_context(secured(own, port))
        assert body_of(known, "/a?clinic", 2) == b"/a"
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(50)]
        other = stack.enter_context(secured(own, port))
        assert body_of(other, "/b?bank", 2) == b"/b"
        assert body_of(known, "/c?clinic", 2) == b"/c"
        # The oldest are gone long before their time is up.
        assert all(has_ended(each) for each in held[:40])


def test_who_never_finishes_a_handshake_is_given_up(own: OwnAuthority) -> None:
    with (
        serving(own, Limits(handshake_seconds=0.3)) as port,
        socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
    ):
        assert has_ended(connection)


def test_who_speaks_no_tls_gets_no_answer(own: OwnAuthority) -> None:
    with serving(own, Limits()) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            said = b""
            with suppress(ConnectionError):
                while chunk := connection.recv(100):
                    said += chunk
            assert b"HTTP" not in said
        with secured(own, port) as connection:
            assert body_of(connection, "/b", 2) == b"/b"


def test_who_goes_in_the_middle_of_a_handshake_leaves_nothing_behind(own: OwnAuthority) -> None:
    context = ssl.create_default_context(cadata=own.authority.decode("ascii"))
    with serving(own, Limits()) as port:
        for rounds in range(60):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            shaking = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with suppress(ssl.SSLWantReadError):
                shaking.do_handshake()
            hello = outgoing.read()
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(hello[: len(hello) * rounds // 50])
                if rounds % 3 == 0:
                    time.sleep(0.001)
        with secured(own, port) as connection:
            assert body_of(connection, "/b", 2) == b"/b"
