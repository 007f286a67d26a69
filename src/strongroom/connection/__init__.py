"""The partner's and the members' line to an owner's broker (spec/broker-api.md).

    client = BrokerClient(HttpsTransport(ca=ca), url, owner=owner.id, subject=runtime, key=device, clock=now)
    client.take_lease(LeaseAsk(...))

``interface`` is the seam: one method, a plain request in, a plain answer out, with limits and
the promise which errors can come of it. ``https`` is the one technology behind it.
``broker_client`` has a method for each route.
"""

from strongroom.connection.broker_client import BrokerClient
from strongroom.connection.interface import Request, Response, Transport

__all__ = ["BrokerClient", "Request", "Response", "Transport"]
