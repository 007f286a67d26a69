"""Accepting: what a partner does with a license file and a package before it can open them.

    offer = read_offer(home, data)                     # verified; nothing is kept yet
    offer.license.agreement, offer.license.chain       # to be shown to a person
    confirm(home, offer.pinned, fingerprint)           # enrolling.py; once for each owner
    accept(home, offer, now=now)                       # signs, keeps license and acceptance
    pull(home, Path("risk-1.0.0.sealed"))              # keeps the package, every byte checked

    data = narrow(home, "lic-...", holder=site, terms=terms, now=now)     # a sub-license for a site

Accepting binds the organization: its key signs the license id and the digest of the
agreement. Nothing opens without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.errors import FormatError, IntegrityError, ObjectNotFound, UsageError, VerificationError
from strongroom.home.files import AtomicFile
from strongroom.home.home import Home
from strongroom.home.licenses import StoredLicense
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.home.packages import StoredPackage
from strongroom.home.trust import PinnedOwner, TrustStatus
from strongroom.keys.identity import runtime_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import Owner, Role, verify_consistent, verify_owner_chain
from strongroom.license.agreement import agreement_digest
from strongroom.license.chain import LicenseChain, verify_chain
from strongroom.license.documents import Acceptance, Party, RuntimeCertificate, Sublicense
from strongroom.license.fields import new_serial
from strongroom.license.license_file import LicenseFile, VerifiedLicense, verify_license_file
from strongroom.license.signing import Signed, sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Agreement, Expires, NotBefore, Purpose, Rights
from strongroom.package.inspect import inspect, verify_package
from strongroom.package.statement import Statement
from strongroom.storage.local import LocalSource

_COPY_BYTES: Final = 1 << 20

Progress = Callable[[int], None]
"""Told how many more bytes are checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A license file whose documents hold, addressed to this organization."""

    pinned: PinnedOwner
    owner: Owner
    """The newest verified chain, of the home or of the file."""
    license: VerifiedLicense
    file: LicenseFile
    has_key_for_this_runtime: bool
    """Whether a key file in it is for this runtime, or under a pass-phrase."""


def read_offer(home: Home, data: bytes) -> Offer:
    """Verify a license file and find out whether it is meant for this organization.

    Raises:
        FormatError: not a license file.
        ObjectNotFound: its owner is not known here (code ``unknown-owner``).
        VerificationError: a document does not hold, or it is for another organization
            (code ``wrong-holder``).
        NoMatchingKey: this home's organization key is missing or cannot be opened.
        StorageUnavailable: a file cannot be read.
    """
    file = LicenseFile.from_bytes(data)
    chain = file.owner_chain()
    pinned = home.trust.get(verify_owner_chain(chain).id)
    owner = verify_consistent(pinned.owner, chain)
    license = verify_license_file(file, owner)
    holder = license.chain.holder
    if home.keys.organization().public_text != holder.organization:
        raise VerificationError(
            f"this license is for {holder.name}, under another organization key than this home's",
            code="wrong-holder",
            hint=f"ask {pinned.label} for a license to the enrollment of this home",
        )
    runtime = runtime_id(home.keys.device(owner.id).public)
    usable = bool(license.passphrase) or any(each.document.runtime == runtime for each in license.offline)
    return Offer(pinned=pinned, owner=owner, license=license, file=file, has_key_for_this_runtime=usable)


def accept(home: Home, offer: Offer, *, now: datetime, to_broker: bool = False) -> Signed[Acceptance]:
    """Sign the acceptance and keep the license; ``to_broker`` puts the acceptance into the outbox.

    Raises:
        VerificationError: the owner is pending (code ``owner-pending``).
        NoMatchingKey: this home's organization key is missing or cannot be opened.
        FormatError: a stored file is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    # As it is on the disk now, not as it was when the offer was read.
    if home.trust.get(offer.owner.id).status is not TrustStatus.CONFIRMED:
        raise VerificationError(
            f"nobody has confirmed yet that {offer.pinned.label} is who it says it is",
            code="owner-pending",
            hint=f"call {offer.pinned.label}, compare the fingerprint, and give it with --fingerprint",
        )
    key = home.keys.organization()
    chain = offer.license.chain
    document = Acceptance(
        license=chain.id,
        agreement=chain.last.agreement,
        organization=key.public_text,
        accepted_at=now,
    )
    signed = sign_document(document, key)
    home.trust.update(offer.owner.chain)
    keep(home, offer)
    home.catalog.licenses.save_acceptance(offer.owner.id, chain.id, signed.token)
    _certify_runtime(home, offer.owner.id, key, now)
    if to_broker:
        home.outbox.add(
            Parcel(
                kind=ParcelKind.ACCEPTANCE,
                id=signed.id,
                owner=offer.owner.id,
                about=f"the acceptance of {chain.id}",
                body={"acceptance": signed.token},
                added_at=to_instant(now),
            )
        )
    return signed


