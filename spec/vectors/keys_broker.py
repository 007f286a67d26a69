"""The vectors of spec/keys.md about brokers: address, member, intake; ``generate_keys.py`` writes them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from keys_owner import accepted
from keys_toolkit import (
    DEVICE,
    LATER,
    NOW,
    ORGANIZATION,
    ROLE_KEYS,
    SEALING,
    STRANGER,
    Chain,
    derive,
    identify,
    invite,
    invite_file,
    public,
    role_key,
    text,
    token,
)
from package_toolkit import Signer

Vector = tuple[str, str, dict[str, Any], bytes]
Members = dict[str, Any]

CHAIN = Chain()
PINNED = "success-chain-one-version"
MEMBER = Signer("member")
BROKER = ROLE_KEYS["broker"][0]


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good_addresses()
    yield from bad_addresses()
    yield from good_members()
    yield from bad_members()
    yield from good_intakes()
    yield from bad_intakes()


def pem(der: bytes) -> str:
    """Return the one spelling of a certificate as text."""
    encoded = base64.b64encode(der).decode()
    lines = "\n".join(encoded[at : at + 64] for at in range(0, len(encoded), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"


AUTHORITY = pem(derive("certificate", 300))


def address(**changes: Any) -> Members:
    """Return the member ``broker`` of an invite."""
    return {"ca": AUTHORITY, "url": "https://broker.hospital.example:8443"} | changes


def good_addresses() -> Iterator[Vector]:
    """Invites with a broker."""
    urls = {
        "host": "https://broker.hospital.example",
        "port": "https://broker.hospital.example:8443",
        "path": "https://hospital.example/strongroom/broker",
        "loopback": "https://127.0.0.1:8443",
        "ipv6": "https://[::1]:65535",
    }
    header = {
        "check": "invite",
        "at": NOW,
        "owner": CHAIN.owner,
        "partner": "clinic",
        "serial": derive("serial", 16).hex(),
    }
    for name, url in urls.items():
        data = invite_file(CHAIN, invite(CHAIN, broker=address(url=url)))
        yield f"success-invite-broker-{name}", "with a broker", header | {"broker": url}, data


def bad_addresses() -> Iterator[Vector]:
    """Invites with a broker that breaks a rule."""
    urls = {
        "http": ("not encrypted", "http://broker.hospital.example"),
        "no-scheme": ("no scheme", "broker.hospital.example"),
        "user": ("user information", "https://hospital.example@thief.example"),
        "fragment": ("a fragment", "https://broker.hospital.example#x"),
        "query": ("a query", "https://broker.hospital.example?x=1"),
        "slash": ("a slash at the end", "https://broker.hospital.example/"),
        "dots": ("a segment of dots", "https://hospital.example/a/../b"),
        "port": ("a port above 65535", "https://broker.hospital.example:65536"),
        "port-zero": ("port 0", "https://broker.hospital.example:0"),
        "capitals": ("a host in capitals", "https://Broker.hospital.example"),
        "line-feed": ("a line feed at the end", "https://broker.hospital.example\n"),
        "long": ("256 characters", "https://" + "a" * 248),
    }
    cases: dict[str, tuple[str, Any]] = {
        name: (comment, address(url=url)) for name, (comment, url) in urls.items()
    }
    head, foot = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
    cases |= {
        "ca-empty": ("no certificate", address(ca="")),
        "ca-nothing": ("a certificate without bytes", address(ca=f"{head}\n{foot}")),
        "ca-two": ("two certificates", address(ca=AUTHORITY * 2)),
        "ca-lines": ("lines of another length", address(ca=AUTHORITY.replace("\n", "\r\n"))),
        "ca-text": ("text before the certificate", address(ca="hospital\n" + AUTHORITY)),
        "ca-base64": ("no base64", address(ca=f"{head}!!!!\n{foot}")),
        "ca-long": ("a certificate above the limit", address(ca=pem(bytes(8 << 10)))),
        "no-ca": ("without a certificate", {"url": "https://broker.hospital.example"}),
        "member": ("a member that is not in the specification", address(note=1)),
        "text": ("the address alone", "https://broker.hospital.example"),
    }
    for name, (comment, broker) in cases.items():
        data = invite_file(CHAIN, invite(CHAIN, broker=broker))
        yield f"format-invite-broker-{name}", comment, {"check": "invite", "at": NOW}, data


def member(key: Signer = ORGANIZATION, /, **changes: Any) -> str:
    """Return a member certificate."""
    payload = {
        "expires_at": None,
        "format": "member/v1",
        "issued_at": NOW,
        "member": public("member", MEMBER),
        "name": "j.doe",
        "organization": identify("org-", "organization", ORGANIZATION.public),
        "owner": CHAIN.owner,
        "role": "manager",
    }
    return token("strongroom-member+jws", payload | changes, key)


def member_header(at: str) -> Members:
    """Return what a check of a member certificate needs."""
    organization = public("organization", ORGANIZATION)
    return {"check": "member", "owner": CHAIN.owner, "organization": organization, "at": at}


def good_members() -> Iterator[Vector]:
    """Member certificates that the broker must accept."""
    named = {"member": identify("mem-", "member", MEMBER.public), "name": "j.doe"}
    for role in ("manager", "operator", "auditor"):
        header = member_header(NOW) | named | {"role": role}
        yield f"success-member-{role}", "without an end", header, member(role=role).encode()
    header = member_header("2026-11-25T02:59:59Z") | named | {"role": "manager"}
    comment = "a second before it expires"
    yield "success-member-last-second", comment, header, member(expires_at=LATER).encode()
    header = member_header("2026-11-24T02:55:00Z") | named | {"role": "manager"}
    yield "success-member-tolerance", "five minutes before it was issued", header, member().encode()


def bad_members() -> Iterator[Vector]:
    """Member certificates that break a rule or do not hold."""
    other = identify("org-", "organization", STRANGER.public)
    cases: dict[str, tuple[str, str]] = {
        "format-member-format": ("another format", member(format="member/v2")),
        "format-member-owner": ("no owner id", member(owner="hospital")),
        "format-member-organization": ("no organization id", member(organization="clinic")),
        "format-member-kind": ("a device key", member(member=public("device", DEVICE))),
        "format-member-name": ("a name in capitals", member(name="J. Doe")),
        "format-member-role": ("a role of the owner's", member(role="admin")),
        "format-member-date": ("a date of another form", member(issued_at="today")),
        "format-member-expiry": ("it expires when it is issued", member(expires_at=NOW)),
        "format-member-unknown": ("a member that is not in the specification", member(note=1)),
        "format-member-typ": ("an intake certificate", intake()),
        "verification-member-signer": ("signed by another organization", member(STRANGER)),
        "verification-member-organization": ("for another organization", member(organization=other)),
        "verification-member-owner": ("toward another owner", member(owner="own-" + "a" * 24)),
        "verification-member-one-key": (
            "the organization key as member key",
            member(member=public("member", ORGANIZATION)),
        ),
        "verification-member-self": ("signed by the member itself", member(MEMBER)),
        "verification-member-future": (
            "a second beyond the tolerance",
            member(issued_at="2026-11-24T03:05:01Z"),
        ),
    }
    for name, (comment, case) in cases.items():
        yield name, comment, member_header(NOW), case.encode()
    ended = member(expires_at=LATER).encode()
    yield "verification-member-expired", "at its expiry", member_header(LATER), ended


def intake(key: Signer = BROKER, /, **changes: Any) -> str:
    """Return an intake certificate."""
    payload = {
        "format": "intake-key/v1",
        "intake": text("sealing", "public", SEALING),
        "issued_at": NOW,
        "owner": CHAIN.owner,
    }
    return token("strongroom-intake-key+jws", payload | changes, key)


def good_intakes() -> Iterator[Vector]:
    """Intake certificates that the owner's home must accept."""
    header = {"check": "intake", "pinned": PINNED, "at": NOW, "intake": text("sealing", "public", SEALING)}
    yield "success-intake", "at its time of issue", header, intake().encode()
    later = "years after it was issued"
    yield "success-intake-old", later, header | {"at": "2030-01-01T00:00:00Z"}, intake().encode()


