"""Countersigning at the owner: a derived model becomes a package of its own, or is refused.

    done = countersign(home, Path("risk-1.1.0.derived"), now=now, agree=ask)
    done.path                                            # .../risk-1.1.0.sealed, with .sealed.sig beside it

In this order: the license and the partner's signatures; that the partner may; what the statement
says; every byte; what is inside, which is looked at and never run; then a person. The package key
signs only after all of that, and what it signs is exactly what the partner handed in. The segments are
not encrypted again. Called again after it was interrupted, it finishes, and signs nothing new.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from strongroom._limits import LIMITS
from strongroom.errors import ObjectNotFound, UsageError, VerificationError
from strongroom.founding import own_owner, role_key
from strongroom.home.home import Home
from strongroom.home.partners import PartnerStatus
from strongroom.home.seals import Seal
from strongroom.intake.derived import verify_derived
from strongroom.keys.owner import Owner, Role
from strongroom.license.derivation import (
    DerivationRecord,
    Parent,
    VerifiedDerivation,
    decide_modify,
    derivations_of,
    verify_derivation,
    verify_said,
)
from strongroom.license.documents import Revocation, Withdrawal
from strongroom.license.key_binding import KeyBinding, unwrap_derivation
from strongroom.license.marks import withdrawn
from strongroom.license.signing import read_unverified
from strongroom.license.verdict import Denied, raise_denied
from strongroom.package import tail
from strongroom.package.contents import FileEntry
from strongroom.package.countersigning import write_countersigned
from strongroom.package.inspect import verify_package
from strongroom.package.manifest import verify_manifest
from strongroom.package.names import Version
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement, signer
from strongroom.sealing import adopt_unrecorded, record_seal
from strongroom.storage.local import LocalSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A derived model that passed every check, before anybody has agreed to it."""

    name: str
    version: str
    parent: str
    """Name and version of the package that it derives from."""
    holder: str
    """Who made it."""
    license: str
    loader: str
    files: tuple[FileEntry, ...]
    package: str
    """Package digest that is signed."""
    unchanged: frozenset[str] | None
    """Names of those files that are, byte for byte, those of the parent; None: the parent is not here."""


