from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from strongroom.crypto import certificate
from strongroom.errors import FormatError, NoMatchingKey, UsageError
from strongroom.home.tls import OwnAuthority, load, server_context

NOW = datetime.now(UTC).replace(microsecond=0)
NAME = "broker.hospital.example"


def own(folder: Path, *hosts: str) -> OwnAuthority:
    return OwnAuthority(folder / "tls", "hospital", hosts)


def test_everything_is_made_and_private(tmp_path: Path) -> None:
    tls = own(tmp_path, NAME)
    assert tls.ensure(NOW)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "tls").iterdir()}
    assert set(modes) == {"authority.key", "authority.pem", "lock", "server.key", "server.pem"}
    assert set(modes.values()) == {0o600}
    assert NAME in certificate.read(tls.certificate_path.read_bytes()).hosts
    certificate.verify_issued(tls.certificate_path.read_bytes(), tls.authority)


def test_nothing_changes_while_all_is_good(tmp_path: Path) -> None:
    tls = own(tmp_path, NAME)
    tls.ensure(NOW)
    before = tls.certificate_path.read_bytes()
    assert not own(tmp_path, NAME).ensure(NOW + timedelta(days=59))
    assert tls.certificate_path.read_bytes() == before


def test_the_server_is_renewed_before_it_ends_and_the_authority_stays(tmp_path: Path) -> None:
    tls = own(tmp_path, NAME)
    tls.ensure(NOW)
    authority, server = tls.authority, tls.certificate_path.read_bytes()
    assert tls.ensure(NOW + timedelta(days=61))
    assert tls.authority == authority
    assert tls.certificate_path.read_bytes() != server


def test_a_clock_that_was_wrong_is_repaired_by_the_next_start(tmp_path: Path) -> None:
    tls = own(tmp_path)
    tls.ensure(NOW - timedelta(days=200))
    assert tls.ensure(NOW)


def test_a_name_that_was_left_out_at_first(tmp_path: Path) -> None:
    """An authority for this machine alone was pinned by nobody elsewhere: it makes place."""
    own(tmp_path).ensure(NOW)
    first = own(tmp_path).authority
    tls = own(tmp_path, NAME)
    assert tls.ensure(NOW)
    assert tls.authority != first
    assert not own(tmp_path, NAME).ensure(NOW)


def test_another_name_does_not_break_the_pins_of_partners(tmp_path: Path) -> None:
    own(tmp_path, NAME).ensure(NOW)
    with pytest.raises(UsageError) as caught:
        own(tmp_path, "other.example").ensure(NOW)
    assert caught.value.code == "host-not-permitted"


def test_fewer_names_are_fine(tmp_path: Path) -> None:
    own(tmp_path, NAME).ensure(NOW)
    authority = own(tmp_path).authority
    assert not own(tmp_path).ensure(NOW)
    assert own(tmp_path).authority == authority


def test_a_server_certificate_of_another_authority_is_replaced(tmp_path: Path) -> None:
    tls = own(tmp_path)
    tls.ensure(NOW)
    other = OwnAuthority(tmp_path / "other", "hospital", ())
    other.ensure(NOW)
    tls.certificate_path.write_bytes(other.certificate_path.read_bytes())
    assert tls.ensure(NOW)


@pytest.mark.parametrize("name", ["server.key", "authority.key"])
def test_an_open_key_is_refused(tmp_path: Path, name: str) -> None:
    own(tmp_path).ensure(NOW)
    (tmp_path / "tls" / name).chmod(0o644)
    with pytest.raises(NoMatchingKey):
        own(tmp_path).ensure(NOW)


def test_a_damaged_certificate_is_said(tmp_path: Path) -> None:
    tls = own(tmp_path)
    tls.ensure(NOW)
    tls.certificate_path.write_bytes(b"x")
    with pytest.raises(FormatError):
        tls.ensure(NOW)


def test_the_context_speaks_tls_1_3_only(tmp_path: Path) -> None:
    tls = own(tmp_path)
    tls.ensure(NOW)
    context = server_context(tls.certificate_path, tls.key_path)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


def test_files_that_are_no_certificate_with_its_key(tmp_path: Path) -> None:
    tls = own(tmp_path)
    tls.ensure(NOW)
    context = server_context(tls.certificate_path, tls.key_path)
    for certificate_path, key_path in (
        (tls.certificate_path, tmp_path / "tls" / "authority.key"),
        (tmp_path / "missing", tls.key_path),
        (tls.key_path, tls.key_path),
    ):
        with pytest.raises(UsageError) as caught:
            load(context, certificate_path, key_path)
        assert caught.value.code == "certificate-files"
