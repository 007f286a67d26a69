"""Derived models at the broker: what a partner may hand in, and what the owner says of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from strongroom._encoding import to_instant
from strongroom._limits import LIMITS
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.license.request import Right
from strongroom.license.terms import Expires
from strongroom.log.entry import Kind
from strongroom.protocol.broker import (
    AcceptanceAsk,
    LicenseAsk,
    ReasonAsk,
    RevocationAsk,
    SublicenseAsk,
    WithdrawalAsk,
)
from strongroom.protocol.derivation import DerivationAsk
from tests.unit.broker.services.hospital import DAY, NOW, World, refused
from tests.unit.broker.services.maker import BOTH, Maker, signature

REASON = ReasonAsk(reason="trained on too few patients")


@pytest.fixture
def maker(world: World) -> Maker:
    return Maker.make(world)


def test_a_derived_model_is_handed_in_and_countersigned(world: World, maker: Maker) -> None:
    said = maker.said()
    ask = maker.ask(said)
    answer = world.deriving.hand_in(maker.clinic.manager, ask)
    assert (answer.holder, answer.organization) == ("clinic", maker.clinic.organization)
    assert (answer.license, answer.parent) == (maker.license, maker.parent.package_digest)
    assert (answer.parent_name, answer.package) == ("risk 1.0.0", said.package_digest)
    assert (answer.name, answer.version) == ("risk", "1.1.0")
    assert (answer.handed_in_at, answer.handed_in_by) == (to_instant(NOW), maker.clinic.manager.id)
    assert (answer.status, answer.statement, answer.reason) == ("open", None, None)
    assert world.deriving.hand_in(maker.clinic.manager, ask) == answer
    assert world.deriving.page(world.admin).derivations == (answer,)
    signed = signature(world, said)
    done = world.deriving.countersign(world.admin, answer.derivation, signed)
    assert (done.status, done.statement) == ("countersigned", signed.statement)
    # Signed once more, it is the first signature that stays.
    assert world.deriving.countersign(world.admin, answer.derivation, signature(world, said)) == done
    assert world.deriving.hand_in(maker.clinic.manager, ask) == done
    assert world.deriving.page(maker.clinic.manager).derivations == (done,)
    assert (
        refused(lambda: world.deriving.refuse(world.admin, answer.derivation, REASON))
        == "derivation-answered"
    )
    first, second = world.records(answer.derivation)
    assert first.kind is second.kind is Kind.DERIVATION
    assert first.subjects == tuple(sorted([answer.derivation, maker.clinic.organization]))
    assert first.details["status"] == "open"
    assert (second.details["status"], second.details["package"]) == ("countersigned", said.package_digest)
    # From here on it is a package as any other.
    world.publishing.publish(world.admin, world.package(said))


def test_a_derived_model_is_refused_for_a_reason(world: World, maker: Maker) -> None:
    said = maker.said()
    answer = maker.hand_in(said)
    done = world.deriving.refuse(world.admin, answer.derivation, REASON)
    assert (done.status, done.reason) == ("refused", REASON.reason)
    assert world.deriving.refuse(world.admin, answer.derivation, ReasonAsk(reason="another")) == done
    late = partial(world.deriving.countersign, world.admin, answer.derivation, signature(world, said))
    assert refused(late) == "derivation-answered"
    assert world.records(answer.derivation)[1].details["reason"] == REASON.reason


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda maker: {"parent": "00" * 32}, "not-found"),
        (lambda maker: {"license": "lic-" + "a" * 24}, "not-found"),
        (lambda maker: {"package": "00" * 32}, "wrong-package"),
        (lambda maker: {"version": "9.0.0"}, "wrong-statement"),
        (lambda maker: {"owner": "own-" + "a" * 24}, "wrong-owner"),
        (lambda maker: {"key": SigningKey.generate(KeyKind.ORGANIZATION)}, "wrong-signer"),
        (lambda maker: {"said": maker.said(agreement="11" * 32)}, "wrong-statement"),
        (
            lambda maker: {"said": maker.said(owner="own-" + "a" * 24), "owner": maker.world.keys.owner_id},
            "wrong-owner",
        ),
    ],
)
def test_what_does_not_fit_together_is_not_taken(
    maker: Maker, change: Callable[[Maker], dict[str, Any]], code: str
) -> None:
    assert maker.refusal(**change(maker)) == code


def test_a_parent_under_another_license_is_as_one_that_is_not_there(world: World, maker: Maker) -> None:
    fraud = world.statement("fraud")
    world.publishing.publish(world.admin, world.package(fraud))
    said = maker.said(parent=fraud.package_digest)
    assert maker.refusal(said) == maker.refusal(maker.said(parent="00" * 32)) == "not-found"
    # Swapped in what is signed alone, it is no more found.
    assert maker.refusal(parent=fraud.package_digest) == "not-found"


def test_the_parent_that_is_signed_is_the_parent_that_is_said(world: World, maker: Maker) -> None:
    newer = world.statement(version="1.0.1")
    world.publishing.publish(world.admin, world.package(newer))
    assert maker.refusal(parent=newer.package_digest) == "wrong-statement"


@pytest.mark.parametrize("rights", [(Right.PREDICT,), (Right.EXPORT, Right.PREDICT)])
def test_nobody_hands_in_without_the_right(world: World, rights: tuple[Right, ...]) -> None:
    assert Maker.make(world, rights=rights).refusal() == "right-not-granted"


def test_a_license_without_a_key_for_the_way_back(world: World) -> None:
    maker = Maker.make(world)
    signed = world.sign_license(maker.clinic.party, rights=BOTH)
    maker.license = world.licensing.grant(world.admin, LicenseAsk(license=signed)).license
    assert maker.refusal() == "not-accepted"
    acceptance = AcceptanceAsk(acceptance=maker.clinic.accept(maker.license))
    world.licensing.accept(maker.clinic.manager, acceptance)
    assert maker.refusal() == "no-derivations"


def test_a_revoked_license_hands_in_nothing_and_is_countersigned_for_nothing(
    world: World, maker: Maker
) -> None:
    said = maker.said()
    answer = maker.hand_in(said)
    world.licensing.revoke(world.admin, RevocationAsk(revocation=world.revocation(maker.license)))
    assert maker.refusal() == "revoked"
    late = partial(world.deriving.countersign, world.admin, answer.derivation, signature(world, said))
    assert refused(late) == "revoked"
    assert world.deriving.page(maker.clinic.manager).derivations == (answer,)


def test_a_suspended_license_waits(world: World, maker: Maker) -> None:
    world.licensing.suspend(world.admin, maker.license, ReasonAsk(reason="an audit"))
    assert maker.refusal() == "suspended"
    world.licensing.resume(world.admin, maker.license)
    assert maker.hand_in().status == "open"


def test_a_license_that_ended_hands_in_nothing_and_what_was_handed_in_stands(world: World) -> None:
    maker = Maker.make(world, "clinic", Expires(at=NOW + DAY))
    said = maker.said()
    answer = maker.hand_in(said)
    world.watch.time = NOW + 2 * DAY
    # The instant that its partner wrote helps nobody: the broker has a clock of its own.
    assert maker.refusal() == "expired"
    done = world.deriving.countersign(world.admin, answer.derivation, signature(world, said))
    assert done.status == "countersigned"


def test_a_withdrawn_parent(world: World, maker: Maker) -> None:
    world.publishing.withdraw(world.admin, WithdrawalAsk(withdrawal=world.withdrawal(maker.parent)))
    assert maker.refusal() == "version-withdrawn"


def test_a_derivation_of_another_partner_is_not_there(world: World, maker: Maker) -> None:
    other = Maker.make(world, "other", version="2.0.0")
    ask = maker.ask()
    assert refused(lambda: world.deriving.hand_in(other.clinic.manager, ask)) == "not-found"
    assert other.refusal(license=maker.license) == "not-found"
    # Under its own license it has to sign itself: what another signed is no word of its own.
    assert other.refusal(key=maker.clinic.key) == "wrong-signer"
    made = maker.hand_in()
    assert world.deriving.page(other.clinic.manager).derivations == ()
    get = world.deriving.get
    assert get(maker.clinic.manager, made.derivation) == get(world.admin, made.derivation) == made
    assert refused(lambda: get(other.clinic.manager, made.derivation)) == "not-found"
    assert refused(lambda: get(world.admin, "drv-" + "a" * 24)) == "not-found"


def test_a_countersignature_is_good_for_one_package(world: World, maker: Maker) -> None:
    first, second = maker.said(), maker.said(name="risk-north", version="1.0.0", previous=None)
    answers = [maker.hand_in(each) for each in (first, second)]
    replayed = partial(
        world.deriving.countersign, world.admin, answers[1].derivation, signature(world, first)
    )
    assert refused(replayed) == "wrong-package"
    stranger = SigningKey.generate(KeyKind.OWNER_PACKAGE)
    forged = partial(
        world.deriving.countersign, world.admin, answers[0].derivation, signature(world, first, stranger)
    )
    assert refused(forged) == "wrong-signer"
    assert {each.status for each in world.deriving.page(world.admin).derivations} == {"open"}


def test_a_site_hands_in_under_its_sub_license(world: World, maker: Maker) -> None:
    site = world.clinic("site")
    narrowed = SublicenseAsk(sublicense=maker.clinic.narrow(maker.license, site.party))
    license = world.licensing.narrow(maker.clinic.manager, narrowed).license
    world.licensing.accept(site.manager, AcceptanceAsk(acceptance=site.accept(license)))
    at_site = Maker(world, site, maker.parent, license)
    answer = at_site.hand_in()
    assert (answer.holder, answer.organization) == ("site", site.organization)
    assert refused(lambda: world.deriving.hand_in(maker.clinic.manager, at_site.ask())) == "not-found"


def test_only_so_many_wait_and_the_oldest_answered_one_makes_room(world: World, maker: Maker) -> None:
    waiting = [maker.hand_in() for _ in range(LIMITS.max_open_derivations_length)]
    assert maker.refusal() == "too-many-derivations"
    world.deriving.refuse(world.admin, waiting[0].derivation, REASON)
    for _ in range(LIMITS.max_kept_derivations_length):
        world.watch.time += timedelta(seconds=1)
        world.deriving.refuse(world.admin, maker.hand_in().derivation, REASON)
    kept = {each.derivation for each in world.deriving.page(world.admin).derivations}
    assert len(kept) == LIMITS.max_kept_derivations_length
    assert waiting[0].derivation not in kept
    assert {each.derivation for each in waiting[1:]} <= kept


def test_pages(world: World, maker: Maker) -> None:
    own = sorted(maker.hand_in().derivation for _ in range(3))
    first = world.deriving.page(maker.clinic.manager, limit=2)
    second = world.deriving.page(maker.clinic.manager, after=first.next or "", limit=2)
    assert [each.derivation for each in (*first.derivations, *second.derivations)] == own
    assert len(world.deriving.page(world.admin, limit=2).derivations) == 2


def test_a_partner_countersigns_nothing_and_the_owner_hands_in_nothing(world: World, maker: Maker) -> None:
    said = maker.said()
    answer = maker.hand_in(said)
    signed = signature(world, said)
    for do in (
        partial(world.deriving.countersign, maker.clinic.manager, answer.derivation, signed),
        partial(world.deriving.refuse, maker.clinic.manager, answer.derivation, REASON),
    ):
        assert refused(do) == "not-permitted"
    assert refused(lambda: world.deriving.hand_in(world.admin, maker.ask())) == "not-found"
    for do in (
        partial(world.deriving.countersign, world.admin, "drv-" + "a" * 24, signed),
        partial(world.deriving.refuse, world.admin, "drv-" + "a" * 24, REASON),
    ):
        assert refused(do) == "not-found"


@pytest.mark.parametrize(
    "ask", [DerivationAsk(derivation="x", statement="e30="), DerivationAsk(derivation="x", statement="!")]
)
def test_what_is_no_derivation(world: World, maker: Maker, ask: DerivationAsk) -> None:
    refused(lambda: world.deriving.hand_in(maker.clinic.manager, ask))
    assert world.deriving.page(world.admin).derivations == ()
