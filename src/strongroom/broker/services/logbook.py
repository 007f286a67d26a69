"""The log, as it is read: static files for everybody, records for those whom they concern.

    logbook.checkpoint()                                 # the newest, a signed note
    logbook.tile("0/x001/067"), logbook.tile("entries/000.p/3")
    logbook.offer(old_size=812)
    logbook.records(principal, after=None, limit=100)
    logbook.cosign(principal, body)                      # a witness hands in its signature
    logbook.erase(principal, index)                      # the owner forgets what an entry stood for

A partner is given the records that name its organization, one of its runtimes or one of its licenses;
the owner all of them. The files are those of C2SP tlog-tiles: their content never changes,
and a partial tile can be had as long as the log stands.
"""

from __future__ import annotations

from typing import Final

from strongroom._limits import LIMITS
from strongroom.broker.growth import checkpoint_of
from strongroom.broker.keys import BrokerKeys
from strongroom.broker.ledger import Act, Ledger
from strongroom.broker.principal import Principal
from strongroom.broker.proving import Prover
from strongroom.broker.repository import Reading
from strongroom.broker.services.ownership import each_license_of, verify_owner
from strongroom.broker.settings import Settings
from strongroom.errors import FormatError, ObjectNotFound, VerificationError
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosigned import Cosigned, witness_name
from strongroom.log.note import Note, NoteSignature
from strongroom.log.origin import Origin
from strongroom.log.tile import TILE_WIDTH, Bundle, Tile, bundle_to_bytes, from_path, tile_width
from strongroom.log.tree import Tree
from strongroom.log.verifiers import verifiers_for_log
from strongroom.protocol.broker import Done, RecordAnswer, RecordPage

_PREFIX: Final = "tile/"


class Logbook:
    """What can be asked about the log."""

    __slots__ = ("_keys", "_ledger", "_settings")

    def __init__(self, ledger: Ledger, keys: BrokerKeys, settings: Settings) -> None:
        self._ledger = ledger
        self._keys = keys
        self._settings = settings

    def checkpoint(self) -> bytes:
        """Return the newest checkpoint, signed by the log. Cosignatures are not shown: they tell who looks.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        return self._ledger.newest(lambda kept: kept.head().checkpoint.encode())

    def cosigned(self, principal: Principal) -> bytes:
        """Return the newest checkpoint that witnesses cosigned, for the owner to show.

        Raises:
            BrokerRefused: not a member of the owner (code ``not-permitted``).
            ObjectNotFound: nobody has cosigned one (code ``not-found``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)
        with self._ledger.view() as kept:
            notes = kept.cosignatures()
        if not notes:
            raise ObjectNotFound("nobody has cosigned a checkpoint of this log", code="not-found")
        return notes[0].encode()

    def tile(self, path: str) -> bytes:
        """Return a tile or a bundle of entries by its path below ``tile/``.

        Raises:
            ObjectNotFound: no such path, or the log does not reach so far (code ``not-found``).
            StorageUnavailable: the database does not answer.
        """
        try:
            place = from_path(_PREFIX + path)
        except FormatError as error:
            raise _no_file() from error
        with self._ledger.view() as kept:
            level = place.level if isinstance(place, Tile) else 0
            if tile_width(level, place.number, kept.head().size) < place.width:
                raise _no_file()
            return _read_bundle(kept, place) if isinstance(place, Bundle) else kept.read_tile(place)

    def offer(self, old_size: int, number: int | None = None) -> bytes:
        """Return the newest checkpoint, with the proof that it continues the log of ``old_size`` entries.

        Args:
            old_size: How many entries the reader has seen; 0 if none.
            number: Of which log; None for the one that goes on.

        Raises:
            ObjectNotFound: there was no such log (code ``not-found``).
            IntegrityError: the database is damaged.
            StorageUnavailable: the database does not answer.
        """
        return self._ledger.offer(old_size, number)

    def records(self, principal: Principal, *, after: int | None = None, limit: int) -> RecordPage:
        """List the records that concern somebody, each with its proof, in the order of the log.

        Raises:
            UsageError: a page of less than one (code ``page-limit``).
            IntegrityError: the database is damaged.
            StorageUnavailable: the database does not answer.
        """
        count = self._settings.page(limit)

        def make(kept: Reading) -> RecordPage:
            subjects = None if principal.is_owner else _subjects_of(kept, principal.organization)
            rows = kept.entries_about(subjects, after=-1 if after is None else after, limit=count + 1)
            prover = Prover(kept, kept.head())
            return RecordPage(
                records=tuple(
                    RecordAnswer(index=row.index, proof=prover.prove(row).decode())
                    for row in rows[:count]
                    # What was erased has nothing to show.
                    if row.disclosure is not None
                ),
                next=str(rows[count - 1].index) if len(rows) > count else None,
            )

        return self._ledger.newest(make)

    def cosign(self, principal: Principal, body: bytes) -> bytes:
        """Take in a cosigned checkpoint; returns it with the signatures of the log and of the sender.

        Of each witness the newest cosignature is kept, of the largest log that any of them cosigned.

        Raises:
            FormatError: not a cosigned checkpoint.
            VerificationError: not a checkpoint of this log, or not cosigned by the sender (codes
                ``log-key``, ``log-origin``, ``log-cosigned``, ``signature``, ``log-fork``).
            StorageUnavailable: the database does not answer.
        """
        message = Cosigned.from_bytes(body)
        with self._ledger.view() as kept:
            origin = Origin.from_text(kept.head().origin)
            now = self._ledger.now(kept)
        log_keys = verifiers_for_log(origin, self._keys.owner().log_keys())
        checkpoint, signature = message.verify(witness_name(principal.organization), log_keys, now)
        # Lines by others are dropped: anybody can have added them.
        offered = Note(message.note.unverified_text, message.note.verified_signatures(log_keys))

        def keep(act: Act) -> None:
            _verify_ours(act.kept, checkpoint)
            note = _merged(act.kept, offered, signature)
            if note is not None:
                act.kept.set_cosignature(checkpoint.size, note.to_bytes().decode())

        self._ledger.act(keep)
        return offered.with_signature(signature).to_bytes()

    def erase(self, principal: Principal, index: int) -> Done:
        """Forget what an entry of the log stood for: its record and salt. The entry stays.

        Whoever was given the record before still has it.

        Raises:
            BrokerRefused: not a member of the owner (code ``not-permitted``).
            ObjectNotFound: there is no such entry (code ``not-found``).
            StorageUnavailable: the database does not answer.
        """
        verify_owner(principal)

        def forget(act: Act) -> None:
            if not 0 <= index < act.kept.head().size:
                raise ObjectNotFound("the log has no entry of that index", code="not-found")
            act.kept.erase_disclosure(index)

        self._ledger.act(forget)
        return Done(entry=index)


