"""Witnessing: what a party does with an owner's log to be sure of it.

    logged = verify_logged(answer, owner)               # one record, with its proof
    checked = verify_log(home, client, owner)           # it only grew since this home last looked
    key = cosign(home, client, owner, now=now)          # and this home says so

Whoever keeps the last state of a log notices when it is rewritten, forked or cut off. The rules
are those of spec/log.md; where the state is kept is ``home.logbook``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

from strongroom.connection.pages import follow
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.home.home import Home
from strongroom.home.logbook import log_keys
from strongroom.keys.identity import organization_id
from strongroom.keys.owner import Owner, OwnerChain
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.cosigned import Cosigned
from strongroom.log.entry import Kind, Record
from strongroom.log.merkle import verify_consistency
from strongroom.log.proof import Proof
from strongroom.log.tile import Tile
from strongroom.log.tree import Tree
from strongroom.protocol.broker import OwnerAnswer, RecordAnswer, RecordPage

T = TypeVar("T")
_PAGE: Final = 100
_OWNER_MOVED: Final = frozenset({"owner-outdated", "log-key"})
"""Something is signed under an owner document, or by a log key, that is newer than what is known here."""
_INDEX: Final = re.compile("[0-9]{1,18}")
_ROUTINE: Final = frozenset({Kind.LEASE, Kind.RETURN, Kind.USAGE})
"""Kinds whose proofs are not kept: there may be four an hour, and nobody asks for them later."""


class LogSource(Protocol):
    """Where a log is read: ``connection.broker_client.BrokerClient``."""

    def offer(self, size: int, log: int | None = None, /) -> bytes:
        """Return the newest checkpoint of a log, with the proof that it continues that size."""
        ...

    def records(self, *, after: int | None = None, limit: int | None = None) -> RecordPage:
        """Return records that concern the caller, whose index is above ``after``."""
        ...

    def tile(self, path: str) -> bytes:
        """Return a tile by its path below ``tile/``."""
        ...

    def cosign(self, note: bytes) -> bytes:
        """Hand in a cosigned checkpoint."""
        ...


class OwnerSource(Protocol):
    """Where the newest owner document comes from: ``connection.broker_client.BrokerClient``."""

    def owner(self) -> OwnerAnswer:
        """Return the owner's chain of documents."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A record that is in the log."""

    index: int
    origin: str
    """Which log of the owner: each restore of its broker begins another."""
    record: Record
    proof: bytes
    """A tlog-proof file."""
    keys: tuple[str, ...]
    """The verifier keys that it can be checked with, as other tools read them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A log that only grew."""

    origin: str
    origin_before: str | None
    """The log that this home saw before; another one if the owner has restored its broker, None: no log."""
    size_before: int
    size: int
    records: int
    """How many records concern this home; each is in the log."""


def with_newest_owner(
    home: Home,
    client: OwnerSource,
    owner: Owner,
    read: Callable[[Owner], T],
    *,
    moved: Collection[str] = _OWNER_MOVED,
) -> T:
    """Read by the owner's keys as this home knows them; by its newest, if they have moved on.

    A home that takes no leases learns of a rotation by nothing else. The broker brings the newer
    document; that it is the owner's, its roots say (``home.trust.Trust.update``).

    Args:
        home: Whose memory of the owner it is.
        client: The owner's broker.
        owner: The owner, as this home knows it.
        read: What is to be read; it runs again with the newer keys.
        moved: Codes of the failures that a newer owner document may cure.

    Raises:
        VerificationError: by those keys it does not hold either.
        BrokerError: the broker does not answer, or refuses.
        StorageUnavailable: the newer document cannot be kept.
    """
    try:
        return read(owner)
    except VerificationError as error:
        if error.code not in moved:
            raise
    return read(home.trust.update(OwnerChain.from_json(list(client.owner().owner))).owner)


def verify_logged(answer: RecordAnswer, owner: Owner, now: datetime | None = None) -> Logged:
    """Check that a record is in an owner's log.

    Raises:
        FormatError: it is no proof, or comes without its record.
        VerificationError: the state of the log is not signed by a log key of the owner.
        IntegrityError: the record is not shown to be there.
    """
    return _verify_proof(answer.proof.encode("utf-8"), owner, now)


def kept_proofs(home: Home, owner: Owner) -> Iterator[Logged]:
    """Yield the records of an owner's logs whose proofs this home kept, each checked again.

    They stay valid when the owner restores its broker, whose new log does not have all of them.

    Raises:
        FormatError: a proof is damaged.
        VerificationError: a state of the log is not signed by a log key of the owner.
        IntegrityError: a record is not shown to be there.
        StorageUnavailable: a file cannot be read.
    """
    for data in home.logbook.proofs(owner.id):
        yield _verify_proof(data, owner, None)


def _verify_proof(data: bytes, owner: Owner, now: datetime | None) -> Logged:
    proof = Proof.from_bytes(data)
    verifiers = log_keys(owner, proof.note, now)
    record = proof.verify_record(verifiers)
    return Logged(
        index=proof.index,
        origin=Checkpoint.from_bytes(proof.note.unverified_text).origin,
        record=record,
        proof=data,
        keys=tuple(each.key.to_text() for each in verifiers),
    )


