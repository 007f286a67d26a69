"""Proof files: one entry is in the log, for whoever asks later, without a network (C2SP tlog-proof).

    c2sp.org/tlog-proof@v1
    extra eyJmb3JtYXQiOiJsb2ctZGlzY2xvc3VyZS92MSIs...
    index 1
    gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
    B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

    own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1
    3
    ...

    record = Proof.from_bytes(data).verify_record(log_keys)

The extra line carries what the log does not: the record and its salt, as a ``Disclosure``.
It is not signed; it proves itself by making the entry whose hash is in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from strongroom._encoding import from_base64, to_base64
from strongroom._limits import LIMITS
from strongroom.errors import FormatError
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Record
from strongroom.log.merkle import HASH_BYTES, MAX_PROOF_HASHES, MAX_SIZE, leaf_hash, verify_inclusion
from strongroom.log.note import Note, Verifier

_TITLE: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Proof:
    """A parsed proof. It proves nothing until ``verify_entry`` or ``verify_record`` returned."""

    extra: bytes | None
    index: int
    hashes: tuple[bytes, ...]
    """From the sibling of the leaf up."""
    note: Note
    """The checkpoint, with its signatures."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Proof:
        """Parse a proof.

        Raises:
            FormatError: not exactly the form that ``to_bytes`` writes.
        """
        lines, note = split_head(data)
        if lines.pop(0) != _TITLE:
            raise FormatError("not a proof of a log: it has another first line", code="log-proof")
        extra = None
        if lines and lines[0].startswith(_EXTRA):
            extra = from_base64(lines.pop(0).removeprefix(_EXTRA))
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if index is None or int(index[1]) > MAX_SIZE:
            raise FormatError("a proof of a log has no canonical index", code="log-proof")
        return cls(extra, int(index[1]), hashes_from_lines(lines), note)

    def to_bytes(self) -> bytes:
        """Return the bytes of the file."""
        extra = () if self.extra is None else (f"{_EXTRA}{to_base64(self.extra)}",)
        return join_head((_TITLE, *extra, f"index {self.index}"), self.hashes, self.note)

    def verify_entry(self, entry: bytes, log_keys: Iterable[Verifier]) -> Checkpoint:
        """Check that an entry is in the log; returns the checkpoint that says so.

        Raises:
            VerificationError: the checkpoint is not signed by a key of that log.
            IntegrityError: code ``log-inclusion``: the entry is not shown to be there.
            FormatError: what is signed is no checkpoint.
        """
        checkpoint = verify_checkpoint(self.note, log_keys)
        verify_inclusion(
            leaf_hash(entry), index=self.index, size=checkpoint.size, proof=self.hashes, root=checkpoint.root
        )
        return checkpoint

    def verify_record(self, log_keys: Iterable[Verifier]) -> Record:
        """Check that the record in the extra line is in the log; returns it.

        Raises:
            FormatError: there is no record, or it breaks a rule of spec/log.md.
            VerificationError: the checkpoint is not signed by a key of that log.
            IntegrityError: code ``log-inclusion``: the record is not shown to be there.
        """
        if self.extra is None:
            raise FormatError("a proof of a log comes without its record", code="log-proof")
        disclosure = Disclosure.from_bytes(self.extra)
        self.verify_entry(disclosure.entry.to_bytes(), log_keys)
        return disclosure.record


def split_head(data: bytes) -> tuple[list[str], Note]:
    """Split a document into the lines before the first empty line, at least one, and the note after it.

    Raises:
        FormatError: no empty line, too long, not ASCII, or no checkpoint after it.
    """
    head, separator, rest = data.partition(b"\n\n")
    if not separator or len(head) > LIMITS.max_proof_head_bytes or not head.isascii():
        raise FormatError("a proof of a log does not end in a checkpoint", code="log-proof")
    note = Note.from_bytes(rest)
    # Its form is checked here: a hash that slipped below the empty line is malformed, not unsigned.
    Checkpoint.from_bytes(note.unverified_text)
    return head.decode("ascii").split("\n"), note


def join_head(lines: Sequence[str], hashes: Sequence[bytes], note: Note) -> bytes:
    """Return what ``split_head`` splits."""
    head = (*lines, *(to_base64(each) for each in hashes))
    return "".join(f"{line}\n" for line in head).encode("ascii") + b"\n" + note.to_bytes()


def hashes_from_lines(lines: Sequence[str]) -> tuple[bytes, ...]:
    """Read the hashes of a proof, one a line.

    Raises:
        FormatError: too many, or one that is no hash.
    """
    if len(lines) > MAX_PROOF_HASHES:
        raise FormatError(f"a proof of a log has more than {MAX_PROOF_HASHES} hashes", code="log-proof")
    hashes = tuple(from_base64(line) for line in lines)
    if any(len(each) != HASH_BYTES for each in hashes):
        raise FormatError("a proof of a log has a line that is no hash", code="log-proof")
    return hashes
