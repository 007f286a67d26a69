"""Derived models on their way to the owner: the record of a ``.derived`` file, and who may hand one in.

    record = DerivationRecord.from_bytes(data)                    # well formed, nothing verified
    verified = verify_derivation(record, owner)                   # signatures and links hold
    verdict = decide_modify(verified.chain, parent, facts, at=verified.document.issued_at)

Both sides decide alike: the partner before it seals, the owner before it signs
(spec/license.md, Derivations). What only the owner knows, names, versions and the contents
of the package, it checks beyond this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from strongroom._encoding import from_base64, from_wire, to_hex, to_wire
from strongroom._limits import LIMITS
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, LicenseDenied, VerificationError
from strongroom.keys.owner import Owner
from strongroom.license.chain import LicenseChain, verify_acceptances, verify_chain
from strongroom.license.derivation_document import Derivation
from strongroom.license.evaluate import evaluate
from strongroom.license.request import AtOwner, Facts, Level, Request, Right, Withdrawn
from strongroom.license.signing import Signed, verify_by_key
from strongroom.license.terms import Derivations, Purpose
from strongroom.license.verdict import Allowed, Denied


class DerivationRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What stands in a derivation file where a package has its signed statement."""

    format: Literal["derivation-file/v1"] = "derivation-file/v1"
    license: str
    sublicenses: tuple[str, ...]
    """Widest first."""
    acceptances: tuple[str, ...]
    statement: str
    """The statement of the package to be, unsigned; base64."""
    derivation: str

    @classmethod
    def from_bytes(cls, data: bytes) -> DerivationRecord:
        """Parse a record.

        Raises:
            FormatError: too large, not canonical, or too many entries.
        """
        record = from_wire(data, cls, max_bytes=LIMITS.max_derivation_bytes)
        if len(record.acceptances) > LIMITS.max_license_files:
            raise FormatError(f"a derivation has more than {LIMITS.max_license_files} acceptances")
        return record

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedDerivation:
    """A derivation by the holder of a license. Made by ``verify_derivation`` and by nothing else."""

    chain: LicenseChain
    accepted: Mapping[str, str | None]
    """As ``Facts.accepted`` takes it."""
    signed: Signed[Derivation]
    statement: bytes
    """The statement that the holder signed the digest of. Nobody has looked at what it says."""

    @property
    def document(self) -> Derivation:
        """What the holder signed."""
        return self.signed.document


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """The package that something is derived from, as its verified statement gives it."""

    owner: str
    name: str
    version: str
    package: str
    """Package digest."""


class Said(Protocol):
    """What the statement of a package says, as far as a derivation says it too."""

    @property
    def owner(self) -> str:
        """Return the owner id."""
        ...

    @property
    def parent(self) -> str | None:
        """Return the package digest of the parent."""
        ...

    @property
    def package_id(self) -> str:
        """Return the id of the package."""
        ...

    @property
    def name(self) -> str:
        """Return the name of the model."""
        ...

    @property
    def version(self) -> object:
        """Return the version, whose text is ``N.N.N``."""
        ...

    @property
    def created_at(self) -> datetime:
        """Return when it was made."""
        ...

    @property
    def agreement(self) -> str | None:
        """Return the digest of the agreement."""
        ...


def verify_said(said: Said, document: Derivation, owner: Owner, *, agreement: str | None) -> None:
    """Check that a statement says what the partner signed, and names this owner and no other.

    Args:
        said: The statement, whose digest is that of the derivation.
        document: What the partner signed.
        owner: Whose package the parent is.
        agreement: That of the parent.

    Raises:
        VerificationError: another owner (``wrong-owner``), or something else (``wrong-statement``).
    """
    if said.owner != owner.id:
        raise VerificationError(f"a derived model names another owner than {owner.name}", code="wrong-owner")
    given = (said.parent, said.package_id, said.name, str(said.version), said.created_at)
    signed = (document.parent, document.package_id, document.name, document.version, document.issued_at)
    if given != signed or said.agreement != agreement:
        raise VerificationError(
            "the statement of a derived model says something else than what the partner signed",
            code="wrong-statement",
        )


def verify_derivation(record: DerivationRecord, owner: Owner) -> VerifiedDerivation:
    """Verify everything in a record that is signed.

    Raises:
        FormatError: a document is malformed or of another kind.
        VerificationError: a signature, a signer or a link between the documents does not hold:
            also, if it is for another owner (``wrong-owner``), under another license
            (``wrong-license``), or about another statement (``wrong-package``).
    """
    chain = verify_chain(record.license, record.sublicenses, owner)
    signed = verify_by_key(record.derivation, Derivation, chain.holder.organization)
    document, statement = signed.document, from_base64(record.statement)
    if document.owner != owner.id:
        raise VerificationError(f"a derivation is for another owner than {owner.name}", code="wrong-owner")
    if document.license != chain.id:
        raise VerificationError("a derivation is under another license", code="wrong-license")
    if document.package != to_hex(sha256(statement)):
        raise VerificationError("a derivation is about another statement", code="wrong-package")
    accepted = verify_acceptances(record.acceptances, chain)
    return VerifiedDerivation(chain=chain, accepted=accepted, signed=signed, statement=statement)


def decide_modify(
    chain: LicenseChain,
    parent: Parent,
    *,
    accepted: Mapping[str, str | None],
    withdrawals: tuple[Withdrawn, ...],
    revoked: Mapping[str, str],
    at: datetime,
) -> Allowed | Denied:
    """Decide whether the holder may derive from a package at an instant.

    ``revoked`` has the id of each revoked document, with the reason.
    """
    request = Request(
        right=Right.MODIFY,
        owner=parent.owner,
        name=parent.name,
        version=parent.version,
        package_digest=parent.package,
        # Nothing runs, so nothing has to be protected.
        level=Level.HOSTED,
        runtime="",
        purpose=_any_purpose(chain),
    )
    facts = Facts(
        authority=AtOwner(),
        accepted=accepted,
        withdrawals=withdrawals,
        revoked=frozenset(revoked),
        why_revoked=revoked,
    )
    return evaluate(chain, request, facts, at)


def derivations_of(chain: LicenseChain) -> Derivations:
    """Return the term that says where derived models go.

    Raises:
        LicenseDenied: the license has none (code ``no-derivations``).
    """
    for term in chain.license.terms:
        if isinstance(term, Derivations):
            return term
    raise LicenseDenied(
        f"the license does not say to which key of {chain.owner_name} derived models return",
        code="no-derivations",
        hint=f"Ask {chain.owner_name} for a license with the right 'modify'.",
    )


def _any_purpose(chain: LicenseChain) -> str | None:
    # The purpose is stated with each use; to derive, it is enough that there is one.
    sets = [set(term.purposes) for _, term in chain.terms_of(Purpose)]
    return min(set.intersection(*sets), default=None) if sets else None
