"""The ``.license`` file: everything that a partner needs to use a license without a server.

    file = LicenseFile.from_bytes(data)                     # well formed, nothing verified
    offered = file.owner_chain()                            # to compare with the pinned owner
    verified = verify_license_file(file, owner)             # everything in it verified
    verified.chain, verified.offline_for(runtime, package)

A container, not signed itself: each document in it is. It can grow on its way, by a
sub-license, an acceptance or a withdrawal, and whoever carries it can only leave things out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

from strongroom._encoding import from_wire, to_wire
from strongroom._limits import LIMITS
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.owner import Owner, OwnerChain
from strongroom.license.agreement import agreement_digest
from strongroom.license.announced import in_force
from strongroom.license.chain import LicenseChain, verify_acceptances, verify_chain
from strongroom.license.notice_documents import Withdrawal
from strongroom.license.release_documents import KeyRelease, OfflineFile, PassphraseFile
from strongroom.license.signing import Signed, verify_by_owner

R = TypeVar("R", bound=KeyRelease)


class LicenseFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The members of the container. All but ``format`` and ``agreement`` hold tokens."""

    format: Literal["license-file/v1"] = "license-file/v1"
    owner: tuple[str, ...]
    """The owner chain, one base64 envelope per version."""
    license: str
    sublicenses: tuple[str, ...] = ()
    """Widest first."""
    acceptances: tuple[str, ...] = ()
    """By the holders of the documents above the last; the last holder keeps its own beside the file."""
    offline: tuple[str, ...] = ()
    passphrase: tuple[str, ...] = ()
    withdrawals: tuple[str, ...] = ()
    agreement: str | None = None
    """The text that the narrowest document names, if it names one."""

    @classmethod
    def from_bytes(cls, data: bytes) -> LicenseFile:
        """Parse a file.

        Raises:
            FormatError: too large, not canonical, too many entries, or no owner chain.
        """
        file = from_wire(data, cls, max_bytes=LIMITS.max_license_file_bytes)
        for entries in (file.acceptances, file.offline, file.passphrase, file.withdrawals):
            if len(entries) > LIMITS.max_license_files:
                raise FormatError(
                    f"a license file has more than {LIMITS.max_license_files} documents of a kind"
                )
        if file.agreement is not None:
            agreement_digest(file.agreement)
        return file

    def to_bytes(self) -> bytes:
        """Return the canonical JSON form."""
        return to_wire(self)

    def owner_chain(self) -> OwnerChain:
        """Return the owner chain, well formed and not verified.

        Raises:
            FormatError: it is no owner chain.
        """
        return OwnerChain.from_json(list(self.owner))


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedLicense:
    """What a license file says, every document of it verified. Made by ``verify_license_file``."""

    chain: LicenseChain
    accepted: Mapping[str, str | None]
    """Acceptances that came with the file, as ``Facts.accepted`` takes them."""
    offline: tuple[Signed[OfflineFile], ...]
    passphrase: tuple[Signed[PassphraseFile], ...]
    withdrawals: tuple[Signed[Withdrawal], ...]
    """Without those of a key that was cut off."""
    agreement: str | None

    def offline_for(self, runtime: str, package: str) -> Signed[OfflineFile] | None:
        """Return the offline file for a runtime and package digest that ends last, or None."""
        found = [
            each
            for each in self.offline
            if (each.document.runtime, each.document.package) == (runtime, package)
        ]
        return max(found, key=lambda each: each.document.not_after, default=None)

    def passphrase_for(self, package: str) -> Signed[PassphraseFile] | None:
        """Return the pass-phrase file for a package digest that ends last, or None."""
        found = [each for each in self.passphrase if each.document.package == package]
        return max(found, key=lambda each: each.document.not_after, default=None)


def verify_license_file(file: LicenseFile, owner: Owner) -> VerifiedLicense:
    """Verify every document of a file.

    ``owner`` is the pinned owner, after ``verify_newer`` with the chain of the file: what
    the file says about its owner proves nothing by itself.

    Raises:
        FormatError: a document is malformed or of another kind.
        VerificationError: a signature, a signer or a link between the documents does not hold:
            also, if a key is for another license (``wrong-license``) or the agreement text is
            missing or another (``wrong-agreement``).
    """
    chain = verify_chain(file.license, file.sublicenses, owner)
    _verify_text(file.agreement, chain)
    return VerifiedLicense(
        chain=chain,
        accepted=verify_acceptances(file.acceptances, chain),
        offline=_verify_releases(file.offline, OfflineFile, chain, owner),
        passphrase=_verify_releases(file.passphrase, PassphraseFile, chain, owner),
        withdrawals=tuple(
            verify_by_owner(token, Withdrawal, owner)
            for token in in_force(file.withdrawals, Withdrawal, owner)
        ),
        agreement=file.agreement,
    )


def _verify_releases(
    tokens: Sequence[str], kind: type[R], chain: LicenseChain, owner: Owner
) -> tuple[Signed[R], ...]:
    signed = tuple(verify_by_owner(token, kind, owner) for token in tokens)
    if any(each.document.license != chain.id for each in signed):
        raise VerificationError(f"an {kind.NAME} file is for another license", code="wrong-license")
    return signed


def _verify_text(agreement: str | None, chain: LicenseChain) -> None:
    named = chain.last.agreement
    if (None if agreement is None else agreement_digest(agreement)) != named:
        raise VerificationError(
            "the agreement in a license file is not the one that the license names"
            if agreement is not None
            else "a license file comes without the agreement that the license names",
            code="wrong-agreement",
            hint=f"Ask {chain.last.issuer} for the complete file.",
        )
