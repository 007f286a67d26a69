"""Small typed records on disk: one canonical JSON file, one frozen struct.

    class Partner(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True): ...

    write_record(path, partner)
    partner = read_record(path, Partner)

A damaged record is reported by its path, so that people know what to restore.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from strongroom._encoding import from_wire, to_wire
from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.home import files

R = TypeVar("R", bound=msgspec.Struct)


def read_record(path: Path, kind: type[R], *, max_bytes: int = LIMITS.max_json_bytes) -> R:
    """Read a record of the given kind and of at most ``max_bytes``.

    Raises:
        ObjectNotFound: there is no such file.
        FormatError: it is damaged (code ``damaged-record``), or larger (code ``too-large``).
        StorageUnavailable: it cannot be read.
    """
    data = files.read_bytes(path, max_bytes=max_bytes)
    try:
        return from_wire(data, kind, max_bytes=max_bytes)
    except FormatError as error:
        raise FormatError(
            f"{path} is damaged: {error}", code="damaged-record", hint="restore it from a backup"
        ) from error


def write_record(path: Path, record: msgspec.Struct, *, replace: bool = True) -> None:
    """Write a record in one step.

    Raises:
        StorageUnavailable: the disk is full, does not answer, or refuses access.
        UsageError: the file exists and ``replace`` is false (code ``already-exists``).
    """
    files.write_atomic(path, to_wire(record), replace=replace)
