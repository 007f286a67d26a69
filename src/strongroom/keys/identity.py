"""Names of parties that nobody hands out: each is a digest of what makes the party itself.

    owner_id(first_payload)          # 'own-aeyk...'   of version 1 of its owner document
    organization_id(public)          # 'org-7fj2...'   of its public key
    runtime_id(device)               # 'run-q3sd...'   of its device key
    member_id(public)                # 'mem-kx4t...'   of a person's member key

120 bits of a labelled SHA-256 in base32: 24 characters that fit in a file name and
in a line. A second party with a given id costs 2**120 work (spec/keys.md, "Ids").
"""

from __future__ import annotations

import re
from typing import Final

from strongroom._encoding import to_base32
from strongroom.crypto import digest, labels
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError

_ID_BYTES: Final = 15
_OWNER_ID: Final = re.compile(r"own-[a-z2-7]{24}")
_ORGANIZATION_ID: Final = re.compile(r"org-[a-z2-7]{24}")


def owner_id(first_payload: bytes) -> str:
    """Return the id of the owner whose version 1 has this payload."""
    return _document_id("own-", b"owner", first_payload)


def organization_id(public: SigningPublic) -> str:
    """Return the id of the partner with this organization key."""
    return _document_id("org-", b"organization", public.to_bytes())


def runtime_id(device: SigningPublic) -> str:
    """Return the id of the runtime with this device key."""
    return _document_id("run-", b"runtime", device.to_bytes())


def member_id(public: SigningPublic) -> str:
    """Return the id of the person with this member key."""
    return _document_id("mem-", b"member", public.to_bytes())


def verify_owner_id(text: str) -> None:
    """Check that a text has the form of an owner id.

    Raises:
        FormatError: it has not.
    """
    if not _OWNER_ID.fullmatch(text):
        raise FormatError("not an owner id", code="owner-id")


def verify_organization_id(text: str) -> None:
    """Check that a text has the form of an organization id.

    Raises:
        FormatError: it has not.
    """
    if not _ORGANIZATION_ID.fullmatch(text):
        raise FormatError("not an organization id", code="organization-id")


def _document_id(prefix: str, kind: bytes, data: bytes) -> str:
    return prefix + to_base32(digest.sha256(labels.bind(labels.DOCUMENT_ID, kind, data))[:_ID_BYTES])
