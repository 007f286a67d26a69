"""License, sub-license and acceptance: what the parties agree on.

    License(owner=owner.id, owner_version=owner.version, partner=Party(name="clinic", organization=text),
            serial=new_serial(), issued_at=now, terms=(Packages(...), Rights(...), Levels(...)))

How they form a chain is in ``chain``.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final, Literal

from strongroom._encoding import from_hex
from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.keys.key_pair import signing_public_from_text
from strongroom.keys.text import KeyKind
from strongroom.license.document import Document, OwnerSigned, Party
from strongroom.license.fields import SERIAL_BYTES, verify_digest, verify_id
from strongroom.license.term import Term
from strongroom.license.terms import Agreement, Derivations, Levels, Packages, Rights

_REQUIRED: Final = {"packages": Packages, "rights": Rights, "levels": Levels}
_SINGLE: Final = (Agreement, Derivations)


class License(OwnerSigned, frozen=True, kw_only=True):
    """Who, which package, which rights, limits, levels, until when."""

    NAME: ClassVar[str] = "license"
    PREFIX: ClassVar[str] = "lic-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.OWNER_LICENSE,)

    format: Literal["license/v1"] = "license/v1"
    partner: Party
    serial: str
    terms: tuple[Term, ...]

    def check_fields(self) -> None:
        """Check serial and terms.

        Raises:
            FormatError: also, if it does not say which packages, rights and levels.
        """
        super().check_fields()
        from_hex(self.serial, size=SERIAL_BYTES)
        _verify_terms(self.terms)
        for tag, kind in _REQUIRED.items():
            # Silence would have to mean everything or nothing; a lawyer reads neither.
            if not any(isinstance(term, kind) for term in self.terms):
                raise FormatError(f"a license has no term '{tag}'", code="missing-term")


class Sublicense(Document, frozen=True, kw_only=True):
    """What the holder of a license passes on to one of its sites: further terms, and no key."""

    NAME: ClassVar[str] = "sublicense"
    PREFIX: ClassVar[str] = "sub-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.ORGANIZATION,)

    format: Literal["sublicense/v1"] = "sublicense/v1"
    parent: str
    """Id of the license or sub-license above."""
    holder: Party
    serial: str
    issued_at: datetime
    terms: tuple[Term, ...]

    def check_fields(self) -> None:
        """Check parent, serial and terms.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_id(self.parent, License.PREFIX, self.PREFIX)
        from_hex(self.serial, size=SERIAL_BYTES)
        _verify_terms(self.terms)
        if any(isinstance(term, Derivations) for term in self.terms):
            raise FormatError("a sub-license says where derived models go", code="derivations-in-sublicense")


class Acceptance(Document, frozen=True, kw_only=True):
    """The holder's word on a license and its agreement. Nothing opens without it."""

    NAME: ClassVar[str] = "acceptance"
    PREFIX: ClassVar[str] = "acc-"
    SIGNERS: ClassVar[tuple[KeyKind, ...]] = (KeyKind.ORGANIZATION,)

    format: Literal["acceptance/v1"] = "acceptance/v1"
    license: str
    """Id of the license or sub-license."""
    agreement: str | None
    """The digest that it names; None if it names none."""
    organization: str
    """Public text of the accepting organization key."""
    accepted_at: datetime

    def check_fields(self) -> None:
        """Check what it accepts and who does.

        Raises:
            FormatError: one of them breaks its rule.
        """
        verify_id(self.license, License.PREFIX, Sublicense.PREFIX)
        verify_digest(self.agreement)
        signing_public_from_text(self.organization, KeyKind.ORGANIZATION)


def _verify_terms(terms: tuple[Term, ...]) -> None:
    if len(terms) > LIMITS.max_terms:
        raise FormatError(f"a document has more than {LIMITS.max_terms} terms")
    if len(set(terms)) != len(terms):
        raise FormatError("a document has the same term twice", code="duplicate-term")
    for kind in _SINGLE:
        if sum(isinstance(term, kind) for term in terms) > 1:
            raise FormatError(
                "a document has two terms of a kind that there is only one of", code="duplicate-term"
            )
