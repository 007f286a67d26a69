"""Granting: from a sealed package and an approved partner to a license file ready to send.

    terms = [Expires(at=until), Predictions(limit=1000, per=Period.MONTH)]
    granted = grant(home, "clinic", "risk", terms=terms, agreement=text, now=now)
    write(granted.file)                            # clinic.license, beside granted.package_path

Each runtime of the partner gets an offline file of its own: the content key wrapped to
its sealing key, with its share of every counted limit carved out, so that all of them
together can never use more than the license gives. With a pass-phrase, one file serves
whoever knows it, and nothing can be counted. No package is encrypted again.

For a broker (``grant_at_broker``) the license carries no key at all: the broker counts, and
releases keys with leases. A key file made beside it would be counted by nobody.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from strongroom._encoding import to_instant
from strongroom.errors import UsageError
from strongroom.founding import own_owner, role_key
from strongroom.home.grants import Grant
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.home.seals import Seal
from strongroom.keys.enrollment import VerifiedEnrollment
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import Owner, Role
from strongroom.license.agreement import agreement_digest
from strongroom.license.chain import LicenseChain, verify_chain
from strongroom.license.documents import License, OfflineFile, Party, PassphraseFile, Sublicense, Withdrawal
from strongroom.license.fields import MAX_HOURS, new_serial
from strongroom.license.key_binding import KeyBinding, wrap_for_runtime, wrap_with_passphrase
from strongroom.license.license_file import LicenseFile, verify_license_file
from strongroom.license.offline import OfflinePlan, plan_offline, plan_passphrase
from strongroom.license.request import Level, Right
from strongroom.license.signing import read_unverified, sign_document
from strongroom.license.term import Term
from strongroom.license.terms import (
    Agreement,
    Derivations,
    Expires,
    Levels,
    Offline,
    PackageChoice,
    Packages,
    Rights,
)
from strongroom.license.verdict import Denied, raise_denied

_DEFAULT_LIFE: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A license that was signed and noted in the ledger."""

    partner: str
    license_id: str
    chain: LicenseChain
    file: bytes
    """The ``.license`` file, to be sent to the partner."""
    package_path: Path
    """The package file, to be sent along."""
    not_after: datetime
    """When the last of its key files ends: what was sent works until then, for a file cannot be recalled.
    Without key files, when the license ends."""
    runtimes: tuple[str, ...]
    """Runtime ids that have an offline file; empty with a pass-phrase, and at a broker."""


def grant(
    home: Home,
    partner: str,
    model: str,
    *,
    terms: Sequence[Term] = (),
    agreement: str | None = None,
    passphrase: Callable[[], str] | None = None,
    now: datetime,
) -> Granted:
    """Sign a license for a partner, with the keys that its runtimes need.

    What ``terms`` leaves out is filled in: this version of the model, the right to predict,
    any level, a year, and use without a broker for all that time.

    Args:
        home: The owner's home.
        partner: An approved partner.
        model: ``name`` or ``name@version``; the newest version without one.
        terms: What the license says.
        agreement: The text that the partner accepts; None for the one the package was sealed with.
        passphrase: Asked once; makes a pass-phrase file in place of offline files.
        now: The time of granting.

    Raises:
        ObjectNotFound: no such partner or package.
        VerificationError: the partner is pending or suspended.
        UsageError: terms that contradict themselves, or a weak pass-phrase.
        LicenseDenied: the terms leave nothing for an offline file.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        FormatError: a term breaks a rule of spec/license.md, or a file is damaged.
        IntegrityError: a stored key or agreement is not what it was.
        StorageUnavailable: a file cannot be read or written.
    """
    draft = _draft(home, partner, model, terms, agreement, now, with_files=True)
    release = _Release(home, draft.owner, role_key(home, Role.LICENSE, now), draft.chain, draft.seal, now)
    file = (
        release.with_offline(draft.file, draft.enrollments)
        if passphrase is None
        else release.with_passphrase(draft.file, passphrase(), partner)
    )
    runtimes = () if passphrase else tuple(each.document.runtime for each in draft.enrollments)
    return draft.note(home, file, release.not_after, runtimes)