def _subjects_of(kept: Reading, organization: str) -> list[str]:
    runtimes = [row.runtime for row in kept.runtimes_of(organization)]
    return [organization, *runtimes, *(row.license for row in each_license_of(kept, organization))]


def _read_bundle(kept: Reading, bundle: Bundle) -> bytes:
    rows = kept.entries(bundle.number * TILE_WIDTH, bundle.width)
    return bundle_to_bytes([row.entry for row in rows])


def _verify_ours(kept: Reading, checkpoint: Checkpoint) -> None:
    """Check a checkpoint against the tree itself: a stolen key signs another log."""
    head = kept.head()
    newest = checkpoint_of(head)
    ours = checkpoint.size <= newest.size and (
        Tree(kept, size=newest.size, root=newest.root).root_at(checkpoint.size) == checkpoint.root
    )
    if not ours or checkpoint.extensions != newest.extensions:
        raise VerificationError(
            "a checkpoint is signed by the log's key and is not of this log",
            code="log-fork",
            hint="keep it: it shows that the log key signed another log",
        )


def _merged(kept: Reading, offered: Note, signature: NoteSignature) -> Note | None:
    """Return the note to keep, with one signature of each witness; None if a larger one is kept."""
    note = offered
    for known in map(Note.from_bytes, map(str.encode, kept.cosignatures())):
        if known.unverified_text == offered.unverified_text:
            note = known
        elif _size(known) > _size(offered):
            return None
    note = note.without(signature.name).with_signature(signature)
    own = len(offered.signatures)
    while len(note.to_bytes()) > LIMITS.max_note_bytes:
        # The oldest goes.
        note = Note(note.unverified_text, (*note.signatures[:own], *note.signatures[own + 1 :]))
    return note


def _size(note: Note) -> int:
    return Checkpoint.from_bytes(note.unverified_text).size


def _no_file() -> ObjectNotFound:
    return ObjectNotFound("the log has no such file", code="not-found")
