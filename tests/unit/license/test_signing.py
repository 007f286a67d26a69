from __future__ import annotations

from datetime import timedelta

import pytest

from strongroom.crypto import jws
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import CutOff, Owner, Role, rotate_owner, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.license.documents import (
    KINDS,
    Acceptance,
    Document,
    License,
    OfflineFile,
    OwnerSigned,
    Receipt,
    ReceiptBatch,
    Revocation,
    Usage,
)
from strongroom.license.payload import to_payload
from strongroom.license.signing import read_unverified, sign_document, verify_by_key, verify_by_owner
from tests.unit.license.samples import DOCUMENTS
from tests.unit.license.world import (
    BROKER_KEY,
    CLINIC,
    DAY,
    DEVICE,
    LICENSE_KEY,
    NOW,
    OTHER_DEVICE,
    OWNER,
    PACKAGE_KEY,
    ROOT,
    SIGNED,
    WARD,
    key,
    license_of,
    offline_of,
    owner,
    passphrase_of,
    refusal,
)

SIGNERS = {
    KeyKind.OWNER_LICENSE: LICENSE_KEY,
    KeyKind.OWNER_BROKER: BROKER_KEY,
    KeyKind.OWNER_PACKAGE: PACKAGE_KEY,
    KeyKind.ORGANIZATION: CLINIC,
    KeyKind.DEVICE: DEVICE,
}


def forged(document: Document, signer: SigningKey, *, typ: str | None = None) -> str:
    """Sign a document with any key, as somebody without our rules would."""
    return jws.sign(typ or document.typ(), to_payload(document), signer.secret)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.NAME))
def test_each_kind_is_signed_by_its_own_kinds_of_key_only(kind: type[Document]) -> None:
    document = DOCUMENTS[kind.NAME]
    for key_kind, signer in SIGNERS.items():
        if key_kind in kind.SIGNERS:
            signed = sign_document(document, signer)
            assert signed.document is document
            assert signed.id == document.id
        else:
            with pytest.raises(UsageError) as caught:
                sign_document(document, signer)
            assert caught.value.code == "wrong-kind"


def test_what_the_owner_signed_verifies() -> None:
    signed = sign_document(license_of(), LICENSE_KEY)
    assert verify_by_owner(signed.token, License, OWNER) == signed
    notice = Revocation(
        owner=OWNER.id, owner_version=1, issued_at=NOW, target=signed.id, reason="the contract ended"
    )
    for signer in (LICENSE_KEY, BROKER_KEY):
        by_role = sign_document(notice, signer)
        assert verify_by_owner(by_role.token, Revocation, OWNER) == by_role


@pytest.mark.parametrize(
    "signer", [PACKAGE_KEY, BROKER_KEY, ROOT, CLINIC, DEVICE], ids=lambda key: str(key.kind)
)
def test_a_license_by_another_role_is_refused(signer: SigningKey) -> None:
    token = forged(license_of(), signer)
    assert refusal(lambda: verify_by_owner(token, License, OWNER)).code == "wrong-signer"


def test_a_license_of_another_owner_is_refused() -> None:
    other = owner("competitor")
    token = sign_document(license_of(owner=other.id), LICENSE_KEY).token
    assert refusal(lambda: verify_by_owner(token, License, OWNER)).code == "wrong-owner"
    assert verify_by_owner(token, License, other).document.owner == other.id


def test_a_license_newer_than_the_pinned_owner_is_refused_with_advice() -> None:
    token = sign_document(license_of(owner_version=2), LICENSE_KEY).token
    error = refusal(lambda: verify_by_owner(token, License, OWNER))
    assert error.code == "owner-outdated"
    assert error.hint == "Get the newest owner document of hospital."


def retired(owner_before: Owner, *, at_hours: int) -> Owner:
    fresh = key(KeyKind.OWNER_LICENSE, 99)
    chain = rotate_owner(
        owner_before,
        retire={LICENSE_KEY.key_id: SIGNED + timedelta(hours=at_hours)},
        add={Role.LICENSE: [fresh.public_text]},
        signers=[ROOT],
        now=SIGNED,
    )
    return verify_owner_chain(chain)


