"""A broker that listens: TLS, slow and broken clients, signals, and the program itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from strongroom.broker.assembly import admit_owner, assemble
from strongroom.broker.http.server import BrokerServer, listen
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.running import Wishes, run
from strongroom.broker.settings import Settings
from strongroom.connection import BrokerClient
from strongroom.connection.https import HttpsTransport
from strongroom.crypto import certificate
from strongroom.errors import (
    BrokerRefused,
    UsageError,
    VerificationError,
)
from strongroom.founding import found
from strongroom.home import tls
from strongroom.home.home import Home
from strongroom.keys.identity import member_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind

QUICK: dict[str, Any] = {
    "header_seconds": 0.3,
    "body_seconds": 0.3,
    "handshake_seconds": 0.3,
    "answer_seconds": 0.5,
    "keep_alive_seconds": 1,
    "shutdown_seconds": 5,
}


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return found("hospital", tmp_path / "hospital", now=now())


@dataclass
class Listening:
    """A broker in this process, and how to reach it."""

    port: int
    authority: bytes
    home: Home

    def connect(self) -> ssl.SSLSocket:
        """Open a connection."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.authority.decode())
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    @contextmanager
    def connections(self, number: int) -> Iterator[list[ssl.SSLSocket]]:
        """Open many, one after the other, and close them in the end."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.connect()) for _ in range(number)]

    def client(self) -> AbstractContextManager[BrokerClient]:
        """Return the client of the first admin."""
        url = f"https://127.0.0.1:{self.port}"
        return client_of(self.home, url, self.authority.decode(), self.home.keys.member())


def client_of(home: Home, url: str, ca: str, key: SigningKey) -> AbstractContextManager[BrokerClient]:
    """Return a client of our own for a member key."""
    return closing(
        BrokerClient(
            HttpsTransport(ca=ca),
            url,
            owner=home.vault.verify_owner_id(),
            subject=member_id(key.public),
            key=key,
            clock=lambda: datetime.now(UTC),
        )
    )


@contextmanager
def listening(home: Home, *, certified_at: datetime | None = None, **http: Any) -> Iterator[Listening]:
    own = tls.OwnAuthority(home.path / "broker" / "tls", home.name, ())
    own.ensure(certified_at or now())
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        settings = HttpSettings(url=f"https://127.0.0.1:{port}", **{**QUICK, **http})
        with assemble(home, settings, Settings()) as broker:
            admit_owner(broker, home)
            ready = threading.Event()
            context = tls.server_context(own.certificate_path, own.key_path)
            server = BrokerServer(broker.app, settings, listener=listener, context=context, ready=ready.set)
            thread = threading.Thread(target=server.run)
            thread.start()
            try:
                assert ready.wait(20)
                yield Listening(port, own.authority, home)
            finally:
                server.stop()
                thread.join(20)
                assert not thread.is_alive()


def read_all(connection: ssl.SSLSocket) -> bytes:
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return found


def seconds_until_closed(connection: socket.socket) -> float:
    started = time.monotonic()
    connection.settimeout(10)
    try:
        while connection.recv(4096):
            continue
    except (ConnectionResetError, ssl.SSLError):
        pass
    return time.monotonic() - started


class TestTls:
    def test_the_partners_own_transport_reaches_it(self, home: Home) -> None:
        with listening(home) as broker, broker.client() as client:
            answer = client.owner()
        assert len(answer.owner) == 1

    def test_another_authority_is_noticed(self, home: Home) -> None:
        other = certificate.make_authority("hospital", hosts=[], now=now())
        with listening(home) as broker:
            broker.authority = other.certificate
            with broker.client() as client, pytest.raises(VerificationError) as caught:
                client.owner()
        assert caught.value.code == "broker-certificate"

    @pytest.mark.parametrize("days", [-100, 100])
    def test_a_clock_that_is_wrong_is_not_told_as_somebody_in_between(self, home: Home, days: int) -> None:
        with (
            listening(home, certified_at=now() + timedelta(days=days)) as broker,
            broker.client() as client,
            pytest.raises(VerificationError) as caught,
        ):
            client.owner()
        assert caught.value.code == "broker-certificate-time"
        assert "clock" in (caught.value.hint or "")

    def test_tls_1_2_is_refused(self, home: Home) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with (
            listening(home) as broker,
            socket.create_connection(("127.0.0.1", broker.port)) as plain,
            pytest.raises(ssl.SSLError),
        ):
            context.wrap_socket(plain)

    def test_plain_http_is_refused(self, home: Home) -> None:
        with listening(home) as broker, socket.create_connection(("127.0.0.1", broker.port)) as plain:
            plain.sendall(b"GET /v1/owner HTTP/1.1\r\nHost: a\r\n\r\n")
            plain.settimeout(10)
            assert b"200" not in plain.recv(4096)

    def test_the_answer_does_not_say_what_serves_it(self, home: Home) -> None:
        with listening(home) as broker, broker.connect() as connection:
            connection.sendall(b"GET /v1/owner HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
            answer = read_all(connection).lower()
        assert answer.startswith(b"http/1.1 200")
        assert b"\r\nserver:" not in answer
        assert b"\r\ndate:" in answer


class TestSlowClients:
    def test_one_that_never_shakes_hands(self, home: Home) -> None:
        with listening(home) as broker, socket.create_connection(("127.0.0.1", broker.port)) as plain:
            assert seconds_until_closed(plain) < 5

    def test_one_that_says_nothing(self, home: Home) -> None:
        with listening(home) as broker, broker.connect() as connection:
            assert seconds_until_closed(connection) < 5

    def test_one_that_sends_its_head_a_byte_at_a_time(self, home: Home) -> None:
        """The deadline is for the whole head: no byte prolongs it."""
        with listening(home) as broker, broker.connect() as connection:
            connection.sendall(b"GET /v1/owner HTTP/1.1\r\n")
            with suppress(OSError):
                for _ in range(200):
                    connection.sendall(b"X")
                    time.sleep(0.05)
                raise AssertionError("it was patient for ten seconds")

    def test_a_second_head_has_a_deadline_too(self, home: Home) -> None:
        with listening(home, keep_alive_seconds=60) as broker, broker.connect() as connection:
            connection.sendall(b"GET /v1/owner HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.sendall(b"GET /v1/ow")
            assert seconds_until_closed(connection) < 5

    def test_one_that_sends_its_body_a_byte_at_a_time(self, home: Home) -> None:
        head = (
            b"POST /v1/enrollments HTTP/1.1\r\nHost: a\r\nIdempotency-Key: k\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
        )
        with listening(home) as broker, broker.connect() as connection:
            connection.sendall(head)
            for _ in range(4):
                connection.sendall(b" ")
                time.sleep(0.1)
            answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"body-timeout" in answer

    def test_one_that_was_refused_before_its_body(self, home: Home) -> None:
        """It is answered at once, and may not go on for ever."""
        head = b"POST /v1/licenses HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
        with listening(home, keep_alive_seconds=60) as broker, broker.connect() as connection:
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 401")
            with suppress(OSError):
                for _ in range(200):
                    connection.sendall(b"X")
                    time.sleep(0.05)
                raise AssertionError("it was patient for ten seconds")

    def test_many_of_them_do_not_keep_others_out(self, home: Home) -> None:
        with listening(home, header_seconds=3.0, handshake_seconds=3.0) as broker:
            slow = [socket.create_connection(("127.0.0.1", broker.port)) for _ in range(100)]
            with broker.client() as client:
                assert client.owner().lease_seconds == 900
            for each in slow:
                each.close()

    def test_a_huge_head(self, home: Home) -> None:
        with listening(home, header_seconds=5.0) as broker, broker.connect() as connection:
            connection.sendall(b"GET /v1/owner HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n")
            assert read_all(connection).startswith(b"HTTP/1.1 400")

    @pytest.mark.parametrize(
        "data", [b"\x00" * 100, b"GET\r\n\r\n", b"HELLO\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
    )
    def test_what_is_no_http(self, home: Home, data: bytes) -> None:
        with listening(home) as broker, broker.connect() as connection:
            connection.sendall(data)
            assert not read_all(connection).startswith(b"HTTP/1.1 200")


def enrollment_head(length: int, *more: str) -> bytes:
    """Return the head of an enrollment whose body is still to come."""
    lines = [
        "POST /v1/enrollments HTTP/1.1",
        "Host: a",
        "Idempotency-Key: k",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class TestStrangersWhoTakeEverything:
    PATIENT: ClassVar[dict[str, Any]] = {
        "body_seconds": 30.0,
        "header_seconds": 30.0,
        "keep_alive_seconds": 60,
    }
    BOGUS = "Authorization: DPoP a.b.c"

    def test_a_header_that_nobody_looks_at_makes_no_partner(self, home: Home) -> None:
        """Nor does one that is looked at, but is no token's."""
        with (
            listening(home, max_requests=4, max_stranger_requests=4, **self.PATIENT) as broker,
            broker.connections(8) as slow,
            broker.client() as client,
        ):
            for each in slow:
                each.sendall(enrollment_head(4000, self.BOGUS) + b"{")
            assert len(client.members().members) == 1

    def test_it_does_not_make_their_bodies_larger_either(self, home: Home) -> None:
        with listening(home) as broker, broker.connect() as connection:
            connection.sendall(enrollment_head(4_000_000, self.BOGUS))
            assert connection.recv(100).startswith(b"HTTP/1.1 413")

    def test_whoever_sends_slowly_gives_its_place_to_the_next(self, home: Home) -> None:
        """Otherwise, nobody would get a token while they go on."""
        with (
            listening(home, max_stranger_requests=2, **self.PATIENT) as broker,
            broker.connections(2) as slow,
            broker.client() as client,
        ):
            for each in slow:
                each.sendall(enrollment_head(4000) + b"{")
            time.sleep(0.2)
            assert len(client.members().members) == 1
            assert slow[0].recv(100).startswith(b"HTTP/1.1 503")

    def test_idle_connections_keep_nobody_out(self, home: Home) -> None:
        with listening(home, max_connections=5, **self.PATIENT) as broker, broker.client() as client:
            assert len(client.members().members) == 1
            with broker.connections(20) as idle:
                # Who showed a token keeps its connection; who comes now gets one.
                assert len(client.members().members) == 1
                with broker.client() as another:
                    assert len(another.members().members) == 1
                assert seconds_until_closed(idle[0]) < 5

    def test_where_everybody_showed_a_token_the_next_is_refused(self, home: Home) -> None:
        with listening(home, max_connections=1, **self.PATIENT) as broker, broker.client() as client:
            assert len(client.members().members) == 1
            # Already in the handshake: that takes a place as well.
            with pytest.raises(OSError, match=r"EOF|reset"), broker.connect():
                raise AssertionError
            assert len(client.members().members) == 1


