"""Checkpoints: the size and the root of a log, as signed text (C2SP tlog-checkpoint).

    own-aaaaaaaaaaaaaaaaaaaaaaaa/log/2
    3
    zRnnz0w2bwTzrRKbx2LPTzNvmkq9ZmTzLhnDHnVyKPo=
    predecessor 2Dv3nWzqW1xjDXUEAWcKn6JvCiCPVhTeqTqm1cVQk9s=

    checkpoint = verify_checkpoint(note, log_keys)
    checkpoint.size, checkpoint.root, checkpoint.predecessor

The fourth line stands only in a log that was started after a restore: it is the digest of
the last checkpoint that the owner still knew (spec/log.md, "Restoring"). Other lines
after the third are kept and mean nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from strongroom._encoding import from_base64, to_base64
from strongroom.crypto.digest import sha256
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.log.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from strongroom.log.note import Note, Verifier
from strongroom.log.verifier_key import MAX_NAME_BYTES, Algorithm, has_control

_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_PREDECESSOR: Final = "predecessor"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log at one size."""

    origin: str
    """Which log."""
    size: int
    """How many entries it has."""
    root: bytes
    """The root of its tree, 32 bytes."""
    extensions: tuple[str, ...] = ()
    """Further lines, without their line feeds."""

    def __post_init__(self) -> None:
        _check_line(self.origin)
        for line in self.extensions:
            _check_line(line)
        if len(self.origin.encode()) > MAX_NAME_BYTES:
            raise FormatError(f"an origin is longer than {MAX_NAME_BYTES} bytes", code="checkpoint")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_BYTES:
            raise FormatError("a checkpoint has an impossible size, or no root", code="checkpoint")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise FormatError("the root of an empty log is another", code="checkpoint")
        _read_predecessor(self.extensions)

    @classmethod
    def from_bytes(cls, text: bytes) -> Checkpoint:
        """Parse the text of a note.

        Raises:
            FormatError: not exactly the form that ``to_bytes`` writes.
        """
        try:
            lines = text.decode("utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise FormatError("a checkpoint is not UTF-8", code="checkpoint") from error
        if len(lines) < 4 or lines.pop():
            raise FormatError("a checkpoint has not at least three whole lines", code="checkpoint")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise FormatError("the size of a checkpoint is not canonical", code="checkpoint")
        return cls(origin, int(size), from_base64(root), tuple(extensions))

    def to_bytes(self) -> bytes:
        """Return the text of the note, which ends in a line feed."""
        lines = (self.origin, str(self.size), to_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines).encode()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the text: how a later log names this checkpoint."""
        return sha256(self.to_bytes())

    @property
    def predecessor(self) -> bytes | None:
        """The digest of the last known checkpoint of the log before, or None in an owner's first log."""
        return _read_predecessor(self.extensions)


def predecessor_line(checkpoint: Checkpoint) -> str:
    """Return the extension line by which a new log names the last known checkpoint of the old one."""
    return f"{_PREDECESSOR} {to_base64(checkpoint.digest)}"


def verify_checkpoint(note: Note, log_keys: Iterable[Verifier]) -> Checkpoint:
    """Check that a log signed this checkpoint; returns it.

    Raises:
        VerificationError: signed by none of the keys (code ``log-key``), by a key of another
            log (code ``log-origin``), or a signature is wrong.
        UsageError: a key does not sign the whole text, as a log's must.
        FormatError: what is signed is no checkpoint.
    """
    known = list(log_keys)
    # A cosignature by ML-DSA-44 leaves out the lines after the third: whoever carries the
    # note could then name another predecessor.
    if any(each.key.algorithm != Algorithm.ED25519 for each in known):
        raise UsageError("a log signs the whole text of a checkpoint, by an Ed25519 key", code="wrong-kind")
    note.verify(known)
    checkpoint = Checkpoint.from_bytes(note.unverified_text)
    if not any(
        each.name == checkpoint.origin and each.is_by(key) for each in note.signatures for key in known
    ):
        raise VerificationError("a checkpoint is signed by the key of another log", code="log-origin")
    return checkpoint


def _read_predecessor(extensions: tuple[str, ...]) -> bytes | None:
    named = [value for word, _, value in (line.partition(" ") for line in extensions) if word == _PREDECESSOR]
    if not named:
        return None
    digest = from_base64(named[0])
    if len(named) > 1 or len(digest) != HASH_BYTES:
        raise FormatError("a checkpoint does not name one predecessor by its digest", code="checkpoint")
    return digest


def _check_line(line: str) -> None:
    if not line or has_control(line):
        raise FormatError("a checkpoint has an empty line or a control character", code="checkpoint")
