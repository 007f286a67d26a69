from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.crypto import certificate
from strongroom.errors import UsageError
from strongroom.home.home import Home
from strongroom.serving.network import NetworkIdentity, names_of_host, take_identity

NOW = datetime.now(UTC).replace(microsecond=0)
NAME = "risk.clinic.example"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create("clinic", tmp_path / "home")


def take(home: Home, host: str = "0.0.0.0", *names: str, **options: Any) -> NetworkIdentity:  # noqa: S104 - all
    return take_identity(home, host, names=names, **{"clock": lambda: NOW, **options})


def test_the_names_that_are_said_and_the_address_that_it_listens_on(home: Home) -> None:
    identity = take(home, "192.0.2.1", NAME)
    assert identity.names == (NAME, "192.0.2.1")
    assert identity.url(8443) == "https://risk.clinic.example:8443"
    assert identity.authority is not None
    described = certificate.read(identity.authority.read_bytes())
    assert described.fingerprint == identity.fingerprint
    assert set(described.hosts) - set(identity.names) == {"localhost", "127.0.0.0/8", "::1"}
    assert take(home, "::1").url(1) == "https://[::1]:1"


def test_tls_before_1_2_is_not_spoken(home: Home) -> None:
    context = take(home, "0.0.0.0", NAME).context()  # noqa: S104 - all of them
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for suite in context.get_ciphers():
        assert suite["aead"]
        assert suite["kea"] in ("kx-ecdhe", "kx-any")


def test_without_a_name_those_of_this_machine_as_far_as_the_authority_has_them(home: Home) -> None:
    first = take(home, found=lambda: ("host", "192.0.2.1"))
    assert first.names == ("host", "192.0.2.1")
    # It has moved, and clients trust what it was called.
    second = take(home, found=lambda: ("host", "192.0.2.2"))
    assert (second.names, second.fingerprint) == (("host",), first.fingerprint)
    with pytest.raises(UsageError) as refused:
        take(home, found=lambda: ("192.0.2.3",))
    assert refused.value.code == "server-name-needed"
    with pytest.raises(UsageError) as refused:
        take(home, "0.0.0.0", "other")  # noqa: S104 - all of them
    assert refused.value.code == "host-not-permitted"


def test_an_authority_for_this_machine_alone_makes_place(home: Home) -> None:
    here = take(home, "127.0.0.1")
    assert take(home, found=lambda: ("host",)).fingerprint != here.fingerprint


def test_it_is_renewed_and_shown_without_an_end(home: Home) -> None:
    identity = take(home, "127.0.0.1")
    context = identity.context()
    before = identity.material.certificate_path.read_bytes()
    identity.renew(context)
    assert identity.material.certificate_path.read_bytes() == before
    later = take(home, "127.0.0.1", clock=iter([NOW, NOW + timedelta(days=80)]).__next__)
    later.renew(context)
    assert later.material.certificate_path.read_bytes() != before


def test_a_certificate_of_the_operators_own(home: Home, tmp_path: Path) -> None:
    authority = certificate.make_authority("clinic", hosts=[NAME], now=NOW)
    issued = certificate.issue(authority, hosts=[NAME], now=NOW)
    given, key = tmp_path / "server.pem", tmp_path / "server.key"
    given.write_bytes(issued.certificate)
    key.write_bytes(issued.key)
    key.chmod(0o600)
    identity = take(home, certificate_path=given, key_path=key)
    assert (identity.names[0], identity.authority) == (NAME, None)
    identity.renew(identity.context())
    with pytest.raises(UsageError) as refused:
        take(home, "0.0.0.0", "other.example", certificate_path=given, key_path=key)  # noqa: S104 - all
    assert refused.value.code == "certificate-name"
    with pytest.raises(UsageError) as refused:
        take(home, certificate_path=given)
    assert refused.value.code == "certificate-files"
    given.write_bytes(authority.certificate)
    key.write_bytes(authority.key)


def test_a_certificate_without_any_name(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = certificate.make_authority("clinic", hosts=[], now=NOW)
    given, key = tmp_path / "server.pem", tmp_path / "server.key"
    given.write_bytes(made.certificate)
    key.write_bytes(made.key)
    key.chmod(0o600)
    described = certificate.Described(fingerprint="AB", not_after=NOW, hosts=())
    monkeypatch.setattr(certificate, "read", lambda _: described)
    with pytest.raises(UsageError) as refused:
        take(home, certificate_path=given, key_path=key)
    assert refused.value.code == "server-name-needed"


@pytest.mark.parametrize(
    ("name", "kept"), [("Ward_3", ()), ("WARD3", ("ward3",)), ("localhost", ()), ("127.0.0.1", ())]
)
def test_what_this_machine_is_called(
    monkeypatch: pytest.MonkeyPatch, name: str, kept: tuple[str, ...]
) -> None:
    class Unreachable:
        def __init__(self, *_: object) -> None:
            raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr("strongroom.serving.network.socket.socket", Unreachable)
    assert names_of_host() == kept


def test_the_address_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Probe:
        def __init__(self, *_: object) -> None:
            return

        def __enter__(self) -> Probe:
            return self

        def __exit__(self, *_: object) -> None:
            return

        def connect(self, _: object) -> None:
            return

        def getsockname(self) -> tuple[str, int]:
            return "198.51.100.7", 1

    monkeypatch.setattr(socket, "gethostname", lambda: "ward")
    monkeypatch.setattr("strongroom.serving.network.socket.socket", Probe)
    assert names_of_host() == ("ward", "198.51.100.7")
