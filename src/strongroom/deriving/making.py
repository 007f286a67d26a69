"""Deriving at the partner: from a changed model to a ``.derived`` file for the owner.

    derived = derive(home, "risk-tuned.onnx", parent="risk", output=None, now=now)

The model goes through the same intake as with ``seal``: it is read, never run, but for a sample.
It is encrypted under a fresh key, which only the owner can unwrap, and the organization key of this
party signs what it is and what it derives from. The file has its name only when it was read back.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from strongroom._encoding import to_base64
from strongroom.crypto import segment
from strongroom.errors import Error, FormatError, UsageError
from strongroom.home import files
from strongroom.home.catalog import Candidate
from strongroom.home.home import Home
from strongroom.intake.folder import Left
from strongroom.intake.material import Source, SourceFile
from strongroom.intake.reference import Difference, compare
from strongroom.intake.source import read_source
from strongroom.keys.owner import Owner, Role, verify_consistent
from strongroom.license.announced import read_kept
from strongroom.license.chain import LicenseChain, verify_acceptance
from strongroom.license.derivation import DerivationRecord, Parent, decide_modify, derivations_of
from strongroom.license.documents import Derivation
from strongroom.license.fields import new_serial
from strongroom.license.key_binding import KeyBinding, wrap_for_owner
from strongroom.license.license_file import LicenseFile, VerifiedLicense, verify_license_file
from strongroom.license.marks import withdrawn
from strongroom.license.signing import sign_document
from strongroom.license.verdict import Denied, raise_denied
from strongroom.package import tail
from strongroom.package.layout import FileKind
from strongroom.package.manifest import verify_manifest
from strongroom.package.names import Version, verify_model_name
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement
from strongroom.package.writer import PackageWriter, Sink, Written
from strongroom.sealing import FIRST_VERSION, Progress, write_source
from strongroom.storage.local import LocalSource
from strongroom.worker.session import load_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A finished derivation file, which nobody can open but the owner."""

    name: str
    version: str
    path: Path
    package: str
    """Package digest that it has once it is countersigned."""
    parent: str
    """Name and version of the package that it derives from."""
    owner: str
    """Name of the owner to whom it goes."""
    license: str
    size: int
    """Bytes of the file."""
    files: tuple[SourceFile, ...] = field(repr=False)
    left: tuple[Left, ...] = field(repr=False)
    """What a folder held and the file does not, with reasons."""
    difference: Difference | None
    """How the sealed copy's answers differ from the model's on the sample; None without one."""


def derive(
    home: Home,
    model: Any,
    *,
    parent: str,
    output: Path | None = None,
    name: str | None = None,
    version: str | None = None,
    sample: Any = None,
    convert: str | None = None,
    license_id: str | None = None,
    now: datetime,
    progress: Progress | None = None,
) -> Derived:
    """Seal a model that was made of a licensed one, for its owner to countersign.

    Args:
        home: The partner's home.
        model: What ``seal`` takes.
        parent: The licensed package that it was made of: a path, or ``[owner/]name[@version]``.
        output: The file; None for ``NAME-VERSION.derived`` in the working directory.
        name: What the model is called; None for the name of the parent.
        version: ``N.N.N``; None for the next minor version, or the first one of a new name.
        sample: Rows of input; proves the round trip.
        convert: ``"onnx"`` to convert an estimator.
        license_id: Which license to use, where several fit.
        now: The time.
        progress: Told how many bytes of how many are sealed.

    Raises:
        ObjectNotFound: no license covers the parent, it is not here, or several fit.
        LicenseDenied: the license gives no right to modify it, or does not say where derived
            models go (``no-derivations``).
        VerificationError: the owner is pending, a signature does not hold, or the sealed copy
            answers the sample otherwise.
        UsageError: a bad name, a version that is not higher, or a file that exists.
        UnsupportedError: the model holds what cannot be sealed, or an extra is missing.
        FormatError: a file is damaged.
        IntegrityError: the parent is not what it was.
        NoMatchingKey: a key is missing, or the pass-phrase is missing or wrong.
        StorageUnavailable: the disk is full or does not answer.
    """
    origin = _find_origin(home, parent, license_id, now)
    chosen = origin.statement.name if name is None else _checked(name)
    number, previous = _choose_version(home, origin, chosen, version)
    path = output or Path(f"{chosen}-{number}.derived")
    source = read_source(model, name=chosen, sample=sample, convert=convert)
    return _Making(home, origin, chosen, number, previous, source, path, now, progress).run()


@dataclass(frozen=True, slots=True)
class _Origin:
    """The package to derive from, and the license that allows it."""

    owner: Owner
    file: LicenseFile
    license: VerifiedLicense
    acceptances: tuple[str, ...]
    statement: Statement

    @property
    def chain(self) -> LicenseChain:
        return self.license.chain


def _find_origin(home: Home, reference: str, license_id: str | None, now: datetime) -> _Origin:
    def fits(candidate: Candidate) -> bool:
        try:
            _verify_origin(home, candidate, now)
        except Error:
            # Why it does not fit is told when it is the one that is used.
            return False
        return True

    return _verify_origin(home, home.catalog.resolve(reference, license_id=license_id, fits=fits), now)


def _verify_origin(home: Home, candidate: Candidate, now: datetime) -> _Origin:
    pinned = home.trust.confirmed(candidate.owner.id)
    file = candidate.license.file
    owner = verify_consistent(pinned, file.owner_chain())
    license = verify_license_file(file, owner)
    own = () if candidate.license.acceptance is None else (candidate.license.acceptance,)
    with LocalSource(candidate.package.path) as source:
        reader = PackageReader.open(
            source, lambda said: owner.keys_for(Role.PACKAGE, said.created_at), owner=owner.id
        )
    origin = _Origin(owner, file, license, (*file.acceptances, *own), reader.statement)
    _verify_right(home, origin, own, now)
    return origin


