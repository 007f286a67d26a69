"""Hearing: what a broker says beside its answers is kept in the home, and holds for every opening.

    keep_withdrawals(home, owner, answer.file)       # of a license that the broker told of
    hear_why(home, client, place, owner, refusal)    # a refusal names a withdrawal; here it is
    open_model(home, "risk@1.0.0", now=now, ask_withdrawals=asker(connect))

A refusal carries no document, and is the word of one moment. The owner's signed withdrawal behind it
is what `open` and `models` go by, and what is left of it when the broker falls silent.
"""

from __future__ import annotations

from collections.abc import Callable

from strongroom.connection.broker_client import BrokerClient
from strongroom.errors import Error
from strongroom.home.home import Home
from strongroom.home.leases import LeasePlace
from strongroom.keys.owner import Owner, verify_consistent
from strongroom.leasing.answer import verify_announcements
from strongroom.license.codes import Code
from strongroom.license.license_file import LicenseFile


def keep_withdrawals(home: Home, owner: Owner, file: str) -> None:
    """Keep the withdrawals in a license file that the owner's broker gave.

    Raises:
        FormatError: no license file, or a file of this home is damaged.
        VerificationError: a withdrawal is not by this owner, or the file tells another history of it.
        StorageUnavailable: the home cannot be read or written.
    """
    read = LicenseFile.from_bytes(file.encode("utf-8"))
    kept = verify_announcements((), read.withdrawals, verify_consistent(owner, read.owner_chain()))
    home.leases.add_notices(owner.id, withdrawals=kept.withdrawals)


def hear_why(home: Home, client: BrokerClient, place: LeasePlace, owner: Owner, refusal: Error) -> None:
    """Fetch and keep the withdrawal that a refusal speaks of, if it speaks of one."""
    if refusal.code != Code.VERSION_WITHDRAWN:
        return
    try:
        keep_withdrawals(home, owner, client.license(place.license).file)
    except Error:
        # The refusal stands, whatever comes of this; the next one brings it again.
        return


def asker(connect: Callable[[Home, str], BrokerClient]) -> Callable[[Home, Owner, str], None]:
    """Return what ``open_model`` asks before it refuses to go back to an older version.

    A version that this runtime has seen may be withdrawn by now, and no lease for an older one is asked
    for. A broker that does not answer, or gives nothing that can be believed, changes nothing.
    """

    def ask(home: Home, owner: Owner, license: str) -> None:
        try:
            client = connect(home, owner.id)
            try:
                keep_withdrawals(home, owner, client.license(license).file)
            finally:
                client.close()
        except Error:
            # The refusal stands, and says what this home knows.
            return

    return ask
