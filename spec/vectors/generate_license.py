"""Write the vectors of spec/license.md: ``python spec/vectors/generate_license.py``.

Each vector is one file in ``spec/vectors/license/`` with one outcome, named by it: a text
header, an empty line, then the bytes of the case. Running this again gives the same
files; ``tests/vectors/test_license.py`` checks that it does.

    check: file | token | decision | unwrap (spec/license.md, section "Test vectors")
    expect: success | format | verification | integrity | no-match | denied
    comment: what is right or wrong
    ...: what the check needs and, on success, gives
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import license_toolkit as kit
from keys_toolkit import DEVICE, ROLE_KEYS, SEALING_SEED, base64url, public
from license_toolkit import Document

FOLDER = Path(__file__).parent / "license"
SUFFIX = ".vector"
PINNED = "success-chain-one-version"
PASSPHRASE = "correct horse battery staple"  # noqa: S105 - published with the vectors
EXPIRES = {"at": kit.END, "term": "expires"}
DAILY = {"limit": 100, "per": "day", "term": "predictions"}
AGREED = {"digest": hashlib.sha256(kit.AGREEMENT.encode()).hexdigest(), "term": "agreement"}
LATER = "2026-11-24T03:30:00Z"

Vector = tuple[str, str, dict[str, Any], bytes]
"""Name (its first word is the outcome), comment, rest of the header, bytes."""


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good_files()
    yield from bad_files()
    yield from tokens()
    yield from decisions()
    yield from unwrappings()
    yield from records()


def _file(name: str, comment: str, data: bytes, chain: list[Document], accepted: list[Document]) -> Vector:
    header = {
        "check": "file",
        "pinned": PINNED,
        "chain": " ".join(document.id for document in chain),
        "holder": "clinic" if len(chain) == 1 else "ward",
        "accepted": " ".join(document.id for document in accepted) or "none",
    }
    return name, comment, header, data


def good_files() -> Iterator[Vector]:
    """License files that every reader must accept."""
    plain = kit.license(EXPIRES, DAILY, kit.OFFLINE)
    yield _file("success-file-license", "a license alone", kit.license_file(plain), [plain], [])
    agreed = kit.license(AGREED)
    with_text = kit.license_file(agreed, agreement=kit.AGREEMENT)
    yield _file("success-file-agreement", "with the text that it names", with_text, [agreed], [])
    child = kit.sublicense(plain, {"limit": 5, "per": "day", "term": "predictions"})
    chain = kit.license_file(plain, sublicenses=[child], acceptances=[kit.acceptance(plain)])
    yield _file("success-file-sublicense", "narrowed for a site", chain, [plain, child], [plain])
    offline = kit.release("offline", plain)
    carried = kit.license_file(plain, offline=[offline], withdrawals=[kit.withdrawal("1.3.0", "1.2.0")])
    yield _file("success-file-offline", "with an offline file and a withdrawal", carried, [plain], [])
    derivable = kit.license(kit.DERIVATIONS)
    yield _file(
        "success-file-derivations",
        "says where derived models go",
        kit.license_file(derivable),
        [derivable],
        [],
    )
    unknown = kit.license({"moon": "full", "term": "moon-phase"})
    yield _file(
        "success-file-unknown-term",
        "an unknown term is well formed",
        kit.license_file(unknown),
        [unknown],
        [],
    )


def bad_files() -> Iterator[Vector]:
    """License files that every reader must refuse."""
    plain = kit.license(EXPIRES, kit.OFFLINE)
    head, _, signature = plain.token.split(".")
    edited = plain.payload.replace(b"2026-12-24", b"2036-12-24")
    other_agreement = kit.license_file(kit.license(AGREED), agreement="Something else.\n")
    cases: list[tuple[str, str, bytes]] = [
        ("format-file-empty", "nothing", b""),
        ("format-file-white-space", "not canonical", kit.license_file(plain).replace(b":", b": ", 1)),
        ("format-file-member", "an unknown member", kit.license_file(plain, color="red")),
        ("format-file-kind", "an acceptance in place of a license", kit.license_file(kit.acceptance(plain))),
        ("format-file-no-rights", "a required term is missing", _without("rights")),
        ("format-file-twice", "one term twice", kit.license_file(kit.license(EXPIRES, EXPIRES))),
        (
            "format-file-two-derivations",
            "two keys for derived models",
            kit.license_file(kit.license(kit.DERIVATIONS, kit.OTHER_DERIVATIONS)),
        ),
        (
            "format-file-sublicense-derivations",
            "a sub-license that sends derived models elsewhere",
            kit.license_file(plain, sublicenses=[kit.sublicense(plain, kit.DERIVATIONS)]),
        ),
        (
            "format-file-derivations-kind",
            "a device key in place of a sealing key",
            kit.license_file(kit.license({"term": "derivations", "to": public("device", DEVICE)})),
        ),
        (
            "verification-file-edited",
            "the expiry was edited",
            kit.license_file(plain, license=f"{head}.{base64url(edited)}.{signature}"),
        ),
        (
            "verification-file-signer",
            "signed by the package key",
            kit.license_file(kit.license(EXPIRES, key=ROLE_KEYS["package"][0])),
        ),
        (
            "verification-file-malleated",
            "the other valid signature",
            kit.license_file(plain, license=kit.license(EXPIRES, kit.OFFLINE, header={"high": True}).token),
        ),
        ("verification-file-agreement", "another agreement text", other_agreement),
        (
            "verification-file-no-agreement",
            "the agreement text is missing",
            kit.license_file(kit.license(AGREED)),
        ),
        (
            "verification-file-parent",
            "a sub-license of another license",
            kit.license_file(plain, sublicenses=[kit.sublicense(kit.license(DAILY))]),
        ),
        (
            "verification-file-sublicense-signer",
            "a sub-license that its own holder signed",
            kit.license_file(plain, sublicenses=[kit.sublicense(plain, key=kit.WARD)]),
        ),
        (
            "verification-file-offline",
            "an offline file of another license",
            kit.license_file(plain, offline=[kit.release("offline", kit.license(DAILY))]),
        ),
        (
            "verification-file-acceptance",
            "an acceptance by another organization",
            kit.license_file(plain, acceptances=[kit.acceptance(plain, key=kit.WARD)]),
        ),
    ]
    for name, comment, data in cases:
        yield name, comment, {"check": "file", "pinned": PINNED}, data


def _without(tag: str) -> bytes:
    terms = [term for term in kit.BASE if term["term"] != tag]
    return kit.license_file(kit.license(terms=terms))


def tokens() -> Iterator[Vector]:
    """Single documents of every kind, and one cross of two kinds."""
    plain = kit.license()
    offline = kit.release("offline", plain)
    by_owner = {
        "license": plain,
        "offline": offline,
        "passphrase": kit.release("passphrase", plain),
        "lease": kit.lease(plain),
        "withdrawal": kit.withdrawal("1.3.0", None),
        "revocation": kit.revocation(plain),
    }
    organization = public("organization", kit.CLINIC)
    by_key = {
        "sublicense": (kit.sublicense(plain), organization),
        "acceptance": (kit.acceptance(plain), organization),
        "usage": (kit.usage(plain, offline), public("device", DEVICE)),
        "receipt": (kit.receipt(plain), public("device", DEVICE)),
        "lease-request": (kit.lease_request(plain), public("device", DEVICE)),
        "derivation": (kit.derivation(plain), organization),
        "runtime-certificate": (kit.runtime_certificate(), organization),
        "receipt-batch": (kit.receipt_batch(plain, offline), public("device", DEVICE)),
    }
    for kind, document in by_owner.items():
        header = {"check": "token", "kind": kind, "pinned": PINNED, "id": document.id}
        yield f"success-token-{kind}", f"a {kind}", header, document.token.encode()
    for kind, (document, key) in by_key.items():
        header = {"check": "token", "kind": kind, "key": key, "id": document.id}
        yield f"success-token-{kind}", f"a {kind}", header, document.token.encode()
    yield from _bad_requests(plain, offline)
    yield from _later_budgets(plain)
    yield from _bad_derivations(plain, offline)
    yield from _bad_receipts(plain, offline)
    checked_out = kit.release("offline", plain, kit.BROKER_KEY)
    header = {"check": "token", "kind": "offline", "pinned": PINNED, "id": checked_out.id}
    name = "success-token-offline-by-broker"
    yield name, "an offline file that was checked out", header, checked_out.token.encode()
    crossed = {"check": "token", "kind": "lease", "pinned": PINNED}
    yield "format-token-crossed", "an offline file as a lease", crossed, offline.token.encode()
    relabelled = Document("offline", offline.payload, kit.LICENSE_KEY, typ="strongroom-lease+jws")
    yield "format-token-relabelled", "typ and format differ", crossed, relabelled.token.encode()
    forged = kit.lease(plain, key=kit.LICENSE_KEY)
    yield "verification-token-role", "a lease by the license key", crossed, forged.token.encode()


def _later_budgets(plain: Document) -> Iterator[Vector]:
    """Budgets with another limit in later periods (spec/license.md, "Slices")."""

    def lease(**entry: Any) -> Document:
        return kit.lease(plain, budget=[{"counter": "predictions", "limit": 2, "per": "day"} | entry])

    asked = {"check": "token", "kind": "lease", "pinned": PINNED}
    good = {"more": {"later": 40}, "nothing": {"later": 0}, "only": {"later": 40, "limit": 0}}
    for name, entry in good.items():
        header = asked | {"id": lease(**entry).id}
        yield f"success-token-later-{name}", "a limit of later days", header, lease(**entry).token.encode()
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("same", "later days as this one", {"later": 2}),
        ("null", "no limit of later days is left out", {"later": None}),
        ("negative", "less than nothing", {"later": -1}),
        ("large", "more than every reader holds exactly", {"later": 1 << 53}),
        ("total", "nothing is later than a total", {"later": 40, "per": "total"}),
        ("none", "nothing, now and later", {"later": 0, "limit": 0}),
        ("missing", "nothing now, and no limit of later days", {"limit": 0}),
    ]
    for name, comment, entry in bad:
        yield f"format-token-later-{name}", comment, asked, lease(**entry).token.encode()


def _bad_requests(plain: Document, offline: Document) -> Iterator[Vector]:
    asked = {"check": "token", "kind": "lease-request", "key": public("device", DEVICE)}
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("license", "for an offline file", {"license": offline.id}),
        ("level", "an unknown level", {"level": "vault"}),
        ("worker-key", "a digest of another size", {"worker_key": "00" * 31}),
        ("nonce", "a nonce of another size", {"nonce": "00" * 15}),
        ("previous", "an offline file as the lease before", {"previous": offline.id}),
        ("predictions", "none are wanted", {"predictions": 0}),
    ]
    for member, comment, changes in bad:
        document = kit.lease_request(plain, **changes)
        yield f"format-token-request-{member}", comment, asked, document.token.encode()
    usage = kit.usage(plain, offline)
    yield "format-token-request-crossed", "a usage report as a request", asked, usage.token.encode()
    forged = kit.lease_request(plain, key=kit.WARD)
    yield "verification-token-request-signer", "by another key", asked, forged.token.encode()


def _bad_receipts(plain: Document, offline: Document) -> Iterator[Vector]:
    asked = {"check": "token", "kind": "receipt-batch", "key": public("device", DEVICE)}
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("license", "under an offline file", {"license": offline.id}),
        ("authority", "counted under nothing but a license", {"authority": plain.id}),
        ("size", "neither one entry nor one for each prediction", {"size": 2}),
        ("none", "no prediction", {"predictions": 0, "size": 0}),
        ("root", "a root of another size", {"root": "00" * 31}),
        ("session", "a session of another size", {"session": "00"}),
        ("first", "a number before the first", {"first": -1}),
    ]
    for member, comment, changes in bad:
        document = kit.receipt_batch(plain, offline, **changes)
        yield f"format-token-batch-{member}", comment, asked, document.token.encode()
    forged = kit.receipt_batch(plain, offline, key=kit.WARD)
    yield "verification-token-batch-signer", "by another key", asked, forged.token.encode()
    certified = {"check": "token", "kind": "runtime-certificate", "key": public("organization", kit.CLINIC)}
    other = kit.runtime_certificate(runtime=kit.OTHER_RUNTIME)
    yield "format-token-certificate-runtime", "an id of another key", certified, other.token.encode()
    forged = kit.runtime_certificate(kit.WARD)
    yield "verification-token-certificate-signer", "by another organization", certified, forged.token.encode()


def _bad_derivations(plain: Document, offline: Document) -> Iterator[Vector]:
    asked = {"check": "token", "kind": "derivation", "key": public("organization", kit.CLINIC)}
    bad: list[tuple[str, str, dict[str, Any]]] = [
        ("license", "under an offline file", {"license": offline.id}),
        ("parent", "a parent of another size", {"parent": "00" * 31}),
        ("package", "a package of another size", {"package": ""}),
        ("name", "no name of a model", {"name": "../risk"}),
        ("version", "no version", {"version": "1.1"}),
        ("key", "nothing is wrapped", {"wrapped_key": ""}),
    ]
    for member, comment, changes in bad:
        document = kit.derivation(plain, **changes)
        yield f"format-token-derivation-{member}", comment, asked, document.token.encode()
    forged = kit.derivation(plain, key=kit.WARD)
    yield "verification-token-derivation-signer", "by another organization", asked, forged.token.encode()


def decisions() -> Iterator[Vector]:
    """What a request gets, with given facts at a given time."""
    good = kit.license(EXPIRES, DAILY, kit.OFFLINE)
    yield _decision("success-decision-allowed", "allowed", good, {})
    rounded = kit.license(kit.OFFLINE, {"decimals": 2, "policy": "rounded", "term": "output"})
    yield _decision("success-decision-rounded", "allowed, rounded", rounded, {}, output="decimals=2")
    denials: list[tuple[str, str, Document, dict[str, Any]]] = [
        ("not-accepted", "nobody accepted", good, {"accepted": False}),
        ("no-authority", "no key file", good, {"authority": False}),
        ("expired", "at the end", kit.license({"at": LATER, "term": "expires"}, kit.OFFLINE), {}),
        ("not-yet-valid", "too early", kit.license({"at": kit.END, "term": "not-before"}, kit.OFFLINE), {}),
        ("right-not-granted", "export", good, {"right": "export"}),
        ("package-not-licensed", "another model", good, {"name": "other"}),
        ("predictions-used-up", "one too many", good, {"predictions": 101}),
        ("clock-set-back", "a mark from tomorrow", good, {"clock_mark": "2026-11-25T03:00:00Z"}),
        ("version-rollback", "after 2.0.0", good, {"version_mark": "2.0.0"}),
        (
            "unknown-term",
            "a term of later",
            kit.license({"moon": "full", "term": "moon-phase"}, kit.OFFLINE),
            {},
        ),
        (
            "level-too-low",
            "sealed is asked",
            kit.license(kit.OFFLINE, {"at_least": "sealed", "term": "levels"}),
            {},
        ),
        (
            "purpose-missing",
            "no purpose",
            kit.license(kit.OFFLINE, {"purposes": ["triage"], "term": "purpose"}),
            {},
        ),
        ("offline-not-allowed", "no term offline", kit.license(EXPIRES), {}),
        ("revoked", "the license was revoked", good, {"revoked": True}),
    ]
    for code, comment, document, changes in denials:
        yield _decision(f"denied-decision-{code}", comment, document, changes, code=code)
    ended = {"not_after": LATER}
    yield _decision(
        "denied-decision-offline-ended", "only the file has ended", good, ended, code="offline-ended"
    )
    counted = kit.license(DAILY, kit.OFFLINE)
    yesterday = {"issued_at": "2026-11-23T23:30:00Z"}
    for name, comment, changes in (
        ("today", "more than the limit of the day in which the file was made", {"predictions": 3}),
        ("later", "more than the limit of the day after it", {"predictions": 6} | yesterday),
    ):
        limits = {"later": {"later": 5, "limit": 2}}
        yield _decision(
            f"denied-decision-budget-{name}", comment, counted, limits | changes, code="predictions-used-up"
        )
    spent = {"later": {"later": 0}} | yesterday
    yield _decision("denied-decision-no-budget-later", "nothing later", counted, spent, code="no-budget")
    limits = {"later": {"later": 5, "limit": 2}, "predictions": 5} | yesterday
    yield _decision("success-decision-later", "a later day has its own limit", counted, limits)
    together = kit.license({"at": LATER, "term": "expires"}, kit.OFFLINE)
    name = "denied-decision-expired-with-file"
    yield _decision(name, "the license ended together with its file", together, ended, code="expired")


def _decision(name: str, comment: str, document: Document, changes: dict[str, Any], **result: str) -> Vector:
    request = {
        "name": changes.get("name", "risk"),
        "predictions": changes.get("predictions", 1),
        "right": changes.get("right", "predict"),
        "version": "1.2.0",
    }
    facts = {
        "accepted": changes.get("accepted", True),
        "authority": changes.get("authority", True),
        "clock_mark": changes.get("clock_mark"),
        "revoked": changes.get("revoked", False),
        "version_mark": changes.get("version_mark"),
    }
    budget = (
        [{"counter": "predictions", "limit": 100, "per": "day"}] if b"predictions" in document.payload else []
    )
    if "later" in changes:
        budget = [entry | changes["later"] for entry in budget]
    not_after = changes.get("not_after", kit.END)
    made = {key: changes[key] for key in ("issued_at",) if key in changes}
    offline = kit.release("offline", document, budget=budget, not_after=not_after, **made)
    file = kit.license_file(document, offline=[offline])
    header = {
        "check": "decision",
        "pinned": PINNED,
        "at": LATER,
        "request": json.dumps(request, sort_keys=True),
        "facts": json.dumps(facts, sort_keys=True),
    }
    if not name.startswith("denied"):
        result = {"output": "full", **result}
    return name, comment, header | result, file


def unwrappings() -> Iterator[Vector]:
    """Wrapped keys, for what they are bound to and for something else."""
    plain, other = kit.license(EXPIRES), kit.license(DAILY)
    opened = {"check": "unwrap", "pinned": PINNED, "license": plain.id, "runtime": kit.RUNTIME}
    sealed = opened | {"sealing": SEALING_SEED.hex()}
    wrapped = kit.wrap_to_sealing_key(kit.info("offline", plain))
    offline = kit.release("offline", plain, wrapped_key=wrapped).token.encode()
    result = {"content_key": kit.CONTENT_KEY.hex()}
    yield "success-unwrap-offline", "for this runtime", sealed | result, offline
    for field, bound in (
        ("license", kit.info("offline", other)),
        ("runtime", kit.info("offline", plain, runtime=kit.OTHER_RUNTIME)),
        ("package", kit.info("offline", plain, package=kit.OTHER_PACKAGE)),
        ("purpose", kit.info("lease", plain)),
    ):
        document = kit.release("offline", plain, wrapped_key=kit.wrap_to_sealing_key(bound))
        name = f"integrity-unwrap-{field}"
        yield name, f"the wrapping is bound to another {field}", sealed, document.token.encode()
    mine = sealed | {"license": other.id}
    yield "verification-unwrap-license", "another license is expected", mine, offline
    returned = kit.info("derivation", plain, runtime="", package=kit.OTHER_PACKAGE)
    home = {key: value for key, value in sealed.items() if key != "runtime"} | {"kind": "derivation"}
    home |= {"key": public("organization", kit.CLINIC)}
    derived = kit.derivation(plain, wrapped_key=kit.wrap_to_sealing_key(returned)).token.encode()
    yield "success-unwrap-derivation", "at the owner", home | result, derived
    moved = kit.derivation(plain, wrapped_key=kit.wrap_to_sealing_key(kit.info("offline", plain, runtime="")))
    yield "integrity-unwrap-derivation", "a key that was wrapped to a runtime", home, moved.token.encode()
    elsewhere = home | {"license": other.id}
    yield "verification-unwrap-derivation", "another license is expected", elsewhere, derived
    bound_to = kit.info("passphrase", plain, runtime="")
    blob = kit.wrap_under_passphrase(bound_to, PASSPHRASE)
    phrase = kit.release("passphrase", plain, wrapped_key=blob).token.encode()
    known = {key: value for key, value in opened.items() if key != "runtime"}
    yield "success-unwrap-passphrase", "the right words", known | {"passphrase": PASSPHRASE} | result, phrase
    wrong = known | {"passphrase": "correct horse battery stable"}
    yield "no-match-unwrap-passphrase", "other words", wrong, phrase


def records() -> Iterator[Vector]:
    """Records of derivation files (package.md)."""
    plain, other = kit.license(EXPIRES, kit.DERIVATIONS), kit.license(DAILY, kit.DERIVATIONS)
    # What kit.OTHER_PACKAGE is the digest of.
    statement = b"statement of another package"
    handed_in = kit.derivation(plain)
    record = kit.derivation_record(plain, statement, handed_in)
    asked = {"check": "record", "pinned": PINNED}
    good = asked | {"id": handed_in.id, "holder": "clinic", "package": kit.OTHER_PACKAGE}
    yield "success-record", "by the holder of a license", good, record
    child = kit.sublicense(plain)
    by_site = kit.derivation(child, key=kit.WARD)
    narrowed = kit.derivation_record(plain, statement, by_site, sublicenses=[child.token])
    site = asked | {"id": by_site.id, "holder": "ward", "package": kit.OTHER_PACKAGE}
    yield "success-record-sublicense", "by a site, under its sub-license", site, narrowed

    def made(derived: Document, said: bytes = statement, /, **members: Any) -> bytes:
        return kit.derivation_record(plain, said, derived, **members)

    cases: list[tuple[str, str, bytes]] = [
        ("format-record-white-space", "not canonical", record + b"\n"),
        ("format-record-member", "an unknown member", made(handed_in, note="x")),
        ("format-record-format", "another format", made(handed_in, format="derivation-file/v2")),
        ("format-record-statement", "no base64", made(handed_in, statement="?")),
        ("format-record-kind", "an acceptance as the derivation", made(kit.acceptance(plain))),
        ("verification-record-statement", "another statement", made(handed_in, b"edited")),
        ("verification-record-license", "under another license", made(kit.derivation(other))),
        (
            "verification-record-owner",
            "for another owner",
            made(kit.derivation(plain, owner="own-" + "a" * 24)),
        ),
        ("verification-record-signer", "by another organization", made(kit.derivation(plain, key=kit.WARD))),
        (
            "verification-record-acceptance",
            "an acceptance of another license",
            made(handed_in, acceptances=[kit.acceptance(other).token]),
        ),
        (
            "verification-record-site",
            "by the partner, under the sub-license of a site",
            made(kit.derivation(child), sublicenses=[child.token]),
        ),
    ]
    for name, comment, data in cases:
        yield name, comment, asked, data


def render(name: str, comment: str, header: dict[str, Any], data: bytes) -> bytes:
    """Return the bytes of one vector file."""
    outcomes = ("success", "format", "verification", "integrity", "no-match", "denied")
    expect = next(outcome for outcome in outcomes if name.startswith(outcome))
    lines = [f"check: {header['check']}", f"expect: {expect}", f"comment: {comment}"]
    lines += [f"{member}: {value}" for member, value in header.items() if member != "check"]
    return "\n".join(lines).encode() + b"\n\n" + data


def main() -> None:
    """Write all vectors."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob(f"*{SUFFIX}"):
        old.unlink()
    for name, comment, header, data in vectors():
        (FOLDER / f"{name}{SUFFIX}").write_bytes(render(name, comment, header, data))


if __name__ == "__main__":
    main()