def _verify_right(home: Home, origin: _Origin, own: tuple[str, ...], now: datetime) -> None:
    accepted = dict(origin.license.accepted)
    for token in own:
        signed = verify_acceptance(token, origin.chain)
        accepted[signed.document.license] = signed.document.agreement
    notices = home.leases.notices(origin.owner.id)
    announced = read_kept(notices.revocations, notices.withdrawals, origin.owner)
    verdict = decide_modify(
        origin.chain,
        _parent(origin.statement),
        accepted=accepted,
        withdrawals=(
            *(withdrawn(each.document) for each in origin.license.withdrawals),
            *announced.withdrawals,
        ),
        revoked=announced.revoked,
        at=now,
    )
    if isinstance(verdict, Denied):
        raise_denied(verdict)
    derivations_of(origin.chain)
    if home.keys.organization().public_text != origin.chain.holder.organization:
        raise UsageError(
            f"the license is held by {origin.chain.holder.name}, whose organization key is not here",
            code="wrong-holder",
        )


def _parent(statement: Statement) -> Parent:
    return Parent(
        owner=statement.owner,
        name=statement.name,
        version=str(statement.version),
        package=statement.package_digest,
    )


def _checked(name: str) -> str:
    try:
        verify_model_name(name)
    except FormatError as error:
        raise UsageError(str(error), code=error.code, hint="for example: risk-north, triage.v2") from error
    return name


def _choose_version(home: Home, origin: _Origin, name: str, wanted: str | None) -> tuple[Version, str | None]:
    """Return the version, and the package digest of the one before."""
    parent = origin.statement
    if name != parent.name:
        return (FIRST_VERSION if wanted is None else Version.from_text(wanted)), None
    newest = home.catalog.packages.find(origin.owner.id, name).version
    if newest > parent.version:
        raise UsageError(
            f"{name} {newest} is here as well, and a new version of {name} derives from the newest",
            code="parent-not-newest",
            hint=f"derive from {name}@{newest}, or under a new name: --name",
        )
    number = parent.version
    chosen = Version(number.major, number.minor + 1, 0) if wanted is None else Version.from_text(wanted)
    if chosen <= number:
        raise UsageError(
            f"version {chosen} of {name} is not higher than {number}, from which it derives",
            code="version-not-higher",
            hint="leave the version out to get the next one",
        )
    return chosen, parent.package_digest


@dataclass(frozen=True, slots=True)
class _Making:
    """One run of ``derive``, after the license has been checked."""

    home: Home
    origin: _Origin
    name: str
    version: Version
    previous: str | None
    source: Source
    path: Path
    now: datetime
    progress: Progress | None

    def run(self) -> Derived:
        key = segment.generate_key()
        with files.atomic_file(self.path, mode=files.PUBLIC_MODE, replace=False) as sink:
            written = self._write(sink, key)
            difference = self._prove(sink.fileno(), written.statement, key)
        parent = self.origin.statement
        return Derived(
            name=self.name,
            version=str(self.version),
            path=self.path,
            package=written.package_digest,
            parent=f"{parent.name} {parent.version}",
            owner=self.origin.owner.name,
            license=self.origin.chain.id,
            size=written.size,
            files=self.source.files,
            left=self.source.left,
            difference=difference,
        )

    def _write(self, sink: Sink, key: bytes) -> Written:
        parent = self.origin.statement
        with PackageWriter(
            sink,
            name=self.name,
            version=self.version,
            owner=self.origin.owner.id,
            created_at=self.now,
            content_key=key,
            previous=self.previous,
            parent=parent.package_digest,
            agreement=parent.agreement,
            kind=FileKind.DERIVED,
        ) as writer:
            bom = write_source(writer, self.source, self.name, self.version, self.progress)
            return writer.finish_derived(
                loader=self.source.loader,
                schema=self.source.schema,
                bom=bom,
                record=lambda statement: self._record(statement, key).to_bytes(),
            )

    def _record(self, statement: Statement, key: bytes) -> DerivationRecord:
        chain, serial = self.origin.chain, new_serial()
        digest = statement.package_digest
        binding = KeyBinding(license=chain.id, runtime=None, package=digest, package_id=statement.package_id)
        document = Derivation(
            owner=statement.owner,
            license=chain.id,
            parent=self.origin.statement.package_digest,
            package=digest,
            package_id=statement.package_id,
            name=statement.name,
            version=str(statement.version),
            serial=serial,
            wrapped_key=wrap_for_owner(key, derivations_of(chain).public, binding, serial=serial),
            issued_at=statement.created_at,
        )
        return DerivationRecord(
            license=self.origin.file.license,
            sublicenses=self.origin.file.sublicenses,
            acceptances=self.origin.acceptances,
            statement=to_base64(statement.to_bytes()),
            derivation=sign_document(document, self.home.keys.organization()).token,
        )

    def _prove(self, fd: int, statement: Statement, key: bytes) -> Difference | None:
        """Read the file back from the disk, as the owner will, and ask it the sample."""
        with LocalSource(os.dup(fd)) as copy:
            record = tail.read_derivation_record(copy)
            reader = PackageReader.open_derived(
                copy, statement.to_bytes(), record, package_digest=statement.package_digest
            )
            package = reader.unlock(key)
            verify_manifest(package)
            if self.source.reference is None:
                return None
            return compare(self.source.reference, load_model(package))
