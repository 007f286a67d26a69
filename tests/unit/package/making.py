"""Packages for tests: made by the real writer, with keys and ids that are fixed."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.crypto.signature import SigningSecret
from strongroom.package.contents import Field, Loader, Schema
from strongroom.package.layout import SEGMENT_BYTES
from strongroom.package.names import Version
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement, StatementSigner, signer
from strongroom.package.writer import PackageWriter, Sink, Written
from strongroom.storage.memory import MemorySource

OWNER = "own-" + "a" * 24
OTHER_OWNER = "own-" + "b" * 24
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
CONTENT_KEY = hashlib.sha256(b"content key").digest()
PACKAGE_ID = "9272b7abaed1bbf3266bf3a241e7fdff"
OWNER_SECRET = SigningSecret.from_bytes(hashlib.sha256(b"owner").digest())
OTHER_SECRET = SigningSecret.from_bytes(hashlib.sha256(b"other owner").digest())
KEYS = [OWNER_SECRET.public]
SCHEMA = Schema(
    inputs=[Field(name="X", datatype="FP32", shape=[-1, 2])],
    outputs=[Field(name="label", datatype="INT64", shape=[-1])],
    columns=["age", "bmi"],
    classes=[0, 1],
    methods=["predict"],
)
SMALL = {"model.onnx": b"weights of the model"}


def noise(size: int, seed: str = "") -> bytes:
    """Return bytes that look random, the same ones each time."""
    return hashlib.shake_128(f"{seed}{size}".encode()).digest(size)


LARGE = {
    "a.bin": noise(100),
    "empty": b"",
    "weights/one.bin": noise(2 * SEGMENT_BYTES + 5000),
    "weights/two.bin": noise(SEGMENT_BYTES, "two"),
}
"""Four segments of payload: a small file, an empty one, two that cross segments."""


@dataclass(frozen=True, slots=True)
class Made:
    """A package in memory and what the writer said about it."""

    data: bytes
    written: Written

    @property
    def statement(self) -> Statement:
        """Return what was signed."""
        return self.written.statement

    def reader(self) -> PackageReader:
        """Open it as its owner's partner would."""
        return PackageReader.open(MemorySource(self.data), KEYS, owner=OWNER)


def write(
    sink: Sink,
    files: Mapping[str, bytes] = SMALL,
    *,
    content_key: bytes = CONTENT_KEY,
    package_id: str | None = PACKAGE_ID,
    version: str = "1.0.0",
    owner: str = OWNER,
    sign: StatementSigner | None = None,
    chunk_bytes: int = 1 << 18,
    threads: int = 2,
) -> Written:
    """Write a package of these files to a sink."""
    with PackageWriter(
        sink,
        name="risk",
        version=Version.from_text(version),
        owner=owner,
        created_at=NOW,
        content_key=content_key,
        package_id=package_id,
        threads=threads,
    ) as writer:
        for name in sorted(files):
            with writer.file(name, len(files[name])) as file:
                for start in range(0, len(files[name]), chunk_bytes):
                    file.write(files[name][start : start + chunk_bytes])
        return writer.finish(
            loader=Loader(name="onnx", entry=min(files), options={}),
            schema=SCHEMA,
            bom={"bomFormat": "CycloneDX", "specVersion": "1.6"},
            sign=sign or signer(OWNER_SECRET),
        )


def make(files: Mapping[str, bytes] = SMALL, **options: object) -> Made:
    """Write a package of these files to memory; options as for ``write``."""
    sink = io.BytesIO()
    written = write(sink, files, **options)  # type: ignore[arg-type] # options are those of write
    return Made(sink.getvalue(), written)
