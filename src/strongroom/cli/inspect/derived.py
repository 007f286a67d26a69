"""Derivation files: what a partner says that it hands in."""

from __future__ import annotations

from pathlib import Path

from strongroom._encoding import from_base64, to_instant
from strongroom.cli.inspect.explanation import Explanation
from strongroom.license.derivation import DerivationRecord
from strongroom.license.documents import Derivation, License
from strongroom.license.signing import read_unverified
from strongroom.package.layout import DERIVED_START
from strongroom.package.statement import Statement
from strongroom.package.tail import read_derivation_record
from strongroom.storage.local import LocalSource


def is_derived(file: Path) -> bool:
    """Tell whether a file begins as a derivation file does.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as stream:
        return stream.read(len(DERIVED_START)) == DERIVED_START


def explain(file: Path) -> Explanation:
    """Explain a derivation file.

    Raises:
        FormatError: it is damaged.
        StorageError: it cannot be read.
    """
    with LocalSource(file) as source:
        record = DerivationRecord.from_bytes(read_derivation_record(source))
        size = source.size()
    said = Statement.from_bytes(from_base64(record.statement))
    signed = read_unverified(record.derivation, Derivation)
    partner = read_unverified(record.license, License).partner.name
    return Explanation(
        kind="derivation",
        title="a derived model that its owner has not countersigned",
        lines=(
            ("model", f"{said.name}, version {said.version}"),
            ("owner", said.owner),
            ("derives from", signed.parent),
            ("made", f"{said.created_at:%Y-%m-%d %H:%M} UTC"),
            ("license", f"{signed.license}, of {partner}"),
            ("size", f"{size:,} bytes, of which {said.payload_bytes:,} are the encrypted model"),
            ("digest", f"{signed.package} (what a license names once it is countersigned)"),
            ("inside", "encrypted; only the owner can read it"),
        ),
        document={
            "name": said.name,
            "version": str(said.version),
            "owner": said.owner,
            "parent": signed.parent,
            "derivation": signed.id,
            "license": signed.license,
            "partner": partner,
            "issued_at": to_instant(signed.issued_at),
            "file_bytes": size,
            "package_digest": signed.package,
        },
    )
