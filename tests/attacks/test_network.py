"""What serves a model to a network answers its clients alone, and nobody reads what goes between them."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import UnsupportedError
from strongroom.serving.address import listen_on_loopback
from strongroom.serving.settings import ServingSettings
from tests.attacks.test_serving import AS_ANOTHER, has_ended
from tests.integration.parties import Parties
from tests.integration.serving import ROWS, Served, licensed, served

NAME = "risk.clinic.example"
EVERYWHERE = ["--listen", "0.0.0.0:0", "--name", NAME]
INFER = "/v2/models/risk/infer"


def now() -> datetime:
    return datetime.now(UTC)


class Network:
    """A server, as its clients of the network see it."""

    def __init__(self, server: Served, parties: Parties, client: str = "ward-3") -> None:
        self.server = server
        self.tokens = parties.clinic.client_tokens
        self.token = self.tokens.add(client, expires_at=None, now=now())

    @property
    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.server.said["authority_file"])

    def connect(self, context: ssl.SSLContext | None = None, name: str = NAME) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.server.port), timeout=20)
        return (context or self.trusted).wrap_socket(plain, server_hostname=name)

    def ask(self, path: str, body: Any = None, *, header: str | None = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body)
        given = f"Bearer {self.token}" if header is None else header
        with closing(
            http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=60, context=self.trusted)
        ) as connection:
            connection.request("GET" if data is None else "POST", path, data, {"Authorization": given})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def infer(self, header: str | None = None) -> tuple[int, Any]:
        given = {"name": "input", "shape": [1, 6], "datatype": "FP32", "data": ROWS[0].tolist()}
        return self.ask(INFER, {"inputs": [given]}, header=header)

    def begin(self, token: str, body_bytes: int) -> ssl.SSLSocket:
        """Send the head of a request whose body does not come."""
        connection = self.connect()
        head = (
            f"POST {INFER} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Inference-Header-Content-Length: 10\r\nContent-Length: {body_bytes}\r\n\r\n"
        )
        connection.sendall(head.encode("ascii"))
        return connection


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return licensed(tmp_path_factory.mktemp("parties"))


@pytest.fixture(scope="module")
def network(parties: Parties) -> Iterator[Network]:
    with served(parties, *EVERYWHERE) as server:
        yield Network(server, parties)


def test_no_client_is_answered_without_a_token_that_is_valid_now(network: Network) -> None:
    assert network.infer()[0] == 200
    removed = network.tokens.add("ward-4", expires_at=None, now=now())
    assert network.infer(f"Bearer {removed}")[0] == 200
    network.tokens.remove("ward-4")
    expired = network.tokens.add("ward-5", expires_at=now() - timedelta(seconds=1), now=now())
    digest = network.tokens.read()[0].sha256
    for path in ("/v2", "/v2/models/risk", "/v2/models/none", INFER):
        for token in ("", "no", removed, digest, network.token[:-1]):
            status, answer = network.ask(path, header=f"Bearer {token}")
            assert (status, answer["code"]) == (401, "token")
            assert isinstance(answer["error"], str)
    status, answer = network.infer(f"Bearer {expired}")
    assert (status, answer["code"]) == (401, "token-expired")
    # Nor is the one token of programs on this machine worth anything here.
    assert network.infer(network.server.said["header_file"] or "Basic x")[0] == 401


def test_nothing_is_served_to_a_network_without_tls(network: Network) -> None:
    with socket.create_connection(("127.0.0.1", network.server.port), timeout=20) as connection:
        connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        said = b""
        with suppress(ConnectionError):
            while chunk := connection.recv(100):
                said += chunk
    assert b"HTTP" not in said
    for host in ("0.0.0.0", "::", "192.0.2.1", "risk.clinic.example"):  # noqa: S104 - refused
        with pytest.raises(UnsupportedError), listen_on_loopback(host, 0):
            raise AssertionError


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_before_1_2_is_refused(network: Network, version: ssl.TLSVersion) -> None:
    old = network.trusted
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    # It hangs up; that it is for the version, the rest of this test shows.
    with pytest.raises(ssl.SSLError, match="EOF"):
        network.connect(old)
    current = network.trusted
    current.set_ciphers("ALL:@SECLEVEL=0")
    current.maximum_version = ssl.TLSVersion.TLSv1_2
    with network.connect(current) as connection:
        suite = connection.cipher()
        assert suite is not None
        assert suite[0].startswith("ECDHE-ECDSA")


def test_clients_trust_its_authority_for_its_own_names_alone(network: Network) -> None:
    with network.connect() as connection:
        assert connection.version() == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        network.connect(name="bank.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        network.connect(ssl.create_default_context())


def test_strangers_who_open_connections_keep_no_client_out(network: Network) -> None:
    held: list[socket.socket] = []
    try:
        for number in range(1000):
            connection = socket.create_connection(("127.0.0.1", network.server.port), timeout=10)
            held.append(connection)
            if number % 2:
                with suppress(OSError):
                    # The beginning of a handshake that does not go on.
                    connection.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert network.infer()[0] == 200
        assert sum(has_ended(each) for each in held) >= 1000 - ServingSettings().max_connections
    finally:
        for connection in held:
            connection.close()


def test_one_client_does_not_keep_another_out(network: Network) -> None:
    greedy = network.tokens.add("greedy", expires_at=None, now=now())
    most = ServingSettings().max_body_bytes
    held: list[ssl.SSLSocket] = []
    try:
        held.append(network.begin(greedy, most))
        with network.begin(greedy, most) as second:
            assert b" 503 " in second.recv(1000)
        for _ in range(ServingSettings().max_connections):
            connection = network.connect()
            held.append(connection)
            with suppress(OSError):
                connection.sendall(
                    f"GET /v2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {greedy}\r\n\r\n".encode()
                )
        assert network.infer()[0] == 200
    finally:
        for connection in held:
            connection.close()
        network.tokens.remove("greedy")


def test_another_user_reads_neither_digests_nor_keys_and_a_token_is_nowhere(
    network: Network, parties: Parties
) -> None:
    folder = parties.clinic.path / "run"
    secret = [folder / "tokens.json", *(folder / "tls").iterdir()]
    assert {path.name for path in secret} >= {"tokens.json", "authority.key", "server.key"}
    for path in secret:
        done = subprocess.run([*AS_ANOTHER, "cat", str(path)], capture_output=True, cwd="/", check=False)
        assert done.returncode != 0
        assert path.stat().st_mode & 0o777 == 0o600
    token = network.token.encode("ascii")
    for path in parties.clinic.path.rglob("*"):
        assert not path.is_file() or token not in path.read_bytes()
    process = network.server.process.pid
    for name in ("cmdline", "environ"):
        assert token not in Path(f"/proc/{process}/{name}").read_bytes()


def test_the_log_names_the_client_and_holds_no_token(parties: Parties) -> None:
    with served(parties, *EVERYWHERE) as server:
        network = Network(server, parties, "ward-9")
        assert network.infer()[0] == 200
        assert network.infer("Bearer srt_wrong4711")[0] == 401
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    known, stranger = lines
    assert (known["client"], known["route"], known["status"]) == ("ward-9", INFER, 200)
    assert (stranger["from"], stranger["code"], stranger["status"]) == ("127.0.0.1", "token", 401)
    assert network.token not in server.log
    assert "4711" not in server.log
    assert str(ROWS[0][0]) not in server.log
