"""Reporting: what was used under checked-out files goes to the broker, before the next lease is taken.

    report_files(home, client, owner_id, now)

While a file stands, the owner hears what was used so far, and its share stays set aside. When it has
ended, by the time of the broker, it is closed in the signed state, so that its report is final; the
report is written to the home; then it is sent, the same one again until the broker has it. From
then on the rest of its share is free (spec/license.md, "Usage reports").
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import msgspec

from strongroom._encoding import from_instant
from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import BrokerRefused, LicenseDenied, ObjectNotFound
from strongroom.home.checkouts import CheckedOut, Checkouts
from strongroom.home.home import Home
from strongroom.keys.identity import runtime_id
from strongroom.license.documents import Count, OfflineFile, Usage
from strongroom.license.period import CounterKey
from strongroom.license.signing import Signed, read_unverified, sign_document
from strongroom.protocol.broker import UsageAsk

_COUNTED = "usage-final"
"""The broker has a final report already: another one, by a copy of this home."""


def report_files(home: Home, client: BrokerClient, owner_id: str, now: datetime) -> None:
    """Tell the broker of an owner what was used under the files that were checked out.

    What it refuses stays here and is told again the next time.

    Args:
        home: The partner's home.
        client: The line of its runtime to the broker.
        owner_id: Whose broker.
        now: The time toward that owner.

    Raises:
        BrokerUnavailable: no answer; what was signed stays here.
        VerificationError: what answers is not the broker.
        IntegrityError: the state of this runtime was changed by somebody else.
        FormatError: the answer, or a file of this home, is damaged.
        NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
        StorageUnavailable: a file cannot be read or written.
    """
    known = home.checkouts.read(owner_id).files
    if not known:
        return
    runtime = runtime_id(home.keys.device(owner_id).public)
    for each in known:
        # A file of before this runtime enrolled anew is another's; nobody can sign for that one.
        if read_unverified(each.file, OfflineFile).runtime == runtime:
            _FileReport(home, client, owner_id, each.file).send(now)


def counts_of(counts: Mapping[CounterKey, int]) -> tuple[Count, ...]:
    """Return counts as reports carry them."""
    return tuple(
        Count(document=key.document, counter=key.counter, period=key.period, count=count)
        for key, count in sorted(counts.items())
    )


class _FileReport:
    """What is told of one file."""

    def __init__(self, home: Home, client: BrokerClient, owner_id: str, token: str) -> None:
        document = read_unverified(token, OfflineFile)
        self._home = home
        self._client = client
        self._owner_id = owner_id
        self._file = Signed(document, document.id, token)

    def send(self, now: datetime) -> None:
        is_over = self._is_over(now)
        after = self._home.checkouts.change(self._owner_id, partial(self._prepared, is_over=is_over))
        due = next((each for each in after.files if each.file == self._file.token), None)
        if due is None or due.report is None or due.is_sent:
            return
        try:
            self._client.report(UsageAsk(usage=due.report))
        except ObjectNotFound:
            # A restored broker does not know the file: nothing is held, nothing can be counted.
            if due.is_final:
                self._settle(due.report, is_final=True)
        except BrokerRefused as refusal:
            if due.is_final and refusal.code == _COUNTED:
                self._settle(due.report, is_final=True)
        except LicenseDenied:
            return
        else:
            self._settle(due.report, is_final=due.is_final)

    def _is_over(self, now: datetime) -> bool:
        end = self._file.document.not_after
        # A wall clock may be far ahead, and a final report cannot be taken back: the broker says.
        return now >= end and from_instant(self._client.owner().time) >= end

    def _prepared(self, known: Checkouts, *, is_over: bool) -> Checkouts:
        """Return the record with the report that is due on this file. It is signed under the lock."""
        files = tuple(
            self._due(each, is_over=is_over) if each.file == self._file.token else each
            for each in known.files
        )
        return msgspec.structs.replace(known, files=files)

    def _due(self, known: CheckedOut, *, is_over: bool) -> CheckedOut:
        if known.is_final:
            return known
        marks, identity = self._home.marks, self._file.id
        if is_over:
            marks.end(self._owner_id, identity)
            counts = counts_of(marks.read(self._owner_id).closed[identity].reported)
        else:
            counts = counts_of(marks.read(self._owner_id).counts_under(identity))
            told = () if known.report is None else read_unverified(known.report, Usage).counts
            if counts == tuple(told):
                return known
        return CheckedOut(file=known.file, report=self._sign(known, counts), is_final=is_over)

    def _sign(self, known: CheckedOut, counts: tuple[Count, ...]) -> str:
        usage = Usage(
            license=self._file.document.license,
            runtime=self._file.document.runtime,
            authority=self._file.id,
            previous=None if known.report is None else read_unverified(known.report, Usage).id,
            counts=counts,
            break_glass=(),
            issued_at=self._client.now.replace(microsecond=0),
        )
        return sign_document(usage, self._home.keys.device(self._owner_id)).token

    def _settle(self, report: str, *, is_final: bool) -> None:
        if is_final:
            # First what it counted, then that it is told: whoever is stopped in between tells it again.
            self._home.marks.forget(self._owner_id, self._file.id)

        def settled(known: Checkouts) -> Checkouts:
            files = (
                msgspec.structs.replace(each, is_sent=True) if each.report == report else each
                for each in known.files
                if not (is_final and each.file == self._file.token)
            )
            return msgspec.structs.replace(known, files=tuple(files))

        self._home.checkouts.change(self._owner_id, settled)
