from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from strongroom.crypto import certificate
from strongroom.crypto.certificate import Identity
from strongroom.errors import FormatError, UsageError, VerificationError

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ["broker.hospital.example", "10.1.2.3", "2001:db8::7"]
AUTHORITY = certificate.make_authority("hospital", hosts=NAMES, now=NOW)
SERVER = certificate.issue(AUTHORITY, hosts=NAMES, now=NOW)


def parsed(identity: Identity) -> x509.Certificate:
    return x509.load_pem_x509_certificate(identity.certificate)


def shake_hands(folder: Path, server: Identity, authority: bytes, name: str) -> str | None:
    """Connect a client that trusts one authority with a server, in memory; returns the TLS version."""
    (folder / "s.pem").write_bytes(server.certificate)
    (folder / "s.key").write_bytes(server.key)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(folder / "s.pem", folder / "s.key")
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    client_side.load_verify_locations(cadata=authority.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    listening = server_side.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        for side in (client, listening):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.version()


class TestAuthority:
    def test_it_signs_servers_and_no_authorities(self) -> None:
        constraints = parsed(AUTHORITY).extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
        usage = parsed(AUTHORITY).extensions.get_extension_for_class(x509.KeyUsage)
        assert usage.critical
        assert usage.value.key_cert_sign
        assert not usage.value.digital_signature

    def test_its_names_are_constrained(self) -> None:
        constraints = parsed(AUTHORITY).extensions.get_extension_for_class(x509.NameConstraints)
        assert constraints.critical
        assert certificate.read(AUTHORITY.certificate).hosts == (
            "localhost",
            "127.0.0.0/8",
            "::1",
            *NAMES,
        )

    def test_it_lives_long(self) -> None:
        assert certificate.read(AUTHORITY.certificate).not_after > NOW + timedelta(days=19 * 365)

    def test_loopback_is_not_constrained_twice(self) -> None:
        only = certificate.make_authority("h", hosts=["localhost", "127.0.0.1"], now=NOW)
        assert certificate.read(only.certificate).hosts == ("localhost", "127.0.0.0/8", "::1")

    def test_its_repr_shows_no_key(self) -> None:
        assert "PRIVATE" not in repr(AUTHORITY)


class TestServer:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", *NAMES])
    def test_a_client_that_pins_the_authority_connects(self, tmp_path: Path, name: str) -> None:
        assert shake_hands(tmp_path, SERVER, AUTHORITY.certificate, name) == "TLSv1.3"

    def test_another_name_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            shake_hands(tmp_path, SERVER, AUTHORITY.certificate, "evil.example")

    def test_another_authority_is_refused(self, tmp_path: Path) -> None:
        other = certificate.make_authority("hospital", hosts=NAMES, now=NOW)
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(tmp_path, SERVER, other.certificate, "localhost")

    def test_it_is_for_servers_only(self) -> None:
        extensions = parsed(SERVER).extensions
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usages) == [ExtendedKeyUsageOID.SERVER_AUTH]
        assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    def test_each_has_a_key_of_its_own(self) -> None:
        again = certificate.issue(AUTHORITY, hosts=NAMES, now=NOW)
        assert parsed(again).public_key() != parsed(SERVER).public_key()
        assert parsed(again).serial_number != parsed(SERVER).serial_number

    def test_it_ends_soon(self) -> None:
        assert certificate.read(SERVER.certificate).not_after == NOW + timedelta(days=90)

    def test_a_name_that_the_authority_may_not_sign_for(self) -> None:
        with pytest.raises(UsageError) as caught:
            certificate.issue(AUTHORITY, hosts=["other.example"], now=NOW)
        assert caught.value.code == "host-not-permitted"

    def test_a_stolen_authority_key_cannot_play_another_server(self, tmp_path: Path) -> None:
        """Whoever ignores our check and signs anyway is refused by every client."""
        subject = x509.Name([])
        key = ec.generate_private_key(ec.SECP256R1())
        issuer_key = serialization.load_pem_private_key(AUTHORITY.key, None)
        assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
        issuer = parsed(AUTHORITY)
        forged = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(NOW - timedelta(hours=1))
            .not_valid_after(NOW + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
                ),
                critical=False,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        identity = Identity(
            forged.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
            shake_hands(tmp_path, identity, AUTHORITY.certificate, "bank.example")


class TestReading:
    def test_the_fingerprint_is_as_other_tools_write_it(self) -> None:
        fingerprint = certificate.read(AUTHORITY.certificate).fingerprint
        assert len(fingerprint) == 95
        assert fingerprint.replace(":", "") == parsed(AUTHORITY).fingerprint(hashes.SHA256()).hex().upper()

    def test_who_issued_a_certificate(self) -> None:
        certificate.verify_issued(SERVER.certificate, AUTHORITY.certificate)
        other = certificate.make_authority("hospital", hosts=NAMES, now=NOW)
        with pytest.raises(VerificationError) as caught:
            certificate.verify_issued(SERVER.certificate, other.certificate)
        assert caught.value.code == "certificate-issuer"

    @pytest.mark.parametrize("data", [b"", b"x", SERVER.key])
    def test_what_is_no_certificate(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            certificate.read(data)

    def test_a_certificate_without_names_is_for_none(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        bare = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name([]))
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        assert certificate.read(bare.public_bytes(serialization.Encoding.PEM)).hosts == ()


class TestFaults:
    @pytest.mark.parametrize(
        "host", ["", "Broker.Example", "a b", "https://a", "a:1", "-a", "a..b", "*", "x" * 254, "a_b"]
    )
    def test_what_is_no_host(self, host: str) -> None:
        with pytest.raises(UsageError) as caught:
            certificate.make_authority("hospital", hosts=[host], now=NOW)
        assert caught.value.code == "host-name"

    def test_a_damaged_key_is_not_quoted(self) -> None:
        broken = Identity(AUTHORITY.certificate, AUTHORITY.key.replace(b"MI", b"!!"))
        with pytest.raises(FormatError) as caught:
            certificate.issue(broken, hosts=[], now=NOW)
        assert caught.value.code == "certificate-key"
        assert caught.value.__context__ is None

    def test_a_key_of_another_kind(self) -> None:
        pem = rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(FormatError):
            certificate.issue(Identity(AUTHORITY.certificate, pem), hosts=[], now=NOW)

    def test_an_authority_of_another_kind(self) -> None:
        key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([])
        pem = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(NOW)
            .not_valid_after(NOW + timedelta(days=1))
            .sign(key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )
        with pytest.raises(FormatError, match="P-256"):
            certificate.issue(Identity(pem, AUTHORITY.key), hosts=[], now=NOW)
        with pytest.raises(VerificationError):
            certificate.verify_issued(SERVER.certificate, pem)
