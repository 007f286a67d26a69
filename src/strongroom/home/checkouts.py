"""The offline files that this runtime checked out of a broker, until the broker knows what was used.

    home.checkouts.read(owner_id).files              # tokens, and the report on each
    home.checkouts.change(owner_id, lambda known: replace(known, files=...))

File: ``leases/<owner id>/checkouts.json``, and its lock. The question is on the disk before it
leaves, and a report before it is sent: after a crash or a silence the same is asked and told again,
which the broker takes for the same act. What counts stays here when the owner's next license
file brings no key files along.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from strongroom.errors import ObjectNotFound
from strongroom.home import files
from strongroom.home.record import read_record, write_record

_RECORD: Final = "checkouts.json"
_LOCK: Final = "checkouts.lock"


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A checkout that may have reached the broker, whose file is not here."""

    license: str
    """Id of the narrowest document."""
    package: str
    """Package digest."""
    nonce: str
    """Whoever asks again with it gets the same file."""


class CheckedOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An offline file, and the newest report on it."""

    file: str
    """Its token."""
    report: str | None = None
    """Token of the report."""
    is_final: bool = False
    """Whether the report was made after the end of the file."""
    is_sent: bool = False
    """Whether the broker has it."""


class Checkouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was checked out of the broker of one owner, and is not settled."""

    format: Literal["checkouts/v1"] = "checkouts/v1"
    questions: tuple[Question, ...] = ()
    files: tuple[CheckedOut, ...] = ()


class CheckoutFolder:
    """The checkouts in the ``leases`` folder of a home."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, owner_id: str) -> Checkouts:
        """Return what is not settled; empty if there is nothing.

        Raises:
            FormatError: it is damaged (code ``damaged-record``), or not an owner id.
            StorageUnavailable: it cannot be read.
        """
        try:
            return read_record(self._folder / files.verify_component(owner_id) / _RECORD, Checkouts)
        except ObjectNotFound:
            return Checkouts()

    def change(self, owner_id: str, change: Callable[[Checkouts], Checkouts]) -> Checkouts:
        """Replace what is kept by what ``change`` makes of it, and return that; nobody writes in between.

        Raises:
            FormatError: it is damaged (code ``damaged-record``), or not an owner id.
            StorageUnavailable: it cannot be read or written.
        """
        folder = self._folder / files.verify_component(owner_id)
        # One after the other: only the last that is made at once gets the mode.
        files.make_folder(self._folder)
        files.make_folder(folder)
        with files.locked(folder / _LOCK):
            before = self.read(owner_id)
            after = change(before)
            if after != before:
                write_record(folder / _RECORD, after)
            return after
