"""Reading a package: check, then decrypt into the caller's buffers.

    package = PackageReader.open(source, keys, owner=owner_id)
    package.statement.version
    model = package.unlock(content_key)                 # open_package.py
    weights = model.read("model.onnx")

``open`` needs no secret: it checks the statement's signature, the exact length of the
file and the index (spec/package.md, Reading). A process that was told by a trusted
one which package to expect uses ``open_pinned`` instead and needs no keys at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock

from strongroom.crypto.signature import SigningPublic
from strongroom.errors import VerificationError
from strongroom.package import tail
from strongroom.package.index import Index
from strongroom.package.layout import SegmentKind
from strongroom.package.open_package import OpenPackage
from strongroom.package.segment_reader import SegmentReader
from strongroom.package.statement import Statement, read_unverified, verify_statement
from strongroom.storage.interface import Source

KeyChoice = Callable[[Statement], Sequence[SigningPublic]]
"""Given the unverified statement, return the package keys of the expected owner at that time."""
Progress = Callable[[int], None]
"""Told how many more bytes are done; called by one thread at a time."""


class PackageReader:
    """A package whose statement and index have been checked; nothing is decrypted yet."""

    def __init__(self, source: Source, statement: Statement, index: Index) -> None:
        """Use ``open`` or ``open_pinned``: they do the checking."""
        self.statement = statement
        """What the owner signed."""
        self._segments = SegmentReader(source, index)

    @classmethod
    def open(cls, source: Source, keys: Sequence[SigningPublic] | KeyChoice, *, owner: str) -> PackageReader:
        """Check statement, length and index against the package keys of an owner.

        ``keys`` are that owner's, or a function that picks them once the statement has
        said when it was made.

        Raises:
            FormatError: not a package, or not canonical.
            VerificationError: not signed by one of the keys, or for another owner.
            IntegrityError: the index is not the one that was signed.
            UnsupportedError: the package needs a later version of the format.
            StorageError: the storage does not answer.
        """
        signed = tail.read_signed_statement(source)
        chosen = keys(read_unverified(signed)) if callable(keys) else keys
        statement = verify_statement(signed, chosen, owner=owner)
        return cls(source, statement, tail.read_index(source, statement, signed))

    @classmethod
    def open_pinned(cls, source: Source, *, package_digest: str) -> PackageReader:
        """Check statement, length and index against a digest that somebody trusted gave.

        Raises:
            FormatError: not a package, or not canonical.
            VerificationError: another package than the expected one.
            IntegrityError: the index is not the one that was signed.
            UnsupportedError: the package needs a later version of the format.
            StorageError: the storage does not answer.
        """
        signed = tail.read_signed_statement(source)
        statement = read_unverified(signed)
        if statement.package_digest != package_digest:
            raise VerificationError("this is another package than the expected one", code="wrong-package")
        return cls(source, statement, tail.read_index(source, statement, signed))

    @classmethod
    def open_derived(
        cls, source: Source, statement: bytes, record: bytes, *, package_digest: str
    ) -> PackageReader:
        """Check statement, length and index of a derivation file.

        Args:
            source: The file.
            statement: The statement of the package to be, from its record.
            record: The record, as ``tail.read_derivation_record`` gave it.
            package_digest: What the partner's organization signed.

        Raises:
            FormatError: the statement or the file breaks a rule of the specification.
            VerificationError: another statement than the expected one.
            IntegrityError: the index is not the one that was signed.
            UnsupportedError: the package needs a later version of the format.
            StorageError: the storage does not answer.
        """
        said = Statement.from_bytes(statement)
        if said.package_digest != package_digest:
            raise VerificationError("this is another package than the expected one", code="wrong-package")
        return cls(source, said, tail.read_index(source, said, record))

    @property
    def index(self) -> Index:
        """The digests of all segments, as they were signed."""
        return self._segments.index

    def copy_segments(self, use: Callable[[memoryview], object]) -> None:
        """Hand out every encrypted segment in file order, each after its digest was checked.

        Raises:
            IntegrityError: a segment is not the one that the owner signed.
            StorageError: the storage does not answer.
        """

        def hand_on(_: int, encrypted: memoryview) -> None:
            use(encrypted)

        for kind in SegmentKind:
            count = self._segments.layout.segment_count(kind)
            # One thread: in order, and each segment whole before the next.
            self._segments.for_each(kind, range(count), hand_on, threads=1)

    def verify_segments(self, *, threads: int = 2, progress: Progress | None = None) -> None:
        """Check every encrypted byte against the index; needs no content key.

        Raises:
            IntegrityError: a segment is not the one that the owner signed.
            StorageError: the storage does not answer.
        """
        lock = Lock()

        def use(number: int, encrypted: memoryview) -> None:
            if progress is not None:
                with lock:
                    progress(len(encrypted))

        for kind in SegmentKind:
            count = self._segments.layout.segment_count(kind)
            self._segments.for_each(kind, range(count), use, threads=threads)

    def unlock(self, content_key: bytes, *, threads: int = 2) -> OpenPackage:
        """Decrypt the contents and return what reads the files.

        Raises:
            NoMatchingKey: this is not the content key of the package.
            FormatError: the key has not 32 bytes, or the contents break a rule of the specification.
            IntegrityError: the contents are not what the owner signed.
            StorageError: the storage does not answer.
        """
        return OpenPackage(self._segments, self.statement, content_key, threads=threads)
