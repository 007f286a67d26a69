"""Certificates of one server: a small authority of its own, and what it issues.

    authority = make_authority("broker of hospital", hosts=["broker.hospital.example"], now=now)
    server = issue(authority, hosts=["broker.hospital.example"], now=now)
    server.certificate, server.key                    # PEM
    read(server.certificate).not_after

The authority's certificate is what partners pin. It can sign server certificates only, for the
names that it was made for and for this machine itself (critical name constraints, RFC 5280 section
4.2.1.10), and no further authority. So whoever steals its key can play this one server,
and no other server of anybody who trusts it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from strongroom.errors import FormatError, UsageError, VerificationError

AUTHORITY_DAYS: Final = 20 * 365
"""Partners pin the authority: its end is the end of all their pins."""
SERVER_DAYS: Final = 90
"""Nothing can revoke a server certificate; a stolen one ends soon."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_BACKDATE: Final = timedelta(hours=1)
"""A partner's clock may be behind ours."""
_LOOPBACK_NETWORKS: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_HOST: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A certificate and its secret key, both PEM. Its repr shows nothing."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Described:
    """What a certificate says."""

    fingerprint: str
    """SHA-256 of its DER bytes, as other tools write it: ``AB:CD:...``."""
    not_after: datetime
    hosts: tuple[str, ...]
    """The names and addresses that it is for; for an authority, those that it may sign for."""


def verify_host(host: str) -> None:
    """Check that a text can be the name or the address of a server.

    Raises:
        UsageError: it cannot (code ``host-name``).
    """
    if _address(host) is None and not _HOST.fullmatch(host):
        raise UsageError(
            "not the name of a host",
            code="host-name",
            hint="write it in lower case without port and scheme: broker.hospital.example",
        )


def make_authority(name: str, *, hosts: Sequence[str], now: datetime) -> Identity:
    """Make the authority of one server.

    Args:
        name: What server of whom it is, for people who look at the certificate.
        hosts: Names and addresses that it may sign for, beside those of this machine itself.
        now: The time; the certificate is good from an hour before.

    Raises:
        UsageError: a host that is none.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Strongroom {name}"[:64])])
    builder = (
        _builder(subject, subject, key.public_key(), now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.NameConstraints(permitted_subtrees=_permitted(hosts), excluded_subtrees=None),
            critical=True,
        )
    )
    return _finish(builder.sign(key, hashes.SHA256()), key)


def issue(authority: Identity, *, hosts: Sequence[str], now: datetime) -> Identity:
    """Issue a server certificate with a fresh key.

    Args:
        authority: Who signs.
        hosts: Names and addresses of the server, beside those of this machine itself.
        now: The time; the certificate is good from an hour before.

    Raises:
        UsageError: a host that is none, or that the authority may not sign for (code ``host-not-permitted``).
        FormatError: the authority's PEM texts are damaged.
    """
    issuer = _load(authority.certificate)
    permitted = set(_described_hosts(issuer))
    foreign = [host for host in hosts if host not in permitted and host not in LOOPBACK]
    if foreign:
        raise UsageError(
            f"the certificate authority of this server was not made for {foreign[0]}",
            code="host-not-permitted",
            hint="give a certificate of your own with --certificate and --key-file, or move the server's tls "
            "folder away for a new authority, which all who trust the old one then have to be given",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (*hosts, *LOOPBACK)[0][:64])])
    names = [_general_name(host) for host in dict.fromkeys((*hosts, *LOOPBACK))]
    builder = (
        _builder(subject, issuer.subject, key.public_key(), now, SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(_p256(issuer)), critical=False)
    )
    return _finish(builder.sign(_load_key(authority.key), hashes.SHA256()), key)


def read(pem: bytes) -> Described:
    """Say what a certificate says; of a chain, its first.

    Raises:
        FormatError: no certificate in PEM.
    """
    certificate = _load(pem)
    digest = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return Described(
        fingerprint=":".join(digest[at : at + 2] for at in range(0, len(digest), 2)),
        not_after=certificate.not_valid_after_utc,
        hosts=_described_hosts(certificate),
    )


def verify_issued(pem: bytes, authority: bytes) -> None:
    """Check that an authority issued a certificate.

    Raises:
        FormatError: one of them is no certificate in PEM.
        VerificationError: another one did.
    """
    certificate = _load(pem)
    try:
        certificate.verify_directly_issued_by(_load(authority))
    except (InvalidSignature, ValueError, TypeError) as error:
        raise VerificationError(
            "a server certificate is not of this authority", code="certificate-issuer"
        ) from error


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    days: int,
) -> x509.CertificateBuilder:
    moment = now.astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - _BACKDATE)
        .not_valid_after(moment + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _permitted(hosts: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(network) for network in _LOOPBACK_NETWORKS]
    for host in hosts:
        verify_host(host)
        address = _address(host)
        if address is None:
            names.append(x509.DNSName(host))
        elif not address.is_loopback:
            names.append(x509.IPAddress(ipaddress.ip_network(address)))
    return list(dict.fromkeys(names))


def _general_name(host: str) -> x509.GeneralName:
    verify_host(host)
    address = _address(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _described_hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    extensions = certificate.extensions
    for extension in extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            return tuple(_host_text(name) for name in extension.value)
        if isinstance(extension.value, x509.NameConstraints):
            return tuple(_host_text(name) for name in extension.value.permitted_subtrees or ())
    return ()


def _host_text(name: x509.GeneralName) -> str:
    # A network of one address is that address.
    return str(name.value).removesuffix("/32").removesuffix("/128")


def _p256(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise FormatError("the authority's key is not on P-256")
    return key


def _finish(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
    return Identity(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def _load(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise FormatError("not a certificate in PEM", code="certificate") from error


def _load_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    # The library's own error may hold the text: raised outside of the handler.
    try:
        key: object = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise FormatError("not a P-256 key in PEM", code="certificate-key")
    return key