def bad_intakes() -> Iterator[Vector]:
    """Intake certificates that break a rule or do not hold."""
    cases: dict[str, tuple[str, str]] = {
        "format-intake-format": ("another format", intake(format="intake-key/v2")),
        "format-intake-owner": ("no owner id", intake(owner="hospital")),
        "format-intake-kind": ("a device key", intake(intake=public("device", DEVICE))),
        "format-intake-date": ("a date of another form", intake(issued_at="today")),
        "format-intake-unknown": ("a member that is not in the specification", intake(note=1)),
        "format-intake-typ": ("a member certificate", member()),
        "verification-intake-owner": ("of another owner", intake(owner="own-" + "a" * 24)),
        "verification-intake-license-key": ("signed by a license key", intake(ROLE_KEYS["license"][0])),
        "verification-intake-stranger": ("signed by a stranger", intake(STRANGER)),
        "verification-intake-future": (
            "a second beyond the tolerance",
            intake(issued_at="2026-11-24T03:05:01Z"),
        ),
    }
    for name, (comment, case) in cases.items():
        yield name, comment, {"check": "intake", "pinned": PINNED, "at": NOW}, case.encode()
    chain = Chain()
    chain.add(roles=chain.roles(broker=[role_key("broker", BROKER, LATER)]))
    yield accepted("broker-retired", "a broker key that has retired", chain, LATER, broker=[])
    retired = {"check": "intake", "pinned": "success-chain-broker-retired", "at": LATER}
    yield "verification-intake-retired", "its key has retired since", retired, intake().encode()