def test_a_retired_key_signs_nothing_new_and_keeps_what_it_signed() -> None:
    token = sign_document(license_of(), LICENSE_KEY).token
    assert verify_by_owner(token, License, retired(OWNER, at_hours=1)).token == token
    late = sign_document(license_of(issued_at=SIGNED + DAY), LICENSE_KEY).token
    assert refusal(lambda: verify_by_owner(late, License, retired(OWNER, at_hours=1))).code == "key-retired"


def test_a_key_that_was_cut_off_is_refused_with_all_that_it_signed() -> None:
    chain = rotate_owner(
        OWNER,
        cut_off=[CutOff(key_id=LICENSE_KEY.key_id, log_position=None, reason="stolen")],
        add={Role.LICENSE: [key(KeyKind.OWNER_LICENSE, 99).public_text]},
        signers=[ROOT],
        now=NOW,
    )
    token = sign_document(license_of(), LICENSE_KEY).token
    assert refusal(lambda: verify_by_owner(token, License, verify_owner_chain(chain))).code == "key-cut-off"


@pytest.mark.parametrize("name", ["acceptance", "sublicense"])
def test_what_an_organization_signed_verifies_by_its_key_alone(name: str) -> None:
    signed = sign_document(DOCUMENTS[name], CLINIC)
    kind = type(signed.document)
    assert verify_by_key(signed.token, kind, CLINIC.public_text) == signed
    with pytest.raises(VerificationError) as caught:
        verify_by_key(signed.token, kind, WARD.public_text)
    assert caught.value.code == "wrong-signer"
    with pytest.raises(FormatError):
        verify_by_key(signed.token, kind, DEVICE.public_text)


@pytest.mark.parametrize("kind", [Usage, Receipt, ReceiptBatch], ids=lambda kind: str(kind.NAME))
def test_what_a_device_signed_verifies_by_its_key_alone(kind: type[Document]) -> None:
    signed = sign_document(DOCUMENTS[kind.NAME], DEVICE)
    assert verify_by_key(signed.token, kind, DEVICE.public_text).id == signed.id
    assert refusal(lambda: verify_by_key(signed.token, kind, OTHER_DEVICE.public_text)).code == "wrong-signer"
    with pytest.raises(FormatError):
        verify_by_key(signed.token, kind, CLINIC.public_text)


def _all_pairs() -> list[tuple[type[Document], type[Document]]]:
    return [(one, other) for one in KINDS for other in KINDS if one is not other]


@pytest.mark.parametrize(("signed_as", "read_as"), _all_pairs(), ids=lambda kind: str(kind.NAME))
def test_no_kind_is_taken_for_another(signed_as: type[Document], read_as: type[Document]) -> None:
    token = forged(DOCUMENTS[signed_as.NAME], LICENSE_KEY)
    with pytest.raises(FormatError) as caught:
        read_unverified(token, read_as)
    assert caught.value.code == "wrong-kind"
    with pytest.raises(FormatError):
        # The typ of the one with the payload of the other.
        read_unverified(forged(DOCUMENTS[signed_as.NAME], LICENSE_KEY, typ=read_as.typ()), read_as)


def test_an_offline_file_is_by_the_license_key_or_by_the_broker() -> None:
    for signer in (LICENSE_KEY, BROKER_KEY):
        signed = sign_document(offline_of("lic-" + "a" * 24), signer)
        assert verify_by_owner(signed.token, OfflineFile, OWNER) == signed
    # A pass-phrase file is nothing that a broker may make.
    with pytest.raises(UsageError):
        sign_document(passphrase_of("lic-" + "a" * 24), BROKER_KEY)


def test_an_altered_document_is_refused() -> None:
    token = sign_document(license_of(), LICENSE_KEY).token
    head, _, signature = token.split(".")
    other = sign_document(license_of(issued_at=SIGNED + DAY), LICENSE_KEY).token.split(".")[1]
    assert refusal(lambda: verify_by_owner(f"{head}.{other}.{signature}", License, OWNER)).code == "signature"


def test_the_table_of_signers_is_complete() -> None:
    for kind in KINDS:
        assert kind.SIGNERS
        owners = issubclass(kind, OwnerSigned)
        assert all(str(signer).startswith("owner-") == owners for signer in kind.SIGNERS)
    assert Acceptance.SIGNERS == (KeyKind.ORGANIZATION,)