def _certify_runtime(home: Home, owner_id: str, organization: SigningKey, now: datetime) -> None:
    """Certify the device key of this runtime while the organization's key is at hand: receipts need it."""
    device = home.keys.device(owner_id)
    document = RuntimeCertificate(
        owner=owner_id, device=device.public_text, runtime=runtime_id(device.public), issued_at=now
    )
    home.trust.save_certificate(owner_id, sign_document(document, organization).token)


def keep(home: Home, offer: Offer) -> None:
    """Keep a license file, and with it the key files and withdrawals of the one that was here before.

    A file from a broker has no key file in it; what was checked out is in the file of the home only.

    Raises:
        FormatError: what would be kept is not a license file.
        StorageUnavailable: a file cannot be read or written.
    """
    home.catalog.licenses.renew(
        offer.owner.id, offer.license.chain.id, lambda known: _joined(known, offer.file, offer.owner)
    )


def _joined(known: LicenseFile | None, offered: LicenseFile, owner: Owner) -> LicenseFile:
    if known is None:
        return offered
    file = msgspec.structs.replace(
        offered,
        offline=_newest(offered.offline, known.offline),
        passphrase=_newest(offered.passphrase, known.passphrase),
        withdrawals=_newest(offered.withdrawals, known.withdrawals),
    )
    try:
        verify_license_file(file, owner)
    except (FormatError, VerificationError):
        # Somebody wrote to what was here. To accept the file again mends it.
        return offered
    return file


