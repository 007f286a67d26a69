"""A partner's requests for licenses, and what the owner answers."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    LicenseRequestAnswer,
    LicenseRequestAsk,
    ReasonAsk,
    RequestGrantAsk,
    RevocationAsk,
)
from tests.unit.broker.services.hospital import NOW, Clinic, World, refused

REASON = ReasonAsk(reason="not before the audit")
UNTIL = to_instant(NOW + timedelta(days=90))


def wish(model: str = "risk", **terms: str) -> LicenseRequestAsk:
    return LicenseRequestAsk(model=model, purpose="triage at night", **terms)


def listed(world: World, clinic: Clinic) -> LicenseRequestAnswer:
    (own,) = world.requesting.page(clinic.manager).requests
    return own


def test_a_partner_asks_and_the_owner_answers_with_a_license(world: World) -> None:
    clinic = world.clinic()
    asked = world.requesting.make(clinic.manager, wish(predictions="1000000/month", until=UNTIL))
    assert (asked.partner, asked.organization) == ("clinic", clinic.organization)
    assert (asked.model, asked.purpose) == ("risk", "triage at night")
    assert (asked.predictions, asked.until) == ("1000000/month", UNTIL)
    assert (asked.asked_at, asked.asked_by) == (to_instant(NOW), clinic.manager.id)
    assert (asked.status, asked.license, asked.reason) == ("open", None, None)
    assert world.requesting.page(world.admin).requests == (asked,)
    license = world.license(clinic)
    ask = RequestGrantAsk(license=license)
    granted = world.requesting.grant(world.admin, asked.request, ask)
    assert (granted.status, granted.license) == ("granted", license)
    assert world.requesting.grant(world.admin, asked.request, ask) == granted
    assert listed(world, clinic) == granted
    first, second = world.records(asked.request)
    assert first.kind is second.kind is Kind.REQUEST
    assert first.subjects == tuple(sorted([asked.request, clinic.organization]))
    assert first.details == {"model": "risk", "status": "open", "by": clinic.manager.id}
    assert second.details == {"license": license, "by": world.admin.id}


def test_a_request_is_refused_for_a_reason(world: World) -> None:
    clinic = world.clinic()
    asked = world.requesting.make(clinic.manager, wish())
    answer = world.requesting.refuse(world.admin, asked.request, REASON)
    assert (answer.status, answer.reason) == ("refused", REASON.reason)
    again = world.requesting.refuse(world.admin, asked.request, ReasonAsk(reason="another"))
    assert again == answer == listed(world, clinic)
    late = RequestGrantAsk(license=world.license(clinic))
    assert refused(lambda: world.requesting.grant(world.admin, asked.request, late)) == "request-answered"
    assert len(world.records(asked.request)) == 2


def test_what_was_granted_is_not_refused_or_granted_otherwise(world: World) -> None:
    clinic = world.clinic()
    asked = world.requesting.make(clinic.manager, wish())
    first, second = world.license(clinic), world.license(clinic)
    world.requesting.grant(world.admin, asked.request, RequestGrantAsk(license=first))
    other = RequestGrantAsk(license=second)
    assert refused(lambda: world.requesting.refuse(world.admin, asked.request, REASON)) == "request-answered"
    assert refused(lambda: world.requesting.grant(world.admin, asked.request, other)) == "request-answered"


def test_the_same_wish_is_one_request_while_it_is_open(world: World) -> None:
    clinic = world.clinic()
    asked = world.requesting.make(clinic.manager, wish(until=UNTIL))
    assert world.requesting.make(clinic.manager, wish(until=UNTIL)) == asked
    assert world.requesting.make(clinic.manager, wish()).request != asked.request
    world.requesting.refuse(world.admin, asked.request, REASON)
    assert world.requesting.make(clinic.manager, wish(until=UNTIL)).request != asked.request


def test_a_license_of_another_partner_answers_nothing(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    asked = world.requesting.make(clinic.manager, wish())
    for license in (world.license(other), "lic-" + "a" * 24):
        ask = RequestGrantAsk(license=license)
        assert refused(partial(world.requesting.grant, world.admin, asked.request, ask)) == "not-found"
    assert listed(world, clinic).status == "open"


def test_a_license_that_waits_for_a_second_person_answers_nothing_yet(careful: World) -> None:
    clinic, second = careful.clinic(), careful.add_admin()
    asked = careful.requesting.make(clinic.manager, wish())
    license = careful.license(clinic)
    ask = RequestGrantAsk(license=license)
    answer = careful.requesting.grant(careful.admin, asked.request, ask)
    assert (answer.status, answer.license) == ("open", license)
    assert listed(careful, clinic) == asked
    assert not [each for each in careful.records(clinic.organization) if license in each.details.values()]
    careful.licensing.approve(second, license)
    assert (listed(careful, clinic).status, listed(careful, clinic).license) == ("granted", license)


def test_a_license_that_was_turned_down_leaves_the_request_open(careful: World) -> None:
    clinic = careful.clinic()
    asked = careful.requesting.make(clinic.manager, wish())
    license = careful.license(clinic)
    careful.requesting.grant(careful.admin, asked.request, RequestGrantAsk(license=license))
    careful.licensing.revoke(careful.admin, RevocationAsk(revocation=careful.revocation(license)))
    assert listed(careful, clinic) == asked
    assert careful.requesting.refuse(careful.admin, asked.request, REASON).status == "refused"


def test_only_so_many_are_open(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    asked = [
        world.requesting.make(clinic.manager, wish(f"model-{number}"))
        for number in range(LIMITS.max_open_requests_length)
    ]
    more = wish("one-more")
    assert refused(lambda: world.requesting.make(clinic.manager, more)) == "too-many-requests"
    # What is asked already is no further one, and another partner has its own.
    assert world.requesting.make(clinic.manager, wish("model-3")) == asked[3]
    assert world.requesting.make(other.manager, more).status == "open"
    world.requesting.refuse(world.admin, asked[0].request, REASON)
    assert world.requesting.make(clinic.manager, more).status == "open"


def test_the_oldest_answered_one_makes_room(world: World) -> None:
    clinic = world.clinic()
    kept = world.requesting.make(clinic.manager, wish("kept-open"))
    for number in range(LIMITS.max_kept_requests_length + 3):
        world.watch.time += timedelta(seconds=1)
        asked = world.requesting.make(clinic.manager, wish(f"model-{number}"))
        world.requesting.refuse(world.admin, asked.request, REASON)
    found = world.requesting.page(world.admin).requests
    assert len(found) == LIMITS.max_kept_requests_length
    names = {each.model for each in found}
    assert kept.model in names
    assert "model-0" not in names
    assert f"model-{LIMITS.max_kept_requests_length + 2}" in names


@pytest.mark.parametrize(
    "ask",
    [
        wish(""),
        wish("x" * 501),
        wish("two\nlines"),
        LicenseRequestAsk(model="risk", purpose="\x1b[2J"),
        wish(predictions="0/month"),
        wish(predictions="1M/month"),
        wish(predictions="10/week"),
        wish(until="tomorrow"),
    ],
)
def test_what_is_asked_has_a_form(world: World, ask: LicenseRequestAsk) -> None:
    clinic = world.clinic()
    assert refused(lambda: world.requesting.make(clinic.manager, ask)) in ("malformed", "instant")
    assert world.requesting.page(world.admin).requests == ()


def test_whether_there_is_such_a_model_does_not_show(world: World) -> None:
    clinic = world.clinic()
    world.publishing.publish(world.admin, world.package(world.statement("secret")))
    there, nowhere = (world.requesting.make(clinic.manager, wish(name)) for name in ("secret", "nothing"))
    for name in ("status", "license", "reason", "purpose", "until", "partner"):
        assert getattr(there, name) == getattr(nowhere, name)


def test_requests_come_in_pages_and_a_partner_sees_its_own(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    own = sorted(world.requesting.make(clinic.manager, wish(f"m{n}")).request for n in range(3))
    world.requesting.make(other.manager, wish())
    first = world.requesting.page(clinic.manager, limit=2)
    assert first.next == own[1]
    second = world.requesting.page(clinic.manager, after=first.next, limit=2)
    assert [each.request for each in (*first.requests, *second.requests)] == own
    assert len(world.requesting.page(world.admin, limit=10).requests) == 4


def test_a_request_is_shown_to_its_partner_and_the_owner_and_to_nobody_else(careful: World) -> None:
    clinic, other = careful.clinic(), careful.clinic("other")
    asked = careful.requesting.make(clinic.manager, wish())
    get = careful.requesting.get
    assert get(clinic.manager, asked.request) == get(careful.admin, asked.request) == asked
    assert refused(lambda: get(other.manager, asked.request)) == "not-found"
    assert refused(lambda: get(clinic.manager, "ask-" + "a" * 24)) == "not-found"
    # A license that waits for a second person is no word to the partner here either.
    waiting = careful.license(clinic)
    careful.requesting.grant(careful.admin, asked.request, RequestGrantAsk(license=waiting))
    assert get(careful.admin, asked.request).license == waiting
    assert get(clinic.manager, asked.request) == asked


def test_a_partner_answers_nothing_and_the_owner_asks_for_nothing(world: World) -> None:
    clinic = world.clinic()
    asked = world.requesting.make(clinic.manager, wish())
    ask = RequestGrantAsk(license=world.license(clinic))
    assert refused(lambda: world.requesting.grant(clinic.manager, asked.request, ask)) == "not-permitted"
    assert refused(lambda: world.requesting.refuse(clinic.manager, asked.request, REASON)) == "not-permitted"
    assert refused(lambda: world.requesting.make(world.admin, wish())) == "not-found"
    assert refused(lambda: world.requesting.refuse(world.admin, "ask-" + "a" * 24, REASON)) == "not-found"