def grant_at_broker(
    home: Home,
    partner: str,
    model: str,
    *,
    terms: Sequence[Term] = (),
    agreement: str | None = None,
    now: datetime,
) -> Granted:
    """Sign a license whose keys the broker releases; it waits in the outbox to be handed in.

    What ``terms`` leaves out is filled in as by ``grant``, but for use without a broker: a
    runtime can check a key file out of the broker only if ``terms`` says so.

    Raises:
        ObjectNotFound: no such partner or package.
        VerificationError: the partner is pending or suspended.
        UsageError: terms that contradict themselves.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        FormatError: a term breaks a rule of spec/license.md, or a file is damaged.
        IntegrityError: a stored agreement is not what it was.
        StorageUnavailable: a file cannot be read or written.
    """
    draft = _draft(home, partner, model, terms, agreement, now, with_files=False)
    ends = min(term.at for _, term in draft.chain.terms_of(Expires))
    granted = draft.note(home, draft.file, ends, ())
    home.outbox.add(license_parcel(home, granted.license_id, now=now))
    return granted


def license_parcel(home: Home, license_id: str, *, now: datetime) -> Parcel:
    """Wrap up a license of the ledger for the broker, for the first time or once more.

    Raises:
        ObjectNotFound: no such license was granted here.
        UsageError: this home owns no models.
        FormatError: a file is damaged.
        StorageUnavailable: it cannot be read.
    """
    noted = home.vault.grants.get(license_id)
    file = LicenseFile.from_bytes(home.vault.grants.license_file(license_id))
    return Parcel(
        kind=ParcelKind.LICENSE,
        id=license_id,
        owner=home.vault.verify_owner_id(),
        about=f"a license for {noted.partner}",
        body={"license": file.license, "agreement": file.agreement},
        added_at=to_instant(now),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A signed license that nobody has noted yet."""

    partner: str
    owner: Owner
    seal: Seal
    enrollments: Sequence[VerifiedEnrollment]
    chain: LicenseChain
    file: LicenseFile
    now: datetime

    def note(self, home: Home, file: LicenseFile, not_after: datetime, runtimes: tuple[str, ...]) -> Granted:
        """Keep it in the ledger: from here on it exists."""
        data = file.to_bytes()
        record = Grant(license=self.chain.id, partner=self.partner, granted_at=to_instant(self.now))
        home.vault.grants.record(record, data)
        return Granted(
            partner=self.partner,
            license_id=self.chain.id,
            chain=self.chain,
            file=data,
            package_path=home.catalog.packages.find(self.owner.id, self.seal.name, self.seal.version).path,
            not_after=not_after,
            runtimes=runtimes,
        )


def _draft(
    home: Home,
    partner: str,
    model: str,
    terms: Sequence[Term],
    agreement: str | None,
    now: datetime,
    *,
    with_files: bool,
) -> _Draft:
    seal = _find_seal(home, model)
    owner = own_owner(home)
    home.vault.partners.verify_approved(partner)
    enrollments = home.vault.partners.enrollments(partner, owner)
    text = _agreement_text(home, seal, agreement)
    terms = _with_way_back(home, terms, now)
    document = License(
        owner=owner.id,
        owner_version=owner.version,
        issued_at=now,
        partner=Party(name=partner, organization=enrollments[0].document.organization),
        serial=new_serial(),
        terms=_complete(terms, seal, text, len(enrollments) if with_files else None, now),
    )
    signed = sign_document(document, role_key(home, Role.LICENSE, now))
    file = LicenseFile(
        owner=tuple(owner.chain.to_json()),
        license=signed.token,
        withdrawals=_withdrawals_of(home, seal),
        agreement=text,
    )
    return _Draft(
        partner=partner,
        owner=owner,
        seal=seal,
        enrollments=enrollments,
        chain=verify_chain(signed.token, [], owner),
        file=file,
        now=now,
    )


def release_for_site(
    home: Home, data: bytes, enrollment: VerifiedEnrollment, model: str, *, now: datetime
) -> bytes:
    """Add an offline file to a narrowed license, for a runtime of the site that holds it.

    A sub-license carries no key: the owner releases it, against the whole chain.

    Raises:
        VerificationError: the chain does not hold, or the runtime is another organization's.
        LicenseDenied: the chain leaves nothing for one more offline file.
        UsageError: this home owns no models.
        ObjectNotFound: no such package, or the license was not granted here.
        NoMatchingKey: a key is missing, or the home's pass-phrase is missing or wrong.
        FormatError: not a license file.
        IntegrityError: a stored key is not what it was.
        StorageUnavailable: a file cannot be read or written.
    """
    owner = own_owner(home)
    file = LicenseFile.from_bytes(data)
    chain = verify_chain(file.license, file.sublicenses, owner)
    home.vault.grants.get(chain.license.id)
    if enrollment.document.organization != chain.holder.organization:
        raise UsageError(
            f"the runtime is of another organization than {chain.holder.name}, which holds the license",
            code="wrong-holder",
        )
    key, seal = role_key(home, Role.LICENSE, now), _find_seal(home, model)
    with home.vault.grants.exclusive():
        # What the partner sent says nothing about what is out: key files are taken from the
        # ledger alone, or leaving one out would give its share a second time.
        ledger = _noted(home, chain.id)
        base = LicenseFile(
            owner=tuple(owner.chain.to_json()),
            license=file.license,
            sublicenses=file.sublicenses,
            acceptances=file.acceptances,
            offline=() if ledger is None else ledger.offline,
            withdrawals=_withdrawals_of(home, seal),
            agreement=file.agreement,
        )
        verify_license_file(base, owner)
        outstanding = _outstanding(home, owner, chain.license.id)
        release = _Release(home, owner, key, chain, seal, now, outstanding)
        grown = release.with_offline(base, [enrollment]).to_bytes()
        _note_site(home, chain, grown, now, is_new=ledger is None)
    return grown


class _Release:
    """Wraps the content key of one package for one license, again and again."""

    def __init__(
        self,
        home: Home,
        owner: Owner,
        key: SigningKey,
        chain: LicenseChain,
        seal: Seal,
        now: datetime,
        outstanding: dict[str, list[OfflineFile]] | None = None,
    ) -> None:
        self._owner = owner
        self._key = key
        self._chain = chain
        self._seal = seal
        self._now = now
        self._out = outstanding or {}
        self._content_key = home.vault.content_keys.load(seal.package_id, home.keys.key_provider())
        self.not_after = now

    def with_offline(self, file: LicenseFile, enrollments: Sequence[VerifiedEnrollment]) -> LicenseFile:
        """Add an offline file for each runtime.

        What a document leaves is divided by the files that it still allows, so that one
        that is made later, for a site or a further runtime, finds its share.
        """
        tokens = list(file.offline)
        for place, enrollment in enumerate(enrollments):
            shares = self._shares(len(enrollments) - place)
            plan = _planned(plan_offline(self._chain, self._now, shares=shares, outstanding=self._out))
            signed = sign_document(self._offline(enrollment, plan), self._key)
            for document in self._chain.documents:
                self._out.setdefault(document.id, []).append(signed.document)
            tokens.append(signed.token)
            self.not_after = max(self.not_after, plan.not_after)
        return msgspec.structs.replace(file, offline=tokens)

    def with_passphrase(self, file: LicenseFile, passphrase: str, partner: str) -> LicenseFile:
        """Add a pass-phrase file."""
        plan = _planned(plan_passphrase(self._chain, self._now))
        serial = new_serial()
        wrapped = wrap_with_passphrase(
            self._content_key,
            passphrase,
            self._binding(None),
            serial=serial,
            context_words=(self._owner.name, partner, self._seal.name),
        )
        document = PassphraseFile(
            owner=self._owner.id,
            owner_version=self._owner.version,
            issued_at=self._now,
            license=self._chain.id,
            package=self._seal.package_digest,
            package_id=self._seal.package_id,
            serial=serial,
            wrapped_key=wrapped,
            not_after=plan.not_after,
        )
        self.not_after = plan.not_after
        token = sign_document(document, self._key).token
        return msgspec.structs.replace(file, passphrase=[*file.passphrase, token])

    def _shares(self, runtimes: int) -> dict[str, int]:
        shares = {}
        for document in self._chain.documents:
            out = sum(file.not_after > self._now for file in self._out.get(document.id, ()))
            allowed = [term.files - out for term in document.terms if isinstance(term, Offline)]
            shares[document.id] = max(runtimes, min(allowed, default=1))
        return shares

    def _offline(self, enrollment: VerifiedEnrollment, plan: OfflinePlan) -> OfflineFile:
        runtime, serial = enrollment.document.runtime, new_serial()
        return OfflineFile(
            owner=self._owner.id,
            owner_version=self._owner.version,
            issued_at=self._now,
            license=self._chain.id,
            package=self._seal.package_digest,
            package_id=self._seal.package_id,
            serial=serial,
            wrapped_key=wrap_for_runtime(
                self._content_key, enrollment.sealing, self._binding(runtime), serial=serial
            ),
            not_after=plan.not_after,
            runtime=runtime,
            budget=plan.budget,
        )

    def _binding(self, runtime: str | None) -> KeyBinding:
        return KeyBinding(
            license=self._chain.id,
            runtime=runtime,
            package=self._seal.package_digest,
            package_id=self._seal.package_id,
        )


def _planned(plan: OfflinePlan | Denied) -> OfflinePlan:
    if isinstance(plan, Denied):
        raise_denied(plan)
    return plan


def _find_seal(home: Home, model: str) -> Seal:
    name, _, version = model.partition("@")
    return home.vault.seals.find(name, version or None)


def _withdrawals_of(home: Home, seal: Seal) -> tuple[str, ...]:
    """Return the withdrawals of a model; an error if they took back the very version."""
    tokens = []
    for token in home.vault.withdrawals.all():
        document = read_unverified(token, Withdrawal)
        if document.package == seal.package_digest:
            raise UsageError(
                f"{seal.name} {seal.version} was withdrawn: {document.reason}",
                code="version-withdrawn",
                hint="grant another version: NAME@VERSION",
            )
        if document.name == seal.name:
            tokens.append(token)
    return tuple(tokens)


def _agreement_text(home: Home, seal: Seal, given: str | None) -> str | None:
    if given is not None:
        return given
    return None if seal.agreement is None else home.vault.seals.agreement(seal.agreement)


def _complete(
    terms: Sequence[Term], seal: Seal, agreement: str | None, runtimes: int | None, now: datetime
) -> tuple[Term, ...]:
    """Fill in what a license must say and the caller left out; ``runtimes`` is how many get a key file."""
    given = {type(term) for term in terms}
    expires = next((term.at for term in terms if isinstance(term, Expires)), now + _DEFAULT_LIFE)
    hours = min(math.ceil((expires - now) / timedelta(hours=1)), MAX_HOURS)
    # The one version that the key files are for: a range would promise what does not open.
    covered = PackageChoice.from_text(f"{seal.name}@{seal.version}")
    defaults: tuple[Term, ...] = (
        Expires(at=expires),
        Packages(packages=(covered,)),
        Rights(rights=(Right.PREDICT,)),
        Levels(at_least=Level.LOCAL),
    )
    if runtimes is not None:
        defaults = (*defaults, Offline(hours=max(hours, 1), files=max(runtimes, 1)))
    complete = [*terms, *(term for term in defaults if type(term) not in given)]
    if agreement is not None:
        complete.append(Agreement(digest=agreement_digest(agreement)))
    return tuple(complete)


def _with_way_back(home: Home, terms: Sequence[Term], now: datetime) -> Sequence[Term]:
    """Say to which key of the owner derived models return, where the license gives the right to make them."""
    rights = [right for term in terms if isinstance(term, Rights) for right in term.rights]
    if Right.MODIFY not in rights or any(isinstance(term, Derivations) for term in terms):
        return terms
    return [*terms, Derivations(to=home.keys.ensure_derivation(now).public_text)]


def _outstanding(home: Home, owner: Owner, license_id: str) -> dict[str, list[OfflineFile]]:
    """Return the offline files that hang from each document under a license."""
    out: dict[str, list[OfflineFile]] = {}
    for noted in home.vault.grants.all():
        if noted.license != license_id and not noted.license.startswith(Sublicense.PREFIX):
            continue
        file = LicenseFile.from_bytes(home.vault.grants.license_file(noted.license))
        chain = verify_chain(file.license, file.sublicenses, owner)
        if chain.license.id == license_id:
            files = [read_unverified(token, OfflineFile) for token in file.offline]
            for document in chain.documents:
                out.setdefault(document.id, []).extend(files)
    return out


def _noted(home: Home, license_id: str) -> LicenseFile | None:
    if license_id not in {noted.license for noted in home.vault.grants.all()}:
        return None
    return LicenseFile.from_bytes(home.vault.grants.license_file(license_id))


def _note_site(home: Home, chain: LicenseChain, file: bytes, now: datetime, *, is_new: bool) -> None:
    if not is_new:
        home.vault.grants.replace_file(chain.id, file)
        return
    record = Grant(license=chain.id, partner=chain.holder.name, granted_at=to_instant(now))
    home.vault.grants.record(record, file)
