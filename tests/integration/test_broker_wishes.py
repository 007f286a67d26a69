"""What an operator wishes for: names, certificates and addresses of a broker that begins and ends at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strongroom.broker.http.server import BrokerServer
from strongroom.broker.running import Running, Wishes, run
from strongroom.broker.settings import Settings
from strongroom.crypto import certificate
from strongroom.errors import (
    FormatError,
    StorageUnavailable,
    UsageError,
)
from strongroom.founding import found
from strongroom.home.home import Home


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return found("hospital", tmp_path / "hospital", now=now())


def begin(home: Home, wishes: Wishes) -> Running:
    """Begin a broker, and end it at once."""
    found: list[Running] = []

    def serve(server: BrokerServer) -> None:
        # Everything is wired; what it would say when it is ready is what matters here.
        server.stop()
        server.run()

    run(home, wishes, Settings(), ready=found.append, server=serve)
    return found[0]


def test_a_name(home: Home) -> None:
    running = begin(home, Wishes(port=0, names=("broker.hospital.example",)))
    assert running.address.url.startswith("https://broker.hospital.example:")
    assert "broker.hospital.example" in certificate.read(running.address.ca.encode()).hosts


def test_behind_a_proxy(home: Home) -> None:
    running = begin(home, Wishes(port=0, url="https://broker.hospital.example/strongroom/"))
    assert running.address.url == "https://broker.hospital.example/strongroom"


def test_an_address_of_version_6(home: Home) -> None:
    assert begin(home, Wishes(host="::1", port=0)).address.url.startswith("https://[::1]:")


def test_every_address_needs_a_name(home: Home) -> None:
    with pytest.raises(UsageError) as caught:
        begin(home, Wishes(host="0.0.0.0", port=0))  # noqa: S104 - refused without a name
    assert caught.value.code == "broker-name-needed"


def test_a_certificate_of_ones_own(home: Home, tmp_path: Path) -> None:
    authority = certificate.make_authority("bank", hosts=["broker.bank.example"], now=now())
    server = certificate.issue(authority, hosts=["broker.bank.example"], now=now())
    (tmp_path / "s.pem").write_bytes(server.certificate + authority.certificate)
    (tmp_path / "s.key").write_bytes(server.key)
    (tmp_path / "s.key").chmod(0o600)
    running = begin(
        home,
        Wishes(
            port=0,
            names=("broker.bank.example",),
            certificate=tmp_path / "s.pem",
            key=tmp_path / "s.key",
        ),
    )
    assert running.address.ca.encode() == authority.certificate
    assert not (home.path / "broker" / "tls").exists()


def test_certificates_are_renewed_while_it_runs(home: Home) -> None:
    path = home.path / "broker" / "tls" / "server.pem"
    seen: list[bytes] = []

    def serve(server: BrokerServer) -> None:
        notify: Any = server._server.config.callback_notify
        for _ in range(2):
            seen.append(path.read_bytes())
            asyncio.run(notify())
        path.unlink()
        asyncio.run(notify())
        seen.append(path.read_bytes())

    run(home, Wishes(port=0), Settings(), ready=lambda _: None, server=serve)
    assert seen[0] == seen[1] != seen[2]


def test_what_is_no_certificate(home: Home, tmp_path: Path) -> None:
    own = certificate.issue(
        certificate.make_authority("bank", hosts=[], now=now()), hosts=["127.0.0.1"], now=now()
    )
    (tmp_path / "s.pem").write_bytes(own.certificate)
    (tmp_path / "s.key").write_bytes(own.key)
    (tmp_path / "s.key").chmod(0o600)
    (tmp_path / "ca.pem").write_bytes(b"x")
    wishes = Wishes(
        port=0,
        certificate=tmp_path / "s.pem",
        key=tmp_path / "s.key",
        authority=tmp_path / "ca.pem",
    )
    with pytest.raises(FormatError):
        begin(home, wishes)


def test_a_home_that_cannot_be_locked(home: Home) -> None:
    (home.path / "broker").mkdir(mode=0o700)
    (home.path / "broker" / "run.lock").mkdir()
    with pytest.raises(StorageUnavailable) as caught:
        begin(home, Wishes(port=0))
    assert caught.value.code != "locked"


def test_a_certificate_without_its_key(home: Home, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        begin(home, Wishes(port=0, certificate=tmp_path / "s.pem"))
    assert caught.value.code == "certificate-files"
