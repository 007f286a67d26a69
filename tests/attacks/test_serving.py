"""What serves a model on this machine serves nobody but its own user."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from strongroom.serving.settings import ServingSettings
from tests.integration.parties import Parties
from tests.integration.serving import ROWS, Served, licensed, served

OTHER_UID = 4711
AS_ANOTHER = [
    "setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups", "--inh-caps=-all"
]  # fmt: skip


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return licensed(tmp_path_factory.mktemp("parties"))


@pytest.fixture(scope="module")
def server(parties: Parties) -> Iterator[Served]:
    with served(parties, "--listen", "127.0.0.1:0") as server:
        yield server


def test_nobody_is_answered_without_the_token(server: Served) -> None:
    for path in ("/v2", "/v2/models/risk", "/v2/models/none", "/v2/models/risk/infer"):
        for value in ("", "Bearer", "Bearer no", "Basic no"):
            assert server.ask("GET", path, Authorization=value)[0] == 401
    assert server.infer(ROWS[:1])[0] == 200


def test_another_user_cannot_read_the_token(server: Served) -> None:
    header = Path(server.said["header_file"])
    done = subprocess.run([*AS_ANOTHER, "cat", str(header)], capture_output=True, cwd="/")
    assert done.returncode != 0
    assert header.stat().st_mode & 0o777 == 0o600
    token = header.read_bytes().split()[-1]
    # Nor does it stand where every user looks.
    assert token not in Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
    assert token not in Path(f"/proc/{server.process.pid}/environ").read_bytes()


def test_half_open_requests_keep_nobody_out(server: Served) -> None:
    held = []
    try:
        for _ in range(1000):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            held.append(connection)
            with suppress(OSError):
                connection.sendall(b"POST /v2/models/risk/infer HTTP/1.1\r\nHost: x\r\n")
        # All of them are still held here, and nobody waits for their five seconds to pass.
        assert server.infer(ROWS[:1])[0] == 200
        # The server has let go of all but as many as it keeps.
        assert sum(has_ended(connection) for connection in held) >= 1000 - ServingSettings().max_connections
    finally:
        for connection in held:
            connection.close()


def test_whoever_reads_no_answer_keeps_nobody_out(server: Served) -> None:
    header = "".join(f"{name}: {value}\r\n" for name, value in server.headers.items())
    ask = f"GET /v2/models/risk HTTP/1.1\r\nHost: x\r\n{header}\r\n".encode("ascii")
    held = []
    try:
        for _ in range(ServingSettings().max_connections + 50):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", server.port))
            held.append(connection)
            with suppress(OSError):
                connection.sendall(ask * 20)
        # All of them have the token, and none of them reads or says goodbye.
        assert server.infer(ROWS[:1])[0] == 200
    finally:
        for connection in held:
            connection.close()


def has_ended(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_a_head_that_never_ends_is_given_up(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: x\r\n")
        try:
            assert connection.recv(1) == b""
        except ConnectionError:
            # Aborted: whoever is slow on purpose would be slow with a polite end too.
            return


def test_another_user_cannot_connect_to_its_socket(parties: Parties) -> None:
    # A short path: the name of a socket has room for 107 bytes.
    with tempfile.TemporaryDirectory(prefix="strongroom") as folder:
        # Anybody may enter, so that the socket itself has to keep others out.
        Path(folder).chmod(0o755)
        path = Path(folder) / "risk.sock"
        # The interpreter of this environment may be out of their reach; this one is not.
        program = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        with served(parties, "--socket", str(path)):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(60)
                client.connect(str(path))
                client.sendall(b"GET /v2/models/risk HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200")
            done = subprocess.run(
                [*AS_ANOTHER, "/usr/bin/python3", "-c", program, str(path)],
                capture_output=True,
                text=True,
                cwd="/",
            )
            assert "PermissionError" in done.stderr
        assert not path.exists()
