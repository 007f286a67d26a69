"""Cosigned checkpoints: what a witness hands to the log, with the key that made the cosignature.

    org-aaaaaaaaaaaaaaaaaaaaaaaa/witness+7d3a8f01+BoN1...

    own-aaaaaaaaaaaaaaaaaaaaaaaa/log/1
    20852163
    ...

    kept = Cosigned.from_bytes(body).verify("org-.../witness", log_keys, now)

The log is told the key each time and believes nobody by it: it keeps what verifies, under a name that
is the sender's own. Whom a reader believes, the reader knows (spec/log.md, "Cosigning").
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom._limits import LIMITS
from strongroom.errors import FormatError, VerificationError
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.cosignature import cosigned_at
from strongroom.log.note import Note, NoteSignature, Verifier
from strongroom.log.proof import join_head, split_head
from strongroom.log.verifier_key import Algorithm, VerifierKey
from strongroom.log.verifiers import verifier_for

_COSIGNS = (Algorithm.ED25519_COSIGNATURE, Algorithm.ML_DSA_44_COSIGNATURE)


def witness_name(organization: str) -> str:
    """Return the name under which a party cosigns."""
    return f"{organization}/witness"


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A parsed message; nothing in it is checked."""

    key: VerifierKey
    note: Note

    @classmethod
    def from_bytes(cls, data: bytes) -> Cosigned:
        """Parse a message.

        Raises:
            FormatError: not exactly the form that ``to_bytes`` writes.
        """
        lines, note = split_head(data)
        if len(lines) != 1:
            raise FormatError("a cosigned checkpoint comes with one verifier key", code="log-cosigned")
        return cls(VerifierKey.from_text(lines[0]), note)

    def to_bytes(self) -> bytes:
        """Return the bytes of the message."""
        return join_head((self.key.to_text(),), (), self.note)

    def verify(
        self, name: str, log_keys: Iterable[Verifier], now: datetime
    ) -> tuple[Checkpoint, NoteSignature]:
        """Check that the log signed the checkpoint and the sender cosigned it; returns both.

        Raises:
            VerificationError: not a key of the sender that cosigns (code ``log-key``), no
                cosignature by it, one from the future (code ``log-cosigned``), or not a checkpoint
                of the log.
            FormatError: what is signed is no checkpoint, or the key is none of its algorithm.
        """
        if self.key.name != name or self.key.algorithm not in _COSIGNS:
            raise VerificationError(f"not a key that cosigns under the name {name}", code="log-key")
        checkpoint = verify_checkpoint(self.note, log_keys)
        found = self.note.verified_signatures([verifier_for(self.key)])
        if len(found) != 1:
            raise VerificationError(
                "a checkpoint does not bear one cosignature by its sender", code="log-cosigned"
            )
        if cosigned_at(found[0]) > now + timedelta(seconds=LIMITS.max_clock_skew_seconds):
            raise VerificationError("a cosignature is from the future", code="log-cosigned")
        return checkpoint, found[0]
