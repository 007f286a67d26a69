"""Packages: what the public statement at the end of a ``.sealed`` file says."""

from __future__ import annotations

from pathlib import Path

from strongroom.cli._code import CODE_LABEL, CODE_NOTE
from strongroom.cli.inspect.explanation import Explanation
from strongroom.package.inspect import inspect
from strongroom.package.layout import HEADER_START
from strongroom.storage.local import LocalSource


def is_package(file: Path) -> bool:
    """Tell whether a file begins as a package does.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return stream.read(len(HEADER_START)) == HEADER_START


def explain(file: Path) -> Explanation:
    """Explain a package.

    Raises:
        FormatError: it is damaged.
        StorageError: it cannot be read.
    """
    with LocalSource(file) as source:
        found = inspect(source)
    said = found.unverified
    previous = said.previous or "none: it is the first version"
    return Explanation(
        kind="package",
        title="a sealed model",
        lines=(
            ("model", f"{said.name}, version {said.version}"),
            ("owner", said.owner),
            ("sealed", f"{said.created_at:%Y-%m-%d %H:%M} UTC"),
            ("size", f"{found.file_bytes:,} bytes, of which {said.payload_bytes:,} are the encrypted model"),
            ("digest", f"{said.package_digest} (what a license names)"),
            ("previous", previous),
            ("derives from", said.parent or "nothing: its owner sealed it"),
            ("agreement", said.agreement or "none of its own; a license may bring one"),
            ("signed by", f"key {found.unverified_signer}"),
            *(((CODE_LABEL, CODE_NOTE),) if said.carries_code else ()),
            ("inside", "encrypted; without a license nobody sees more than this"),
        ),
        document={
            "name": said.name,
            "version": str(said.version),
            "owner": said.owner,
            "created_at": said.created_at.isoformat(),
            "file_bytes": found.file_bytes,
            "payload_bytes": said.payload_bytes,
            "package_id": said.package_id,
            "package_digest": said.package_digest,
            "previous": said.previous,
            "parent": said.parent,
            "agreement": said.agreement,
            "carries_code": said.carries_code,
            "signer": found.unverified_signer,
        },
    )
