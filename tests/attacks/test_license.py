"""Attacks on licenses. Each test is named after the claim it tries to break."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strongroom._encoding import canonical_json, parse_canonical_json, to_base64url
from strongroom.crypto import jws
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import CutOff, OwnerChain, Role, make_owner, rotate_owner, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.license.agreement import agreement_digest
from strongroom.license.chain import verify_acceptance, verify_chain
from strongroom.license.counters import charge, charges, limits_of
from strongroom.license.documents import (
    KINDS,
    Document,
    License,
    OfflineFile,
    PassphraseFile,
    Sublicense,
)
from strongroom.license.evaluate import evaluate
from strongroom.license.key_binding import KeyBinding, unwrap_lease, unwrap_offline, wrap_for_lease
from strongroom.license.license_file import LicenseFile, verify_license_file
from strongroom.license.payload import to_payload
from strongroom.license.period import CounterKey, Period
from strongroom.license.request import AtOwner, BreakGlassUse, Level, Right
from strongroom.license.signing import read_unverified, sign_document, verify_by_owner
from strongroom.license.term import Term
from strongroom.license.terms import (
    Agreement,
    BreakGlass,
    Expires,
    Grace,
    Levels,
    Output,
    OutputKind,
    PackageChoice,
    Packages,
    Predictions,
    Purpose,
    Rate,
    Rights,
    Runtimes,
)
from strongroom.license.verdict import Allowed, Denied
from tests.unit.license.samples import DOCUMENTS
from tests.unit.license.world import (
    BED,
    CLINIC,
    CONTENT_KEY,
    DAY,
    DEVICE,
    HOUR,
    LICENSE_KEY,
    NONCE,
    NOW,
    OFFLINE,
    OTHER_RUNTIME,
    OTHER_SEALING,
    OWNER,
    PACKAGE,
    PACKAGE_ID,
    PACKAGE_KEY,
    ROOT,
    RUNTIME,
    SEALING,
    SERIAL,
    SIGNED,
    WARD,
    acceptance_of,
    chain_of,
    code_of,
    decide,
    facts,
    key,
    lease_of,
    license_of,
    offline_of,
    owner_chain,
    party,
    passphrase_of,
    request,
    signed_chain,
    sublicense_of,
)

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
LICENSE = sign_document(license_of(Expires(at=NOW + DAY)), LICENSE_KEY)
BINDING = KeyBinding(license=LICENSE.id, runtime=RUNTIME, package=PACKAGE, package_id=PACKAGE_ID)


def forge(payload: bytes, signer: SigningKey, typ: str = License.typ()) -> str:
    """Sign any bytes as any kind: what somebody can do who has a key and no rules."""
    return jws.sign(typ, payload, signer.secret)


def refused(token: str, kind: Any = License, by: Any = OWNER) -> str:
    """Return the code under which a token is refused."""
    with pytest.raises((FormatError, VerificationError)) as caught:
        verify_by_owner(token, kind, by)
    return caught.value.code


# --- who signed what -------------------------------------------------------------------------


def test_an_edited_license_is_refused() -> None:
    head, payload, signature = LICENSE.token.split(".")
    members = parse_canonical_json(to_payload(LICENSE.document))
    for edit in (
        {"terms": members["terms"][:3]},
        {"partner": {"name": "competitor", "organization": WARD.public_text}},
        {"serial": "00" * 16},
    ):
        edited = to_base64url(canonical_json(members | edit))
        assert edited != payload
        assert refused(f"{head}.{edited}.{signature}") == "signature"


def test_every_flipped_bit_of_a_license_is_refused() -> None:
    for place in range(len(LICENSE.token)):
        flipped = chr(ord(LICENSE.token[place]) ^ 1)
        with pytest.raises((FormatError, VerificationError)):
            verify_by_owner(LICENSE.token[:place] + flipped + LICENSE.token[place + 1 :], License, OWNER)


def test_a_malleated_signature_is_refused() -> None:
    head, _, _ = LICENSE.token.rpartition(".")
    signature = jws.read_unverified(LICENSE.token).signature
    high = ORDER - int.from_bytes(signature[32:], "big")
    token = f"{head}.{to_base64url(signature[:32] + high.to_bytes(32, 'big'))}"
    assert refused(token) == "signature-malleable"


@pytest.mark.parametrize(
    "header", [{"alg": "none"}, {"alg": "HS256"}, {"jwk": {}}, {"crit": ["b64"]}], ids=str
)
def test_no_header_chooses_how_a_license_is_verified(header: dict[str, Any]) -> None:
    _, payload, signature = LICENSE.token.split(".")
    fields = {"alg": "ES256", "kid": LICENSE_KEY.key_id, "typ": License.typ()} | header
    token = f"{to_base64url(canonical_json(fields))}.{payload}.{signature}"
    assert refused(token) == "malformed"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.NAME))
def test_a_document_of_one_kind_is_never_taken_for_another(kind: type[Document]) -> None:
    token = forge(to_payload(DOCUMENTS[kind.NAME]), LICENSE_KEY, kind.typ())
    for other in KINDS:
        if other is not kind:
            with pytest.raises(FormatError):
                read_unverified(token, other)


def test_a_license_has_one_spelling_even_for_its_owner() -> None:
    payload = to_payload(LICENSE.document)
    for spelling in (
        payload.replace(b'"owner_version":1', b'"owner_version":2,"owner_version":1'),
        payload.replace(b'"terms":', b'"terms":[],"terms":'),
        payload.replace(b"{", b"{ ", 1),
        payload.replace(b'"clinic"', b'"cl\\u0069nic"'),
        payload + b" ",
    ):
        assert spelling != payload
        assert refused(forge(spelling, LICENSE_KEY)) == "malformed"


@pytest.mark.parametrize(
    "signer",
    [PACKAGE_KEY, ROOT, CLINIC, DEVICE, key(KeyKind.OWNER_LICENSE, 77)],
    ids=lambda key: str(key.kind),
)
def test_only_a_license_key_of_the_owner_makes_a_license(signer: SigningKey) -> None:
    assert refused(forge(to_payload(LICENSE.document), signer)) == "wrong-signer"


def test_another_owner_of_the_same_name_makes_no_license_of_this_one() -> None:
    stranger = verify_owner_chain(namesake("hospital", 91))
    assert (stranger.name, stranger.id == OWNER.id) == (OWNER.name, False)
    theirs = forge(to_payload(license_of(owner=stranger.id)), key(KeyKind.OWNER_LICENSE, 92))
    assert verify_by_owner(theirs, License, stranger).document.owner == stranger.id
    assert refused(theirs) == "wrong-owner"
    ours = forge(to_payload(license_of()), key(KeyKind.OWNER_LICENSE, 92))
    assert refused(ours) == "wrong-signer"


def namesake(name: str, number: int) -> OwnerChain:
    return make_owner(
        name=name,
        roots=[key(KeyKind.OWNER_ROOT, number)],
        roles={Role.LICENSE: [key(KeyKind.OWNER_LICENSE, number + 1).public_text]},
        now=SIGNED,
    )


def test_a_retired_key_signs_nothing_new() -> None:
    fresh = key(KeyKind.OWNER_LICENSE, 99)
    later = verify_owner_chain(
        rotate_owner(
            OWNER,
            retire={LICENSE_KEY.key_id: SIGNED + HOUR},
            add={Role.LICENSE: [fresh.public_text]},
            signers=[ROOT],
            now=SIGNED,
        )
    )
    assert verify_by_owner(LICENSE.token, License, later).id == LICENSE.id
    late = sign_document(license_of(issued_at=SIGNED + HOUR), LICENSE_KEY)
    assert refused(late.token, by=later) == "key-retired"
    by_fresh = sign_document(license_of(issued_at=NOW), fresh)
    assert verify_by_owner(by_fresh.token, License, later) == by_fresh


def test_a_stolen_key_that_was_cut_off_signs_nothing() -> None:
    later = verify_owner_chain(
        rotate_owner(
            OWNER,
            cut_off=[CutOff(key_id=LICENSE_KEY.key_id, log_position=None, reason="stolen")],
            add={Role.LICENSE: [key(KeyKind.OWNER_LICENSE, 99).public_text]},
            signers=[ROOT],
            now=NOW,
        )
    )
    assert refused(LICENSE.token, by=later) == "key-cut-off"


def test_an_old_owner_document_does_not_hide_that_a_key_was_replaced() -> None:
    token = sign_document(license_of(owner_version=2), LICENSE_KEY).token
    assert refused(token) == "owner-outdated"


# --- whose key opens what --------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"license": "lic-" + "b" * 24},
        {"runtime": OTHER_RUNTIME},
        {"package": "cd" * 32},
        {"package_id": "ff" * 16},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_offline_file_opens_for_one_license_runtime_and_package(changes: dict[str, Any]) -> None:
    mine = offline_of(LICENSE.id)
    assert unwrap_offline(mine, SEALING, BINDING) == CONTENT_KEY
    with pytest.raises(VerificationError):
        unwrap_offline(mine, SEALING, replace(BINDING, **changes))
    # Signed by the owner by mistake, with the wrapping of another file: HPKE still refuses.
    arguments = {("license_id" if name == "license" else name): value for name, value in changes.items()}
    moved = offline_of(**({"license_id": LICENSE.id} | arguments), wrapped_key=mine.wrapped_key)
    with pytest.raises(IntegrityError):
        unwrap_offline(moved, SEALING, replace(BINDING, **changes))


def test_one_partner_does_not_open_the_offline_file_of_another() -> None:
    with pytest.raises(IntegrityError):
        unwrap_offline(offline_of(LICENSE.id), OTHER_SEALING, BINDING)


def test_an_offline_file_is_evaluated_for_its_own_license_runtime_and_package_only() -> None:
    chain = chain_of(OFFLINE)
    for file in (
        offline_of("lic-" + "z" * 24),
        offline_of(chain.id, runtime=OTHER_RUNTIME),
        offline_of(chain.id, package="cd" * 32),
    ):
        assert code_of(decide(chain, authority=file.authority)) == "wrong-authority"


def test_a_holder_makes_no_keys_for_its_sites() -> None:
    for document in (offline_of(LICENSE.id), passphrase_of(LICENSE.id)):
        kind: type[OfflineFile] | type[PassphraseFile] = type(document)
        assert refused(forge(to_payload(document), CLINIC, kind.typ()), kind) == "wrong-signer"


def test_a_replayed_lease_opens_nothing() -> None:
    wrapped = wrap_for_lease(CONTENT_KEY, SEALING.public, BINDING, serial=SERIAL, nonce=NONCE)
    old = lease_of(LICENSE.id, wrapped_key=wrapped)
    assert unwrap_lease(old, SEALING, BINDING, nonce=NONCE) == CONTENT_KEY
    with pytest.raises(VerificationError):
        unwrap_lease(old, SEALING, BINDING, nonce="00" * 16)


def test_a_passphrase_file_is_local_and_counts_nothing() -> None:
    chain = chain_of(OFFLINE)
    for level in (Level.SEALED, Level.ATTESTED, Level.HOSTED):
        verdict = decide(chain, authority=passphrase_of(chain.id).authority, asked=request(level=level))
        assert code_of(verdict) == "passphrase-level"
    counted: list[Term] = [Predictions(limit=1, per=Period.YEAR), Rate(limit=1, seconds=1), Runtimes(limit=1)]
    for term in counted:
        for bad in (chain_of(OFFLINE, term), chain_of(OFFLINE, children=[[term]])):
            assert code_of(decide(bad, authority=passphrase_of(bad.id).authority)) == "passphrase-counted"


# --- acceptance ------------------------------------------------------------------------------


def test_nothing_opens_without_an_acceptance_by_the_holder() -> None:
    chain = signed_chain(Agreement(digest="ab" * 32))
    assert code_of(decide(chain, accepted={})) == "not-accepted"
    for token in (
        acceptance_of(chain, signer=WARD),
        acceptance_of(chain, signer=WARD, organization=CLINIC.public_text),
        acceptance_of(chain, organization=WARD.public_text),
        acceptance_of(chain, agreement="cd" * 32),
        acceptance_of(chain, agreement=None),
        acceptance_of(chain, license="lic-" + "z" * 24),
    ):
        with pytest.raises(VerificationError):
            verify_acceptance(token, chain)


def test_an_agreement_that_was_exchanged_on_the_way_is_refused() -> None:
    text = "The clinic uses the model for triage only."
    signed = sign_document(license_of(Agreement(digest=agreement_digest(text))), LICENSE_KEY)
    file = LicenseFile(owner=tuple(owner_chain().to_json()), license=signed.token, agreement=text)
    verify_license_file(file, OWNER)
    for other in (text.replace("only", "also"), text + "\n", None):
        exchanged = LicenseFile(owner=file.owner, license=file.license, agreement=other)
        with pytest.raises(VerificationError) as caught:
            verify_license_file(exchanged, OWNER)
        assert caught.value.code == "wrong-agreement"


# --- narrowing -------------------------------------------------------------------------------

WIDER: list[tuple[Term, Term, dict[str, Any]]] = [
    (Expires(at=NOW), Expires(at=NOW + 9 * DAY), {}),
    (
        Rights(rights=(Right.PREDICT, Right.SUBLICENSE)),
        Rights(rights=tuple(sorted(Right))),
        {"right": Right.EXPORT},
    ),
    (Levels(at_least=Level.SEALED), Levels(at_least=Level.LOCAL), {}),
    (
        Packages(packages=(PackageChoice(name="risk", below="1.0.0"),)),
        Packages(packages=(PackageChoice(name="risk"),)),
        {},
    ),
    (Predictions(limit=1, per=Period.DAY), Predictions(limit=100, per=Period.DAY), {"predictions": 2}),
    (Rate(limit=1, seconds=60), Rate(limit=100, seconds=1), {"predictions": 2}),
    (Purpose(purposes=("triage",)), Purpose(purposes=("sale",)), {"purpose": "sale"}),
]


@pytest.mark.parametrize(("held", "wider", "asked"), WIDER, ids=lambda term: getattr(term, "tag", ""))
def test_a_sublicense_never_widens_what_is_above_it(held: Term, wider: Term, asked: dict[str, Any]) -> None:
    chain = chain_of(held, children=[[wider]])
    verdict = decide(chain, asked=request(**asked))
    assert isinstance(verdict, Denied)
    assert verdict.document == chain.license.id


def test_a_sublicense_makes_no_exception_that_the_license_does_not_make() -> None:
    exceptions = [Grace(hours=9, predictions=9), BreakGlass(hours=9, uses=9), OFFLINE]
    chain = chain_of(children=[exceptions])
    ended = NOW + HOUR
    assert code_of(decide(chain, ended, outage_since=NOW)) == "grace-not-allowed"
    use = BreakGlassUse(ended, "fire", 1)
    verdict = decide(chain, ended, outage_since=NOW, break_glass=use)
    assert code_of(verdict) == "break-glass-not-allowed"
    assert code_of(decide(chain, authority=offline_of(chain.id).authority)) == "offline-not-allowed"


def test_an_output_policy_above_holds_below() -> None:
    chain = chain_of(
        Output(policy=OutputKind.ROUNDED, decimals=1),
        children=[[Output(policy=OutputKind.FULL), Output(policy=OutputKind.ROUNDED, decimals=9)]],
    )
    verdict = decide(chain)
    assert isinstance(verdict, Allowed)
    assert verdict.output.decimals == 1


def test_the_sum_of_sibling_sublicenses_does_not_exceed_the_license() -> None:
    limit = Predictions(limit=100, per=Period.DAY)
    sites = [chain_of(limit, children=[[Predictions(limit=80, per=Period.DAY)]]) for _ in range(2)]
    renamed = replace(sites[1].documents[1], id="sub-" + "z" * 24)
    sites[1] = replace(sites[1], documents=(sites[1].documents[0], renamed))
    used: dict[CounterKey, int] = {}
    served = [0, 0]
    for turn in range(300):
        chain = sites[turn % 2]
        known = facts(chain, used=used, authority=AtOwner())
        verdict = evaluate(chain, request(), known, NOW)
        if isinstance(verdict, Allowed):
            used = charge(used, charges(limits_of(chain, known, NOW), request()))
            served[turn % 2] += 1
        else:
            assert verdict.document == chain.license.id
    assert sum(served) == 100


def test_nobody_but_the_holder_passes_a_license_on() -> None:
    for signer in (WARD, BED, DEVICE, LICENSE_KEY):
        child = forge(to_payload(sublicense_of(LICENSE.id)), signer, Sublicense.typ())
        with pytest.raises(VerificationError):
            verify_chain(LICENSE.token, [child], OWNER)


def test_a_holder_without_the_right_passes_nothing_on() -> None:
    mute = [Rights(rights=(Right.PREDICT,))]
    parent = sign_document(license_of(*mute), LICENSE_KEY)
    child = sign_document(sublicense_of(parent.id), CLINIC)
    with pytest.raises(VerificationError) as caught:
        verify_chain(parent.token, [child.token], OWNER)
    assert caught.value.code == "sublicense-not-permitted"


def test_a_chain_is_not_longer_than_its_limit() -> None:
    tokens, parent, signer = [], LICENSE.id, CLINIC
    for _ in range(4):
        child = sign_document(sublicense_of(parent, holder=party("bed", BED)), signer)
        tokens.append(child.token)
        parent, signer = child.id, BED
    assert len(verify_chain(LICENSE.token, tokens[:3], OWNER).documents) == 4
    with pytest.raises(VerificationError):
        verify_chain(LICENSE.token, tokens, OWNER)


def test_a_site_does_not_shake_its_own_terms_off() -> None:
    """A site that leaves its sub-license out has neither a key nor an acceptance for what remains."""
    child = sign_document(sublicense_of(LICENSE.id, Predictions(limit=1, per=Period.DAY)), CLINIC)
    key_file = sign_document(offline_of(child.id), LICENSE_KEY).token
    stripped = LicenseFile(owner=tuple(owner_chain().to_json()), license=LICENSE.token, offline=(key_file,))
    with pytest.raises(VerificationError) as caught:
        verify_license_file(stripped, OWNER)
    assert caught.value.code == "wrong-license"
    alone = verify_chain(LICENSE.token, [], OWNER)
    by_ward = acceptance_of(alone, signer=WARD)
    with pytest.raises(VerificationError):
        verify_acceptance(by_ward, alone)


def test_revoking_a_license_ends_every_sublicense() -> None:
    chain = chain_of(children=[[], [], []])
    for place in range(4):
        assert code_of(decide(chain, revoked=frozenset({chain.ids[place]}))) == "revoked"
