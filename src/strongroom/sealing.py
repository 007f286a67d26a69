"""Sealing: from a model to an encrypted, signed package in the owner's home.

    sealed = seal(pipeline, name="risk", sample=X, home=home, now=now)
    sealed.path                                   # .../risk-1.0.0.sealed, with .sealed.sig beside it
    sealed.difference.is_equal                    # the sealed copy answers as the original does

A fitted scikit-learn estimator or pipeline, an ONNX or skops file, or a folder. The
model is read, never run, but for the sample. The package takes its name only after the
copy was read back and has answered the sample as the original does; until then nothing
is there, and the original is not touched at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strongroom._encoding import to_instant
from strongroom.crypto import segment
from strongroom.errors import FormatError, UsageError
from strongroom.founding import own_owner, role_key
from strongroom.home import files
from strongroom.home.home import Home
from strongroom.home.seals import Seal
from strongroom.intake.bom import make_bom
from strongroom.intake.folder import Left
from strongroom.intake.material import Source, SourceFile
from strongroom.intake.reference import Difference, compare
from strongroom.intake.source import read_source
from strongroom.keys.owner import Owner, Role
from strongroom.package.inspect import verify_package
from strongroom.package.manifest import verify_manifest
from strongroom.package.names import Version, verify_model_name
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement, signer
from strongroom.package.writer import PackageWriter, Sink, Written
from strongroom.provenance.openssf import digest_file, make_bundle
from strongroom.storage.local import LocalSource
from strongroom.worker.session import load_model

FIRST_VERSION = Version(1, 0, 0)
Progress = Callable[[int, int], None]
"""Told how many bytes of how many are sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A finished package in the owner's home."""

    name: str
    version: str
    path: Path
    package_digest: str
    size: int
    """Bytes of the package file."""
    files: tuple[SourceFile, ...] = field(repr=False)
    """What went in."""
    left: tuple[Left, ...] = field(repr=False)
    """What a folder held and the package does not, with reasons."""
    loader: str
    """The library that runs the model."""
    difference: Difference | None
    """How the sealed copy's answers differ from the original's on the sample; None without one."""


