"""What intake hands to sealing: the files of the package to be, and all that is known of the model.

    for file in source.files:
        for chunk in file.chunks():
            ...

Bytes that were checked in memory are handed over from memory. Files that stay on
the disk are read again, and refused if they are no longer what was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from strongroom.intake.folder import CHUNK_BYTES, Left, LocalFile
from strongroom.intake.reference import Reference
from strongroom.package.contents import Loader, Schema


class Part(StrEnum):
    """What a file is to the model."""

    MODEL = "model"
    WEIGHTS = "weights"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of the package to be."""

    name: str
    size: int
    part: Part
    chunks: Callable[[], Iterator[bytes]]
    """Yields the content in pieces of at most 1 MiB; may be called again."""


@dataclass(frozen=True, slots=True)
class Extras:
    """What stands beside the model in a folder."""

    files: tuple[SourceFile, ...] = ()
    left: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Everything that sealing needs to know of a model."""

    files: tuple[SourceFile, ...]
    """Sorted by name, as the package wants them."""
    loader: Loader
    schema: Schema
    left: tuple[Left, ...]
    """What a folder holds and the package will not, with reasons."""
    libraries: Mapping[str, str]
    """Name and version of what the model was made with, for the bill of materials."""
    reference: Reference | None
    """The original's answers on the sample; None without a sample."""
    is_converted: bool
    """Whether the model was converted, so that its answers may differ a little."""


def in_memory(name: str, data: bytes, part: Part = Part.MODEL) -> SourceFile:
    """Return a file whose bytes are at hand."""

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]

    return SourceFile(name, len(data), part, chunks)


def on_disk(name: str, file: LocalFile, part: Part) -> SourceFile:
    """Return a file that is read when it is sealed."""
    return SourceFile(name, file.size, part, file.chunks)
