"""The vectors of spec/keys.md about invites and enrollments; ``generate_keys.py`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keys_toolkit import (
    DEVICE,
    LATER,
    NOW,
    ORGANIZATION,
    ROLE_KEYS,
    ROOTS,
    SEALING,
    STRANGER,
    Chain,
    base64url,
    canonical,
    certificate,
    cut_off,
    derive,
    enrollment,
    enrollment_file,
    fingerprint,
    identify,
    invite,
    invite_file,
    public,
    role_key,
    roots,
    text,
    token,
)

Vector = tuple[str, str, dict[str, Any], bytes]

LICENSE = ROLE_KEYS["license"]
CHAIN = Chain()
PINNED = "success-chain-one-version"
END = "2026-12-01T03:00:00Z"
LAST = "2026-12-01T02:59:59Z"


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good_invites()
    yield from bad_invites()
    yield from bad_tokens()
    yield from good_enrollments()
    yield from bad_enrollments()
    yield from bad_bindings()
    yield from bad_certificates()


def good_invites() -> Iterator[Vector]:
    """Invites that every reader must accept."""
    header = {"owner": CHAIN.owner, "partner": "clinic", "serial": derive("serial", 16).hex()}

    def good(name: str, comment: str, data: bytes, at: str = NOW) -> Vector:
        return name, comment, {"check": "invite", "at": at, **header}, data

    yield good("success-invite", "at its time of issue", invite_file(CHAIN))
    yield good("success-invite-last-second", "a second before it expires", invite_file(CHAIN), LAST)
    yield good(
        "success-invite-tolerance",
        "five minutes before it was issued",
        invite_file(CHAIN),
        "2026-11-24T02:55:00Z",
    )
    newer = Chain().add()
    older = invite_file(newer, invite(CHAIN))
    yield good("success-invite-newer-chain", "the chain has a version more than the invite says", older)


def bad_invites() -> Iterator[Vector]:
    """Invites that break a rule or do not hold."""

    def bad(name: str, comment: str, data: bytes, at: str = NOW) -> Vector:
        return name, comment, {"check": "invite", "at": at}, data

    members: dict[str, tuple[str, dict[str, Any]]] = {
        "format": ("another format", {"format": "invite/v2"}),
        "owner-form": ("no owner id", {"owner": "hospital"}),
        "owner-version": ("owner version 0", {"owner_version": 0}),
        "partner": ("a name with a slash", {"partner": "../clinic"}),
        "serial": ("a serial of 15 bytes", {"serial": "00" * 15}),
        "serial-case": ("a serial in capitals", {"serial": "AB" * 16}),
        "expiry": ("it expires when it is issued", {"expires_at": NOW}),
        "unknown-member": ("a member that is not in the specification", {"note": ""}),
    }
    for name, (comment, changes) in members.items():
        yield bad(f"format-invite-{name}", comment, invite_file(CHAIN, invite(CHAIN, **changes)))
    yield bad("format-invite-file-format", "another format of the file", invite_file(CHAIN, format="x"))
    yield bad("format-invite-file-member", "a member too many in the file", invite_file(CHAIN, note=1))
    yield bad("format-invite-empty-chain", "no chain", invite_file(CHAIN, owner=[]))
    yield bad("verification-invite-expired", "at its expiry", invite_file(CHAIN), END)
    yield bad(
        "verification-invite-future",
        "a second beyond the tolerance",
        invite_file(CHAIN),
        "2026-11-24T02:54:59Z",
    )
    by_package = invite(CHAIN, ROLE_KEYS["package"][0])
    yield bad("verification-invite-package-key", "signed by a package key", invite_file(CHAIN, by_package))
    yield bad("verification-invite-root", "signed by a root", invite_file(CHAIN, invite(CHAIN, ROOTS[0])))
    yield bad(
        "verification-invite-stranger", "signed by a stranger", invite_file(CHAIN, invite(CHAIN, STRANGER))
    )
    other = Chain([ROOTS[2]], roots=roots(ROOTS[2:3]))
    yield bad("verification-invite-other-owner", "of another owner", invite_file(CHAIN, invite(other)))
    newer = invite(Chain().add())
    yield bad("verification-invite-cut-chain", "without the newest version", invite_file(CHAIN, newer))
    cut = Chain().add(cut_off=[cut_off(LICENSE[0])])
    yield bad("verification-invite-cut-off", "its key was cut off later", invite_file(cut, invite(CHAIN)))
    retired = Chain()
    retired.add(roles=retired.roles(license=[role_key("license", LICENSE[0], NOW)]))
    yield bad(
        "verification-invite-retired", "its key retired at that instant", invite_file(retired, invite(CHAIN))
    )
    broken = Chain([STRANGER])
    yield bad("verification-invite-chain", "the chain does not verify", invite_file(broken))


def bad_tokens() -> Iterator[Vector]:
    """Spellings of a token that are not its one spelling, in the place of an invite."""
    good = invite(CHAIN)
    head, body, sign = good.split(".")
    typ, key = "strongroom-invite+jws", LICENSE[0]
    payload = {"owner": CHAIN.owner}
    header = {"alg": "ES256", "kid": key.key_id, "typ": typ}
    spaced = base64url(canonical(header).replace(b",", b", "))
    cases = {
        "typ": ("another typ", token("strongroom-license+jws", payload, key)),
        "alg-none": ("no algorithm", token(typ, payload, key, alg="none")),
        "alg-hs256": ("a symmetric algorithm", token(typ, payload, key, alg="HS256")),
        "jwk": ("a key in the header", token(typ, payload, key, jwk={})),
        "crit": ("a critical extension", token(typ, payload, key, crit=["b64"])),
        "header-space": ("white space in the header", f"{spaced}.{body}.{sign}"),
        "payload-space": ("white space in the payload", token(typ, canonical(payload) + b" ", key)),
        "padding": ("base64 with padding", f"{good}=="),
        "two-parts": ("no signature", f"{head}.{body}"),
        "four-parts": ("a part too many", f"{good}.{sign}"),
        "short-signature": ("a signature of 63 bytes", f"{head}.{body}.{base64url(bytes(63))}"),
    }
    for name, (comment, case) in cases.items():
        yield f"format-token-{name}", comment, {"check": "invite", "at": NOW}, invite_file(CHAIN, case)
    whole = {
        "broker": None,
        "expires_at": END,
        "format": "invite/v1",
        "issued_at": NOW,
        "owner": CHAIN.owner,
        "owner_version": 1,
        "partner": "clinic",
        "serial": derive("serial", 16).hex(),
    }
    high = invite_file(CHAIN, token(typ, whole, key, high=True))
    yield (
        "verification-token-high-s",
        "the other spelling of the signature",
        {"check": "invite", "at": NOW},
        high,
    )
    changed = base64url(canonical(whole | {"partner": "competitor"}))
    altered = invite_file(CHAIN, f"{head}.{changed}.{sign}")
    yield "verification-token-altered", "another payload", {"check": "invite", "at": NOW}, altered


def good_enrollments() -> Iterator[Vector]:
    """Enrollments that the owner must accept."""
    runtime = identify("run-", "runtime", DEVICE.public)

    def good(name: str, comment: str, case: str, at: str = NOW, pinned: str = PINNED) -> Vector:
        header = {"check": "enrollment", "pinned": pinned, "at": at, "partner": "clinic", "runtime": runtime}
        return name, comment, header | {"fingerprint": fingerprint(case)}, enrollment_file(case)

    yield good("success-enrollment", "at its time of issue", enrollment(CHAIN))
    yield good(
        "success-enrollment-last-second", "a second before the invite expires", enrollment(CHAIN), LAST
    )
    newer = "success-chain-same-version-again"
    yield good(
        "success-enrollment-older-chain", "the partner saw an older version", enrollment(CHAIN), NOW, newer
    )
    early = enrollment(
        CHAIN,
        issued_at="2026-11-24T02:55:00Z",
        sealing_certificate=certificate(CHAIN, issued_at="2026-11-24T02:00:00Z"),
    )
    yield good("success-enrollment-tolerance", "five minutes before the invite was issued", early)


def bad(name: str, comment: str, case: str | bytes, at: str = NOW, pinned: str = PINNED) -> Vector:
    """Return an enrollment that is refused."""
    data = case if isinstance(case, bytes) else enrollment_file(case)
    return name, comment, {"check": "enrollment", "pinned": pinned, "at": at}, data


def bad_enrollments() -> Iterator[Vector]:
    """Enrollments that break a rule of their form."""
    as_device = {
        "device": public("device", ORGANIZATION),
        "runtime": identify("run-", "runtime", ORGANIZATION.public),
    }
    members: dict[str, tuple[str, dict[str, Any]]] = {
        "format": ("another format", {"format": "enrollment/v2"}),
        "owner": ("no owner id", {"owner": "hospital"}),
        "owner-digest": ("a digest of 31 bytes", {"owner_digest": "00" * 31}),
        "partner": ("a name in capitals", {"partner": "Clinic"}),
        "organization-kind": (
            "a member key as organization",
            {"organization": public("member", ORGANIZATION)},
        ),
        "device-kind": ("an organization key as device", {"device": public("organization", DEVICE)}),
        "one-key": ("one key as organization and device", as_device),
        "runtime": ("the id of another device", {"runtime": identify("run-", "runtime", STRANGER.public)}),
        "date": ("a date of another form", {"issued_at": "today"}),
        "invite-typ": ("a certificate in place of the invite", {"invite": certificate(CHAIN)}),
        "certificate-typ": ("an invite in place of the certificate", {"sealing_certificate": invite(CHAIN)}),
        "unknown-member": ("a member that is not in the specification", {"note": 1}),
    }
    for name, (comment, changes) in members.items():
        yield bad(f"format-enrollment-{name}", comment, enrollment(CHAIN, **changes))
    yield bad(
        "format-enrollment-file-format",
        "another format of the file",
        enrollment_file(enrollment(CHAIN), format="x"),
    )
    yield bad("format-enrollment-invite-file", "an invite file", invite_file(CHAIN))


def bad_bindings() -> Iterator[Vector]:
    """Enrollments that do not hold for this owner at this time."""
    other = Chain([ROOTS[2]], roots=roots(ROOTS[2:3]))
    fork = Chain().add(cut_off=[cut_off(LICENSE[0], 3)])
    same = {"owner_digest": "00" * 32}
    yield bad("verification-enrollment-other-owner", "toward another owner", enrollment(other))
    yield bad(
        "verification-enrollment-fork",
        "the partner saw a version that the owner never made",
        enrollment(fork, invite=invite(CHAIN)),
    )
    yield bad("verification-enrollment-digest", "the digest of nothing", enrollment(CHAIN, **same))
    yield bad("verification-enrollment-signer", "signed by another organization", enrollment(CHAIN, STRANGER))
    yield bad(
        "verification-enrollment-partner",
        "another name than the invited one",
        enrollment(CHAIN, partner="competitor"),
    )
    foreign = invite(other)
    yield bad(
        "verification-enrollment-foreign-invite",
        "invited by another owner",
        enrollment(CHAIN, invite=foreign),
    )
    forged = invite(CHAIN, STRANGER)
    yield bad(
        "verification-enrollment-forged-invite",
        "the invite is by a stranger",
        enrollment(CHAIN, invite=forged),
    )
    yield bad("verification-enrollment-expired", "the invite has expired", enrollment(CHAIN), END)
    yield bad(
        "verification-enrollment-late",
        "dated at the invite's expiry",
        enrollment(CHAIN, issued_at=END),
        LATER,
    )
    early = enrollment(
        CHAIN,
        issued_at="2026-11-24T02:54:59Z",
        sealing_certificate=certificate(CHAIN, issued_at="2026-11-24T02:00:00Z"),
    )
    yield bad("verification-enrollment-early", "dated before the invite", early)
    future = enrollment(CHAIN, issued_at="2026-11-24T03:05:01Z")
    yield bad("verification-enrollment-future", "a second beyond the tolerance", future)
    cut = "success-chain-cut-off"
    yield bad("verification-enrollment-cut-off", "the invite's key was cut off", enrollment(CHAIN), NOW, cut)


def bad_certificates() -> Iterator[Vector]:
    """Enrollments whose sealing key is not certified as it must be."""
    small = text("sealing", "public", SEALING[:1184] + bytes(32))
    stranger = identify("org-", "organization", STRANGER.public)
    cases = {
        "format-certificate-format": ("another format", certificate(CHAIN, format="x")),
        "format-certificate-sealing": (
            "a device key as sealing key",
            certificate(CHAIN, sealing=public("device", DEVICE)),
        ),
        "format-certificate-small-order": ("a sealing key of small order", certificate(CHAIN, sealing=small)),
        "format-certificate-organization": ("no organization id", certificate(CHAIN, organization="clinic")),
        "verification-certificate-signer": ("signed by another device", certificate(CHAIN, STRANGER)),
        "verification-certificate-device": (
            "by and for another device",
            certificate(CHAIN, STRANGER, device=public("device", STRANGER)),
        ),
        "verification-certificate-owner": ("for another owner", certificate(CHAIN, owner="own-" + "a" * 24)),
        "verification-certificate-organization": (
            "for another organization",
            certificate(CHAIN, organization=stranger),
        ),
        "verification-certificate-later": ("newer than the enrollment", certificate(CHAIN, issued_at=LATER)),
    }
    for name, (comment, case) in cases.items():
        yield bad(name, comment, enrollment(CHAIN, sealing_certificate=case))
