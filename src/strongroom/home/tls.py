"""A server's certificates on disk: its authority, and the server certificate that it renews by itself.

    tls = OwnAuthority(home.path / "broker" / "tls", "broker of hospital", ["broker.hospital.example"])
    tls.ensure(now)                     # makes what is missing, renews what ends soon
    tls.authority                       # PEM; what clients trust
    context = server_context(tls.certificate_path, tls.key_path)

    material = given_material(certificate_path, key_path)       # an operator's own, in place of that

Files of an authority, all private: ``authority.pem``, ``authority.key``, ``server.pem``, ``server.key``.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from strongroom.crypto import certificate
from strongroom.errors import ObjectNotFound, UsageError, VerificationError
from strongroom.home import files

_RENEW_BEFORE: Final = timedelta(days=30)
_PEM_END: Final = b"-----END CERTIFICATE-----\n"
_SUITES_BEFORE_1_3: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Those of TLS 1.2 with forward secrecy and authenticated encryption."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a server shows to its clients."""

    certificate_path: Path
    key_path: Path
    authority: bytes
    """The certificate that clients trust, PEM."""
    renew: Callable[[], bool]
    """To be called every now and then; says whether the files are to be loaded again."""


class OwnAuthority:
    """The folder of one server's own certificates."""

    def __init__(self, folder: Path, server_name: str, hosts: Sequence[str]) -> None:
        self._folder = folder
        self._server_name = server_name
        self._hosts = tuple(hosts)
        self.certificate_path = folder / "server.pem"
        self.key_path = folder / "server.key"

    def material(self, clock: Callable[[], datetime]) -> Material:
        """Make or renew all of it, and return it.

        Raises:
            Error: what ``ensure`` refuses.
        """
        self.ensure(clock())
        return Material(self.certificate_path, self.key_path, self.authority, lambda: self.ensure(clock()))

    @property
    def authority(self) -> bytes:
        """The certificate of the authority, PEM.

        Raises:
            ObjectNotFound: ``ensure`` was never called.
            StorageUnavailable: it cannot be read.
        """
        return files.read_bytes(self._folder / "authority.pem")

    def permitted(self, hosts: Sequence[str]) -> tuple[str, ...]:
        """Return those hosts that the authority may sign for: all, if it is still to be made.

        Raises:
            FormatError: its file is damaged.
            StorageUnavailable: it cannot be read.
        """
        try:
            found = certificate.read(self.authority).hosts
        except ObjectNotFound:
            return tuple(hosts)
        if set(found) <= _ONLY_HERE:
            return tuple(hosts)
        return tuple(host for host in hosts if host in found)

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
        made = certificate.make_authority(self._server_name, hosts=self._hosts, now=now)
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


def given_material(
    certificate_path: Path | None, key_path: Path | None, *, authority: Path | None = None, host: str | None
) -> Material:
    """Take an operator's own certificate with its key; others renew them.

    Args:
        certificate_path: With its chain, PEM.
        key_path: Its key, PEM.
        authority: The certificate that clients trust; None: the last of the chain.
        host: What clients will look for; None: something else answers them there.

    Raises:
        UsageError: One of them is missing (code ``certificate-files``), or it is for other names
            (code ``certificate-name``).
        NoMatchingKey: The key file is open to others.
        FormatError: A file holds no certificate.
        StorageError: A file cannot be read.
    """
    if certificate_path is None or key_path is None:
        raise UsageError(
            "a certificate of your own needs its key, and the other way round",
            code="certificate-files",
            hint="give both --certificate and --key-file",
        )
    files.read_private(key_path)
    if host is not None:
        _verify_named(certificate_path, host)
    # It is read again, whatever others did.
    pinned = _last_certificate(files.read_bytes(authority or certificate_path))
    return Material(certificate_path, key_path, pinned, lambda: True)


def _verify_named(path: Path, host: str) -> None:
    named = certificate.read(files.read_bytes(path)).hosts
    if host.lower() in {each.lower() for each in named}:
        return
    if f"*.{host.partition('.')[2]}".lower() in {each.lower() for each in named}:
        return
    raise UsageError(
        f"{path} is a certificate for {', '.join(named) or 'no name'}, and it would be asked for as {host}",
        code="certificate-name",
        hint="give the name that is in it with --name, or a certificate for this one",
    )


def _last_certificate(pem: bytes) -> bytes:
    text = pem.strip() + b"\n"
    begin = text.rfind(b"-----BEGIN CERTIFICATE-----")
    if begin < 0 or not text.endswith(_PEM_END):
        certificate.read(text)
    return text[begin:]


def server_context(
    certificate_path: Path, key_path: Path, *, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """Make the TLS context of a server: version 1.3 only, unless older clients are to be answered too.

    Raises:
        UsageError: the files hold no certificate with its key (code ``certificate-files``).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = oldest
    context.set_ciphers(_SUITES_BEFORE_1_3)
    context.options |= ssl.OP_NO_RENEGOTIATION
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
            hint="both in PEM; the key without a pass-phrase, readable for the server's user",
        ) from error