def read_records(
    client: LogSource, owner: Owner, *, now: datetime | None = None, after: int | None = None
) -> Iterator[Logged]:
    """Yield every record of an owner's log that the caller may see, each verified, oldest first.

    Args:
        client: The owner's broker.
        owner: The owner, in its newest version.
        now: The time toward the owner, if it is known.
        after: Only records behind this one; None: from the first.

    Raises:
        FormatError: something is no part of a log, or the list does not end.
        VerificationError: a state of the log is not signed by a log key of the owner.
        IntegrityError: a record is not shown to be in the log.
        BrokerError: the broker does not answer, or refuses.
    """
    newest = -1 if after is None else after

    def fetch(place: str | None) -> RecordPage:
        return client.records(after=None if place is None else _index(place), limit=_PAGE)

    for page in follow(fetch, after=None if after is None else str(after)):
        for answer in page.records:
            logged = verify_logged(answer, owner, now)
            if logged.index <= newest:
                raise FormatError("records of the log come again, or out of order", code="broker-answer")
            newest = logged.index
            yield logged


def _index(place: str) -> int:
    if not _INDEX.fullmatch(place):
        raise FormatError("the broker names a record of the log by no number", code="broker-answer")
    return int(place)


def verify_log(
    home: Home,
    client: LogSource,
    owner: Owner,
    *,
    now: datetime | None = None,
    accept_lost_entries: int = 0,
) -> Checked:
    """Check that a log only grew since this home last looked, and that every record for it is in there.

    Args:
        home: Whose memory it is. It then holds the new state, and at a partner the proofs of
            all records but leases and usage.
        client: The owner's broker.
        owner: The owner, in its newest version.
        now: The time toward the owner, if it is known.
        accept_lost_entries: How many entries that were seen may be gone after a restore.

    Raises:
        FormatError: something is no part of a log.
        VerificationError: the log was rewritten, forked or cut off, is another, or is not the owner's.
        IntegrityError: a record is not in the log.
        BrokerError: the broker does not answer, or refuses.
        StorageUnavailable: the state cannot be kept.
    """
    states: set[bytes] = set()
    proofs: list[Proof] = []
    count = 0
    for logged in read_records(client, owner, now=now):
        count += 1
        proof = Proof.from_bytes(logged.proof)
        states.add(proof.note.unverified_text)
        if home.vault.owner_id != owner.id and logged.record.kind not in _ROUTINE:
            proofs.append(proof)
    advanced = home.logbook.follow(owner, client, now, accept_lost_entries=accept_lost_entries)
    _verify_states(map(Checkpoint.from_bytes, states), advanced.after, client)
    for proof in proofs:
        home.logbook.keep_proof(owner.id, proof)
    return Checked(
        origin=advanced.after.origin,
        origin_before=None if advanced.before is None else advanced.before.origin,
        size_before=0 if advanced.before is None else advanced.before.size,
        size=advanced.after.size,
        records=count,
    )


def cosign(home: Home, client: LogSource, owner: Owner, *, now: datetime) -> str:
    """Cosign the state of a log that this home believed last, and hand that to the broker.

    Returns:
        The verifier key by which others can check it.

    Raises:
        ObjectNotFound: this home has seen nothing of the log (code ``log-unseen``).
        NoMatchingKey: a key is missing, or its pass-phrase.
        BrokerError: the broker does not answer, or refuses.
        StorageUnavailable: the key or the state cannot be kept.
    """
    # A home can be an owner itself and a partner of others.
    is_own = owner.id == home.vault.owner_id
    organization = owner.id if is_own else organization_id(home.keys.organization().public)
    key = home.keys.witness(owner.id, now, known=home.logbook.witness(owner.id))
    message = home.logbook.cosign(owner.id, organization, key, now)
    client.cosign(message)
    return Cosigned.from_bytes(message).key.to_text()


def _verify_states(states: Iterable[Checkpoint], newest: Checkpoint, client: LogSource) -> None:
    """Check that the states under which records were shown are of the log that was believed."""
    tree = Tree(_Tiles(client), size=newest.size, root=newest.root)
    for state in states:
        if state.origin != newest.origin or state.size > newest.size:
            raise VerificationError(
                "records were shown under another state of the log than the newest one",
                code="log-rollback" if state.origin == newest.origin else "log-origin",
                hint="Ask once more. If it stays so, the owner keeps two logs.",
            )
        try:
            hashes = tree.prove_consistency(state.size)
            verify_consistency(state.size, state.root, newest.size, newest.root, proof=hashes)
        except IntegrityError as error:
            raise VerificationError(
                "records were shown under a state that is not of this log",
                code="log-fork",
                hint="Ask once more. If it stays so, the owner keeps two logs; keep both states.",
            ) from error


class _Tiles:
    """The tiles of a broker's log."""

    def __init__(self, client: LogSource) -> None:
        self._client = client

    def read_tile(self, tile: Tile) -> bytes:
        """Return the hashes of a tile."""
        return self._client.tile(tile.path.removeprefix("tile/"))
