"""Checking out: an offline file from the broker, for a machine that will have no network.

    offline = check_out(home, client, owner_id, license="lic-...", package=digest, until=None)
    offline.document.not_after, offline.document.budget

It is for this runtime and lies in the license file afterwards, where opening finds it. What it may
count is taken out of the license when it is made; it ends by itself and cannot be revoked.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from strongroom._encoding import to_instant
from strongroom.accepting import read_offer
from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import VerificationError
from strongroom.home.home import Home
from strongroom.keys.identity import runtime_id
from strongroom.license.documents import OfflineFile
from strongroom.license.fields import new_serial
from strongroom.license.license_file import LicenseFile
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
    stored = home.catalog.licenses.get(owner_id, license)
    end = None if until is None else to_instant(until)
    ask = CheckoutAsk(license=license, package=package, nonce=new_serial(), until=end)
    answer = client.check_out(ask)
    offer = read_offer(home, answer.file.encode("utf-8"))
    runtime = runtime_id(home.keys.device(owner_id).public)
    offline = offer.license.offline_for(runtime, package)
    if (offer.owner.id, offer.license.chain.id) != (owner_id, license) or offline is None:
        raise VerificationError("the broker gave another file than was asked for", code="wrong-license")
    home.catalog.licenses.add(owner_id, license, _joined(stored.file, offer.file).to_bytes())
    return offline


def _joined(known: LicenseFile, offered: LicenseFile) -> LicenseFile:
    """Return the file that was offered with the key files that were there before."""
    return msgspec.structs.replace(
        offered,
        offline=tuple(dict.fromkeys((*offered.offline, *known.offline))),
        passphrase=tuple(dict.fromkeys((*offered.passphrase, *known.passphrase))),
        withdrawals=tuple(dict.fromkeys((*offered.withdrawals, *known.withdrawals))),
    )
