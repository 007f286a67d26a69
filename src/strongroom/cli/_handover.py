"""What `grant` does with a broker: hands the licenses in, and says whom it concerns and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strongroom.errors import BrokerUnavailable, UsageError

if TYPE_CHECKING:
    from strongroom.cli._broker import Line
    from strongroom.cli._shared import Shared
    from strongroom.granting import Granted
    from strongroom.home import Home
    from strongroom.protocol.broker import LicenseAnswer


def verify_published(home: Home, line: Line, model: str) -> None:
    """Check, before anything is signed, that the broker can release keys for the model.

    A broker that is down stops nobody here: the license is signed, and waits.

    Raises:
        UsageError: the broker does not know it (code ``not-published``).
        ObjectNotFound: it was not sealed here.
        BrokerRefused: you may not see the packages.
    """
    from strongroom.cli._broker import pages

    name, _, version = model.partition("@")
    seal = home.vault.seals.find(name, version or None)
    client = line.client
    try:
        known = any(
            each.package == seal.package_digest
            for each in pages(lambda after: client.packages(after=after), "packages")
        )
    except BrokerUnavailable:
        return
    if not known:
        raise UsageError(
            f"the broker has no key for {seal.name} {seal.version}",
            code="not-published",
            hint=f"strongroom publish {seal.name}@{seal.version}",
        )


def write_for_broker(
    shared: Shared, home: Home, granted: Sequence[Granted], output: Path | None, into: Path | None
) -> None:
    """Write what was asked for beside the broker: the license, or folders with letter and package.

    Raises:
        StorageUnavailable: a file cannot be read or written.
    """
    from strongroom.cli._file import STANDARD, write_output
    from strongroom.cli._folder import write_folder

    if output == STANDARD:
        shared.terminal.data(granted[0].file)
    elif output is not None:
        write_output(shared.terminal, granted[0].file, output, replace=True)
    elif into is not None:
        for each in granted:
            write_folder(shared, home, each, into / each.partner, needs_passphrase=False)


def hand_in_licenses(shared: Shared, home: Home, line: Line, granted: Sequence[Granted]) -> None:
    """Hand the licenses to the broker and say what it made of them.

    Raises:
        BrokerUnavailable: it does not answer; they wait in the outbox.
        BrokerRefused: it refused one, which waits too.
    """
    from strongroom.cli._broker import hand_in

    ids = [each.license_id for each in granted]
    what = "the license" if len(ids) == 1 else f"each of the {len(ids)} licenses"
    answers = [each.answer for each in hand_in(home, line, ids, what=what)]
    rows = [(each.holder, each.license, each.status) for each in answers]
    documents = [_document(each, to) for each, to in zip(answers, granted, strict=True)]
    shared.terminal.table({"granted": documents}, ("partner", "license", "status"), rows, empty="")
    if not shared.json:
        _tell(shared, home, granted, answers)


def _document(answer: LicenseAnswer, granted: Granted) -> dict[str, Any]:
    return {
        "partner": answer.holder,
        "license": answer.license,
        "status": answer.status,
        "not_after": answer.expires_at,
        "worst_case_seconds": answer.worst_case_seconds,
        "package": str(granted.package_path),
    }


def _tell(shared: Shared, home: Home, granted: Sequence[Granted], answers: Sequence[LicenseAnswer]) -> None:
    from strongroom.cli._moment import span_at_most
    from strongroom.license.describe import describe_terms

    note = shared.terminal.note
    for label, sentence in describe_terms(granted[0].chain.license.terms):
        note(f"{label}: {sentence}")
    for each in granted:
        installations = len(home.vault.partners.get(each.partner).runtimes)
        note(f"It concerns {each.partner}, with {installations} installation(s) enrolled now.")
    worst = max(each.worst_case_seconds for each in answers)
    note(
        f"Worst case: after a revocation it can be used for {span_at_most(worst)} more, "
        f"if no news gets through{_with_files(granted[0])}."
    )
    waiting = [each for each in answers if each.status == "requested"]
    if waiting:
        note(f"A second person has to approve it: strongroom license approve {waiting[0].license}")
    name = granted[0].package_path.name
    note(f"Partners take it with: strongroom accept {name.rpartition('-')[0]}")
    note(f"They need the package once, sent on any way: {granted[0].package_path}")


def _with_files(granted: Granted) -> str:
    """Say how long a file may work that is checked out later: no revocation reaches it."""
    from strongroom.cli._moment import span_at_most
    from strongroom.license.terms import Offline

    hours = [term.hours for term in granted.chain.license.terms if isinstance(term, Offline)]
    if not hours:
        return ""
    return (
        f"; a file that was checked out before works until it ends, up to {span_at_most(min(hours) * 3600)}"
    )
