"""What stands in for a broker, or between: answers that dribble, proxies that are none, cookies."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Request, Response
from strongroom.crypto.certificate import Identity, issue, make_authority
from strongroom.errors import BrokerUnavailable, Error, FormatError
from tests.parties import right_now

LIMIT_SECONDS = 0.6
READ_SECONDS = 0.4
"""A byte comes more often than that."""
PATIENCE_SECONDS = 10
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

Handle = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def authority() -> Identity:
    return make_authority("hospital", hosts=["broker.hospital.example"], now=right_now())


@pytest.fixture
def secure(authority: Identity, tmp_path: Path) -> ssl.SSLContext:
    """What the broker's end of a connection is secured with."""
    leaf = issue(authority, hosts=["broker.hospital.example"], now=right_now())
    (tmp_path / "cert.pem").write_bytes(leaf.certificate)
    (tmp_path / "key.pem").write_bytes(leaf.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


@contextmanager
def listening(handle: Handle) -> Iterator[int]:
    """Handle connections, each in a thread; yields the port."""

    def serve(near: socket.socket) -> None:
        with near, suppress(OSError):
            handle(near)

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=serve, args=(near,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def dribble(near: socket.socket) -> None:
    """Send a byte now and then, until nobody listens."""
    for _ in range(1000):
        near.sendall(b"a")
        time.sleep(0.1)


def swallow_slowly(near: socket.socket) -> None:
    """Take a byte now and then."""
    while near.recv(1):
        time.sleep(0.1)


def secured(context: ssl.SSLContext, handle: Handle) -> Handle:
    """Return what handles a connection whose TLS is in order."""

    def behind(near: socket.socket) -> None:
        with context.wrap_socket(near, server_side=True) as inner:
            handle(inner)

    return behind


def after_request(*answers: bytes, then: Handle | None = None) -> Handle:
    """Return what reads one request after the other and answers."""

    def answer(near: socket.socket) -> None:
        for each in answers:
            near.recv(65536)
            near.sendall(each)
        if then is not None:
            then(near)

    return answer


def transport_to(authority: Identity) -> HttpsTransport:
    return HttpsTransport(
        ca=authority.certificate.decode("ascii"),
        connect_seconds=READ_SECONDS,
        read_seconds=READ_SECONDS,
        exchange_seconds=LIMIT_SECONDS,
    )


def ask(transport: HttpsTransport, port: int, body: bytes | None = None) -> Response:
    method = "GET" if body is None else "POST"
    return transport.send(Request(method=method, url=f"https://127.0.0.1:{port}/v1/owner", body=body))


def failure(act: Callable[[], object]) -> Error:
    """Return what an act fails with; that it goes on for ever fails the test and does not hang it."""
    found: list[Error] = []

    def run() -> None:
        try:
            act()
        except Error as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "still waiting"
    assert found, "no error of ours"
    return found[0]


@pytest.mark.parametrize(
    "handle",
    [
        pytest.param(after_request(HEAD, then=dribble), id="body"),
        pytest.param(after_request(b"HTTP/1.1 200 OK\r\nX-Slow: ", then=dribble), id="head"),
        pytest.param(after_request(then=dribble), id="status"),
        pytest.param(after_request(b"HTTP/1.1 100 Continue\r\n\r\n" * 3, then=dribble), id="interim"),
    ],
)
def test_an_answer_that_dribbles_is_silence(
    authority: Identity, secure: ssl.SSLContext, handle: Handle
) -> None:
    with listening(secured(secure, handle)) as port:
        error = failure(lambda: ask(transport_to(authority), port))
    assert isinstance(error, BrokerUnavailable)
    assert error.code == "broker-timeout"


def test_a_handshake_that_dribbles_is_silence(authority: Identity) -> None:
    with listening(after_request(b"\x16\x03\x03\x3f\xff", then=dribble)) as port:
        error = failure(lambda: ask(transport_to(authority), port))
    assert error.code == "broker-timeout"


def test_a_request_that_is_taken_byte_by_byte_is_silence(authority: Identity, secure: ssl.SSLContext) -> None:
    with listening(secured(secure, swallow_slowly)) as port:
        error = failure(lambda: ask(transport_to(authority), port, b"a" * (8 << 20)))
    assert error.code == "broker-timeout"


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_a_proxy_that_dribbles_is_silence(
    authority: Identity, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    with listening(after_request(start, then=dribble)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        error = failure(lambda: ask(transport_to(authority), 1))
    assert error.code == "broker-timeout"


def test_a_broker_behind_a_proxy_that_dribbles_is_silence(
    authority: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = after_request(b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x03\x3f\xff", then=dribble)
    with listening(made) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{port}")
        error = failure(lambda: ask(transport_to(authority), 1))
    assert error.code == "broker-timeout"


def test_a_proxy_with_tls_that_dribbles_is_silence(
    authority: Identity, secure: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trusted = tmp_path / "machine.pem"
    trusted.write_bytes(authority.certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    made = after_request(b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x03\x3f\xff", then=dribble)
    with listening(secured(secure, made)) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{port}")
        error = failure(lambda: ask(transport_to(authority), 1))
    assert error.code == "broker-timeout"


def test_a_proxy_that_says_no_is_silence(authority: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(after_request(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")) as port:
        monkeypatch.setenv("ALL_PROXY", f"http://name:p%40ss@127.0.0.1:{port}")
        error = failure(lambda: ask(transport_to(authority), 1))
    assert isinstance(error, BrokerUnavailable)
    assert error.code == "broker-proxy"


def test_a_broker_that_needs_no_proxy_is_asked_itself(
    authority: Identity, secure: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,[::1")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with listening(secured(secure, after_request(answer))) as port:
        assert ask(transport_to(authority), port).body == b"{}"


def test_no_cookie_is_kept_and_no_redirect_followed(authority: Identity, secure: ssl.SSLContext) -> None:
    heard: list[bytes] = []

    def answer(near: socket.socket) -> None:
        for _ in range(2):
            heard.append(near.recv(65536))
            near.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: who=you; Path=/; Secure\r\n"
                b"Content-Length: 0\r\n\r\n"
            )

    transport = transport_to(authority)
    with listening(secured(secure, answer)) as port:
        assert [ask(transport, port).status for _ in range(2)] == [302, 302]
    assert len(heard) == 2
    assert b"cookie" not in heard[1].lower()
    transport.close()
    transport.close()


def test_a_packed_answer_is_none(authority: Identity, secure: ssl.SSLContext) -> None:
    packed = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    with listening(secured(secure, after_request(packed))) as port:
        error = failure(lambda: ask(transport_to(authority), port))
    assert isinstance(error, FormatError)
    assert error.code == "broker-answer"
