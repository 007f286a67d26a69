from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from strongroom._limits import LIMITS
from strongroom.crypto import jws
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.introduction import BrokerAddress, Invite, InviteFile, make_invite, verify_invite
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import CutOff, Owner, Role, rotate_owner, verify_newer
from strongroom.keys.signed_document import read_unverified
from strongroom.keys.text import KeyKind
from tests.unit.keys.parties import DAY, NOW, SERIAL, Hospital, resign

HOSPITAL = Hospital()
OWNER = HOSPITAL.owner()
DATA = HOSPITAL.invite(OWNER)
FILE = InviteFile.from_bytes(DATA)
SKEW = timedelta(seconds=LIMITS.max_clock_skew_seconds)


def refused(data: bytes, now: Any = NOW, pinned: dict[str, Owner] | None = None) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_invite(data, now, pinned=pinned)
    return caught.value.code


def resigned(change: Callable[[dict[str, Any]], None]) -> bytes:
    return msgspec.structs.replace(FILE, invite=resign(FILE.invite, HOSPITAL.license, change)).to_bytes()


def rotated(**changes: Any) -> Owner:
    return verify_newer(OWNER, rotate_owner(OWNER, signers=HOSPITAL.roots, now=NOW, **changes))


def test_an_invite_verifies() -> None:
    invite = verify_invite(DATA, NOW)
    assert invite.owner == OWNER
    assert invite.document.partner == "clinic"
    assert invite.document.serial == SERIAL.hex()
    assert invite.token == FILE.invite


def test_files_and_documents_round_trip() -> None:
    assert FILE.to_bytes() == DATA
    payload = jws.read_unverified(FILE.invite).payload
    assert Invite.from_bytes(payload).to_bytes() == payload


def test_the_wire_form_is_pinned() -> None:
    assert jws.read_unverified(FILE.invite).payload.decode() == (
        '{"broker":null,"expires_at":"2026-12-01T03:00:00Z","format":"invite/v1","issued_at":"2026-11-24T03:00:00Z",'
        f'"owner":"{OWNER.id}","owner_version":1,"partner":"clinic",'
        '"serial":"000102030405060708090a0b0c0d0e0f"}'
    )
    assert jws.read_unverified(FILE.invite).typ == "strongroom-invite+jws"
    assert DATA.startswith(b'{"format":"invite-file/v1","invite":"')


def test_an_invite_ends() -> None:
    verify_invite(DATA, NOW + 7 * DAY - timedelta(seconds=1))
    assert refused(DATA, NOW + 7 * DAY) == "invite-expired"


def test_clocks_may_differ_a_little() -> None:
    verify_invite(DATA, NOW - SKEW)
    assert refused(DATA, NOW - SKEW - timedelta(seconds=1)) == "invite-not-yet"


def test_an_invite_of_another_owner_is_refused() -> None:
    """The chain of the hospital with the invite of somebody else who calls himself so."""
    thief = Hospital()
    other = InviteFile.from_bytes(thief.invite(thief.owner()))
    spliced = msgspec.structs.replace(FILE, invite=other.invite).to_bytes()
    assert refused(spliced) == "owner-other"
    relabeled = resign(FILE.invite, thief.license, lambda payload: None)
    assert refused(msgspec.structs.replace(FILE, invite=relabeled).to_bytes()) == "wrong-signer"


@pytest.mark.parametrize("key", [HOSPITAL.package, HOSPITAL.broker, HOSPITAL.roots[0]])
def test_only_a_license_key_invites(key: SigningKey) -> None:
    token = resign(FILE.invite, key, lambda payload: None)
    assert refused(msgspec.structs.replace(FILE, invite=token).to_bytes()) == "wrong-signer"


def test_a_file_without_the_last_versions_is_refused() -> None:
    newer = rotated()
    file = InviteFile.from_bytes(HOSPITAL.invite(newer))
    cut = msgspec.structs.replace(file, owner=tuple(OWNER.chain.to_json())).to_bytes()
    assert refused(cut) == "owner-rollback"


def test_a_pinned_owner_is_compared() -> None:
    newer = rotated()
    fork = rotated(add={Role.LICENSE: [SigningKey.generate(KeyKind.OWNER_LICENSE).public_text]})
    assert verify_invite(DATA, NOW, pinned={OWNER.id: newer}).owner is newer
    assert verify_invite(HOSPITAL.invite(newer), NOW, pinned={OWNER.id: OWNER}).owner == newer
    assert refused(HOSPITAL.invite(newer), pinned={OWNER.id: fork}) == "owner-fork"
    other = Hospital().owner()
    assert verify_invite(DATA, NOW, pinned={other.id: other}).owner == OWNER


def test_a_key_that_was_cut_off_or_retired_does_not_invite() -> None:
    cut = rotated(cut_off=[CutOff(key_id=HOSPITAL.license.key_id, log_position=None, reason="stolen")])
    assert refused(DATA, pinned={OWNER.id: cut}) == "key-cut-off"
    retired = rotated(retire={HOSPITAL.license.key_id: NOW})
    assert refused(DATA, pinned={OWNER.id: retired}) == "key-retired"
    before = rotated(retire={HOSPITAL.license.key_id: NOW + timedelta(seconds=1)})
    assert verify_invite(DATA, NOW, pinned={OWNER.id: before}).owner is before


