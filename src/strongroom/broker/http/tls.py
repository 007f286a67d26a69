"""The broker's certificates on disk: its authority, and the server certificate that it renews by itself.

    tls = OwnAuthority(home.path / "broker" / "tls", "hospital", ["broker.hospital.example"])
    tls.ensure(now)                     # makes what is missing, renews what ends soon
    tls.authority                       # PEM; invites carry it, and partners pin it
    context = server_context(tls.certificate_path, tls.key_path)

Files, all of them private: ``authority.pem``, ``authority.key``, ``server.pem``, ``server.key``.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from strongroom.crypto import certificate
from strongroom.errors import ObjectNotFound, UsageError, VerificationError
from strongroom.home import files

_RENEW_BEFORE: Final = timedelta(days=30)


class OwnAuthority:
    """The folder of one broker's own certificates."""

    def __init__(self, folder: Path, owner_name: str, hosts: Sequence[str]) -> None:
        self._folder = folder
        self._owner_name = owner_name
        self._hosts = tuple(hosts)
        self.certificate_path = folder / "server.pem"
        self.key_path = folder / "server.key"

    @property
    def authority(self) -> bytes:
        """The certificate of the authority, PEM.

        Raises:
            ObjectNotFound: ``ensure`` was never called.
            StorageUnavailable: it cannot be read.
        """
        return files.read_bytes(self._folder / "authority.pem")

    def ensure(self, now: datetime) -> bool:
        """Make what is missing and renew what ends soon; says whether anything changed.

        Raises:
            UsageError: a host that is none, or that the authority may not sign for.
            NoMatchingKey: a key file is open to others.
            FormatError: a file is damaged.
            StorageUnavailable: a file cannot be read or written.
        """
        files.make_folder(self._folder)
        with files.locked(self._folder / "lock"):
            authority = self._ensure_authority(now)
            if self._is_good(authority, now):
                return False
            server = certificate.issue(authority, hosts=self._hosts, now=now)
            # The key first. Whoever loads a new key with an old certificate fails loudly and tries again.
            files.write_atomic(self.key_path, server.key)
            files.write_atomic(self.certificate_path, server.certificate + authority.certificate)
            return True

    def _ensure_authority(self, now: datetime) -> certificate.Identity:
        try:
            found = certificate.Identity(
                files.read_bytes(self._folder / "authority.pem"),
                files.read_private(self._folder / "authority.key"),
            )
        except ObjectNotFound:
            return self._make_authority(now)
        permitted = certificate.read(found.certificate).hosts
        names = [host for host in self._hosts if host not in certificate.LOOPBACK]
        if names and set(permitted) <= _ONLY_HERE:
            # Made for this machine alone: nobody elsewhere can have pinned it.
            return self._make_authority(now)
        return found

    def _make_authority(self, now: datetime) -> certificate.Identity:
        made = certificate.make_authority(self._owner_name, hosts=self._hosts, now=now)
        files.write_atomic(self._folder / "authority.key", made.key)
        files.write_atomic(self._folder / "authority.pem", made.certificate)
        return made

    def _is_good(self, authority: certificate.Identity, now: datetime) -> bool:
        try:
            pem = files.read_bytes(self.certificate_path)
            files.read_private(self.key_path)
            certificate.verify_issued(pem, authority.certificate)
        except (ObjectNotFound, VerificationError):
            return False
        described = certificate.read(pem)
        wanted = set(self._hosts) | set(certificate.LOOPBACK)
        return wanted <= set(described.hosts) and described.not_after - now > _RENEW_BEFORE


_ONLY_HERE: Final = frozenset({"localhost", "127.0.0.0/8", "::1"})


def server_context(certificate_path: Path, key_path: Path) -> ssl.SSLContext:
    """Make the TLS context of a server: version 1.3 only.

    Raises:
        UsageError: the files hold no certificate with its key (code ``certificate-files``).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # One protocol is spoken; a client that offers only others learns it in the handshake.
    context.set_alpn_protocols(["http/1.1"])
    load(context, certificate_path, key_path)
    return context


def load(context: ssl.SSLContext, certificate_path: Path, key_path: Path) -> None:
    """Load a certificate into a context; connections from now on get it.

    Raises:
        UsageError: the files hold no certificate with its key (code ``certificate-files``).
    """
    try:
        # Without a callback OpenSSL would ask for a pass-phrase on the terminal.
        context.load_cert_chain(certificate_path, key_path, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{certificate_path} and {key_path} are no certificate with its key",
            code="certificate-files",
            hint="both in PEM; the key without a pass-phrase, readable for the broker's user",
        ) from error