def _newest(offered: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    # What came last stands first: the oldest go when there are too many.
    return tuple(dict.fromkeys((*offered, *known)))[: LIMITS.max_license_files]


def pull(home: Home, path: Path, *, progress: Progress | None = None) -> StoredPackage:
    """Copy a package into the home, after every byte of it was checked against its owner's signature.

    A package that is here already is checked again and left as it is.

    Raises:
        ObjectNotFound: no such file, or its owner is not known here (code ``unknown-owner``).
        VerificationError: the owner is pending, or the package is not signed by it.
        IntegrityError: a byte is not the one that was signed.
        FormatError: not a package.
        UsageError: another package of this name and version is here (code ``version-exists``).
        UnsupportedError: the package needs a later version of the format.
        StorageUnavailable: a disk is full or does not answer.
    """
    with LocalSource(path) as source:
        claimed = inspect(source).unverified
        owner = home.trust.confirmed(claimed.owner)
        name, version = claimed.name, str(claimed.version)
        packages = home.catalog.packages
        there = packages.path(owner.id, name, version)
        if there.exists():
            _verify_same(there, claimed, owner, progress)
        else:
            with packages.create(owner.id, name, version) as sink:
                _copy(source, sink)
                # The copy and not the original, which somebody may write to meanwhile.
                with LocalSource(os.dup(sink.fileno())) as copy:
                    if _verify(copy, owner, progress) != claimed:
                        raise IntegrityError(f"{path} changed while it was read", code="package-changed")
    return packages.find(owner.id, name, version)


def _copy(source: LocalSource, sink: AtomicFile) -> None:
    size = source.size()
    buffer = memoryview(bytearray(_COPY_BYTES))
    for offset in range(0, size, _COPY_BYTES):
        piece = buffer[: min(_COPY_BYTES, size - offset)]
        source.read_into(offset, piece)
        sink.write(piece)


def _verify_same(there: Path, claimed: Statement, owner: Owner, progress: Progress | None) -> None:
    with LocalSource(there) as present:
        # Every byte of it: a file that lies here proves nothing by lying here.
        if _verify(present, owner, progress) != claimed:
            raise UsageError(
                f"another package {there.name} by this owner is here already",
                code="version-exists",
                hint="a package never changes; ask the owner which of the two is right",
            )


def _verify(source: LocalSource, owner: Owner, progress: Progress | None) -> Statement:
    return verify_package(
        source,
        lambda said: owner.keys_for(Role.PACKAGE, said.created_at),
        owner=owner.id,
        progress=progress,
    )


def narrow(
    home: Home,
    license_id: str,
    *,
    holder: Party,
    terms: Sequence[Term],
    agreement: str | None = None,
    now: datetime,
    to_broker: bool = False,
) -> LicenseFile:
    """Sign a sub-license of an accepted license for one of this organization's sites.

    It carries no key: the owner adds one for the site's runtime, or its broker releases keys to
    it; ``to_broker`` puts the sub-license into the outbox.

    Raises:
        ObjectNotFound: there is no such license here.
        VerificationError: the license gives no right to sub-license, or would hang too deep.
        UsageError: this party has not accepted the license (code ``not-accepted``), or the terms give
            what the license does not (code ``widens``) or nothing at all (code ``permits-nothing``).
        FormatError: a term breaks a rule of spec/license.md.
        NoMatchingKey: this home's organization key is missing or cannot be opened.
        StorageUnavailable: a file cannot be read.
    """
    stored = _find_license(home, license_id)
    if stored.acceptance is None:
        raise UsageError(
            f"{license_id} is not accepted here", code="not-accepted", hint="strongroom accept FILE.license"
        )
    named = [] if agreement is None else [Agreement(digest=agreement_digest(agreement))]
    document = Sublicense(
        parent=license_id, holder=holder, serial=new_serial(), issued_at=now, terms=(*terms, *named)
    )
    signed = sign_document(document, home.keys.organization())
    sublicenses = (*stored.file.sublicenses, signed.token)
    chain = verify_chain(stored.file.license, sublicenses, home.trust.confirmed(stored.owner_id))
    _verify_permits_something(chain, now)
    if to_broker:
        home.outbox.add(
            Parcel(
                kind=ParcelKind.SUBLICENSE,
                id=signed.id,
                owner=stored.owner_id,
                about=f"a sub-license for {holder.name}",
                body={"sublicense": signed.token, "agreement": agreement},
                added_at=to_instant(now),
            )
        )
    return msgspec.structs.replace(
        stored.file,
        sublicenses=sublicenses,
        # What hangs above is accepted by whoever holds it; the proof goes along.
        acceptances=(*stored.file.acceptances, stored.acceptance),
        offline=(),
        passphrase=(),
        agreement=agreement,
    )


def _verify_permits_something(chain: LicenseChain, now: datetime) -> None:
    """Refuse a sub-license that only looks as if it gave something: the narrowest document always counts."""
    above = [term for document in chain.documents[:-1] for term in document.terms]
    held = f"the license of {chain.documents[-2].holder.name}"
    for term in chain.last.terms:
        if isinstance(term, Rights):
            rights = [{right.value for right in each.rights} for each in above if isinstance(each, Rights)]
            _verify_within(
                {right.value for right in term.rights}, rights, f"the right '{{}}' is not in {held}"
            )
        if isinstance(term, Purpose):
            purposes = [set(each.purposes) for each in above if isinstance(each, Purpose)]
            _verify_within(set(term.purposes), purposes, f"the purpose '{{}}' is not in {held}")
    end = min((term.at for _, term in chain.terms_of(Expires)), default=None)
    begin = max([now, *(term.at for _, term in chain.terms_of(NotBefore))])
    if end is not None and end <= begin:
        raise UsageError(
            f"the sub-license would end {to_instant(end)}, before it begins",
            code="permits-nothing",
            hint="choose another end; it cannot be later than that of the license above",
        )


def _verify_within(wanted: Collection[str], above: Sequence[Collection[str]], complaint: str) -> None:
    allowed = set(wanted if not above else above[0]).intersection(*above)
    for each in sorted(set(wanted) - allowed):
        raise UsageError(
            complaint.format(each),
            code="widens",
            hint=f"a sub-license gives on what is held: {', '.join(sorted(allowed))}",
        )


def _find_license(home: Home, license_id: str) -> StoredLicense:
    for stored in home.catalog.licenses.all():
        if stored.license_id == license_id:
            return stored
    raise ObjectNotFound(
        f"there is no license {license_id} in this home", code="unknown-license", hint="strongroom models"
    )
