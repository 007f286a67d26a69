"""Whatever the bytes: a value that writes to the same bytes again, or an error of the promised kind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from strongroom._encoding import (
    canonical_json,
    from_base32,
    from_base64,
    from_base64url,
    from_hex,
    from_instant,
    parse_canonical_json,
    parse_json,
    to_base32,
    to_base64,
    to_base64url,
    to_hex,
    to_instant,
)
from strongroom.crypto import jws, labels
from strongroom.crypto.dsse import Envelope
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import Error, FormatError, NoMatchingKey, UsageError, VerificationError
from strongroom.keys import key_file
from strongroom.keys.fingerprint import fingerprint, verify_fingerprint
from strongroom.keys.intake import IntakeCertificate, make_intake_certificate
from strongroom.keys.introduction import (
    BrokerAddress,
    EnrollmentFile,
    Invite,
    InviteFile,
    make_invite,
    verify_enrollment,
    verify_invite,
    verify_stored_enrollment,
)
from strongroom.keys.key_file import KeyFile
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.member import MemberCertificate, MemberRole, make_member_certificate
from strongroom.keys.name import verify_name
from strongroom.keys.owner import OwnerChain, Role, rotate_owner, verify_consistent, verify_owner_chain
from strongroom.keys.owner_document import OwnerDocument
from strongroom.keys.strength import verify_passphrase
from strongroom.keys.text import (
    KeyKind,
    public_from_text,
    public_to_text,
    raw_size,
    secret_from_text,
    secret_to_text,
)
from strongroom.kms.software import SoftwareKeyProvider
from tests.unit.keys.parties import DAY, NOW, SERIAL, Clinic, Hospital, keys, resign

HOSPITAL, CLINIC = Hospital(), Clinic()
OWNER = verify_owner_chain(rotate_owner(HOSPITAL.owner(), signers=HOSPITAL.roots, now=NOW))
CHAIN = OWNER.chain.to_bytes()
INVITE = HOSPITAL.invite(OWNER)
ENROLLMENT = CLINIC.enroll(INVITE)
KEY_FILE = key_file.to_bytes(CLINIC.device, passphrase=None, created_at=NOW)
TOKEN = EnrollmentFile.from_bytes(ENROLLMENT).enrollment
KINDS = st.sampled_from(KeyKind)
WITH_BROKER = InviteFile.from_bytes(
    make_invite(
        OWNER,
        HOSPITAL.license,
        partner="clinic",
        serial=SERIAL,
        now=NOW,
        expires_at=NOW + DAY,
        broker=BrokerAddress(
            url="https://broker.hospital.example:8443/strongroom",
            ca="-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
        ),
    )
).invite
MEMBER = make_member_certificate(
    CLINIC.organization,
    member=keys(KeyKind.MEMBER, 1)[0].public_text,
    name="j.doe",
    role=MemberRole.OPERATOR,
    owner=OWNER.id,
    now=NOW,
    expires_at=NOW + DAY,
)
INTAKE = make_intake_certificate(OWNER, HOSPITAL.broker, CLINIC.sealing.public_text, NOW)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner)
    ),
    max_leaves=10,
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes that were good before a stroke of bad luck or ill will."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 30)))
    return data[:start] + draw(st.binary(max_size=30) | st.just(data[end:start])) + data[end:]


PARSERS: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes], bytes]] = {
    "key file": (KeyFile.from_bytes, KeyFile.to_bytes, KEY_FILE),
    "owner chain": (OwnerChain.from_bytes, OwnerChain.to_bytes, CHAIN),
    "owner document": (OwnerDocument.from_bytes, OwnerDocument.to_bytes, OWNER.chain.payloads[1]),
    "envelope": (Envelope.from_bytes, Envelope.to_bytes, OWNER.chain.envelopes[0].to_bytes()),
    "invite file": (InviteFile.from_bytes, InviteFile.to_bytes, INVITE),
    "enrollment file": (EnrollmentFile.from_bytes, EnrollmentFile.to_bytes, ENROLLMENT),
    "invite": (Invite.from_bytes, Invite.to_bytes, jws.read_unverified(WITH_BROKER).payload),
    "member certificate": (
        MemberCertificate.from_bytes,
        MemberCertificate.to_bytes,
        jws.read_unverified(MEMBER).payload,
    ),
    "intake certificate": (
        IntakeCertificate.from_bytes,
        IntakeCertificate.to_bytes,
        jws.read_unverified(INTAKE).payload,
    ),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=st.data())
def test_any_bytes_are_a_value_with_one_spelling_or_a_format_error(name: str, data: st.DataObject) -> None:
    parse, write, good = PARSERS[name]
    raw = data.draw(st.binary() | damaged(good))
    try:
        value = parse(raw)
    except FormatError:
        return
    assert write(value) == raw


@given(st.binary() | damaged(INVITE))
def test_only_the_invite_that_was_made_verifies(raw: bytes) -> None:
    assume(raw != INVITE)
    try:
        invite = verify_invite(raw, NOW)
    except (FormatError, VerificationError):
        return
    # What may still differ: superfluous signatures of the chain. Never what was signed.
    assert invite.token == InviteFile.from_bytes(INVITE).invite


@given(st.binary() | damaged(ENROLLMENT))
def test_only_the_enrollment_that_was_made_verifies(raw: bytes) -> None:
    assume(raw != ENROLLMENT)
    with pytest.raises((FormatError, VerificationError)):
        verify_enrollment(raw, OWNER, NOW)
    with pytest.raises((FormatError, VerificationError)):
        verify_stored_enrollment(raw, OWNER)


MEMBERS = parse_canonical_json(jws.read_unverified(TOKEN).payload)


@given(st.sampled_from(sorted(MEMBERS)), JSON | st.sampled_from(sorted(map(str, MEMBERS.values()))))
def test_any_member_that_the_partner_itself_signs(member: str, value: Any) -> None:
    """A partner with a good key and bad intentions gets a refusal, never a crash."""
    assume(value != MEMBERS[member])
    token = resign(TOKEN, CLINIC.organization, lambda payload: payload.update({member: value}))
    data = EnrollmentFile(format="enrollment-file/v1", enrollment=token).to_bytes()
    try:
        verify_enrollment(data, OWNER, NOW)
    except (FormatError, VerificationError):
        return
    assert member == "issued_at", "a member can be changed and still verifies"


@given(st.binary() | damaged(CHAIN))
def test_only_the_chain_that_was_made_verifies(raw: bytes) -> None:
    try:
        owner = verify_owner_chain(OwnerChain.from_bytes(raw))
        verify_consistent(OWNER, owner.chain)
    except (FormatError, VerificationError):
        return
    assert owner.chain.payloads == OWNER.chain.payloads[: owner.version]


@given(KINDS, st.data())
def test_key_texts_round_trip(kind: KeyKind, data: st.DataObject) -> None:
    public = data.draw(st.binary(min_size=(n := raw_size(kind, "public")), max_size=n))
    secret = data.draw(st.binary(min_size=(n := raw_size(kind, "secret")), max_size=n))
    assert public_from_text(public_to_text(kind, public), kind) == public
    assert secret_from_text(secret_to_text(kind, secret), kind) == secret


GOOD_TEXT = CLINIC.device.public_text


@given(
    st.text()
    | st.builds(lambda at, c: GOOD_TEXT[:at] + c + GOOD_TEXT[at + 1 :], st.integers(0, 80), st.text()),
    KINDS,
)
def test_any_text_is_a_key_with_one_spelling_or_a_format_error(text: str, kind: KeyKind) -> None:
    for read, write in ((public_from_text, public_to_text), (secret_from_text, secret_to_text)):
        try:
            raw = read(text, kind)
        except FormatError:
            continue
        assert write(kind, raw) == text


@given(st.text(), st.sampled_from(["a.b.c", TOKEN]))
def test_any_text_is_this_fingerprint_or_refused(text: str, token: str) -> None:
    try:
        verify_fingerprint(text, token)
    except (FormatError, VerificationError):
        return
    assert [char for char in text.upper() if char.isalnum()] == list(fingerprint(token).replace("-", ""))


@given(st.binary(), st.binary(max_size=100))
def test_any_blob_at_rest_is_refused(blob: bytes, aad: bytes) -> None:
    with pytest.raises(Error):
        SoftwareKeyProvider(bytes(32)).unwrap(blob, aad)


@given(st.binary(min_size=32, max_size=32), st.binary(), st.binary())
def test_a_key_at_rest_opens_for_its_purpose_only(key: bytes, aad: bytes, other: bytes) -> None:
    provider = SoftwareKeyProvider(bytes(32))
    blob = provider.wrap(key, aad)
    assert provider.unwrap(blob, aad) == key
    if other != aad:
        with pytest.raises(Error):
            provider.unwrap(blob, other)


@given(damaged(KEY_FILE.replace(CLINIC.device.to_text().encode(), b"strongroom-encrypted-key.device.AQAA")))
def test_any_key_file_is_a_key_or_refused_without_a_pass_phrase(raw: bytes) -> None:
    with pytest.raises((FormatError, NoMatchingKey)):
        key_file.from_bytes(raw, KeyKind.DEVICE, passphrase=None)


@given(st.text(max_size=40), st.lists(st.text(max_size=10), max_size=3))
def test_any_pass_phrase_is_judged(passphrase: str, words: list[str]) -> None:
    with contextlib.suppress(UsageError):
        verify_passphrase(passphrase, context_words=words)


@given(st.text())
def test_a_name_is_safe_as_a_file_name(name: str) -> None:
    try:
        verify_name(name)
    except FormatError:
        return
    assert name.isascii()
    assert not set(name) & set("/\\ \n\0")
    assert name not in (".", "..")


@settings(max_examples=20)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 3), st.integers(0, 2), st.integers(0, 100)),
        min_size=1,
        max_size=4,
    )
)
def test_every_rotation_that_can_be_made_verifies_and_keeps_the_id(
    steps: list[tuple[bool, int, int, int]],
) -> None:
    """Whatever the order of new roots, new thresholds, new keys and retirements."""
    hospital = Hospital()
    owner, roots, now = hospital.owner(), list(hospital.roots), NOW
    for replace_roots, count, added, days in steps:
        now += timedelta(days=days)
        old = roots
        if replace_roots:
            roots = keys(KeyKind.OWNER_ROOT, count)
        newest = owner.keys_for(Role.LICENSE, now)
        chain = rotate_owner(
            owner,
            roots=[root.public_text for root in roots],
            threshold=len(roots),
            add={Role.LICENSE: [key.public_text for key in keys(KeyKind.OWNER_LICENSE, added)]},
            retire={key.key_id: now for key in newest[:added]},
            signers=[*old, *(root for root in roots if root not in old)],
            now=now,
        )
        newer = verify_consistent(owner, OwnerChain.from_bytes(chain.to_bytes()))
        assert newer.id == owner.id
        assert set(newer.keys_for(Role.LICENSE, NOW - timedelta(days=1))) >= set(newest)
        owner = newer


@given(st.lists(st.binary(max_size=8), max_size=5), st.lists(st.binary(max_size=8), max_size=5))
def test_bind_is_injective(one: list[bytes], other: list[bytes]) -> None:
    assert (labels.bind(b"label", *one) == labels.bind(b"label", *other)) == (one == other)


@given(st.binary())
def test_encodings_round_trip(data: bytes) -> None:
    assert from_base64(to_base64(data)) == data
    assert from_base64url(to_base64url(data)) == data
    assert from_base32(to_base32(data)) == data
    assert from_hex(to_hex(data)) == data


@given(st.text(st.sampled_from("AZaz09+/-_=my267 \né"), max_size=12))
def test_any_text_decodes_to_what_encodes_to_it(text: str) -> None:
    for read, write in (
        (from_base64, to_base64),
        (from_base64url, to_base64url),
        (from_base32, to_base32),
        (from_hex, to_hex),
    ):
        try:
            data = read(text)
        except FormatError:
            continue
        assert write(data) == text


@given(JSON)
def test_canonical_json_round_trips(value: Any) -> None:
    data = canonical_json(value)
    assert parse_canonical_json(data) == value
    assert canonical_json(parse_json(data)) == data


@given(st.binary() | damaged(CHAIN) | damaged(b'{"a":[1,-2,"\\u001f",null,true],"b":{"c":9007199254740991}}'))
def test_any_bytes_are_canonical_json_or_a_format_error(data: bytes) -> None:
    try:
        value = parse_canonical_json(data)
    except FormatError:
        return
    assert canonical_json(value) == data


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_round_trip(moment: datetime) -> None:
    assert from_instant(to_instant(moment)) == moment.replace(microsecond=0)


@given(st.text(max_size=25) | st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z"))
def test_any_text_is_an_instant_with_one_spelling_or_a_format_error(text: str) -> None:
    try:
        moment = from_instant(text)
    except FormatError:
        return
    assert to_instant(moment) == text


@given(st.binary(max_size=80), st.binary(max_size=20))
def test_any_signature_is_refused(signature: bytes, message: bytes) -> None:
    public: SigningPublic = CLINIC.device.public
    for verify in (public.verify, public.verify_canonical_der, public.verify_der):
        with pytest.raises(VerificationError):
            verify(signature, message)


@given(
    st.text(max_size=60)
    | st.builds(lambda at, c: TOKEN[:at] + c + TOKEN[at + 1 :], st.integers(0, 5000), st.text())
)
def test_any_text_is_a_token_with_one_spelling_or_a_format_error(text: str) -> None:
    try:
        token = jws.read_unverified(text)
    except FormatError:
        return
    assert f"{token.signing_input.decode()}.{to_base64url(token.signature)}" == text


def test_the_fixtures_are_good() -> None:
    """The properties above say nothing if the good bytes are bad."""
    assert verify_enrollment(ENROLLMENT, verify_invite(INVITE, NOW).owner, NOW).token == TOKEN
    key = key_file.from_bytes(KEY_FILE, KeyKind.DEVICE, passphrase=None)
    assert isinstance(key, SigningKey)
