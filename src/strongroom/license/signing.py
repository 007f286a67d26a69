"""Which key may sign which kind of document, and the only way to a verified one.

    signed = sign_document(license, license_key)
    signed = verify_by_owner(token, License, owner)                  # a role key of the owner
    signed = verify_by_key(token, Acceptance, organization_text)     # one named key of a partner

The table of signers is made of ``Document.SIGNERS``. A kind is checked three times:
as ``typ`` in the signed header, as ``format`` in the payload and by the kind of key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from strongroom.crypto import jws
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.key_pair import SigningKey, signing_public_from_text
from strongroom.keys.owner import Owner, Role
from strongroom.keys.owner_document import ROLE_KINDS
from strongroom.keys.text import KeyKind
from strongroom.license.documents import Document, OwnerSigned
from strongroom.license.payload import from_payload, to_payload

D = TypeVar("D", bound=Document)
O = TypeVar("O", bound=OwnerSigned)  # noqa: E741 - documents of an owner

_ROLES = {kind: role for role, kind in ROLE_KINDS.items()}


@dataclass(frozen=True, slots=True)
class Signed(Generic[D]):
    """A document with its id and its token. Made by signing or verifying, by nothing else."""

    document: D
    id: str
    token: str


def sign_document(document: D, key: SigningKey) -> Signed[D]:
    """Sign a document.

    Raises:
        UsageError: a key of this kind may not sign this kind of document.
    """
    if key.kind not in document.SIGNERS:
        raise UsageError(f"a {document.NAME} is not signed by a key of kind {key.kind}", code="wrong-kind")
    payload = to_payload(document)
    return Signed(document, document.id_of(payload), jws.sign(document.typ(), payload, key.secret))


def read_unverified(token: str, kind: type[D]) -> D:
    """Read a document without checking its signature, to find out who must have signed it.

    Raises:
        FormatError: no token, one of another kind, or no document that may be signed.
    """
    unverified = jws.read_unverified(token)
    if unverified.typ != kind.typ():
        raise FormatError(f"expected a document of kind {kind.typ()}, got another", code="wrong-kind")
    return from_payload(unverified.payload, kind)


def verify_by_owner(token: str, kind: type[O], owner: Owner) -> Signed[O]:
    """Verify a document that a role key of the owner must have signed.

    Raises:
        FormatError: no token, one of another kind, or no document that may be signed.
        VerificationError: another owner's (``wrong-owner``), newer than the pinned owner
            document (``owner-outdated``), altered, or by a key that may not sign it.
    """
    document = read_unverified(token, kind)
    if document.owner != owner.id:
        raise VerificationError(f"a {kind.NAME} is by another owner than {owner.name}", code="wrong-owner")
    if document.owner_version > owner.version:
        raise VerificationError(
            f"a {kind.NAME} was signed under version {document.owner_version} of the owner document of "
            f"{owner.name}; known here is version {owner.version}",
            code="owner-outdated",
            hint=f"Get the newest owner document of {owner.name}.",
        )
    key_id = jws.read_unverified(token).key_id
    role = _role_for(kind, key_id, owner)
    owner.verify_token(token, kind.typ(), role, document.issued_at)
    return Signed(document, document.id, token)


def verify_by_any_key_ever(token: str, kind: type[O], owner: Owner) -> Signed[O]:
    """Verify a document that may be by a key that was retired or cut off: one that was taken in before.

    Raises:
        FormatError: no token, one of another kind, or no document that may be signed.
        VerificationError: another owner's (``wrong-owner``), altered, or by a key that never could sign it.
    """
    document = read_unverified(token, kind)
    if document.owner != owner.id:
        raise VerificationError(f"a {kind.NAME} is by another owner than {owner.name}", code="wrong-owner")
    role = _role_for(kind, jws.read_unverified(token).key_id, owner)
    jws.verify(token, kind.typ(), owner.all_keys_ever(role))
    return Signed(document, document.id, token)


def verify_by_key(token: str, kind: type[D], key: str) -> Signed[D]:
    """Verify a document that one organization or device must have signed, named by its public text.

    Raises:
        FormatError: no token, one of another kind, no document that may be signed, or a
            key of a kind that may not sign it.
        VerificationError: altered, or by another key.
    """
    (signer,) = kind.SIGNERS
    payload = jws.verify(token, kind.typ(), [signing_public_from_text(key, signer)])
    return Signed(from_payload(payload, kind), kind.id_of(payload), token)


def _role_for(kind: type[OwnerSigned], key_id: str, owner: Owner) -> Role:
    """Return the role that has the key, among those that may sign; the first if none has it."""
    roles = [_ROLES[signer] for signer in kind.SIGNERS]
    for role in roles:
        entries = owner.document.roles.of(role)
        if key_id in {_key_id(entry.key, ROLE_KINDS[role]) for entry in entries}:
            return role
    return roles[0]


def _key_id(text: str, kind: KeyKind) -> str:
    return signing_public_from_text(text, kind).key_id
