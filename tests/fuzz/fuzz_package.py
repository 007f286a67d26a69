"""Fuzz packages and their parts: any bytes are refused in the promised way, or have one spelling.

The signature would stop a fuzzer at the door, so packages are also opened *pinned*,
by whatever digest they claim: what then follows is what a hostile owner can reach.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from strongroom.crypto.dsse import Envelope
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, IntegrityError, NoMatchingKey, UnsupportedError, VerificationError
from strongroom.package import tail
from strongroom.package.contents import Contents
from strongroom.package.inspect import inspect, verify_package
from strongroom.package.manifest import verify_manifest
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement, read_unverified
from strongroom.provenance.openssf import verify_bundle
from strongroom.storage.memory import MemorySource

_VECTORS = Path(__file__).resolve().parent.parent.parent / "spec" / "vectors" / "package"


def _read(name: str) -> tuple[dict[str, str], bytes]:
    head, _, package = (_VECTORS / f"{name}.vector").read_bytes().partition(b"\n\n")
    return dict(line.split(": ", 1) for line in head.decode().splitlines()), package


_GOOD = {path.stem: _read(path.stem) for path in sorted(_VECTORS.glob("success-*.vector"))}
_HEADER, _PACKAGE = _GOOD["success-several-files"]
_KEY = SigningPublic.from_bytes(bytes.fromhex(_HEADER["package-key"]))
_CONTENT_KEY = bytes.fromhex(_HEADER["content-key"])
_OWNER = _HEADER["owner"]
_ALL_GOOD = {package for _, package in _GOOD.values()}


def fuzz(data: bytes) -> None:
    """Take the bytes for a package and for each of its parts."""
    _as_statement(data)
    _as_signed_statement(data)
    _as_contents(data)
    _as_bundle(data)
    _as_package(data)
    _as_hostile_package(data)


def _as_statement(data: bytes) -> None:
    try:
        statement = Statement.from_bytes(data)
    except FormatError:
        return
    assert statement.to_bytes() == data


def _as_signed_statement(data: bytes) -> None:
    try:
        statement = read_unverified(data)
    except FormatError:
        return
    envelope = Envelope.from_bytes(data)
    assert envelope.to_bytes() == data
    assert statement.to_bytes() == envelope.unverified_payload


def _as_contents(data: bytes) -> None:
    try:
        contents = Contents.from_bytes(data)
    except FormatError:
        return
    assert contents.to_bytes() == data
    assert len(contents.offsets()) == len(contents.files)


def _as_bundle(data: bytes) -> None:
    try:
        verify_bundle(data, "00" * 32, [_KEY])
    except (FormatError, VerificationError, IntegrityError):
        return
    raise AssertionError("nobody signed a bundle for this digest")


def _as_package(data: bytes) -> None:
    try:
        verify_package(MemorySource(data), [_KEY], owner=_OWNER, threads=1)
    except (FormatError, VerificationError, IntegrityError):
        return
    assert data in _ALL_GOOD, "a package that the owner did not make verifies"


def _as_hostile_package(data: bytes) -> None:
    source = MemorySource(data)
    try:
        seen = inspect(source)
    except FormatError:
        return
    try:
        reader = PackageReader.open_pinned(source, package_digest=seen.unverified.package_digest)
        reader.verify_segments(threads=1)
        verify_manifest(reader.unlock(_CONTENT_KEY, threads=1))
    except (FormatError, IntegrityError, NoMatchingKey, UnsupportedError):
        return
    assert seen.unverified.layout.file_bytes(len(tail.read_signed_statement(source))) == len(data)


def seeds() -> Iterable[bytes]:
    """Good packages, and the parts of one."""
    yield from _ALL_GOOD
    source = MemorySource(_PACKAGE)
    signed = tail.read_signed_statement(source)
    yield signed
    yield read_unverified(signed).to_bytes()
    reader = PackageReader.open(source, [_KEY], owner=_OWNER)
    yield reader.unlock(_CONTENT_KEY).contents.to_bytes()
