"""A hospital, a clinic, its ward and their keys, always the same: the setting of every test here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from strongroom.crypto.hpke import SealingSecret
from strongroom.crypto.signature import SigningSecret
from strongroom.errors import Error
from strongroom.keys.identity import runtime_id
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import Owner, OwnerChain, Role, make_owner, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.license.chain import ChainDocument, LicenseChain, verify_chain
from strongroom.license.documents import (
    Acceptance,
    Lease,
    License,
    OfflineFile,
    Party,
    PassphraseFile,
    Sublicense,
)
from strongroom.license.evaluate import evaluate
from strongroom.license.key_binding import KeyBinding, wrap_for_runtime
from strongroom.license.period import CounterName, Period
from strongroom.license.request import Authority, AuthorityKind, Budget, Facts, Level, Request, Right
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Levels, Offline, PackageChoice, Packages, Rights
from strongroom.license.verdict import Allowed, Denied

NOW = datetime(2026, 11, 24, 3, 0, 0, tzinfo=UTC)
SIGNED = NOW - timedelta(days=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PACKAGE = "ab" * 32
PACKAGE_ID = "0123456789abcdef0123456789abcdef"
SERIAL = "00112233445566778899aabbccddeeff"
NONCE = "ff" * 16
CONTENT_KEY = bytes(range(32))


def key(kind: KeyKind, number: int) -> SigningKey:
    """Return a fixed key: documents made with it have fixed payloads."""
    return SigningKey(kind, SigningSecret.from_bytes(number.to_bytes(32, "big")))


ROOT = key(KeyKind.OWNER_ROOT, 11)
PACKAGE_KEY = key(KeyKind.OWNER_PACKAGE, 12)
LICENSE_KEY = key(KeyKind.OWNER_LICENSE, 13)
BROKER_KEY = key(KeyKind.OWNER_BROKER, 14)
CLINIC = key(KeyKind.ORGANIZATION, 21)
WARD = key(KeyKind.ORGANIZATION, 22)
BED = key(KeyKind.ORGANIZATION, 23)
DEVICE = key(KeyKind.DEVICE, 31)
OTHER_DEVICE = key(KeyKind.DEVICE, 32)
RUNTIME = runtime_id(DEVICE.public)
OTHER_RUNTIME = runtime_id(OTHER_DEVICE.public)
SEALING = SealingSecret.from_bytes(bytes([7]) * 32)
OTHER_SEALING = SealingSecret.from_bytes(bytes([8]) * 32)


@cache
def owner_chain(name: str = "hospital") -> OwnerChain:
    """Return version 1 of an owner."""
    return make_owner(
        name=name,
        roots=[ROOT],
        roles={
            Role.PACKAGE: [PACKAGE_KEY.public_text],
            Role.LICENSE: [LICENSE_KEY.public_text],
            Role.BROKER: [BROKER_KEY.public_text],
        },
        now=SIGNED - 30 * DAY,
    )


@cache
def owner(name: str = "hospital") -> Owner:
    """Return a verified owner."""
    return verify_owner_chain(owner_chain(name))


OWNER = owner()


def party(name: str, organization: SigningKey) -> Party:
    """Return a party with its key."""
    return Party(name=name, organization=organization.public_text)


BASE: tuple[Term, ...] = (
    Packages(packages=(PackageChoice(name="risk"),)),
    Rights(rights=(Right.EVALUATE, Right.EXPLAIN, Right.PREDICT, Right.SUBLICENSE)),
    Levels(at_least=Level.LOCAL),
)
OFFLINE = Offline(hours=720, files=3)


def license_of(*terms: Term, base: Sequence[Term] = BASE, **changes: Any) -> License:
    """Return an unsigned license to the clinic: everything of ``base``, and these terms."""
    fields: dict[str, Any] = {
        "owner": OWNER.id,
        "owner_version": 1,
        "partner": party("clinic", CLINIC),
        "serial": SERIAL,
        "issued_at": SIGNED,
        "terms": (*base, *terms),
    }
    return License(**(fields | changes))


def sublicense_of(parent: str, *terms: Term, **changes: Any) -> Sublicense:
    """Return an unsigned sub-license to the ward."""
    fields: dict[str, Any] = {
        "parent": parent,
        "holder": party("ward", WARD),
        "serial": SERIAL,
        "issued_at": SIGNED,
        "terms": terms,
    }
    return Sublicense(**(fields | changes))


def offline_of(license_id: str, **changes: Any) -> OfflineFile:
    """Return an unsigned offline file for the runtime; its key really opens."""
    fields: dict[str, Any] = {
        "owner": OWNER.id,
        "owner_version": 1,
        "license": license_id,
        "runtime": RUNTIME,
        "package": PACKAGE,
        "package_id": PACKAGE_ID,
        "serial": SERIAL,
        "budget": (),
        "issued_at": SIGNED,
        "not_after": SIGNED + 10 * DAY,
    }
    fields |= changes
    if "wrapped_key" not in fields:
        binding = KeyBinding(
            license=fields["license"],
            runtime=fields["runtime"],
            package=fields["package"],
            package_id=fields["package_id"],
        )
        fields["wrapped_key"] = wrap_for_runtime(
            CONTENT_KEY, SEALING.public, binding, serial=fields["serial"]
        )
    return OfflineFile(**fields)


def passphrase_of(license_id: str, **changes: Any) -> PassphraseFile:
    """Return an unsigned pass-phrase file; what it wraps is nothing."""
    fields: dict[str, Any] = {
        "owner": OWNER.id,
        "owner_version": 1,
        "license": license_id,
        "package": PACKAGE,
        "package_id": PACKAGE_ID,
        "serial": SERIAL,
        "wrapped_key": "AAAA",
        "issued_at": SIGNED,
        "not_after": SIGNED + 10 * DAY,
    }
    return PassphraseFile(**(fields | changes))


def lease_of(license_id: str, **changes: Any) -> Lease:
    """Return an unsigned lease; what it wraps is nothing."""
    fields: dict[str, Any] = {
        "owner": OWNER.id,
        "owner_version": 1,
        "license": license_id,
        "runtime": RUNTIME,
        "package": PACKAGE,
        "package_id": PACKAGE_ID,
        "serial": SERIAL,
        "wrapped_key": "AAAA",
        "budget": (),
        "nonce": NONCE,
        "previous": None,
        "restart_key": None,
        "issued_at": NOW,
        "not_after": NOW + HOUR,
    }
    return Lease(**(fields | changes))


def signed_chain(*terms: Term, children: Sequence[Sequence[Term]] = ()) -> LicenseChain:
    """Return a chain that was really signed and verified: clinic, then ward, then bed."""
    token = sign_document(license_of(*terms), LICENSE_KEY)
    holders = [("ward", WARD), ("bed", BED), ("bed", BED)]
    tokens, parent, signer = [], token.id, CLINIC
    for child, (name, organization) in zip(children, holders, strict=False):
        document = sublicense_of(parent, *child, holder=party(name, organization))
        signed = sign_document(document, signer)
        tokens.append(signed.token)
        parent, signer = signed.id, organization
    return verify_chain(token.token, tokens, OWNER)


def chain_of(
    *terms: Term, children: Sequence[Sequence[Term]] = (), base: Sequence[Term] = BASE
) -> LicenseChain:
    """Return a chain that nobody signed: for tests of decisions, which are made after all signatures."""
    holders = [party("clinic", CLINIC), party("ward", WARD), party("bed", BED), party("bed", BED)]
    issuers = ["hospital", "clinic", "ward", "bed"]
    ids = ["lic-" + "a" * 24, "sub-" + "b" * 24, "sub-" + "c" * 24, "sub-" + "d" * 24]
    return LicenseChain(
        OWNER.id,
        "hospital",
        tuple(
            ChainDocument(
                id=ids[place],
                token="",
                holder=holders[place],
                issuer=issuers[place],
                issued_at=SIGNED,
                terms=tuple(each),
            )
            for place, each in enumerate([(*base, *terms), *children])
        ),
    )


def request(**changes: Any) -> Request:
    """Return a request of the runtime for one prediction."""
    fields: dict[str, Any] = {
        "right": Right.PREDICT,
        "owner": OWNER.id,
        "name": "risk",
        "version": "1.2.0",
        "package_digest": PACKAGE,
        "level": Level.LOCAL,
        "runtime": RUNTIME,
        "predictions": 1,
    }
    return Request(**(fields | changes))


FULL_BUDGET = tuple(
    Budget(counter=counter, limit=10**9, per=Period.TOTAL)
    for counter in (CounterName.EXPLANATIONS, CounterName.PREDICTIONS, CounterName.TOKENS)
)


def lease(chain: LicenseChain, **changes: Any) -> Authority:
    """Return a lease that is in force, with a budget larger than any limit."""
    fields: dict[str, Any] = {
        "kind": AuthorityKind.LEASE,
        "id": "lea-" + "l" * 24,
        "license": chain.id,
        "runtime": RUNTIME,
        "package": PACKAGE,
        "issued_at": NOW - HOUR,
        "not_after": NOW + HOUR,
        "budget": FULL_BUDGET,
    }
    return Authority(**(fields | changes))


def facts(chain: LicenseChain, **changes: Any) -> Facts:
    """Return facts under which nothing is in the way but terms."""
    fields: dict[str, Any] = {
        "authority": lease(chain),
        "accepted": {document.id: document.agreement for document in chain.documents},
    }
    return Facts(**(fields | changes))


def decide(
    chain: LicenseChain, now: datetime = NOW, *, asked: Request | None = None, **known: Any
) -> Allowed | Denied:
    """Evaluate a request for one prediction, with these facts."""
    return evaluate(chain, asked or request(), facts(chain, **known), now)


def code_of(verdict: Allowed | Denied) -> str:
    """Return the code of a refusal, or 'allowed'."""
    return verdict.code.value if isinstance(verdict, Denied) else "allowed"


def acceptance_of(chain: LicenseChain, signer: SigningKey = CLINIC, **changes: Any) -> str:
    """Return the token of an acceptance of the first document."""
    fields: dict[str, Any] = {
        "license": chain.license.id,
        "agreement": chain.license.agreement,
        "organization": signer.public_text,
        "accepted_at": NOW,
    }
    return sign_document(Acceptance(**(fields | changes)), signer).token


def refusal(call: Callable[[], object]) -> Error:
    """Return the error that a call raises."""
    try:
        call()
    except Error as error:
        return error
    raise AssertionError("nothing was refused")
