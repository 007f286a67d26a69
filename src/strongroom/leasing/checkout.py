"""Checking out: an offline file from the broker, for a machine that will have no network.

    offline = check_out(home, client, owner_id, license="lic-...", package=digest, until=None)
    offline.document.not_after, offline.document.budget

It is for this runtime and lies in the license file afterwards, where opening finds it. What it may
count is taken out of the license when it is made; it ends by itself and cannot be revoked. What was
used is reported by ``reporting``, which finds the file in ``home.checkouts``.

Whoever is stopped, or hears no answer, asks the same again and gets the same file: the question is on
the disk before it leaves, until the file is.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from strongroom._encoding import to_instant
from strongroom.accepting import keep, read_offer
from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import VerificationError
from strongroom.home.checkouts import CheckedOut, Checkouts, Question
from strongroom.home.home import Home
from strongroom.keys.identity import runtime_id
from strongroom.leasing.reporting import report_files
from strongroom.license.documents import OfflineFile
from strongroom.license.fields import new_serial
from strongroom.license.signing import Signed
from strongroom.protocol.broker import CheckoutAsk


def check_out(
    home: Home,
    client: BrokerClient,
    owner_id: str,
    *,
    license: str,
    package: str,
    until: datetime | None = None,
) -> Signed[OfflineFile]:
    """Get an offline file for this runtime and keep it in the license file.

    Args:
        home: The partner's home.
        client: The line to the owner's broker.
        owner_id: Whose license it is.
        license: Id of the narrowest document.
        package: Package digest.
        until: When it should end; None: as late as the license allows.

    Raises:
        LicenseDenied: the license does not allow it, or nothing is left to take out.
        ObjectNotFound: there is no such license, here or at the broker.
        BrokerUnavailable: no answer.
        BrokerRefused: the broker says no.
        VerificationError: what came is not what was asked for, or a document does not hold.
        FormatError: the answer, or a file of this home, is damaged.
        NoMatchingKey: this home's keys are missing or cannot be opened.
        StorageUnavailable: a file cannot be read or written.
    """
    # That there is one is found out here, and not at the broker.
    home.catalog.licenses.get(owner_id, license)
    # What files that have ended did not use is free again, for this one too.
    report_files(home, client, owner_id, client.now)
    question = _question(home, owner_id, license, package)
    end = None if until is None else to_instant(until)
    ask = CheckoutAsk(license=license, package=package, nonce=question.nonce, until=end)
    answer = client.check_out(ask)
    offer = read_offer(home, answer.file.encode("utf-8"))
    runtime = runtime_id(home.keys.device(owner_id).public)
    offline = offer.license.offline_for(runtime, package)
    named = (offer.owner.id, offer.license.chain.id) == (owner_id, license)
    if not named or offline is None or offline.document.serial != question.nonce:
        raise VerificationError("the broker gave another file than was asked for", code="wrong-license")
    _note(home, owner_id, offline)
    keep(home, offer)
    _answered(home, owner_id, question)
    return offline


def _question(home: Home, owner_id: str, license: str, package: str) -> Question:
    """Return the question that has no answer yet, or a new one."""

    def asked(known: Checkouts) -> Checkouts:
        if _find(known, license, package) is not None:
            return known
        new = Question(license=license, package=package, nonce=new_serial())
        return msgspec.structs.replace(known, questions=(*known.questions, new))

    found = _find(home.checkouts.change(owner_id, asked), license, package)
    if found is None:
        raise AssertionError(found)
    return found


def _find(known: Checkouts, license: str, package: str) -> Question | None:
    about = (each for each in known.questions if (each.license, each.package) == (license, package))
    return next(about, None)


def _note(home: Home, owner_id: str, offline: Signed[OfflineFile]) -> None:
    """Keep the file to be reported, before it can be used."""

    def noted(known: Checkouts) -> Checkouts:
        if any(each.file == offline.token for each in known.files):
            return known
        return msgspec.structs.replace(known, files=(*known.files, CheckedOut(file=offline.token)))

    home.checkouts.change(owner_id, noted)


def _answered(home: Home, owner_id: str, question: Question) -> None:
    def answered(known: Checkouts) -> Checkouts:
        left = tuple(each for each in known.questions if each != question)
        return msgspec.structs.replace(known, questions=left)

    home.checkouts.change(owner_id, answered)
