"""The proxy that a machine's environment names for connections to other hosts.

    proxy_for("broker.hospital.example")      # Proxy(url="http://proxy:3128", credentials=None), or None

``HTTPS_PROXY``, else ``ALL_PROXY``; hosts in ``NO_PROXY`` are reached without. A proxy is spoken
to by HTTP, with or without TLS, and opens a tunnel; there is no SOCKS here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from strongroom.connection.interface import SilentBroker

_SCHEMES: Final = frozenset({"http", "https"})
_HOST: Final = re.compile(r"[A-Za-z0-9._:%-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where a proxy is, and as whom to ask it. Its repr does not show the password."""

    url: str
    """``http://`` or ``https://``, a host and perhaps a port."""
    credentials: tuple[str, str] | None = field(repr=False)
    """Name and password."""

    @property
    def authorization(self) -> tuple[bytes, bytes] | None:
        """Name and password as they are sent."""
        if self.credentials is None:
            return None
        name, password = self.credentials
        return name.encode("utf-8"), password.encode("utf-8")


def proxy_for(host: str) -> Proxy | None:
    """Return the proxy that leads to a host; None: there is none in between.

    Raises:
        SilentBroker: the environment names one that is not spoken to here (code ``broker-proxy``).
    """
    known = getproxies()
    scheme = next((each for each in ("https", "all") if known.get(each)), None)
    if scheme is None or proxy_bypass(host):
        return None
    return _read(known[scheme], f"{scheme.upper()}_PROXY")


def _read(value: str, variable: str) -> Proxy:
    # Without a scheme it is a proxy by plain HTTP, as everywhere.
    text = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _useless(variable, "cannot be read") from None
    if parts.scheme not in _SCHEMES:
        # The value is not shown: there may be a password in it.
        raise _useless(
            variable, f"is of another kind ({parts.scheme[:20]})" if parts.scheme else "cannot be read"
        )
    if not _HOST.fullmatch(host):
        raise _useless(variable, "cannot be read")
    place = f"[{host}]" if ":" in host else host
    name, password = parts.username, parts.password
    return Proxy(
        url=f"{parts.scheme}://{place}" + ("" if port is None else f":{port}"),
        credentials=None if name is None else (unquote(name), unquote(password or "")),
    )


def _useless(variable: str, why: str) -> SilentBroker:
    return SilentBroker(
        f"the broker cannot be reached: the proxy in {variable} {why}, and must be http:// or https://",
        code="broker-proxy",
        hint=f"correct {variable}, or name the broker's host in NO_PROXY",
    )
