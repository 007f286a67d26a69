"""What this home has seen of the logs of others: the last state of each, and proofs of its own records.

    home.logbook.size(owner_id)                                     # what to ask an offer from
    home.logbook.verify_answer(owner, document=token, proof=proof, offer=offer, now=now)
    home.logbook.follow(owner, source, now)                         # also over a restore
    home.logbook.cosign(owner_id, organization_id, key, now)        # for the owner's broker

Files:

    log/<owner id>.json                     the newest checkpoint that was believed, a signed note
    log/<owner id>.refused                  an offer that showed another history; evidence
    log/<owner id>/<log>-<index>.tlog-proof     proofs of records that concern this home

A new state is on the disk before anything follows from it. Whoever has one state of a log notices
when it is rewritten, forked or cut off by its owner; the rules are those of ``log.witness``.

All programs of a home share one memory of a log. Whoever has asked while another moved it on asks
again, from where it is now (``log-offer-size``); whoever had to do so once does it in turn.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

from strongroom._encoding import to_hex
from strongroom._limits import LIMITS
from strongroom.crypto.digest import sha256
from strongroom.errors import ObjectNotFound, StorageUnavailable, VerificationError
from strongroom.home import files
from strongroom.home.record import read_record, write_record
from strongroom.keys.owner import Owner
from strongroom.keys.witness_key import WitnessKey
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosignature import MlDsa44Cosigner
from strongroom.log.cosigned import Cosigned, witness_name
from strongroom.log.note import Note, Verifier, sign_line
from strongroom.log.offer import Offer
from strongroom.log.origin import Origin
from strongroom.log.proof import Proof
from strongroom.log.verifiers import verifiers_for_log
from strongroom.log.witness import advance, advance_offer, succeed

_RECORD: Final = ".json"
_LOCK: Final = ".lock"
_TURN: Final = ".turn"
_TURN_SECONDS: Final = 20.0
_TRIES: Final = 10
_WAIT_SECONDS: Final = 0.05
_REFUSED: Final = ".refused"
_PROOF: Final = ".tlog-proof"
_EVIDENCE: Final = frozenset({"log-fork", "log-rewritten", "log-rollback"})
_TOLERANCE: Final = timedelta(seconds=LIMITS.max_clock_skew_seconds)


class LogMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What ``log/<owner id>.json`` holds."""

    format: Literal["log-memory/v1"] = "log-memory/v1"
    note: str
    """The newest checkpoint that was believed."""
    witness: str | None = None
    """Id of the key by which this home cosigned a state that this memory goes on from."""


class OfferSource(Protocol):
    """Where offers come from: a client of the owner's broker."""

    def offer(self, size: int, log: int | None = None, /) -> bytes:
        """Return the newest checkpoint of a log, with the proof that it continues that size."""
        ...


class Advanced(NamedTuple):
    """How far a log was believed before and is believed now."""

    before: Checkpoint | None
    after: Checkpoint


