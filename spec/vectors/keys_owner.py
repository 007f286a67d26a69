"""The vectors of spec/keys.md about owner documents and chains; ``generate_keys.py`` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from keys_toolkit import (
    LATER,
    LOG_KEYS,
    NOW,
    ROLE_KEYS,
    ROLES,
    ROOTS,
    STRANGER,
    Chain,
    Members,
    canonical,
    cut_off,
    envelope,
    first_version,
    public,
    role_key,
    roots,
    signature,
    text,
)
from package_toolkit import pae

Vector = tuple[str, str, dict[str, Any], bytes]

LICENSE, PACKAGE = ROLE_KEYS["license"], ROLE_KEYS["package"]
EARLIER = "2026-11-24T02:59:59Z"


def vectors() -> Iterator[Vector]:
    """Yield every vector."""
    yield from good()
    for name, comment, data in [*bad_versions(), *bad_envelopes(), *bad_chains()]:
        yield name, comment, {"check": "chain"}, data
    yield from updates()


def accepted(name: str, comment: str, chain: Chain, at: str = NOW, **keys: list[Any]) -> Vector:
    """Return a chain that verifies, with the keys that may sign at an instant."""
    ids: dict[str, list[Any]] = {role: [ROLE_KEYS[role][0]] for role in ROLES} | {"log": []} | keys
    header = {"check": "chain", "owner": chain.owner, "version": len(chain.payloads), "at": at}
    header |= {role: " ".join(sorted(key.key_id for key in ids[role])) or "none" for role in sorted(ids)}
    return f"success-chain-{name}", comment, header, chain.build()


def good() -> Iterator[Vector]:
    """Chains that every reader must accept."""
    yield accepted("one-version", "one root, one key in each role", Chain())
    yield accepted("same-version-again", "a second version that changes nothing", Chain().add())
    chain = Chain(ROOTS[:2], roots=roots(ROOTS[:3], 2))
    yield accepted("threshold", "two of three roots sign", chain)
    yield accepted("more-than-threshold", "three of three sign", Chain(ROOTS[:3], roots=roots(ROOTS[:3], 2)))
    chain = Chain().add([ROOTS[0], ROOTS[1]], roots=roots(ROOTS[1:2])).add(ROOTS[1:2])
    yield accepted("new-root", "the root is replaced, the new one signs on", chain)
    chain = Chain(ROOTS[:2], roots=roots(ROOTS[:2], 2)).add(ROOTS[:2], roots=roots(ROOTS[1:2]))
    yield accepted("lower-threshold", "two roots leave one", chain)
    yield from good_role_keys()


def good_role_keys() -> Iterator[Vector]:
    """Chains in which keys are added, retired and cut off."""
    chain = Chain()
    chain.add(roles=chain.roles(license=[role_key("license", key) for key in LICENSE[:2]]))
    yield accepted("added-key", "a second license key", chain, license=LICENSE[:2])
    chain = Chain()
    both = [role_key("license", LICENSE[0], LATER), role_key("license", LICENSE[1])]
    chain.add(roles=chain.roles(license=both))
    yield accepted("before-retirement", "a key that retires a day later", chain, license=LICENSE[:2])
    yield accepted("at-retirement", "the same, at that instant", chain, LATER, license=LICENSE[1:2])
    chain.add(roles=chain.roles(license=[role_key("license", LICENSE[0], NOW), both[1]]))
    yield accepted("earlier-retirement", "it retires sooner than announced", chain, license=LICENSE[1:2])
    chain = Chain().add(cut_off=[cut_off(LICENSE[0])])
    yield accepted("cut-off", "a key that was stolen, no log", chain, EARLIER, license=[])
    chain = Chain().add(cut_off=[cut_off(LICENSE[0], 7)]).add(cut_off=[cut_off(LICENSE[0], 5, "earlier")])
    yield accepted("cut-off-earlier", "it was stolen earlier than thought", chain, license=[])
    chain = Chain(roles={role: [] for role in (*ROLES, "log")})
    yield accepted("no-role-keys", "nobody may sign anything yet", chain, package=[], license=[], broker=[])
    yield from good_log_keys()


def good_log_keys() -> Iterator[Vector]:
    """Chains with keys in the role log."""
    first, second = (role_key("log", key) for key in LOG_KEYS)
    roles = first_version()["roles"]
    chain = Chain(roles=roles | {"log": [first]})
    yield accepted("log-key", "a log key from the start", chain, log=LOG_KEYS[:1])
    yield accepted(
        "log-key-added",
        "a log key in version 2",
        Chain().add(roles=roles | {"log": [second]}),
        log=LOG_KEYS[1:],
    )
    chain.add(roles=chain.roles(log=[role_key("log", LOG_KEYS[0], LATER), second]))
    yield accepted("log-key-before-retirement", "it retires a day later", chain, log=LOG_KEYS)
    yield accepted("log-key-retired", "the same, at that instant", chain, LATER, log=LOG_KEYS[1:])
    chain.add(cut_off=[cut_off(LOG_KEYS[1], 7)])
    yield accepted("log-key-cut-off", "the other one was stolen", chain, log=LOG_KEYS[:1])


def changed(change: Callable[[Members], object]) -> bytes:
    """Return a chain of one version in which something was changed before it was signed."""
    version = first_version()
    change(version)
    return Chain(**version).build() if set(version) == set(first_version()) else signed(version)


def signed(version: Members) -> bytes:
    """Return a chain of one version with any members."""
    chain = Chain()
    chain.envelopes = [envelope(canonical(version), ROOTS[:1])]
    return chain.build()


def bad_versions() -> Iterator[tuple[str, str, bytes]]:
    """Versions that break a rule, signed by the root."""
    good_id = Chain().owner
    twins = [public("owner-root", ROOTS[0])] * 2
    many = [public("owner-root", ROOTS[0])] * 17
    small = {"key": text("owner-log", "public", bytes(32)), "retired_at": None}
    off_curve = {"key": text("owner-log", "public", b"\x02" + bytes(31)), "retired_at": None}
    as_log = {"key": text("owner-log", "public", LICENSE[0].public[1:]), "retired_at": None}
    as_package = {"key": public("owner-package", LICENSE[0]), "retired_at": None}
    root_as_package = {"key": public("owner-package", ROOTS[0]), "retired_at": None}
    descending = sorted((public("owner-root", key) for key in ROOTS[:2]), reverse=True)
    cases: dict[str, tuple[str, Callable[[Members], object]]] = {
        "format": ("another format", lambda v: v.update(format="owner/v2")),
        "unknown-member": ("a member that is not in the specification", lambda v: v.update(x=1)),
        "missing-member": ("no list of cut-off keys", lambda v: v.pop("cut_off")),
        "missing-null": ("the owner is left out", lambda v: v.pop("owner")),
        "version-zero": ("version 0", lambda v: v.update(version=0)),
        "version-text": ("the version as text", lambda v: v.update(version="1")),
        "version-limit": ("version 257", lambda v: v.update(version=257, owner=good_id)),
        "owner-in-first": ("version 1 names an owner id", lambda v: v.update(owner=good_id)),
        "no-owner-in-second": ("version 2 names none", lambda v: v.update(version=2)),
        "owner-form": ("an owner id of another form", lambda v: v.update(version=2, owner="own-a")),
        "name": ("a name with a space", lambda v: v.update(name="our hospital")),
        "date": ("a date with an offset", lambda v: v.update(issued_at="2026-11-24T03:00:00+00:00")),
        "no-roots": ("no roots", lambda v: v.update(roots={"keys": [], "threshold": 0})),
        "threshold-zero": ("a threshold of 0", lambda v: v["roots"].update(threshold=0)),
        "threshold-high": ("a threshold beyond the roots", lambda v: v["roots"].update(threshold=2)),
        "root-twice": ("a root counted twice", lambda v: v.update(roots={"keys": twins, "threshold": 2})),
        "roots-order": ("roots that descend", lambda v: v["roots"].update(keys=descending)),
        "roots-limit": ("17 roots", lambda v: v["roots"].update(keys=many)),
        "root-kind": (
            "a license key as root",
            lambda v: v["roots"].update(keys=[public("owner-license", ROOTS[0])]),
        ),
        "role-kind": (
            "a license key as package key",
            lambda v: v["roles"].update(package=v["roles"]["license"]),
        ),
        "key-in-two-roles": ("one key in two roles", lambda v: v["roles"].update(package=[as_package])),
        "root-in-role": ("a root in a role", lambda v: v["roles"].update(package=[root_as_package])),
        "role-key-twice": (
            "a key twice in a role",
            lambda v: v["roles"].update(license=v["roles"]["license"] * 2),
        ),
        "role-unknown": ("a role that does not exist", lambda v: v["roles"].update(admin=[])),
        "role-missing": ("no list for the log", lambda v: v["roles"].pop("log")),
        "log-key-kind": (
            "a license key in the role log",
            lambda v: v["roles"].update(log=v["roles"]["license"]),
        ),
        "log-key-twice": (
            "a log key twice",
            lambda v: v["roles"].update(log=[role_key("log", LOG_KEYS[0])] * 2),
        ),
        "log-key-small-order": ("a log key of small order", lambda v: v["roles"].update(log=[small])),
        "log-key-off-curve": ("a log key off the curve", lambda v: v["roles"].update(log=[off_curve])),
        "log-key-p256": (
            "a license key without its first byte as log key",
            lambda v: v["roles"].update(log=[as_log]),
        ),
        "log-key-elsewhere": (
            "a log key as broker key",
            lambda v: v["roles"].update(broker=[role_key("log", LOG_KEYS[0])]),
        ),
        "retirement": (
            "a retirement of another form",
            lambda v: v["roles"]["license"][0].update(retired_at="soon"),
        ),
        "cut-off-unknown": ("a cut-off key of no role", lambda v: v["cut_off"].append(cut_off(STRANGER))),
        "cut-off-root": ("a cut-off root", lambda v: v["cut_off"].append(cut_off(ROOTS[0]))),
        "cut-off-twice": ("a key cut off twice", lambda v: v["cut_off"].extend([cut_off(LICENSE[0])] * 2)),
        "log-position": ("a negative log position", lambda v: v["cut_off"].append(cut_off(LICENSE[0], -1))),
        "reason-empty": ("no reason", lambda v: v["cut_off"].append(cut_off(LICENSE[0], reason=""))),
        "reason-control": (
            "an escape sequence",
            lambda v: v["cut_off"].append(cut_off(LICENSE[0], reason="\x1b[31m")),
        ),
    }
    for name, (comment, change) in cases.items():
        yield f"format-owner-{name}", comment, changed(change)


def bad_envelopes() -> Iterator[tuple[str, str, bytes]]:
    """Envelopes and lists that break a rule."""
    chain = Chain()
    payload, entry = chain.payloads[0], chain.envelopes[0]

    def enveloped(**members: Any) -> bytes:
        changed = Chain()
        changed.envelopes = [entry | members]
        return changed.build()

    yield "format-chain-empty", "no version", b"[]"
    yield "format-chain-no-list", "one envelope without a list", canonical(chain.texts()[0])
    yield "format-chain-white-space", "white space", b" " + chain.build()
    yield "format-chain-base64", "no base64", canonical(["!"])
    yield "format-chain-unsigned", "no signature", enveloped(signatures=[])
    yield "format-chain-signature-twice", "one signature twice", enveloped(signatures=entry["signatures"] * 2)
    two = envelope(payload, [ROOTS[0], STRANGER])["signatures"]
    yield "format-chain-signatures-order", "signatures that descend", enveloped(signatures=two[::-1])
    other = envelope(payload, ROOTS[:1], "application/vnd.in-toto+json")
    yield "format-chain-payload-type", "another payload type", enveloped(**other)
    yield (
        "format-chain-payload",
        "the payload is not canonical",
        enveloped(**envelope(payload + b"\n", ROOTS[:1])),
    )
    high = signature(ROOTS[0], pae("application/vnd.strongroom.owner+json", payload), high=True)
    yield "verification-chain-high-s", "the other spelling of the signature", enveloped(signatures=[high])
    wrong = signature(ROOTS[0], b"another text")
    yield "verification-chain-signature", "a signature over another text", enveloped(signatures=[wrong])
    yield "verification-chain-stray", "one more signature, by no root", enveloped(signatures=two)
    named = signature(STRANGER, pae("application/vnd.strongroom.owner+json", payload)) | {
        "keyid": ROOTS[0].key_id
    }
    yield "verification-chain-renamed", "by a stranger under the root's key id", enveloped(signatures=[named])


def bad_chains() -> Iterator[tuple[str, str, bytes]]:
    """Chains of good versions that do not follow from one another."""
    new = roots(ROOTS[1:2])
    three = roots(ROOTS[:3], 2)
    cases: dict[str, tuple[str, Chain]] = {
        "unsigned-first": ("version 1 is signed by a stranger", Chain([STRANGER])),
        "threshold": ("one of two required roots signs", Chain(ROOTS[:1], roots=three)),
        "old-root-only": ("only the old root signs", Chain().add(ROOTS[:1], roots=new)),
        "new-root-only": ("only the new root signs", Chain().add(ROOTS[1:2], roots=new)),
        "old-threshold": (
            "one of two required old roots signs",
            Chain(ROOTS[:2], roots=three).add(ROOTS[:1], roots=roots(ROOTS[:1])),
        ),
        "new-threshold": ("one of two required new roots signs", Chain().add(ROOTS[:1], roots=three)),
        "role-key-signs": ("a license key signs as root", Chain().add([LICENSE[0]])),
        "version-skipped": ("version 3 after version 1", Chain().add(version=3)),
        "version-repeated": ("version 2 twice", Chain().add().add(version=2)),
        "name": ("another name", Chain().add(name="clinic")),
        "owner": ("another owner id", Chain().add(owner="own-" + "a" * 24)),
        "backdated": ("a second before version 1", Chain().add(issued_at=EARLIER)),
        "key-dropped": ("a license key is gone", Chain().add(roles=Chain().roles(license=[]))),
        "cut-off-withdrawn": (
            "a cut-off key is back",
            Chain().add(cut_off=[cut_off(LICENSE[0])]).add(cut_off=[]),
        ),
        "cut-off-later": (
            "a cut-off moves up",
            Chain().add(cut_off=[cut_off(LICENSE[0], 5)]).add(cut_off=[cut_off(LICENSE[0], 6)]),
        ),
        "cut-off-position": (
            "a cut-off without exceptions gets one",
            Chain().add(cut_off=[cut_off(LICENSE[0])]).add(cut_off=[cut_off(LICENSE[0], 6)]),
        ),
    }
    for name, (comment, chain) in cases.items():
        yield f"verification-chain-{name}", comment, chain.build()
    start = Chain().add()
    start.envelopes.pop(0)
    yield "verification-chain-no-start", "without version 1", start.build()
    yield from moved_keys()
    yield from revived_keys()


def moved_keys() -> Iterator[tuple[str, str, bytes]]:
    """Keys that change their place between versions."""
    chain = Chain().add(ROOTS[:2], roots=roots(ROOTS[1:2]))
    entry = role_key("package", ROOTS[0])
    chain.add(ROOTS[1:2], roles=chain.roles(package=[role_key("package", PACKAGE[0]), entry]))
    yield "verification-chain-root-to-role", "a former root as package key", chain.build()
    chain = Chain()
    chain.add(roots=roots([ROOTS[0], LICENSE[0]]), roles=chain.roles(license=[]))
    yield "verification-chain-role-to-root", "a former license key as root", chain.build()


def revived_keys() -> Iterator[tuple[str, str, bytes]]:
    """Keys that come back from retirement."""
    for name, comment, retired_at in (
        ("retirement-withdrawn", "a retirement is withdrawn", None),
        ("retirement-later", "a retirement is put off", LATER),
    ):
        chain = Chain()
        chain.add(roles=chain.roles(license=[role_key("license", LICENSE[0], NOW)]))
        chain.add(roles=chain.roles(license=[role_key("license", LICENSE[0], retired_at)]))
        yield f"verification-chain-{name}", comment, chain.build()


def updates() -> Iterator[Vector]:
    """A chain that is offered to a reader who has pinned another one."""
    one, two = "success-chain-one-version", "success-chain-same-version-again"
    fork = Chain().add(cut_off=[cut_off(LICENSE[0])])
    other = Chain([ROOTS[2]], roots=roots(ROOTS[2:3]))

    def update(name: str, comment: str, pinned: str, chain: Chain, **header: Any) -> Vector:
        return name, comment, {"check": "update", "pinned": pinned, **header}, chain.build()

    yield update("success-update-newer", "one version more", one, Chain().add(), version=2)
    yield update("success-update-same", "the same chain", two, Chain().add(), version=2)
    yield update("verification-update-rollback", "one version less", two, Chain())
    yield update("verification-update-fork", "another version 2", two, fork)
    yield update(
        "verification-update-longer-fork", "and a version 3 on top", two, Chain().add(issued_at=LATER).add()
    )
    yield update("verification-update-other-owner", "another owner of the same name", one, other)
