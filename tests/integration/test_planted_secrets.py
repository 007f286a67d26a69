"""No secret leaves a broker by accident: a real process, either kind of database, every channel.

Planted are the keys of the owner's and the partner's side, the file of the key-encryption key, the PIN
of a token, the password of the database, access tokens and proofs. Looked at is all that the process
wrote and answered, each row of the database, and the backup.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.broker.backup import backup
from strongroom.connection import BrokerClient
from strongroom.connection.https import HttpsTransport
from strongroom.connection.interface import Collect, Request, Response, Transport
from strongroom.errors import BrokerRefused, Error
from strongroom.home.home import Home
from strongroom.keys.identity import member_id, runtime_id
from strongroom.keys.key_pair import SigningKey
from strongroom.license.period import Period
from strongroom.license.terms import Predictions
from strongroom.protocol.broker import LeaseAsk, MemberAsk
from tests.broker_scene import CONTENT_KEY, Machine, Scene
from tests.planted import files_of, keys_of, look_for, rows_of, spellings
from tests.servers.softhsm import LABEL, PIN, SoftToken

PASSWORD = "planted-password"


class Listening(Transport):
    """Carries requests over TLS, and remembers what went both ways."""

    def __init__(self, ca: str) -> None:
        self._line = HttpsTransport(ca=ca)
        self.sent: list[Request] = []
        self.answers: list[tuple[str, bytes]] = []

    def _send(self, request: Request, collect: Collect) -> Response:
        answer = self._line._send(request, collect)
        self.sent.append(request)
        # Its own holder is given its token, and nobody else.
        if not request.url.endswith("/token"):
            self.answers.append((request.url, answer.body + repr(dict(answer.headers)).encode()))
        return answer

    def close(self) -> None:
        self._line.close()

    def tokens(self) -> dict[str, bytes]:
        """Return the secret parts of all tokens and proofs that were shown."""
        shown = {}
        for number, request in enumerate(self.sent):
            for name, value in request.headers.items():
                if name.lower() in ("authorization", "dpop"):
                    shown[f"{name} {number}"] = value.rpartition(".")[2].encode()
        return shown


class Process:
    """``strongroom broker run``, with what it writes in files."""

    def __init__(self, home: Home, folder: Path, *options: str) -> None:
        self.out, self.err = folder / "stdout", folder / "stderr"
        words = ["broker", "run", "--listen", "127.0.0.1:0", "--home", str(home.path), "--json", "--debug"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "strongroom", *words, *options],
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def wait_until_ready(self) -> str:
        """Return its address."""
        end = time.monotonic() + 60
        while not self.out.read_text().endswith("}\n"):
            assert self._process.poll() is None, self.err.read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        return str(json.loads(self.out.read_text())["url"])

    def end(self) -> int:
        """Have it end by itself or end it; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def wait(self) -> int:
        """Wait until it has ended by itself."""
        return self._process.wait(60)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait(60)


@contextmanager
def running(home: Home, folder: Path, *options: str) -> Iterator[Process]:
    process = Process(home, folder, *options)
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftToken]:
    token = SoftToken.start(tmp_path_factory.mktemp("softhsm"))
    yield token
    token.stop()


def ask_everything(scene: Scene, machine: Machine, wire: Listening, url: str, lease: LeaseAsk) -> None:
    """Ask as admin, runtime and stranger: what is answered, what is refused, and what is nonsense."""
    member, stranger = scene.home.keys.member(), SigningKey.generate(machine.device.kind)
    own = scene.keys.owner_id

    def client(subject: str, key: SigningKey) -> BrokerClient:
        return BrokerClient(wire, url, owner=own, subject=subject, key=key, clock=lambda: datetime.now(UTC))

    admin, runtime = client(member_id(member.public), member), client(machine.id, machine.device)
    admin.members()
    admin.partners()
    admin.licenses()
    admin.usage()
    admin.records()
    runtime.take_lease(lease)
    with pytest.raises(BrokerRefused):
        client(runtime_id(stranger.public), stranger).members()
    secret = next(iter(wire.tokens().values())).decode()
    for bad in (
        lambda: runtime.take_lease(LeaseAsk(request=secret, worker_key=secret)),
        lambda: admin.add_member(MemberAsk(key=secret, name=secret, role="admin")),
        lambda: admin.license(secret[:60]),
    ):
        with pytest.raises(Error):
            bad()
    for path in ("/metrics", "/healthz", "/readyz", f"/v1/members?x={secret}", "/v1/licenses"):
        headers = {"Authorization": f"DPoP a.b.{secret}", "DPoP": f"a.b.{secret}"}
        wire._send(Request(method="GET", url=url + path, headers=headers), b"".join)


