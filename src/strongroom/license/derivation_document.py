"""What a partner signs when it hands a derived model to the owner (spec/license.md, Derivation).

    Derivation(
        owner=owner.id, license=chain.id, parent=parent_digest, package=statement.package_digest,
        package_id=statement.package_id, name="risk", version="1.1.0", serial=serial,
        wrapped_key=wrap_for_owner(content_key, term.public, binding, serial=serial), issued_at=now,
    )

The organization key signs it, which no package key is: it makes no package of anything.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from strongroom._encoding import from_hex
from strongroom.keys.identity import verify_owner_id
from strongroom.keys.name import verify_name
from strongroom.keys.text import KeyKind
from strongroom.license.document import Document
from strongroom.license.fields import SERIAL_BYTES, verify_digest, verify_id
from strongroom.license.release_documents import PACKAGE_ID_BYTES, verify_wrapped_key
from strongroom.license.version import version_number


class Derivation(Document, frozen=True, kw_only=True):
    """A holder made a model of a licensed one, and asks the owner to countersign it."""

    NAME: ClassVar[str] = "derivation"
    PREFIX: ClassVar[str] = "drv-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.ORGANIZATION,)

    format: Literal["derivation/v1"] = "derivation/v1"
    owner: str
    """Owner id: whose package the parent is, and whose the derived one will be."""
    license: str
    """Id of the narrowest document of the chain."""
    parent: str
    """Package digest."""
    package: str
    """Package digest of the package to be: the SHA-256 of its statement."""
    package_id: str
    name: str
    version: str
    serial: str
    wrapped_key: str
    """The content key, wrapped to the key of the term ``derivations``; base64."""
    issued_at: datetime

    def check_fields(self) -> None:
        """Check ids, digests, name, version and key.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_owner_id(self.owner)
        verify_id(self.license, "lic-", "sub-")
        verify_digest(self.parent)
        verify_digest(self.package)
        from_hex(self.package_id, size=PACKAGE_ID_BYTES)
        verify_name(self.name)
        version_number(self.version)
        from_hex(self.serial, size=SERIAL_BYTES)
        verify_wrapped_key(self.wrapped_key)
