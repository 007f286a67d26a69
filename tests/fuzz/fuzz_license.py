"""Fuzz licenses: any bytes in place of a license file, a document or a token give a value or one error."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.errors import FormatError, VerificationError
from strongroom.license.describe import describe_license
from strongroom.license.documents import KINDS
from strongroom.license.evaluate import evaluate
from strongroom.license.license_file import LicenseFile, verify_license_file
from strongroom.license.payload import from_payload, to_payload
from strongroom.license.signing import read_unverified, sign_document
from tests.unit.license.samples import DOCUMENTS, TERMS
from tests.unit.license.world import (
    CLINIC,
    LICENSE_KEY,
    NOW,
    OWNER,
    facts,
    license_of,
    offline_of,
    owner_chain,
    request,
    sublicense_of,
)


def fuzz(data: bytes) -> None:
    """Read the bytes as each thing that a stranger can send; what is accepted has one spelling."""
    for kind in KINDS:
        try:
            document = from_payload(data, kind)
        except FormatError:
            continue
        assert to_payload(document) == data
    _fuzz_token(data)
    _fuzz_file(data)


def _fuzz_token(data: bytes) -> None:
    try:
        token = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    for kind in KINDS:
        try:
            read_unverified(token, kind)
        except FormatError:
            continue


def _fuzz_file(data: bytes) -> None:
    try:
        file = LicenseFile.from_bytes(data)
    except FormatError:
        return
    assert file.to_bytes() == data
    try:
        chain = verify_license_file(file, OWNER).chain
    except (FormatError, VerificationError):
        return
    assert chain.license.id in _GENUINE, "a forged license verifies"
    assert describe_license(chain)
    evaluate(chain, request(), facts(chain), NOW)


_LICENSE = sign_document(license_of(*list(TERMS.values())[:-1]), LICENSE_KEY)
_PLAIN = sign_document(license_of(), LICENSE_KEY)
_CHILD = sign_document(sublicense_of(_LICENSE.id, TERMS["predictions"]), CLINIC)
_GENUINE = {_LICENSE.id, _PLAIN.id}


def seeds() -> Iterable[bytes]:
    """Whole license files, every kind of document, and tokens."""
    chain = tuple(owner_chain().to_json())
    key_file = sign_document(offline_of(_CHILD.id), LICENSE_KEY).token
    file = LicenseFile(owner=chain, license=_LICENSE.token, sublicenses=(_CHILD.token,), offline=(key_file,))
    yield file.to_bytes()
    yield LicenseFile(owner=(), license=_PLAIN.token).to_bytes()
    yield _LICENSE.token.encode()
    yield _CHILD.token.encode()
    for document in DOCUMENTS.values():
        yield to_payload(document)
