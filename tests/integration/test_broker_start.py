"""What a start of a broker says, and keeps, when it is started in another way than before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from strongroom.broker.http.server import BrokerServer
from strongroom.broker.running import Running, Wishes, run
from strongroom.broker.settings import Settings
from strongroom.crypto import certificate
from strongroom.errors import UsageError
from strongroom.home.home import Home
from tests.parties import found_owner


@pytest.fixture
def hospital(tmp_path: Path) -> Home:
    return found_owner(tmp_path, "hospital")


def _announce(server: BrokerServer) -> None:
    """Say that it is ready, and end."""
    ready = server._server._ready
    assert ready is not None
    ready()


def started(home: Home, **wishes: Any) -> Running:
    """Start a broker, and end it when it is ready."""
    found: list[Running] = []
    run(
        home,
        Wishes(**{"port": 0, **wishes}),
        Settings(),
        ready=found.append,
        server=_announce,
    )
    return found[0]


def test_a_start_under_another_name_says_who_is_cut_off(hospital: Home) -> None:
    first = started(hospital)
    assert first.before is None
    second = started(hospital, names=("broker.hospital.example",))
    assert second.before == first.address
    assert second.fingerprint != first.fingerprint
    assert hospital.brokers.address(second.owner_id) == second.address


def test_a_second_broker_does_not_take_the_place_of_the_one_that_serves(hospital: Home) -> None:
    others: list[Running] = []

    def serve_and_start_another(_server: BrokerServer) -> None:
        others.append(started(hospital, names=("localhost",)))

    run(
        hospital,
        Wishes(port=0),
        Settings(),
        ready=others.append,
        server=serve_and_start_another,
    )
    (second,) = others
    assert not second.alone
    assert second.before is not None
    assert hospital.brokers.address(second.owner_id) == second.before


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("broker.hospital.example",), None),
        (("localhost",), None),
        (("other.example",), "certificate-name"),
    ],
)
def test_a_certificate_of_ones_own_is_for_the_name_that_partners_use(
    hospital: Home, tmp_path: Path, names: tuple[str, ...], code: str | None
) -> None:
    now = datetime.now(UTC)
    authority = certificate.make_authority("it", hosts=["broker.hospital.example"], now=now)
    leaf = certificate.issue(authority, hosts=["broker.hospital.example"], now=now)
    chain, key = tmp_path / "chain.pem", tmp_path / "server.key"
    chain.write_bytes(leaf.certificate + authority.certificate)
    key.write_bytes(leaf.key)
    key.chmod(0o600)
    if code is None:
        assert started(hospital, certificate=chain, key=key, names=names).address.url
        return
    with pytest.raises(UsageError) as caught:
        started(hospital, certificate=chain, key=key, names=names)
    assert caught.value.code == code
    started(hospital, certificate=chain, key=key, names=names, url="https://other.example")