class Logbook:
    """The ``log`` folder of a home."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, owner_id: str) -> Note | None:
        """Return the newest checkpoint that was believed, as a note; None: none was yet.

        Raises:
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        memory = self._memory(owner_id)
        return None if memory is None else Note.from_bytes(memory.note.encode())

    def last(self, owner_id: str) -> Checkpoint | None:
        """Return the newest checkpoint that was believed; None: none was yet.

        Raises:
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        note = self.note(owner_id)
        return None if note is None else Checkpoint.from_bytes(note.unverified_text)

    def size(self, owner_id: str) -> int:
        """Return the size of the newest checkpoint that was believed; 0: none was yet.

        Raises:
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        last = self.last(owner_id)
        return 0 if last is None else last.size

    def verify_answer(
        self, owner: Owner, *, document: str, proof: str, offer: str, now: datetime | None = None
    ) -> None:
        """Check that the log has a document, and continues what was seen of it; remembers what it has.

        Args:
            owner: Whose log it is.
            document: The token of the document that must be logged.
            proof: The tlog-proof of its entry, with the record.
            offer: The same checkpoint, with the proof that it continues the one of ``size``.
            now: The time toward the owner, if it is known: a key that retired before does not count.

        Raises:
            FormatError: there is no proof, no record in it, or no offer.
            VerificationError: the log was rewritten, forked or cut off (codes ``log-rewritten``,
                ``log-fork``, ``log-rollback``), is another (``log-origin``) or not the owner's
                (``log-key``), or has something else than the document (``log-answer``); or another
                process saw more of it meanwhile (``log-offer-size``): ask again.
            IntegrityError: the record is not shown to be in the log.
            StorageUnavailable: the state cannot be kept.
        """
        offered, shown = Offer.from_bytes(offer.encode()), Proof.from_bytes(proof.encode())
        self.advance(owner, offered, now)
        if shown.note.unverified_text != offered.note.unverified_text:
            raise VerificationError(
                "a proof is under another state of the log than the offer", code="log-answer"
            )
        record = shown.verify_record(log_keys(owner, shown.note, now))
        if record.document != to_hex(sha256(document.encode())):
            raise VerificationError(
                "the log has another act in the place of this one",
                code="log-answer",
                hint="the broker did something that it does not want logged; tell its owner",
            )

    def advance(self, owner: Owner, offer: Offer, now: datetime | None = None) -> Advanced:
        """Check that a log only grew since this home last looked, and remember its new state.

        Raises:
            FormatError: what is signed is no checkpoint of an owner's log.
            VerificationError: as ``verify_answer``, but for ``log-answer``.
            StorageUnavailable: the state cannot be kept.
        """
        keys = log_keys(owner, offer.note, now)
        with self._holding(owner.id, offer) as last:
            if last is not None and Checkpoint.from_bytes(offer.note.unverified_text) == last:
                # Another process brought this very state: from wherever it was asked for, there
                # is nothing left to prove.
                checkpoint = advance(last, offer.note, (), keys)
            else:
                checkpoint = advance_offer(last, offer, keys)
            self._keep(owner.id, offer.note)
        return Advanced(last, checkpoint)

    def follow(
        self, owner: Owner, source: OfferSource, now: datetime | None = None, *, accept_lost_entries: int = 0
    ) -> Advanced:
        """Bring the memory of a log up to date; goes over to the logs that followed it after restores.

        Args:
            owner: Whose log it is.
            source: The owner's broker.
            now: The time toward the owner, if it is known.
            accept_lost_entries: How many entries that were seen may be gone after a restore:
                what a person decided after talking to the owner.

        Raises:
            FormatError: what was offered is no offer.
            VerificationError: as ``verify_answer``, but for ``log-answer``.
            StorageUnavailable: the state cannot be kept.
        """
        before = self.last(owner.id)
        tries = 0
        while True:
            last = self.last(owner.id)
            offer = Offer.from_bytes(source.offer(0 if last is None else last.size))
            origin = _origin(offer.note)
            if (
                last is not None
                and origin.owner == owner.id
                and origin.number > Origin.from_text(last.origin).number
            ):
                self._succeed(owner, source, last, origin, now, accept_lost_entries)
                continue
            tries += 1
            try:
                return Advanced(before, self.advance(owner, offer, now).after)
            except VerificationError as error:
                if error.code != "log-offer-size" or tries == _TRIES:
                    raise
            time.sleep(random.uniform(0, tries * _WAIT_SECONDS))  # noqa: S311 - spreads load, guards nothing

    @contextmanager
    def turn(self, owner_id: str) -> Iterator[None]:
        """Ask one after the other, for those whom others of this home have overtaken.

        Whoever waits too long goes on out of turn: the one before may wait for an answer
        that never comes.

        Raises:
            FormatError: not an owner id.
            StorageUnavailable: the file of the lock cannot be made.
        """
        files.make_folder(self._folder)
        with ExitStack() as held:
            try:
                held.enter_context(files.locked(self._path(owner_id, _TURN), timeout_seconds=_TURN_SECONDS))
            except StorageUnavailable as error:
                if error.code != "locked":
                    raise
            yield

    def cosign(self, owner_id: str, organization: str, key: WitnessKey, now: datetime) -> bytes:
        """Cosign the state that was believed last; returns the message for the owner's broker.

        Raises:
            ObjectNotFound: nothing was seen of this log (code ``log-unseen``).
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: the record cannot be read or written.
        """
        files.make_folder(self._folder)
        with files.locked(self._path(owner_id, _LOCK)):
            memory = self._memory(owner_id)
            if memory is None:
                raise ObjectNotFound(
                    "this home has seen nothing of that log yet",
                    code="log-unseen",
                    hint="strongroom log verify",
                )
            write_record(
                self._path(owner_id, _RECORD),
                msgspec.structs.replace(memory, witness=key.public.key_id),
            )
        note = Note.from_bytes(memory.note.encode())
        cosigner = MlDsa44Cosigner(witness_name(organization), key.secret, now)
        signed = note.with_signature(sign_line(note.unverified_text, cosigner))
        return Cosigned(cosigner.key, signed).to_bytes()

    def witness(self, owner_id: str) -> str | None:
        """Return the id of the key that has cosigned what this memory holds; None: none has.

        Raises:
            FormatError: not an owner id, or the record is damaged.
            StorageUnavailable: it cannot be read.
        """
        memory = self._memory(owner_id)
        return None if memory is None else memory.witness

    def keep_proof(self, owner_id: str, proof: Proof) -> None:
        """Keep a verified proof of a record that concerns this home; the first one stays.

        Raises:
            FormatError: not an owner id, or the proof is of no owner's log.
            StorageUnavailable: it cannot be written.
        """
        folder = self._path(owner_id, "")
        path = folder / f"{_origin(proof.note).number}-{proof.index}{_PROOF}"
        if not path.exists():
            files.make_folder(folder)
            files.write_atomic(path, proof.to_bytes())

    def proofs(self, owner_id: str) -> list[bytes]:
        """Return the proofs that were kept, as files that other tools read.

        Raises:
            FormatError: not an owner id.
            StorageUnavailable: the folder cannot be read.
        """
        folder = self._path(owner_id, "")
        names = files.names_in(folder, _PROOF) if folder.exists() else []
        return [files.read_bytes(folder / f"{name}{_PROOF}") for name in sorted(names, key=_place)]

    def _succeed(
        self,
        owner: Owner,
        source: OfferSource,
        last: Checkpoint,
        newest: Origin,
        now: datetime | None,
        accept_lost_entries: int,
    ) -> None:
        """Go over from the log of ``last`` to the one that follows it."""
        old = Origin.from_text(last.origin)
        following = old.following
        try:
            known = Offer.from_bytes(source.offer(last.size, old.number))
            new = Offer.from_bytes(source.offer(0, following.number))
        except ObjectNotFound as error:
            raise VerificationError(
                f"{owner.name} started a new log and does not show the one that was seen before",
                code="log-rewritten",
                hint="Keep the checkpoint that you have, and ask the owner what became of that log.",
            ) from error
        with self._holding(owner.id, new) as current:
            if current != last:
                return
            succeed(
                last,
                known.note,
                known.hashes,
                new.note,
                old_keys=log_keys(owner, known.note),
                new_keys=log_keys(owner, new.note, now if following == newest else None),
                accept_lost_entries=accept_lost_entries,
            )
            self._keep(owner.id, new.note)

    @contextmanager
    def _holding(self, owner_id: str, offer: Offer) -> Iterator[Checkpoint | None]:
        """Hold the memory of a log; what shows another history is kept as evidence."""
        files.make_folder(self._folder)
        with files.locked(self._path(owner_id, _LOCK)):
            try:
                yield self.last(owner_id)
            except VerificationError as error:
                if error.code in _EVIDENCE:
                    files.write_atomic(self._path(owner_id, _REFUSED), offer.to_bytes())
                raise

    def _keep(self, owner_id: str, note: Note) -> None:
        memory = self._memory(owner_id)
        kept = LogMemory(note=note.to_bytes().decode(), witness=None if memory is None else memory.witness)
        if kept != memory:
            write_record(self._path(owner_id, _RECORD), kept)

    def _memory(self, owner_id: str) -> LogMemory | None:
        try:
            return read_record(self._path(owner_id, _RECORD), LogMemory)
        except ObjectNotFound:
            return None

    def _path(self, owner_id: str, suffix: str) -> Path:
        return self._folder / (files.verify_component(owner_id) + suffix)


def log_keys(owner: Owner, note: Note, now: datetime | None = None) -> list[Verifier]:
    """Return what checks a note that says it is of this owner's log.

    Args:
        owner: The owner, in its newest version.
        note: The note.
        now: When it was given, if it is fresh; None for one that was kept.

    Raises:
        FormatError: it is no checkpoint of an owner's log.
        VerificationError: it is of another owner's (code ``log-origin``).
    """
    origin = _origin(note)
    if origin.owner != owner.id:
        raise VerificationError(f"this is the log of another owner than {owner.name}", code="log-origin")
    return verifiers_for_log(origin, owner.log_keys(None if now is None else now - _TOLERANCE))


def _origin(note: Note) -> Origin:
    return Origin.from_text(Checkpoint.from_bytes(note.unverified_text).origin)


def _place(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split("-")))
