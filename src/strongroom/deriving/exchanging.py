"""Over a broker: a derived model is announced to its owner, and the owner's signature comes back.

    ask = announce(path)                                  # at the partner: what the broker is asked
    post(home, done, now=now)                             # at the owner: the signature into the outbox
    stored = take_in(home, path, signed)                  # at the partner: the package, out of both

The ``.derived`` file itself goes to the owner on any way: the broker sees no model. The owner
signs a statement that the partner has already, so that the package need not travel back either.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strongroom._encoding import from_base64, to_base64, to_hex, to_instant
from strongroom.crypto import dsse
from strongroom.crypto.digest import sha256
from strongroom.deriving.countersigning import Countersigned
from strongroom.errors import VerificationError
from strongroom.home.home import Home
from strongroom.home.outbox import Parcel, ParcelKind
from strongroom.home.packages import StoredPackage
from strongroom.keys.owner import Owner, Role
from strongroom.license.derivation import DerivationRecord
from strongroom.license.documents import Derivation
from strongroom.license.signing import read_unverified
from strongroom.package import statement as statements
from strongroom.package import tail
from strongroom.package.countersigning import write_countersigned
from strongroom.package.inspect import verify_package
from strongroom.package.reader import PackageReader
from strongroom.protocol.derivation import DerivationAsk
from strongroom.storage.local import LocalSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A derivation file, as its owner's broker is told of it."""

    derivation: str
    owner: str
    """Owner id."""
    ask: DerivationAsk


def announce(path: Path) -> Announced:
    """Read what a broker has to know of a derivation file; the broker checks it.

    Raises:
        FormatError: no derivation file, or a damaged one.
        ObjectNotFound: there is no such file.
        StorageUnavailable: it cannot be read.
    """
    with LocalSource(path) as source:
        record = DerivationRecord.from_bytes(tail.read_derivation_record(source))
    document = read_unverified(record.derivation, Derivation)
    ask = DerivationAsk(derivation=record.derivation, statement=record.statement)
    return Announced(derivation=document.id, owner=document.owner, ask=ask)


def post(home: Home, done: Countersigned, *, now: datetime) -> str:
    """Put the owner's signature into the outbox; returns the id of the parcel.

    Raises:
        ObjectNotFound: the package is gone.
        FormatError: it is damaged.
        StorageUnavailable: a file cannot be read or written.
    """
    with LocalSource(done.path) as source:
        statement = tail.read_signed_statement(source)
    home.outbox.add(
        Parcel(
            kind=ParcelKind.COUNTERSIGNATURE,
            id=done.derivation,
            owner=home.vault.verify_owner_id(),
            about=f"{done.name} {done.version}",
            body={"derivation": done.derivation, "statement": to_base64(statement)},
            added_at=to_instant(now),
        )
    )
    return done.derivation


def take_in(home: Home, path: Path, signed: bytes, owner: Owner | None = None) -> StoredPackage:
    """Make the package of a derivation file and the owner's signature; called again, it changes nothing.

    Args:
        home: The partner's home.
        path: The ``.derived`` file, as it was handed in.
        signed: The statement as the owner signed it.
        owner: Its owner, if the caller has looked for a newer version of it; None: as it is pinned.

    Raises:
        FormatError: no derivation file, a damaged one, or no signed statement.
        VerificationError: not signed by this owner (``wrong-signer``), or for another package
            (``wrong-package``).
        IntegrityError: the file is not the one that was signed.
        UsageError: another package has this name and version here (``version-exists``).
        ObjectNotFound: there is no such file, or the owner was never joined.
        StorageUnavailable: the disk is full or does not answer.
    """
    with LocalSource(path) as source:
        data = tail.read_derivation_record(source)
        record = DerivationRecord.from_bytes(data)
        statement = from_base64(record.statement)
        document = read_unverified(record.derivation, Derivation)
        if owner is None:
            owner = home.trust.confirmed(document.owner)
        keys = owner.keys_for(Role.PACKAGE, statements.read_unverified(signed).created_at)
        said = statements.verify_statement(signed, keys, owner=owner.id)
        if said.package_digest != to_hex(sha256(statement)):
            raise VerificationError(
                f"{owner.name} countersigned another package than {path} holds", code="wrong-package"
            )
        packages, version = home.catalog.packages, str(said.version)
        if (place := packages.path(owner.id, said.name, version)).exists() and _is(
            place, said.package_digest
        ):
            return packages.find(owner.id, said.name, version)
        reader = PackageReader.open_derived(source, statement, data, package_digest=said.package_digest)
        with packages.create(owner.id, said.name, version) as sink:
            write_countersigned(reader, sink, lambda _: dsse.Envelope.from_bytes(signed))
            # Read back from the disk: what is in the catalog was checked byte by byte.
            with LocalSource(os.dup(sink.fileno())) as copy:
                verify_package(
                    copy, lambda each: owner.keys_for(Role.PACKAGE, each.created_at), owner=owner.id
                )
    return packages.find(owner.id, said.name, version)


def _is(path: Path, digest: str) -> bool:
    with LocalSource(path) as source:
        return statements.read_unverified(tail.read_signed_statement(source)).package_digest == digest
