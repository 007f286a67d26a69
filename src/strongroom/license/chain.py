"""A license with the sub-licenses under it: all of them hold, and every use counts for each.

    chain = verify_chain(license_token, sublicense_tokens, owner)
    chain.id                      # id of the narrowest document
    chain.holder.name             # who may use it
    accepted = verify_acceptances(tokens, chain)

A sub-license only adds terms and carries no key. Only the organization that the document
above names as its holder may sign one, and only if no document above withholds the
right ``sublicense`` (spec/license.md, "Narrowing").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar, cast

from strongroom._limits import LIMITS
from strongroom.errors import VerificationError
from strongroom.keys.owner import Owner
from strongroom.license.documents import Acceptance, License, Party, Sublicense
from strongroom.license.request import Right
from strongroom.license.signing import Signed, read_unverified, verify_by_key, verify_by_owner
from strongroom.license.term import Term
from strongroom.license.terms import Agreement, Rights

T = TypeVar("T", bound=Term)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainDocument:
    """One verified document of a chain, license or sub-license."""

    id: str
    token: str
    holder: Party
    issuer: str
    """Name of who signed it."""
    issued_at: datetime
    terms: tuple[Term, ...]

    @property
    def agreement(self) -> str | None:
        """The digest of the agreement that it names, or None."""
        return next((term.digest for term in self.terms if isinstance(term, Agreement)), None)

    @property
    def permits_sublicense(self) -> bool:
        """Whether no term of this document withholds the right to pass it on."""
        return all(Right.SUBLICENSE in term.rights for term in self.terms if isinstance(term, Rights))


@dataclass(frozen=True)
class LicenseChain:
    """A verified chain, widest document first. Made by ``verify_chain`` and by nothing else.

    A broker asks one chain for its terms dozens of times for every lease, so they are laid out once.
    """

    owner: str
    """Owner id."""
    owner_name: str
    documents: tuple[ChainDocument, ...]

    @property
    def license(self) -> ChainDocument:
        """The owner's own document."""
        return self.documents[0]

    @property
    def last(self) -> ChainDocument:
        """The narrowest document."""
        return self.documents[-1]

    @property
    def id(self) -> str:
        """Id of the narrowest document: what leases and offline files name."""
        return self.last.id

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of all documents, widest first."""
        return tuple(document.id for document in self.documents)

    @property
    def holder(self) -> Party:
        """Who may use it."""
        return self.last.holder

    def terms(self) -> tuple[tuple[ChainDocument, Term], ...]:
        """Return every term with its document, widest document first."""
        return self._terms

    def terms_of(self, kind: type[T]) -> tuple[tuple[ChainDocument, T], ...]:
        """Return every term of a kind with its document, widest document first."""
        found = self._of_kind.get(kind)
        if found is None:
            found = tuple(pair for pair in self._terms if isinstance(pair[1], kind))
            self._of_kind[kind] = found
        return cast("tuple[tuple[ChainDocument, T], ...]", found)

    @cached_property
    def _terms(self) -> tuple[tuple[ChainDocument, Term], ...]:
        return tuple((document, term) for document in self.documents for term in document.terms)

    @cached_property
    def _of_kind(self) -> dict[type[Term], tuple[tuple[ChainDocument, Term], ...]]:
        return {}


def verify_chain(token: str, sublicenses: Sequence[str], owner: Owner) -> LicenseChain:
    """Verify a license and the sub-licenses under it, widest first.

    Raises:
        FormatError: a token is none, is of another kind, or holds no document that may be signed.
        VerificationError: a signature or signer does not hold; a sub-license hangs from another
            document (``wrong-parent``), was not permitted (``sublicense-not-permitted``), or hangs
            too deep (``chain-too-long``).
    """
    if len(sublicenses) >= LIMITS.max_chain_length:
        raise VerificationError(
            f"a chain of licenses has more than {LIMITS.max_chain_length} documents", code="chain-too-long"
        )
    signed = verify_by_owner(token, License, owner)
    documents = [_link(signed, signed.document.partner, owner.name)]
    for child in sublicenses:
        documents.append(_verify_child(child, documents[-1]))
    return LicenseChain(owner.id, owner.name, tuple(documents))


def _verify_child(token: str, parent: ChainDocument) -> ChainDocument:
    if read_unverified(token, Sublicense).parent != parent.id:
        raise VerificationError("a sub-license hangs from another license", code="wrong-parent")
    signed = verify_by_key(token, Sublicense, parent.holder.organization)
    if not parent.permits_sublicense:
        raise VerificationError(
            f"the license of {parent.holder.name} gives no right to sub-license",
            code="sublicense-not-permitted",
            hint=f"Ask {parent.issuer} for the right 'sublicense'.",
        )
    return _link(signed, signed.document.holder, parent.holder.name)


def _link(signed: Signed[License] | Signed[Sublicense], holder: Party, issuer: str) -> ChainDocument:
    return ChainDocument(
        id=signed.id,
        token=signed.token,
        holder=holder,
        issuer=issuer,
        issued_at=signed.document.issued_at,
        terms=signed.document.terms,
    )


def verify_acceptance(token: str, chain: LicenseChain) -> Signed[Acceptance]:
    """Verify that the holder of a document of the chain accepted it, with the agreement it names.

    Raises:
        FormatError: no token, one of another kind, or no document that may be signed.
        VerificationError: it is for another license (``wrong-license``), for another agreement
            (``wrong-agreement``), or by another key than the holder's.
    """
    claimed = read_unverified(token, Acceptance)
    document = next((each for each in chain.documents if each.id == claimed.license), None)
    if document is None:
        raise VerificationError("an acceptance is for another license", code="wrong-license")
    signed = verify_by_key(token, Acceptance, document.holder.organization)
    if signed.document.organization != document.holder.organization:
        raise VerificationError(
            "an acceptance names another organization than its signer", code="wrong-signer"
        )
    if signed.document.agreement != document.agreement:
        raise VerificationError(
            "an acceptance is for another agreement than the license names", code="wrong-agreement"
        )
    return signed


def verify_acceptances(tokens: Sequence[str], chain: LicenseChain) -> dict[str, str | None]:
    """Verify acceptances; returns document id to accepted agreement, as ``Facts.accepted`` takes it.

    Raises:
        FormatError: as ``verify_acceptance``.
        VerificationError: as ``verify_acceptance``.
    """
    accepted = (verify_acceptance(token, chain).document for token in tokens)
    return {document.license: document.agreement for document in accepted}
