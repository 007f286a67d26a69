"""``strongroom log``: tail, verify, prove."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from strongroom.cli._broker import OwnerOption
from strongroom.cli._page import noun, page
from strongroom.cli._shared import SHARED, Shared
from strongroom.errors import ObjectNotFound

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.home import Home
    from strongroom.keys.owner import Owner
    from strongroom.witnessing import Checked, Logged

_NUMBER: Final = re.compile(r"[0-9]{1,18}")


def tail(
    *,
    count: Annotated[int, Parameter(alias="-n", help="How many of the newest records.")] = 20,
    about: Annotated[
        str | None, Parameter(help="Only about this license, runtime or organization, by its id.")
    ] = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Show the newest records of the log: who did what, and when.

    The owner sees all of them, a partner those that concern it. Each is checked against the signed state of
    the log before it is shown.

    Examples:
        $ strongroom log tail
        $ strongroom log tail -n 50 --about lic-uvaxoz2qpfs5

    Raises:
        VerificationError: a record is not shown to be in the log.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the log.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.witnessing import with_newest_owner

    home = shared.open_home()
    line = demand_line(home, owner)

    def read(owner: Owner) -> Sequence[Logged]:
        found = _records(line, owner)
        return deque((each for each in found if about is None or about in each.record.subjects), maxlen=count)

    with answering(line):
        newest = with_newest_owner(home, line.client, line.owner.owner, read)
    rows = [_row(each) for each in newest]
    columns = ("entry", "when", "what", "about", "details")
    shared.terminal.table(
        {"records": [_document(each) for each in newest]},
        columns,
        rows,
        empty="Nothing in the log concerns you.",
    )


def _records(line: Line, owner: Owner, after: int | None = None) -> Iterator[Logged]:
    """Return every record that this party may see, each verified, oldest first."""
    from strongroom.witnessing import read_records

    return read_records(line.client, owner, after=after)


def _row(logged: Logged) -> tuple[str, ...]:
    record = logged.record
    details = ", ".join(f"{name} {value}" for name, value in sorted(record.details.items()))
    return (str(logged.index), record.at, record.kind.value, " ".join(record.subjects), details)


def _document(logged: Logged) -> dict[str, Any]:
    record = logged.record
    return {
        "index": logged.index,
        "at": record.at,
        "kind": record.kind.value,
        "subjects": list(record.subjects),
        "document": record.document,
        "details": dict(record.details),
    }


def verify(
    *,
    cosign: Annotated[
        bool, Parameter(help="Also sign the state of the log as a witness, for others to rely on.")
    ] = False,
    accept_lost_entries: Annotated[
        int, Parameter(help="After a restore: how many entries may be gone, once the owner has said why.")
    ] = 0,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Check that the log only grew since this home last looked, and that your own records are in it.

    The home keeps the last state that it saw. A log that was rewritten, forked or cut off is noticed here,
    whoever did it, its owner too. Proofs of your records are kept in the home.

    Examples:
        $ strongroom log verify
        $ strongroom log verify --cosign

    Raises:
        VerificationError: the log was rewritten, forked or cut off; keep what you have.
        IntegrityError: a record is not in the log.
        UsageError: no broker is known here, or several are.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the log.
        StorageUnavailable: the state cannot be kept.
    """
    from strongroom import witnessing
    from strongroom.cli._broker import answering, demand_line

    home = shared.open_home()
    line = demand_line(home, owner)
    with answering(line):
        checked = witnessing.with_newest_owner(
            home,
            line.client,
            line.owner.owner,
            lambda owner: witnessing.verify_log(
                home, line.client, owner, accept_lost_entries=accept_lost_entries, now=line.client.now
            ),
        )
        witness = (
            witnessing.cosign(home, line.client, line.owner.owner, now=line.client.now) if cosign else None
        )
    document = {
        "origin": checked.origin,
        "origin_before": checked.origin_before,
        "size_before": checked.size_before,
        "size": checked.size,
        "records": checked.records,
        "witness": witness,
    }
    if witness is not None and not shared.json:
        shared.terminal.note(f"Signed as a witness, with the verifier key {witness}")
    shared.terminal.result(document, _told(checked))


