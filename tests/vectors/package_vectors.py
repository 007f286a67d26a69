"""The vectors of ``spec/vectors/package``, as the tests read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom.crypto.signature import SigningPublic
from strongroom.package.open_package import OpenPackage
from strongroom.package.reader import PackageReader
from strongroom.storage.memory import MemorySource

VECTORS = Path(__file__).parent.parent.parent / "spec" / "vectors"
FOLDER = VECTORS / "package"
SUFFIX = ".vector"


@dataclass(frozen=True, slots=True)
class Vector:
    """One vector: a header of ``name: value`` lines, then the bytes of a package."""

    name: str
    header: dict[str, str]
    package: bytes

    @property
    def expect(self) -> str:
        """Return the one outcome."""
        return self.header["expect"]

    @property
    def key(self) -> SigningPublic:
        """Return the expected owner's package key."""
        return SigningPublic.from_bytes(bytes.fromhex(self.header["package-key"]))

    @property
    def content_key(self) -> bytes:
        """Return the content key."""
        return bytes.fromhex(self.header["content-key"])

    def open(self) -> PackageReader:
        """Check everything public."""
        return PackageReader.open(MemorySource(self.package), [self.key], owner=self.header["owner"])

    def unlock(self) -> OpenPackage:
        """Check everything public and decrypt the contents."""
        return self.open().unlock(self.content_key)


def read_vector(name: str) -> Vector:
    """Read the vector of that name."""
    head, _, package = (FOLDER / f"{name}{SUFFIX}").read_bytes().partition(b"\n\n")
    return Vector(name, dict(line.split(": ", 1) for line in head.decode().splitlines()), package)


def names() -> list[str]:
    """Return the names of all vectors, sorted."""
    return sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}"))


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    return (read_vector(name) for name in names())
