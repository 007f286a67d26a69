"""Serving to a network: which names a server goes by, and the certificates that it shows for them.

    identity = take_identity(home, "0.0.0.0", names=["risk.clinic.example"], clock=clock)
    context = identity.context()
    identity.renew(context)                           # every now and then

By default under an authority of this home, ``run/tls``, which can sign for those names alone: clients
that trust it trust it for nothing else. TLS 1.2 is spoken as well, for machines with Windows 10.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from strongroom.crypto import certificate
from strongroom.errors import UsageError
from strongroom.home import files, tls
from strongroom.home.home import Home

_FOLDER: Final = "tls"
_HANDED_OUT: Final = "strongroom-authority.crt"
"""What clients are given; Windows goes by the end of its name."""
_ELSEWHERE: Final = (socket.AF_INET, "192.0.2.1")
"""An address of documentation: nothing is sent there, but the system says from which of ours it would be."""


@dataclass(frozen=True, slots=True)
class NetworkIdentity:
    """What a server is called, and how it proves it."""

    names: tuple[str, ...]
    """By which clients reach it; the first one is shown."""
    material: tls.Material
    authority: Path | None
    """The file that clients are to be given; None: they trust the operator's own certificate already."""
    fingerprint: str
    """SHA-256 of that certificate."""

    def context(self) -> ssl.SSLContext:
        """Make the TLS context.

        Raises:
            UsageError: The files hold no certificate with its key (code ``certificate-files``).
        """
        return tls.server_context(
            self.material.certificate_path, self.material.key_path, oldest=ssl.TLSVersion.TLSv1_2
        )

    def renew(self, context: ssl.SSLContext) -> None:
        """Renew what ends soon, and show from now on what is there.

        Raises:
            Error: It cannot be read or written; what was shown until now is shown on.
        """
        if self.material.renew():
            tls.load(context, self.material.certificate_path, self.material.key_path)

    def url(self, port: int) -> str:
        """Return the address that clients use."""
        name = self.names[0]
        return f"https://[{name}]:{port}" if ":" in name else f"https://{name}:{port}"


def take_identity(
    home: Home,
    host: str,
    *,
    names: Sequence[str] = (),
    certificate_path: Path | None = None,
    key_path: Path | None = None,
    clock: Callable[[], datetime],
    found: Callable[[], Sequence[str]] | None = None,
) -> NetworkIdentity:
    """Make or read the certificates of a server.

    Args:
        home: Of the party that serves; its authority lies there.
        host: What it listens on.
        names: What clients call it; none: the name and the address of this machine.
        certificate_path: The operator's own certificate with its chain, in place of one made here.
        key_path: Its key.
        clock: Tells the time.
        found: Returns the names of this machine; None: looks.

    Raises:
        UsageError: A name that is none, or that the authority was not made for (code
            ``host-not-permitted``); no name at all (code ``server-name-needed``); or files that do
            not fit together.
        NoMatchingKey: A key file is open to others.
        FormatError: A file is damaged.
        StorageError: A file cannot be read or written.
    """
    said = tuple(dict.fromkeys((*names, *_of_listening(host))))
    for name in said:
        certificate.verify_host(name)
    if certificate_path is not None or key_path is not None:
        material = tls.given_material(certificate_path, key_path, host=said[0] if said else None)
        shown = certificate.read(files.read_bytes(material.certificate_path))
        return NetworkIdentity(said or _of_certificate(shown), material, None, shown.fingerprint)
    folder = home.path / "run" / _FOLDER
    looked = () if said else tuple((found or names_of_host)())
    own = tls.OwnAuthority(folder, f"server of {home.name}", said or looked)
    # A name that nobody asked for is left out, where an authority was made before this machine had it.
    used = said or own.permitted(looked)
    if not used:
        raise _nameless()
    own = tls.OwnAuthority(folder, f"server of {home.name}", used)
    material = own.material(clock)
    handed_out = folder.parent / _HANDED_OUT
    files.write_atomic(handed_out, material.authority)
    return NetworkIdentity(used, material, handed_out, certificate.read(material.authority).fingerprint)


def names_of_host() -> tuple[str, ...]:
    """Return the name of this machine, and the address by which it reaches others."""
    names = [socket.gethostname().lower()]
    family, elsewhere = _ELSEWHERE
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((elsewhere, 9))
        names.append(probe.getsockname()[0])
    usable = []
    for name in names:
        with suppress(UsageError):
            certificate.verify_host(name)
            usable.append(name)
    return tuple(name for name in dict.fromkeys(usable) if not _is_here(name))


def _of_listening(host: str) -> tuple[str, ...]:
    """Return what it listens on, where clients can use that as a name."""
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_unspecified:
            return ()
    return (host.lower(),)


def _of_certificate(shown: certificate.Described) -> tuple[str, ...]:
    if not shown.hosts:
        raise _nameless()
    return shown.hosts


def _is_here(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _nameless() -> UsageError:
    return UsageError(
        "clients need a name or an address by which they reach this server",
        code="server-name-needed",
        hint="say it: --name risk.clinic.example",
    )