BAD: dict[str, dict[str, Any]] = {
    "another format": {"format": "invite/v2"},
    "no owner id": {"owner": "hospital"},
    "version 0": {"owner_version": 0},
    "a version beyond the limit": {"owner_version": 257},
    "a name that is none": {"partner": "Clinic!"},
    "a short serial": {"serial": "00"},
    "a serial in capitals": {"serial": "AB" * 16},
    "an expiry before its issue": {"expires_at": "2026-11-24T02:59:59Z"},
    "an expiry at its issue": {"expires_at": "2026-11-24T03:00:00Z"},
    "a date of another form": {"issued_at": "yesterday"},
    "an unknown member": {"note": ""},
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_document_is_refused_whoever_signed(fault: str) -> None:
    with pytest.raises(FormatError):
        verify_invite(resigned(lambda payload: payload.update(BAD[fault])), NOW)


@pytest.mark.parametrize(
    "member", ["owner", "owner_version", "partner", "serial", "issued_at", "expires_at", "broker"]
)
def test_a_missing_member_is_refused(member: str) -> None:
    with pytest.raises(FormatError):
        verify_invite(resigned(lambda payload: payload.pop(member)), NOW)


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", DATA[:-1], DATA + b"\n", DATA.replace(b"invite-file/v1", b"invite-file/v2")],
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        verify_invite(data, NOW)


def test_a_token_of_another_kind_is_no_invite() -> None:
    token = jws.sign(
        "strongroom-license+jws", jws.read_unverified(FILE.invite).payload, HOSPITAL.license.secret
    )
    with pytest.raises(FormatError) as caught:
        verify_invite(msgspec.structs.replace(FILE, invite=token).to_bytes(), NOW)
    assert caught.value.code == "wrong-kind"
    with pytest.raises(FormatError):
        read_unverified("a.b.c", Invite)


def pem(der: bytes) -> str:
    encoded = base64.b64encode(der).decode()
    lines = "\n".join(encoded[at : at + 64] for at in range(0, len(encoded), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


AUTHORITY = pem(bytes(range(200)))
ADDRESS = BrokerAddress(url="https://broker.hospital.example:8443", ca=AUTHORITY)


class TestBrokerAddress:
    def test_it_stands_in_what_is_signed(self) -> None:
        data = make_invite(
            OWNER,
            HOSPITAL.license,
            partner="clinic",
            serial=SERIAL,
            now=NOW,
            expires_at=NOW + DAY,
            broker=ADDRESS,
        )
        assert verify_invite(data, NOW).document.broker == ADDRESS
        payload = jws.read_unverified(InviteFile.from_bytes(data).invite).payload
        assert payload.startswith(b'{"broker":{"ca":"-----BEGIN CERTIFICATE-----\\n')

    @pytest.mark.parametrize(
        "url",
        [
            "https://a",
            "https://127.0.0.1:8443",
            "https://[::1]:65535",
            "https://hospital.example/strongroom/v1.2",
            "https://" + "a" * 247,
        ],
    )
    def test_what_is_an_address(self, url: str) -> None:
        msgspec.structs.replace(ADDRESS, url=url).check()

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "http://broker",
            "HTTPS://broker",
            "https://",
            "https://-broker",
            "https://broker.",
            "https://Broker",
            "https://user@broker",
            "https://user:secret@broker",
            "https://broker:0",
            "https://broker:65536",
            "https://broker:",
            "https://broker/",
            "https://broker//a",
            "https://broker/../a",
            "https://broker/a?b",
            "https://broker/a#b",
            "https://broker/%2e",
            "https://bröker",
            "https://broker\n",
            " https://broker",
            "https://" + "a" * 248,
        ],
    )
    def test_what_is_none(self, url: str) -> None:
        with pytest.raises(FormatError) as caught:
            msgspec.structs.replace(ADDRESS, url=url).check()
        assert caught.value.code == "broker-address"

    @pytest.mark.parametrize(
        "ca",
        [
            "",
            AUTHORITY[:-1],
            AUTHORITY[1:],
            AUTHORITY * 2,
            AUTHORITY.replace("\n", "\r\n"),
            AUTHORITY.replace("CERTIFICATE", "PRIVATE KEY"),
            pem(b"").replace("\n\n", "\n"),
            pem(b""),
            AUTHORITY.replace("AA", "!!"),
            AUTHORITY.replace("=", ""),
            "-----BEGIN CERTIFICATE-----\n" + "A" * 68 + "\n-----END CERTIFICATE-----\n",
            pem(bytes(8 << 10)),
        ],
    )
    def test_what_is_no_certificate(self, ca: str) -> None:
        with pytest.raises(FormatError) as caught:
            msgspec.structs.replace(ADDRESS, ca=ca).check()
        assert caught.value.code == "broker-address"

    def test_an_invite_with_another_address_is_not_made(self) -> None:
        with pytest.raises(FormatError):
            make_invite(
                OWNER,
                HOSPITAL.license,
                partner="clinic",
                serial=SERIAL,
                now=NOW,
                expires_at=NOW + DAY,
                broker=msgspec.structs.replace(ADDRESS, url="http://broker"),
            )


class TestMake:
    def refused(self, **changes: Any) -> str:
        arguments = {"partner": "clinic", "serial": SERIAL, "now": NOW, "expires_at": NOW + DAY, **changes}
        owner, key = arguments.pop("owner", OWNER), arguments.pop("key", HOSPITAL.license)
        with pytest.raises(UsageError) as caught:
            make_invite(owner, key, **arguments)
        return caught.value.code

    def test_what_cannot_be_is_not_made(self) -> None:
        assert self.refused(partner="North Clinic") == "name"
        assert self.refused(serial=b"short") == "serial"
        assert self.refused(expires_at=NOW) == "expiry"
        assert self.refused(key=HOSPITAL.package) == "wrong-signer"
        assert self.refused(key=SigningKey.generate(KeyKind.OWNER_LICENSE)) == "wrong-signer"
        assert self.refused(owner=rotated(retire={HOSPITAL.license.key_id: NOW})) == "wrong-signer"
