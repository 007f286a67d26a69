"""Licenses under every input: parsers raise one error, documents have one spelling, terms only narrow."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strongroom._encoding import canonical_json
from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.license.chain import ChainDocument, LicenseChain, verify_chain
from strongroom.license.counters import charge, charges, limits_of, remaining, reservable
from strongroom.license.describe import describe_license
from strongroom.license.documents import KINDS, Document, License, Sublicense
from strongroom.license.evaluate import evaluate
from strongroom.license.instants import parse_expiry
from strongroom.license.license_file import LicenseFile, verify_license_file
from strongroom.license.marks import check_version, raise_version
from strongroom.license.offline import OfflinePlan, plan_offline
from strongroom.license.package_choice import PackageChoice
from strongroom.license.payload import from_payload, to_payload
from strongroom.license.period import CounterKey, CounterName
from strongroom.license.release_documents import OfflineFile
from strongroom.license.request import AtOwner, Facts, Request
from strongroom.license.signing import sign_document
from strongroom.license.term import Term
from strongroom.license.terms import Agreement, Counted, Offline, decode_term, encode_term
from strongroom.license.verdict import Allowed, Denied, OutputPolicy
from tests.property.license_strategies import (
    AUTHORITY,
    SMALL,
    chains,
    choices,
    facts_of,
    known_terms,
    moments,
    requests,
    restrictions,
    term_lists,
    terms,
    versions,
)
from tests.unit.license.samples import DOCUMENTS
from tests.unit.license.world import (
    CLINIC,
    HOUR,
    LICENSE_KEY,
    NOW,
    OWNER,
    chain_of,
    facts,
    license_of,
    offline_of,
    owner_chain,
    request,
    sublicense_of,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)

# --- bytes -----------------------------------------------------------------------------------


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_document_or_a_format_error(data: bytes) -> None:
    for kind in KINDS:
        with pytest.raises(FormatError):
            from_payload(data, kind)
    with pytest.raises(FormatError):
        LicenseFile.from_bytes(data)


@given(value=json_values)
def test_any_json_is_a_term_or_a_format_error(value: Any) -> None:
    try:
        term = decode_term(value)
    except FormatError:
        return
    assert encode_term(term) == value


@given(
    kind=st.sampled_from(KINDS),
    member=st.integers(0, 20),
    value=json_values,
)
def test_a_document_with_any_member_replaced_keeps_its_bytes_or_is_refused(
    kind: type[Document], member: int, value: Any
) -> None:
    members = _members(DOCUMENTS[kind.NAME])
    names = sorted(members)
    members[names[member % len(names)]] = value
    try:
        data = canonical_json(members)
        document = from_payload(data, kind)
    except FormatError:
        return
    assert to_payload(document) == data
    assert document.id.startswith(kind.PREFIX)


def _members(document: Document) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(to_payload(document))
    return members


@given(first=term_lists(most=6), child=term_lists(most=6))
def test_what_is_signed_reads_back_as_the_same_document(first: list[Term], child: list[Term]) -> None:
    license_document = license_of(*[term for term in first if term not in license_of().terms])
    for document in (license_document, sublicense_of(license_document.id, *child)):
        kind: type[License] | type[Sublicense] = type(document)
        data = to_payload(document)
        assert from_payload(data, kind) == document
        assert to_payload(from_payload(data, kind)) == data


@given(term=terms)
def test_a_term_reads_back_as_the_same_term(term: Term) -> None:
    assert decode_term(encode_term(term)) == term


_LICENSE = sign_document(license_of(), LICENSE_KEY)
_CHILD = sign_document(sublicense_of(_LICENSE.id), CLINIC)
_FILE = LicenseFile(
    owner=tuple(owner_chain().to_json()),
    license=_LICENSE.token,
    sublicenses=(_CHILD.token,),
    offline=(sign_document(offline_of(_CHILD.id), LICENSE_KEY).token,),
).to_bytes()


@given(place=st.integers(0, len(_FILE) - 1), bit=st.integers(0, 7))
def test_a_license_file_with_one_bit_flipped_is_refused(place: int, bit: int) -> None:
    flipped = bytearray(_FILE)
    flipped[place] ^= 1 << bit
    try:
        file = LicenseFile.from_bytes(bytes(flipped))
        file.owner_chain()
        verify_license_file(file, OWNER)
    except (FormatError, VerificationError):
        return
    # A flip inside the owner chain is caught where the chain is compared with the pinned one.
    assert file.owner_chain() != owner_chain()


@given(token=st.text(max_size=40), other=st.text(max_size=40))
def test_any_text_in_place_of_a_token_is_refused(token: str, other: str) -> None:
    for license_token, children in ((token, []), (_LICENSE.token, [other]), (token + ".." + other, [])):
        with pytest.raises((FormatError, VerificationError)):
            verify_chain(license_token, children, OWNER)


# --- decisions -------------------------------------------------------------------------------


def _with_term(chain: LicenseChain, place: int, term: Term) -> LicenseChain:
    documents = list(chain.documents)
    documents[place] = replace(documents[place], terms=(*documents[place].terms, term))
    return replace(chain, documents=tuple(documents))


def _decide(chain: LicenseChain, asked: Request, known: Facts, now: datetime) -> Allowed | Denied:
    return evaluate(chain, asked, known, now)


@given(data=st.data(), chain=chains(), asked=requests, now=moments)
def test_adding_a_term_never_allows_more(
    data: st.DataObject, chain: LicenseChain, asked: Request, now: datetime
) -> None:
    place = data.draw(st.integers(0, len(chain.documents) - 1))
    # In the license itself, the three allowances are what an exception rests on; a
    # second one, or one in a sub-license, only makes it smaller.
    term = data.draw(restrictions if place == 0 else terms)
    known = data.draw(facts_of(chain))
    before = _decide(chain, asked, known, now)
    after = _decide(_with_term(chain, place, term), asked, known, now)
    if isinstance(before, Denied):
        assert isinstance(after, Denied)
    elif isinstance(after, Allowed):
        assert _narrower(after.output, before.output)
        assert before.until is None or (after.until is not None and after.until <= before.until)


def _narrower(one: OutputPolicy, other: OutputPolicy) -> bool:
    return (
        (other.decimals is None or (one.decimals is not None and one.decimals <= other.decimals))
        and (other.top_k is None or (one.top_k is not None and one.top_k <= other.top_k))
        and (one.label_only or not other.label_only)
    )


@given(data=st.data(), chain=chains(), asked=requests, now=moments, child=term_lists(most=2))
def test_adding_a_sublicense_never_allows_more(
    data: st.DataObject, chain: LicenseChain, asked: Request, now: datetime, child: list[Term]
) -> None:
    known = data.draw(facts_of(chain))
    last = chain.last
    document = ChainDocument(
        id="sub-" + "e" * 24,
        token="",
        holder=last.holder,
        issuer=last.holder.name,
        issued_at=last.issued_at,
        terms=tuple(child),
    )
    longer = replace(chain, documents=(*chain.documents, document))
    # As favourable as can be: the child is accepted and the same keys are released for it.
    agreement = document.agreement
    generous = replace(known, accepted={**known.accepted, document.id: agreement})
    if known.authority is not None and not isinstance(known.authority, AtOwner):
        same = known.authority.license == chain.id
        generous = replace(
            generous, authority=replace(known.authority, license=document.id if same else chain.id)
        )
    if isinstance(_decide(chain, asked, known, now), Denied):
        assert isinstance(_decide(longer, asked, generous, now), Denied)


@given(data=st.data(), chain=chains(), asked=requests, now=moments)
def test_a_decision_is_a_value_and_a_refusal_says_why(
    data: st.DataObject, chain: LicenseChain, asked: Request, now: datetime
) -> None:
    known = data.draw(facts_of(chain))
    verdict = _decide(chain, asked, known, now)
    assert verdict == _decide(chain, asked, known, now)
    if isinstance(verdict, Denied):
        assert verdict.reason
        assert not verdict.reason[0].isupper()
        assert not verdict.reason.endswith(".")
        assert verdict.hint is None or verdict.hint.endswith(".")
        assert verdict.document is None or verdict.document in {*chain.ids, AUTHORITY}
    else:
        assert all(left >= 0 for left in verdict.remaining.values())
        assert verdict.until is None or verdict.until > now


@given(chain=chains(), amounts=st.lists(st.integers(0, 5), max_size=12), extra=SMALL)
def test_no_sequence_of_uses_passes_a_limit(chain: LicenseChain, amounts: list[int], extra: int) -> None:
    used: dict[CounterKey, int] = {}
    for amount in amounts:
        known = facts(chain, used=used, authority=AtOwner())
        asked = request(predictions=amount, tokens=extra)
        if isinstance(_decide(chain, asked, known, NOW), Allowed):
            used = charge(used, charges(limits_of(chain, known, NOW), asked))
    limits = limits_of(chain, facts(chain, authority=AtOwner()), NOW)
    assert all(used.get(limit.key, 0) <= limit.limit for limit in limits)


@given(chain=chains(), wanted=st.integers(1, 20))
def test_a_reserved_block_is_allowed_and_one_more_is_not(chain: LicenseChain, wanted: int) -> None:
    known = facts(chain, authority=AtOwner())
    limits = limits_of(chain, known, NOW)
    size = reservable(limits, {}, CounterName.PREDICTIONS, wanted)
    assert 0 <= size <= wanted
    after = charge({}, charges(limits, request(predictions=size)))
    left = [rest for key, rest in remaining(limits, after).items() if key.counter == "predictions"]
    assert size == wanted or min(left) == 0


@given(data=st.data(), first=st.lists(known_terms, max_size=4, unique=True), count=st.integers(1, 5))
def test_offline_files_together_never_hold_more_than_the_license(
    data: st.DataObject, first: list[Term], count: int
) -> None:
    assume(sum(isinstance(term, Agreement) for term in first) <= 1)
    chain = chain_of(Offline(hours=400, files=9), *first)
    files: list[OfflineFile] = []
    for _ in range(count):
        shares = data.draw(st.integers(1, 3))
        plan = plan_offline(chain, NOW, shares={chain.id: shares}, outstanding={chain.id: files})
        if not isinstance(plan, OfflinePlan):
            break
        files.append(
            offline_of(
                chain.id, budget=plan.budget, issued_at=NOW, not_after=plan.not_after, wrapped_key="AAAA"
            )
        )
        assert NOW < plan.not_after <= NOW + 400 * HOUR
    for _, term in chain.terms():
        if isinstance(term, Counted):
            carved = sum(
                entry.limit
                for file in files
                for entry in file.budget
                if (entry.counter, entry.per) == (term.counter, term.per)
            )
            assert carved <= term.limit


@given(seen=st.lists(versions, min_size=1, max_size=6))
def test_without_withdrawals_versions_only_go_up(seen: list[str]) -> None:
    mark: str | None = None
    opened = []
    for version in seen:
        if check_version(request(version=version), mark, []) is None:
            mark = raise_version(mark, version)
            opened.append(version)
    assert opened == sorted(opened)


# --- texts -----------------------------------------------------------------------------------


@given(choice=choices)
def test_a_choice_of_packages_reads_back(choice: PackageChoice) -> None:
    assert PackageChoice.from_text(choice.to_text()) == choice


@given(chain=chains())
def test_every_term_is_described_in_one_line(chain: LicenseChain) -> None:
    lines = describe_license(chain, ZoneInfo("Europe/Berlin"))
    spoken = sum(len(document.terms) for document in chain.documents) + len(chain.documents)
    assert len(lines) >= spoken
    assert all(label and "\n" not in sentence and sentence for label, sentence in lines)


@given(text=st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?", fullmatch=True))
def test_an_expiry_is_a_later_instant_or_a_usage_error(text: str) -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        try:
            moment = parse_expiry(text, ZoneInfo(zone), NOW)
        except UsageError:
            continue
        assert moment > NOW
        assert moment.utcoffset() == timedelta(0)
