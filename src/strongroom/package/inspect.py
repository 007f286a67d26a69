"""Looking at a package without opening it.

inspect(source).unverified.name                     # needs no key, proves nothing
verify_package(source, keys, owner=owner_id)        # checks every byte, needs no secret
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.crypto.dsse import Envelope
from strongroom.crypto.signature import SigningPublic
from strongroom.package import tail
from strongroom.package.reader import KeyChoice, PackageReader, Progress
from strongroom.package.statement import Statement, read_unverified
from strongroom.storage.interface import Source


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file claims to be. Nobody has checked the signature."""

    unverified: Statement
    unverified_signer: str
    """Id of the key that the file claims to be signed by."""
    file_bytes: int


def inspect(source: Source) -> Inspection:
    """Read the public statement of a package, unchecked.

    Raises:
        FormatError: not a package, or its statement is not canonical.
        StorageError: the storage does not answer.
    """
    signed = tail.read_signed_statement(source)
    key_id, _ = Envelope.from_bytes(signed).signatures[0]
    return Inspection(read_unverified(signed), key_id, source.size())


def verify_package(
    source: Source,
    keys: Sequence[SigningPublic] | KeyChoice,
    *,
    owner: str,
    threads: int = 2,
    progress: Progress | None = None,
) -> Statement:
    """Check every byte of a package against its owner's signature; returns the statement.

    Raises:
        FormatError: not a package, or not canonical.
        VerificationError: not signed by one of the keys, or for another owner.
        IntegrityError: an index or a segment is not the one that was signed.
        UnsupportedError: the package needs a later version of the format.
        StorageError: the storage does not answer.
    """
    package = PackageReader.open(source, keys, owner=owner)
    package.verify_segments(threads=threads, progress=progress)
    return package.statement
