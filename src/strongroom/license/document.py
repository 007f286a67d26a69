"""What every kind of document has: a name, a prefix, its signers, and an id made of its bytes.

    document.typ()        # 'strongroom-license+jws'
    document.id           # 'lic-' and 24 characters

A document is named by its own bytes, so revoking an id revokes exactly what was signed.
Which key may sign a kind stands with the kind, in ``SIGNERS``; spec/license.md has the
same table.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from strongroom._encoding import to_base32
from strongroom._limits import LIMITS
from strongroom.crypto import digest, labels
from strongroom.keys.identity import verify_owner_id
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.name import verify_name
from strongroom.keys.text import KeyKind
from strongroom.license.fields import Fields, verify_count
from strongroom.license.payload import to_payload

MAX_REASON_CHARS: Final = 500
_ID_BYTES: Final = 15


class Document(Fields, frozen=True, kw_only=True):
    """What all kinds have in common."""

    NAME: ClassVar[str]
    """The kind in a word."""
    PREFIX: ClassVar[str]
    """What its ids begin with."""
    SIGNERS: ClassVar[tuple[KeyKind, ...]]
    """Kinds of key that may sign it."""

    @classmethod
    def typ(cls) -> str:
        """Return the ``typ`` of its tokens."""
        return f"strongroom-{cls.NAME}+jws"

    @property
    def id(self) -> str:
        """The document's name: prefix and 120 bits of a labelled SHA-256 of its payload."""
        return self.id_of(to_payload(self))

    @classmethod
    def id_of(cls, payload: bytes) -> str:
        """Return the name of the document of this kind that has this payload."""
        name = digest.sha256(labels.bind(labels.DOCUMENT_ID, cls.NAME.encode(), payload))
        return cls.PREFIX + to_base32(name[:_ID_BYTES])


class OwnerSigned(Document, frozen=True, kw_only=True):
    """A document that a role key of the owner signs."""

    owner: str
    """Owner id."""
    owner_version: int
    """The owner document in force when this was signed; an older pinned one must be updated first."""
    issued_at: datetime

    def check_fields(self) -> None:
        """Check the owner.

        Raises:
            FormatError: no owner id, or an impossible version.
        """
        verify_owner_id(self.owner)
        verify_count(self.owner_version, "an owner version", most=LIMITS.max_owner_versions)


class Party(Fields, frozen=True, kw_only=True):
    """Whom a license or sub-license is for."""

    name: str
    organization: str
    """Public text of its organization key."""

    def check_fields(self) -> None:
        """Check name and key.

        Raises:
            FormatError: a name that is not allowed, or no organization key.
        """
        verify_name(self.name)
        signing_public_from_text(self.organization, KeyKind.ORGANIZATION)