def seal(
    model: Any,
    *,
    name: str,
    version: str | None = None,
    sample: Any = None,
    agreement: str | None = None,
    convert: str | None = None,
    loader: str | None = None,
    home: Home | str | os.PathLike[str] | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Sealed:
    """Seal a model into the owner's home.

    Args:
        model: A fitted scikit-learn estimator or pipeline, or the path of an ONNX file, a
            skops file or a folder.
        name: What the model is called in licenses.
        version: ``N.N.N``; None for the next minor version.
        sample: Rows of input, as the model takes them; proves the round trip.
        agreement: Text that partners accept unless a license brings another.
        convert: ``"onnx"`` to convert an estimator.
        loader: ``"python"`` to seal a folder with code of your own, which its ``strongroom.toml`` describes
            and which is never run here.
        home: The owner's home, open or as a path; None for the default one.
        now: The time of sealing; None for the clock's.
        progress: Told how many bytes of how many are sealed.

    Raises:
        UsageError: a bad name, a version that exists or is not higher, an unfitted model,
            a sample that does not fit, or a home that owns no models.
        UnsupportedError: the model holds what cannot be sealed, or an extra is missing.
        FormatError: a model file is damaged.
        VerificationError: the sealed copy answers the sample otherwise (``round-trip``).
        ObjectNotFound: no such file or home.
        NoMatchingKey: a key is missing, or the pass-phrase is missing or wrong.
        StorageUnavailable: the disk is full or does not answer.
    """
    try:
        verify_model_name(name)
    except FormatError as error:
        raise UsageError(
            str(error), code=error.code, hint=error.hint or "for example: risk, fraud-eu, triage.v2"
        ) from error
    if not isinstance(home, Home):
        home = Home.open(None if home is None else Path(home))
    now = datetime.now(UTC) if now is None else now
    owner = own_owner(home)
    adopt_unrecorded(home, owner, name, now)
    chosen, previous = _choose_version(home, name, version)
    source = read_source(model, name=name, sample=sample, convert=convert, loader=loader)
    digest = None if agreement is None else home.vault.seals.save_agreement(agreement)
    return _Sealing(home, owner, name, source, chosen, previous, digest, now, progress).run()


def _choose_version(home: Home, name: str, wanted: str | None) -> tuple[Version, Seal | None]:
    earlier = home.vault.seals.all(name)
    last = earlier[-1] if earlier else None
    if last is None:
        return (FIRST_VERSION if wanted is None else Version.from_text(wanted)), None
    newest = Version.from_text(last.version)
    chosen = Version(newest.major, newest.minor + 1, 0) if wanted is None else Version.from_text(wanted)
    if chosen <= newest:
        # A runtime that has seen a version refuses lower ones, so this one would open nowhere.
        raise UsageError(
            f"version {chosen} of {name} is not higher than {newest}, which was sealed before",
            code="version-exists" if chosen == newest else "version-not-higher",
            hint="leave the version out to get the next one",
        )
    return chosen, last


@dataclass(frozen=True, slots=True)
class _Sealing:
    """One run of ``seal``, after the arguments have been checked."""

    home: Home
    owner: Owner
    name: str
    source: Source
    version: Version
    previous: Seal | None
    agreement: str | None
    now: datetime
    progress: Progress | None

    def run(self) -> Sealed:
        key = segment.generate_key()
        name, version = self.name, str(self.version)
        packages = self.home.catalog.packages
        with packages.create(self.owner.id, name, version) as sink:
            written = self._write(sink, key)
            difference = self._prove(sink.fileno(), key)
            # Before the package takes its name: a package without its key would be lost,
            # a key without its package is only a small file too many.
            self.home.vault.content_keys.save(
                written.statement.package_id, key, self.home.keys.key_provider()
            )
        path = packages.path(self.owner.id, name, version)
        record_seal(self.home, path, written.statement, written.file_sha256, self.now)
        return Sealed(
            name=name,
            version=version,
            path=path,
            package_digest=written.package_digest,
            size=written.size,
            files=self.source.files,
            left=self.source.left,
            loader=self.source.loader.name,
            difference=difference,
        )

    def _write(self, sink: Sink, key: bytes) -> Written:
        with PackageWriter(
            sink,
            name=self.name,
            version=self.version,
            owner=self.owner.id,
            created_at=self.now,
            content_key=key,
            previous=None if self.previous is None else self.previous.package_digest,
            agreement=self.agreement,
        ) as writer:
            bom = write_source(writer, self.source, self.name, self.version, self.progress)
            return writer.finish(
                loader=self.source.loader,
                schema=self.source.schema,
                bom=bom,
                sign=signer(role_key(self.home, Role.PACKAGE, self.now).secret),
            )

    def _prove(self, fd: int, key: bytes) -> Difference | None:
        """Read the copy back from the disk, as a partner will, and ask it the sample."""
        with LocalSource(os.dup(fd)) as copy:
            reader = PackageReader.open(
                copy, lambda said: self.owner.keys_for(Role.PACKAGE, said.created_at), owner=self.owner.id
            )
            package = reader.unlock(key)
            verify_manifest(package)
            if self.source.reference is None:
                return None
            return compare(self.source.reference, load_model(package))


def write_source(
    writer: PackageWriter, source: Source, name: str, version: Version, progress: Progress | None
) -> dict[str, Any]:
    """Write the files of a model; returns the bill of materials.

    Raises:
        UsageError: a file was changed since it was looked at (code ``source-changed``).
        StorageUnavailable: it cannot be read, or the disk is full.
    """
    total = sum(file.size for file in source.files)
    done = 0
    for file in source.files:
        with writer.file(file.name, file.size) as target:
            for chunk in file.chunks():
                target.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    return make_bom(
        name=name,
        version=str(version),
        files=writer.files,
        loader=source.loader,
        schema=source.schema,
        libraries=source.libraries,
    )


def adopt_unrecorded(home: Home, owner: Owner, name: str, now: datetime) -> None:
    """Finish what a sealing left that was killed after its package took its name.

    Raises:
        VerificationError: a package that lies there is not signed by this owner.
        IntegrityError: it is not as it was signed.
        NoMatchingKey: the package key is not here, or the pass-phrase is missing or wrong.
        FormatError: a file is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    recorded = {seal.version for seal in home.vault.seals.all(name)}
    for stored in home.catalog.packages.all(owner.id):
        if stored.name != name or str(stored.version) in recorded:
            continue
        with LocalSource(stored.path) as source:
            statement = verify_package(
                source, lambda said: owner.keys_for(Role.PACKAGE, said.created_at), owner=owner.id
            )
            record_seal(home, stored.path, statement, digest_file(source), now)


def record_seal(home: Home, path: Path, statement: Statement, file_sha256: str, now: datetime) -> None:
    """Put the bundle beside a new package, and note it in the ledger.

    Raises:
        UsageError: this version was sealed before (code ``version-exists``).
        NoMatchingKey: the package key is not here, or the pass-phrase is missing or wrong.
        StorageUnavailable: a file cannot be written.
    """
    secret = role_key(home, Role.PACKAGE, now).secret
    bundle = make_bundle(path.name, file_sha256, secret)
    files.write_atomic(path.with_name(f"{path.name}.sig"), bundle)
    home.vault.seals.record(
        Seal(
            name=statement.name,
            version=str(statement.version),
            package_id=statement.package_id,
            package_digest=statement.package_digest,
            file_sha256=file_sha256,
            agreement=statement.agreement,
            sealed_at=to_instant(statement.created_at),
        )
    )
