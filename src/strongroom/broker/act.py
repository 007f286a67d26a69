"""An act: what a service does within one transaction, and what it says about it for the log.

    def do(act: Act) -> int:
        act.kept.set_partner_status(organization, PartyStatus.APPROVED)
        act.changes_rules()
        return act.record(Kind.APPROVAL, [organization, runtime], fingerprint="0GRH-PPWR-...")

    entry = ledger.act(do)

The entry stands in the log at the index that ``record`` returns if, and only if, everything else
that the act did is durable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from strongroom._encoding import to_hex, to_instant
from strongroom.broker.records import EntryRow, LogHead
from strongroom.broker.repository import Writing
from strongroom.crypto.digest import sha256
from strongroom.keys.owner import Owner
from strongroom.log.disclosure import Disclosure
from strongroom.log.entry import Kind, Record, generate_salt
from strongroom.log.origin import Origin

_MOST_RECORDS: Final = 100


class Journal:
    """What the acts of one transaction enter into the log, in their order."""

    __slots__ = ("first", "generation", "rows")

    def __init__(self, head: LogHead) -> None:
        self.first = head.size
        """The index of the first row."""
        self.generation = head.generation
        self.rows: list[EntryRow] = []

    def enter(self, record: Record) -> int:
        """Add the entry of a record, under fresh salt; returns its index.

        Raises:
            FormatError: the record breaks a rule of spec/log.md (code ``log-record``).
        """
        entry, disclosure = Disclosure(record, generate_salt()).committed()
        row = EntryRow(
            index=self.first + len(self.rows), entry=entry, disclosure=disclosure, subjects=record.subjects
        )
        self.rows.append(row)
        return row.index

    def enter_owner(self, owner: Owner, after: int, now: datetime) -> None:
        """Add an entry for each version of the owner document that came after one."""
        for version in range(after + 1, owner.version + 1):
            self.enter(
                Record(
                    kind=Kind.OWNER_DOCUMENT,
                    at=to_instant(now),
                    subjects=(owner.id,),
                    document=owner.digests[version - 1],
                    details={"version": version},
                )
            )

    def enter_restore(self, origin: Origin, last: LogHead, known: bytes, now: datetime) -> None:
        """Add the first entry of a log that follows another, whose last known checkpoint it names."""
        self.enter(
            Record(
                kind=Kind.RESTORE,
                at=to_instant(now),
                subjects=(origin.owner,),
                document=to_hex(known),
                details={"log": origin.number, "size": last.size},
            )
        )

    def take_back(self, rows: int, generation: int) -> None:
        """Forget what an act entered that failed."""
        del self.rows[rows:]
        self.generation = generation


class Act:
    """One act, while its transaction is open. Good on the ledger's thread and until ``do`` returns."""

    __slots__ = ("_journal", "kept", "now")

    def __init__(self, kept: Writing, now: datetime, journal: Journal) -> None:
        self.kept = kept
        """The database."""
        self.now = now
        """The time of the act: never earlier than that of any act before."""
        self._journal = journal

    def record(
        self, kind: Kind, subjects: Iterable[str], *, document: str | None = None, **details: str | int
    ) -> int:
        """Enter into the log what this act did; returns the index of the entry.

        Args:
            kind: What happened.
            subjects: Ids of the parties and documents that it is about. Whoever one of them
                belongs to is given the record: name nobody who must not know.
            document: The token of the signed document of the act.
            details: Counts, reasons and names, for those entitled.

        Raises:
            FormatError: no subject, too many, one that is no id, or details that are too long
                or hold control characters (code ``log-record``).
        """
        return self._journal.enter(
            Record(
                kind=kind,
                at=to_instant(self.now),
                subjects=tuple(sorted(set(subjects))),
                document=None if document is None else document_digest(document),
                details=details,
            )
        )

    def records_about(self, subject: str, *, after: int) -> Iterator[Record]:
        """Yield what the log says of somebody or something since an entry, up to a bound.

        What this transaction entered is among it; what was erased is not.

        Raises:
            StorageUnavailable: the database does not answer.
        """
        entered = (row for row in self._journal.rows if subject in row.subjects and row.index > after)
        for row in (*self.kept.entries_about([subject], after=after, limit=_MOST_RECORDS), *entered):
            if row.disclosure is not None:
                yield Disclosure.from_bytes(row.disclosure).record

    @property
    def entries(self) -> int:
        """How many entries this transaction has so far, with the acts that came before in it."""
        return len(self._journal.rows)

    @property
    def generation(self) -> int:
        """The generation of the rules, with the acts that came before in this transaction."""
        return self._journal.generation

    def changes_rules(self) -> None:
        """Note that what was derived from parties, packages or licenses holds no more."""
        self._journal.generation += 1


def document_digest(token: str) -> str:
    """Return how records name a signed document: SHA-256 of its token, hexadecimal."""
    return to_hex(sha256(token.encode("ascii")))
