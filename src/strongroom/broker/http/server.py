"""The listening end of the broker: TLS 1.3, and who has shown an access token keeps its connections.

server = BrokerServer(app, settings, listener=listen("127.0.0.1", 8443), context=context)
server.run()                         # until SIGINT or SIGTERM; requests under way are finished
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Scope

from strongroom.broker.http.routing import PRINCIPAL
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.principal import Principal
from strongroom.errors import UsageError
from strongroom.listening import BACKLOG, HttpServer


class BrokerServer(HttpServer):
    """One listening broker."""

    def __init__(
        self,
        app: ASGIApp,
        settings: HttpSettings,
        *,
        listener: socket.socket,
        context: ssl.SSLContext,
        renew: Callable[[], None] | None = None,
        ready: Callable[[], None] | None = None,
    ) -> None:
        """Wire it; nothing is answered yet.

        Args:
            app: The application.
            settings: Limits and times.
            listener: What ``listen`` returned.
            context: The TLS context.
            renew: Called once an hour, to renew certificates.
            ready: Called when connections are taken.
        """
        super().__init__(
            app,
            settings,
            listener=listener,
            holder_of=_organization_of,
            context=context,
            renew=renew,
            ready=ready,
        )


def _organization_of(scope: Scope) -> str | None:
    # Not by runtime or member: of those an organization has as many as it likes.
    principal: Principal | None = scope.get(PRINCIPAL)
    return None if principal is None else principal.organization


_UNUSABLE: Final = {
    errno.EADDRINUSE: (
        "another program does",
        "is another broker running? choose another address with --listen HOST:PORT",
    ),
    errno.EACCES: (
        "ports below 1024 are for root",
        "choose a higher one with --listen HOST:PORT, and let a proxy or the firewall pass it on",
    ),
    errno.EADDRNOTAVAIL: (
        "this machine has no such address",
        "--listen takes an address of this machine, or 0.0.0.0 for all; --name says what partners call it",
    ),
}
"""Why an address cannot be taken, and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Take an address; port 0 is any that is free.

    Raises:
        UsageError: it is taken, or not of this machine (code ``address-in-use``).
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        why, hint = _UNUSABLE.get(error.errno or 0, (error.strerror or "", "choose another with --listen"))
        raise UsageError(
            f"the broker cannot listen on {host} port {port}: {why}", code="address-in-use", hint=hint
        ) from error