def test_planted_secrets_are_nowhere(
    tmp_path: Path, database_url: str, token: SoftToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene.build(tmp_path, database_url)
    package, clinic = scene.publish(), scene.add_partner("clinic")
    machine = clinic.machines[0]
    license_id = scene.grant(clinic, Predictions(limit=100, per=Period.TOTAL))
    scene.take(machine, license_id, package)
    lease = scene.request(machine, license_id, package)
    scene.close()
    monkeypatch.setenv("STRONGROOM_DATABASE", database_url)
    monkeypatch.setenv("STRONGROOM_TOKEN_PIN_FILE", str(tmp_path / "pin"))
    (tmp_path / "pin").write_text(PIN)
    _use_token(scene.home, token)
    with running(scene.home, tmp_path) as process:
        url = process.wait_until_ready()
        ca = scene.home.brokers.get(scene.keys.owner_id).ca
        with closing(Listening(ca)) as wire:
            ask_everything(scene, machine, wire, url, lease)
        assert process.end() == 0
    backup(database_url, tmp_path / "backup")
    places = {
        "stdout": process.out.read_bytes(),
        "stderr and log": process.err.read_bytes(),
        "tables": rows_of(database_url),
        "backup": (tmp_path / "backup").read_bytes(),
        **files_of(database_url),
        **{f"answer {number} of {path}": body for number, (path, body) in enumerate(wire.answers)},
    }
    planted = {
        **keys_of(scene.home),
        **wire.tokens(),
        "content key": CONTENT_KEY,
        "organization key": machine.organization.secret.to_bytes(),
        "device key": machine.device.secret.to_bytes(),
        "sealing key": machine.sealing.secret.to_bytes(),
        "worker key": machine.worker.secret.to_bytes(),
        "PIN": PIN.encode(),
        "password": PASSWORD.encode(),
    }
    assert not look_for(planted, places)
    # Or nothing would be found for want of looking.
    answers = b"".join(body for _, body in wire.answers)
    assert scene.keys.owner_id.encode() in places["stdout"]
    assert b'"route":"/v1/leases"' in places["stderr and log"].replace(b'": "', b'":"')
    assert machine.id.encode() in places["tables"]
    assert machine.id.encode() in places["backup"]
    assert b"strongroom_broker_requests_total" in answers
    assert b"application/problem+json" in answers
    # And what is planted in a row is found in it.
    word = machine.id.encode()
    assert look_for({"word": word}, places)


def _use_token(home: Home, token: SoftToken) -> None:
    opened = Home.open(home.path, token_pin=lambda _: PIN)
    opened.keys.use_token(module=token.module, token=LABEL, label="kek", create=True)


@pytest.mark.parametrize(
    "address",
    ["postgresql://broker:planted-password@/broker?host=/nowhere", "mysql://a:planted-password@b/c"],
)
def test_a_database_that_is_not_there_keeps_its_password(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene.build(tmp_path, f"sqlite:///{tmp_path / 'broker.db'}")
    scene.close()
    monkeypatch.setenv("STRONGROOM_DATABASE", address)
    with running(scene.home, tmp_path) as process:
        assert process.wait() != 0
    places = {"stdout": process.out.read_bytes(), "stderr": process.err.read_bytes()}
    assert b"database" in b"".join(places.values())
    assert not look_for({"password": PASSWORD.encode(), **keys_of(scene.home)}, places)


@pytest.mark.parametrize("number", range(len(spellings(bytes(32)))))
def test_the_search_finds_every_spelling(number: int) -> None:
    secret = secrets.token_bytes(32)
    places = {"a log": b'{"route": "/v1/members"}\n', "a table": b"a" + spellings(secret)[number] + b"b"}
    assert look_for({"key": secret, "other": secrets.token_bytes(32)}, places) == ["key in a table"]