Agree = Callable[[Proposal], None]
"""Asked before anything is signed; raises to refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Countersigned:
    """A derived model that is now a package of this owner."""

    name: str
    version: str
    path: Path
    package: str
    """Package digest."""
    parent: str
    """Name and version of the package that it derives from."""
    holder: str
    license: str
    derivation: str
    """Id of what the partner signed, which the vault keeps."""


def countersign(home: Home, path: Path, *, now: datetime, agree: Agree | None = None) -> Countersigned:
    """Check a derived model and make a package of it.

    Args:
        home: The owner's home.
        path: The ``.derived`` file.
        now: The time.
        agree: Asked at the end, when all checks have passed; None: nobody is asked.

    Raises:
        FormatError: no derivation file, a damaged one, or contents that are not those of the model.
        VerificationError: a signature or a link between the documents does not hold, or the partner
            is suspended.
        LicenseDenied: the license gave no right to modify the parent then.
        UsageError: a name that is taken, a version that is not the next one, or this home owns no models.
        UnsupportedError: it holds what cannot be sealed, or an extra is missing.
        IntegrityError: a byte is not what the partner signed, or the key is wrapped for something else.
        ObjectNotFound: no such file, or the parent was not sealed here.
        NoMatchingKey: a key is missing, or the pass-phrase is missing or wrong.
        StorageUnavailable: a file cannot be read or written.
    """
    owner = own_owner(home)
    with LocalSource(path) as source:
        record = tail.read_derivation_record(source)
        verified = verify_derivation(DerivationRecord.from_bytes(record), owner)
        reader = PackageReader.open_derived(
            source, verified.statement, record, package_digest=verified.document.package
        )
        act = _Countersigning(home, owner, verified, reader.statement, now)
        parent = act.verify_parent()
        act.verify_holder()
        act.verify_right(parent)
        act.verify_statement(parent)
        adopt_unrecorded(home, owner, reader.statement.name, now)
        if not act.is_done():
            act.verify_name(parent)
            act.sign(reader, parent, agree)
    return act.result(parent)


@dataclass(frozen=True, slots=True)
class _Countersigning:
    """One derivation, whose signatures have been checked."""

    home: Home
    owner: Owner
    verified: VerifiedDerivation
    statement: Statement
    now: datetime

    def verify_parent(self) -> Seal:
        """Return the seal of the parent, which must be a package of this owner."""
        wanted = self.verified.document.parent
        for seal in self.home.vault.seals.all():
            if seal.package_digest == wanted:
                return seal
        raise VerificationError(
            "a derived model names a parent that was not sealed in this home", code="unknown-parent"
        )

    def verify_holder(self) -> None:
        """Check that neither the partner nor its site is suspended, and that the keys are those approved."""
        partners = self.home.vault.partners
        chain = self.verified.chain
        partner = partners.verify_approved(chain.license.holder.name)
        if partner.organization != chain.license.holder.organization:
            raise VerificationError(
                f"the license is for another organization key than {partner.name} has now",
                code="partner-key-changed",
            )
        for known in partners.all():
            if known.organization == chain.holder.organization and known.status is PartnerStatus.SUSPENDED:
                raise VerificationError(f"{known.name} is suspended", code="partner-suspended")

    def verify_right(self, parent: Seal) -> None:
        """Check that the license gave the right when the partner signed, and is not revoked."""
        document, vault = self.verified.document, self.home.vault
        if document.issued_at - self.now > timedelta(seconds=LIMITS.max_clock_skew_seconds):
            raise VerificationError(
                f"a derived model is dated {document.issued_at}, in the future",
                code="derivation-not-yet",
                hint="Compare the clocks of the two machines.",
            )
        taken_back = [read_unverified(token, Withdrawal) for token in vault.withdrawals.all()]
        revocations = [read_unverified(token, Revocation) for token in vault.revocations.all()]
        verdict = decide_modify(
            self.verified.chain,
            Parent(
                owner=self.owner.id, name=parent.name, version=parent.version, package=parent.package_digest
            ),
            accepted=self.verified.accepted,
            withdrawals=tuple(map(withdrawn, taken_back)),
            revoked={each.target: each.reason for each in revocations},
            at=document.issued_at,
        )
        if isinstance(verdict, Denied):
            raise_denied(verdict)
        derivations_of(self.verified.chain)

    def verify_statement(self, parent: Seal) -> None:
        """Check that the statement says what the partner signed, and names this owner and no other."""
        verify_said(self.statement, self.verified.document, self.owner, agreement=parent.agreement)

    def is_done(self) -> bool:
        """Say whether this very package was countersigned before."""
        digest = self.verified.document.package
        return any(seal.package_digest == digest for seal in self.home.vault.seals.all(self.statement.name))

    def verify_name(self, parent: Seal) -> None:
        """Check name, version and id against everything that was sealed here."""
        said, seals = self.statement, self.home.vault.seals.all()
        if any(seal.package_id == said.package_id for seal in seals):
            raise VerificationError("a derived model has the id of another package", code="package-id-taken")
        earlier = [seal for seal in seals if seal.name == said.name]
        if not earlier:
            if said.previous is not None:
                raise _outdated(said, "there is no version before it")
            return
        newest = earlier[-1]
        if said.name != parent.name:
            raise UsageError(
                f"there is a model {said.name} already, and this one derives from {parent.name}",
                code="name-taken",
                hint="ask the partner to derive it under a new name: --name",
            )
        if said.version <= Version.from_text(newest.version):
            raise _outdated(said, f"{newest.version} was sealed before")
        if not said.previous == parent.package_digest == newest.package_digest:
            raise _outdated(said, f"{newest.version} is the newest, and it derives from {parent.version}")

    def sign(self, reader: PackageReader, parent: Seal, agree: Agree | None) -> None:
        """Look at every byte and inside, ask, and only then sign and keep the package."""
        reader.verify_segments()
        key = self._content_key()
        package = reader.unlock(key)
        verify_manifest(package)
        verify_derived(package)
        if agree is not None:
            agree(self._proposal(parent, package.contents.loader.name, tuple(package.contents.files)))
            # Somebody may have sealed the next version while a person was thinking.
            self.verify_name(parent)
        said, packages = self.statement, self.home.catalog.packages
        with packages.create(self.owner.id, said.name, str(said.version)) as sink:
            secret = role_key(self.home, Role.PACKAGE, self.now).secret
            written = write_countersigned(reader, sink, signer(secret))
            self._prove(sink.fileno())
            self._keep(key)
            self.home.vault.derivations.add(self.verified.signed.id, self.verified.signed.token)
        path = packages.path(self.owner.id, said.name, str(said.version))
        record_seal(self.home, path, said, written.file_sha256, self.now)

    def result(self, parent: Seal) -> Countersigned:
        """Return what there is now."""
        said = self.statement
        return Countersigned(
            name=said.name,
            version=str(said.version),
            path=self.home.catalog.packages.path(self.owner.id, said.name, str(said.version)),
            package=said.package_digest,
            parent=f"{parent.name} {parent.version}",
            holder=self.verified.chain.holder.name,
            license=self.verified.chain.id,
            derivation=self.verified.signed.id,
        )

    def _proposal(self, parent: Seal, loader: str, files: tuple[FileEntry, ...]) -> Proposal:
        return Proposal(
            name=self.statement.name,
            version=str(self.statement.version),
            parent=f"{parent.name} {parent.version}",
            holder=self.verified.chain.holder.name,
            license=self.verified.chain.id,
            loader=loader,
            files=files,
            package=self.statement.package_digest,
            unchanged=self._unchanged(parent, files),
        )

    def _unchanged(self, parent: Seal, files: tuple[FileEntry, ...]) -> frozenset[str] | None:
        """Compare with the manifest of the parent, whose file an owner need not have kept."""
        try:
            place = self.home.catalog.packages.find(self.owner.id, parent.name, parent.version).path
        except ObjectNotFound:
            return None
        key = self.home.vault.content_keys.load(parent.package_id, self.home.keys.key_provider())
        with LocalSource(place) as source:
            reader = PackageReader.open(
                source, lambda said: self.owner.keys_for(Role.PACKAGE, said.created_at), owner=self.owner.id
            )
            before = {(each.name, each.sha256) for each in reader.unlock(key).contents.files}
        return frozenset(each.name for each in files if (each.name, each.sha256) in before)

    def _content_key(self) -> bytes:
        expected = KeyBinding(
            license=self.verified.chain.id,
            runtime=None,
            package=self.statement.package_digest,
            package_id=self.statement.package_id,
        )
        secret = self.home.keys.ensure_derivation(self.now).secret
        return unwrap_derivation(self.verified.document, secret, expected)

    def _prove(self, fd: int) -> None:
        """Read the package back from the disk, as a partner will."""
        with LocalSource(os.dup(fd)) as copy:
            verify_package(
                copy,
                lambda said: self.owner.keys_for(Role.PACKAGE, said.created_at),
                owner=self.owner.id,
            )

    def _keep(self, key: bytes) -> None:
        keys, provider = self.home.vault.content_keys, self.home.keys.key_provider()
        try:
            keys.save(self.statement.package_id, key, provider)
        except UsageError as error:
            # Left by a run that was killed before the package had its name.
            if error.code != "key-exists" or keys.load(self.statement.package_id, provider) != key:
                raise


def _outdated(said: Statement, why: str) -> UsageError:
    return UsageError(
        f"{said.name} {said.version} is not the next version: {why}",
        code="derivation-outdated",
        hint="ask the partner to derive it from the newest version, or under a new name: --name",
    )