class Program:
    """``strongroom broker run`` as a process."""

    def __init__(self, home: Home, *options: str) -> None:
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [
                sys.executable, "-m", "strongroom", "broker", "run", "--listen", "127.0.0.1:0",
                "--home", str(home.path), "--json", *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    def __enter__(self) -> Program:
        assert self.process.stdout is not None
        text = ""
        for line in self.process.stdout:
            text += line
            if line == "}\n":
                break
        self.said: dict[str, Any] = json.loads(text) if text else {}
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self) -> tuple[int, str]:
        """Ask it to end; returns its exit code and what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


class TestProgram:
    def test_it_starts_says_where_it_is_and_ends(self, home: Home) -> None:
        with Program(home) as program:
            assert program.said["owner"] == home.vault.owner_id
            assert program.said["new_admin"]
            address = home.brokers.get(str(home.vault.owner_id))
            assert address.url == program.said["url"]
            assert certificate.read(address.ca.encode()).fingerprint == program.said["authority_sha256"]
            with client_of(home, address.url, address.ca, home.keys.member()) as client:
                assert [each.role for each in client.members().members] == ["admin"]
            other = SigningKey.generate(KeyKind.MEMBER)
            with (
                client_of(home, address.url, address.ca, other) as stranger,
                pytest.raises(BrokerRefused) as caught,
            ):
                stranger.members()
            assert caught.value.code == "unknown-principal"
            code, errors = program.end()
        assert code == 0
        lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
        routes = {(line["route"], line["status"]) for line in lines}
        assert {("/v1/members", 200), ("/v1/token", 200), ("/v1/token", 401)} <= routes
        assert "Traceback" not in errors

    def test_a_second_one_is_allowed_and_said(self, home: Home) -> None:
        with Program(home) as first, Program(home) as second:
            assert first.said["url"] != second.said["url"]
            assert not second.said["new_admin"]
            code, errors = second.end()
        assert code == 0
        assert "another broker works on this home" in errors

    def test_an_address_that_is_taken(self, home: Home) -> None:
        with listen("127.0.0.1", 0) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(UsageError) as caught:
                run(home, Wishes(port=port), Settings(), ready=lambda _: None)
        assert caught.value.code == "address-in-use"
        assert "another program" in str(caught.value)

    def test_an_address_of_another_machine(self, home: Home) -> None:
        # Of the block that is kept for documentation (RFC 5737).
        with pytest.raises(UsageError) as caught:
            run(home, Wishes(host="192.0.2.1"), Settings(), ready=lambda _: None)
        assert caught.value.code == "address-in-use"
        assert "no such address" in str(caught.value)
        assert "--name" in (caught.value.hint or "")
