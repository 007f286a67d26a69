"""The partner's side: whoever keeps one checkpoint notices when a log is rewritten.

    last = advance(last, note, hashes, log_keys)        # keep it before anything else follows from it
    last, note = cosign(last, note, hashes, log_keys, cosigner)

A witness keeps, for each log, the last checkpoint that it accepted. It accepts another
one only with the proof that nothing was changed or dropped in between. What is wrong is
told apart by code, because people must do different things about it:

* ``log-key``: no key of the owner's log signed this. Somebody else wrote it.
* ``log-origin``: a checkpoint of another log.
* ``log-fork``: the owner signed two different logs of one size. Both notes together prove it.
* ``log-rollback``: older than what was seen. A replay, or a log that lost entries.
* ``log-rewritten``: larger, without proof that it continues what was seen.

What a witness alone cannot see: acts that were never logged, and another log shown to
somebody else (spec/log.md, "Security").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from strongroom.errors import IntegrityError, VerificationError
from strongroom.log.checkpoint import Checkpoint, verify_checkpoint
from strongroom.log.merkle import verify_consistency
from strongroom.log.note import Note, Signer, Verifier, sign_line
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin

_KEEP = "Keep the checkpoint that you have and the one that was offered: together they show what happened."


def advance(
    last: Checkpoint | None, offered: Note, proof: Sequence[bytes], log_keys: Iterable[Verifier]
) -> Checkpoint:
    """Check that a log only grew since ``last``; returns the new checkpoint, which the caller keeps.

    Args:
        last: The last checkpoint accepted, or None at the first meeting, which is trusted.
        offered: The note that the log offers.
        proof: The hashes that show how it continues ``last``; none if there is no ``last``.
        log_keys: The keys that may sign for this log now, from the owner document.

    Raises:
        VerificationError: codes ``log-key``, ``log-origin``, ``log-fork``, ``log-rollback``,
            ``log-rewritten``, ``log-offer-size``; or ``signature``.
        FormatError: what is signed is no checkpoint.
    """
    checkpoint = verify_checkpoint(offered, log_keys)
    if last is None:
        if proof:
            raise VerificationError(
                "a first checkpoint comes with a proof from nowhere", code="log-offer-size"
            )
        return checkpoint
    if checkpoint.origin != last.origin:
        raise VerificationError(
            "a checkpoint of another log was offered",
            code="log-origin",
            hint="After a restore the owner starts a new log; it must show how that follows the old one.",
        )
    if checkpoint.size < last.size:
        raise VerificationError(
            f"a log of {checkpoint.size} entries was offered, and {last.size} were seen before",
            code="log-rollback",
            hint=_KEEP,
        )
    _verify_continues(last, checkpoint, proof)
    return checkpoint


def advance_offer(last: Checkpoint | None, offer: Offer, log_keys: Iterable[Verifier]) -> Checkpoint:
    """As ``advance``, with an offer that says where its proof starts.

    Raises:
        VerificationError: as ``advance``, or the proof starts from another size than that
            of ``last`` (code ``log-offer-size``), which accuses nobody: ask again.
        FormatError: what is signed is no checkpoint.
    """
    size = 0 if last is None else last.size
    if offer.old_size != size:
        raise VerificationError(
            f"a log offers proof from {offer.old_size} entries on, needed is {size}", code="log-offer-size"
        )
    return advance(last, offer.note, offer.hashes, log_keys)


def verify_consistent(
    last: Checkpoint, offered: Note, proof: Sequence[bytes], log_keys: Iterable[Verifier]
) -> Checkpoint:
    """Check that a checkpoint, older or newer, is of the log that ``last`` is of; returns the larger one.

    For answers that arrive out of order: an older checkpoint is in order if ``last`` continues it.

    Raises:
        VerificationError: as ``advance``, but for ``log-rollback``.
        FormatError: what is signed is no checkpoint.
    """
    log_keys = list(log_keys)
    checkpoint = verify_checkpoint(offered, log_keys)
    if checkpoint.origin == last.origin and checkpoint.size < last.size:
        _verify_continues(checkpoint, last, proof)
        return last
    return advance(last, offered, proof, log_keys)


def cosign(
    last: Checkpoint | None,
    offered: Note,
    proof: Sequence[bytes],
    log_keys: Iterable[Verifier],
    cosigner: Signer,
) -> tuple[Checkpoint, Note]:
    """Advance, then cosign; returns the new checkpoint and the note with one more signature.

    The caller must have stored the checkpoint before the note leaves: a witness that
    forgets what it cosigned can be made to cosign a fork.

    Raises:
        VerificationError: as ``advance``; nothing was signed.
        FormatError: what is signed is no checkpoint.
    """
    checkpoint = advance(last, offered, proof, log_keys)
    line = sign_line(offered.unverified_text, cosigner)
    return checkpoint, offered.with_signature(line)


def succeed(
    last: Checkpoint,
    predecessor: Note,
    proof: Sequence[bytes],
    offered: Note,
    *,
    old_keys: Iterable[Verifier],
    new_keys: Iterable[Verifier],
    accept_lost_entries: int = 0,
) -> Checkpoint:
    """Go over to the log that an owner started after a restore; returns its checkpoint.

    The new log names the last checkpoint of the old one that the owner still knew. If that
    is not older than ``last``, the proof shows that nothing that was seen is gone. If it is
    older, what was logged between the two is lost, and nothing can be proved about it: that
    is refused unless the caller accepts as many lost entries.

    Args:
        last: The last checkpoint accepted of the old log.
        predecessor: The note of the old log that the new one names.
        proof: The hashes that show how ``predecessor`` continues ``last``; none if it is older.
        offered: The note of the new log.
        old_keys: The keys that may have signed for the old log.
        new_keys: The keys that may sign for the new log now.
        accept_lost_entries: How many entries that were seen may be gone.

    Raises:
        VerificationError: codes ``log-key``, ``log-origin``, ``log-fork``, ``log-rewritten``,
            ``log-rollback``; or ``signature``.
        FormatError: what is signed is no checkpoint, or ``last`` is of no owner's log.
    """
    known = verify_checkpoint(predecessor, old_keys)
    checkpoint = verify_checkpoint(offered, new_keys)
    following = Origin.from_text(last.origin).following.to_text()
    if (known.origin, checkpoint.origin, checkpoint.predecessor) != (last.origin, following, known.digest):
        raise VerificationError(
            "a new log does not name its place after the one that was seen", code="log-origin", hint=_KEEP
        )
    if known.size >= last.size:
        _verify_continues(last, known, proof)
    elif last.size - known.size > accept_lost_entries:
        lost = last.size - known.size
        raise VerificationError(
            f"the owner restored a log of {known.size} entries; {lost} that were seen are gone",
            code="log-rollback",
            hint="Ask the owner what was lost; your own records of it, with their proofs, stay valid. If the "
            f"answer is good: strongroom log verify --accept-lost-entries {lost}",
        )
    return checkpoint


def _verify_continues(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    if new.size == old.size and new.root != old.root:
        raise VerificationError(
            f"there are two different logs of {old.size} entries, both signed", code="log-fork", hint=_KEEP
        )
    try:
        verify_consistency(old.size, old.root, new.size, new.root, proof=proof)
    except IntegrityError as error:
        raise VerificationError(
            f"a log of {new.size} entries does not prove that it continues the one of {old.size}",
            code="log-rewritten",
            hint=f"Ask once more. If it stays so, the log was rewritten. {_KEEP}",
        ) from error
    if new.predecessor != old.predecessor:
        raise VerificationError(
            "a log changed its mind about which log it follows", code="log-rewritten", hint=_KEEP
        )
