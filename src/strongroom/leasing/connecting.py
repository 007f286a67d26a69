"""The line from a runtime of this home to an owner's broker.

client = runtime_client(home, owner_id, clock=utc_now)
"""

from __future__ import annotations

from strongroom.connection.broker_client import BrokerClient
from strongroom.connection.caller import Clock
from strongroom.connection.https import HttpsTransport
from strongroom.home.home import Home
from strongroom.keys.identity import runtime_id


def runtime_client(home: Home, owner_id: str, *, clock: Clock) -> BrokerClient:
    """Return a client for the broker that the owner's invite named; nothing is sent yet.

    Raises:
        ObjectNotFound: this home knows no broker of that owner (code ``no-broker``).
        NoMatchingKey: there is no device key toward this owner, or it cannot be opened.
        FormatError: the address or its certificate authority is damaged.
        StorageUnavailable: a file cannot be read.
    """
    address = home.brokers.get(owner_id)
    device = home.keys.device(owner_id)
    return BrokerClient(
        HttpsTransport(ca=address.ca),
        address.url,
        owner=owner_id,
        subject=runtime_id(device.public),
        key=device,
        clock=clock,
    )