def _told(checked: Checked) -> str:
    if checked.origin_before not in (None, checked.origin):
        return (
            f"{checked.origin} has {checked.size:,} entries and goes on from {checked.origin_before}, "
            f"of which this home saw {checked.size_before:,}: the owner has restored its broker; the "
            f"{checked.records:,} records for you are in it"
        )
    grown = checked.size - checked.size_before
    return (
        f"{checked.origin} has {checked.size:,} entries, {grown:,} more than this home saw before; nothing "
        f"was changed, and the {checked.records:,} records for you are in it"
    )


def prove(
    entry: Annotated[str, Parameter(help="The number of an entry, or the id of a license, lease, ...")],
    /,
    *,
    kind: Annotated[
        str | None, Parameter(help="What happened, where an id has several entries: grant, revocation, ...")
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Where to write it (else stdout, on a terminal a file)."),
    ] = None,
    owner: OwnerOption = None,
    shared: Shared = SHARED,
) -> None:
    """Write a proof that an entry is in the log, for whoever asks later, without a network.

    The file follows C2SP tlog-proof; tools that others wrote can check it against the owner's log key. It
    holds the record itself: show it to nobody whom that does not concern. Of what a restored broker's log
    does not have any more, the proof that this home kept is written.

    Examples:
        $ strongroom log prove 812 -o grant.tlog-proof
        $ strongroom log prove lic-uvaxoz2qpfs5 --kind revocation -o revoked.tlog-proof

    Raises:
        ObjectNotFound: there is no such entry among those that concern you.
        VerificationError: the broker's proof does not hold.
        UsageError: no broker is known here, the file exists, or the id has several entries.
        BrokerUnavailable: the broker does not answer.
        BrokerRefused: you may not see the log.
        StorageUnavailable: the file cannot be written.
    """
    from strongroom.cli._broker import answering, demand_line
    from strongroom.cli._file import deliver
    from strongroom.witnessing import with_newest_owner

    home = shared.open_home()
    line = demand_line(home, owner)
    with answering(line):
        logged = with_newest_owner(
            home, line.client, line.owner.owner, lambda owner: _find(home, line, owner, entry, kind)
        )
    deliver(
        shared,
        logged.proof,
        output=output,
        suggested=f"{logged.index}.tlog-proof",
        document={**_document(logged), "keys": logged.keys},
    )
    if not shared.json:
        shared.terminal.note(
            f"Entry {logged.index} of {logged.origin}: {logged.record.kind.value}, {logged.record.at}."
        )
        shared.terminal.note(f"Check it with any tool for C2SP tlog-proof and this key: {logged.keys[0]}")


def _find(home: Home, line: Line, owner: Owner, entry: str, kind: str | None) -> Logged:
    from strongroom.witnessing import kept_proofs

    number = int(entry) if _NUMBER.fullmatch(entry) else None
    start = None if not number else number - 1
    records = takewhile(lambda each: number is None or each.index <= number, _records(line, owner, start))
    found = _newest(records, entry, number, kind)
    if found is None:
        # The log of a restored broker does not have everything that was logged before.
        found = _newest(kept_proofs(home, owner), entry, number, kind)
    if found is None:
        raise ObjectNotFound(
            f"the log has no entry {entry} that concerns you" + (f" of the kind {kind}" if kind else ""),
            code="unknown-entry",
            hint="strongroom log tail. Of what a restored broker has lost, only kept proofs are left, which "
            "`strongroom log verify` keeps at partners",
        )
    return found


def _newest(records: Iterator[Logged], entry: str, number: int | None, kind: str | None) -> Logged | None:
    newest = None
    for each in records:
        if number is not None:
            if each.index == number:
                return each
        elif entry in each.record.subjects and kind in (None, each.record.kind.value):
            newest = each
    return newest


app = noun(
    "log",
    "Read, verify and prove the log of everything that happened.",
    page(tail, "tail"),
    page(verify, "verify"),
    page(prove, "prove"),
)
