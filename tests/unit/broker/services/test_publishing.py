from __future__ import annotations

from dataclasses import replace
from typing import Any

from strongroom._encoding import from_base64, to_base64
from strongroom.broker.keys import content_key_purpose
from strongroom.broker.services.publishing import Publishing
from strongroom.broker.settings import Settings
from strongroom.keys.owner import Role
from strongroom.license.package_choice import PackageChoice
from strongroom.license.terms import Packages
from strongroom.log.entry import Kind
from strongroom.package.statement import read_unverified, sign_statement, signer
from strongroom.protocol.broker import ReasonAsk, RevocationAsk, WithdrawalAsk
from tests.unit.broker.services.hospital import CONTENT_KEY, Overtaken, World, refused


def test_a_package_is_published(world: World) -> None:
    statement = world.statement()
    answer = world.publishing.publish(world.admin, world.package(statement))
    assert (answer.package, answer.package_id) == (statement.package_digest, statement.package_id)
    assert (answer.name, answer.version, answer.withdrawn) == ("risk", "1.0.0", False)
    assert read_unverified(from_base64(answer.statement)) == statement
    record = world.records()[-1]
    assert record.kind is Kind.PUBLICATION
    assert record.details["package"] == statement.package_digest


def test_its_content_key_rests_under_the_key_encryption_key(world: World) -> None:
    statement = world.statement()
    world.publishing.publish(world.admin, world.package(statement))
    with world.ledger.view() as kept:
        row = kept.package(statement.package_digest)
    assert row is not None
    assert row.key_id == world.keys.key_id
    purpose = content_key_purpose(statement.package_digest)
    assert world.keys.provider().unwrap(row.wrapped_key, purpose) == CONTENT_KEY


def test_publishing_the_same_again_changes_nothing(world: World) -> None:
    statement = world.statement()
    ask = world.package(statement)
    answer = world.publishing.publish(world.admin, ask)
    before = len(world.records())
    assert world.publishing.publish(world.admin, ask) == answer
    assert len(world.records()) == before


def test_the_same_package_at_two_brokers_at_once_is_published_once(world: World) -> None:
    statement = world.statement()
    first = world.package(statement)
    overtaken: Any = Overtaken(world.ledger, lambda: world.publishing.publish(world.admin, first))
    publishing = Publishing(overtaken, world.keys, Settings())
    answer = publishing.publish(world.admin, world.package(statement, key=bytes(32)))
    assert answer == world.publishing.publish(world.admin, first)
    with world.ledger.view() as kept:
        row = kept.package(statement.package_digest)
    assert row is not None
    purpose = content_key_purpose(statement.package_digest)
    assert world.keys.provider().unwrap(row.wrapped_key, purpose) == CONTENT_KEY


def test_a_version_is_published_once(world: World) -> None:
    world.publishing.publish(world.admin, world.package(world.statement()))
    other = world.package(world.statement())
    assert refused(lambda: world.publishing.publish(world.admin, other)) == "version-exists"
    world.publishing.publish(world.admin, world.package(world.statement(version="1.0.1")))


def test_only_the_owner_publishes(world: World) -> None:
    statement = world.statement()
    ask, clinic = world.package(statement), world.clinic()
    assert refused(lambda: world.publishing.publish(clinic.manager, ask)) == "not-permitted"
    by_license = sign_statement(statement, signer(world.role_key(Role.LICENSE).secret))
    wrong = replace(ask, statement=to_base64(by_license))
    assert refused(lambda: world.publishing.publish(world.admin, wrong)) == "wrong-signer"
    foreign = world.package(world.statement(owner="own-" + "a" * 24))
    assert refused(lambda: world.publishing.publish(world.admin, foreign)) == "wrong-owner"
    broken = replace(ask, statement="!")
    assert refused(lambda: world.publishing.publish(world.admin, broken)) == "malformed"


def test_a_content_key_of_another_package_is_refused(world: World) -> None:
    statement = world.statement()
    ask = world.package(statement, wrapped_for=world.statement())
    assert refused(lambda: world.publishing.publish(world.admin, ask)) == "wrapped-key"
    with world.ledger.view() as kept:
        assert kept.package(statement.package_digest) is None


def test_the_catalog_comes_in_pages(world: World) -> None:
    for number in range(3):
        world.publishing.publish(world.admin, world.package(world.statement(version=f"1.0.{number}")))
    first = world.publishing.page(world.admin, limit=2)
    assert first.next is not None
    second = world.publishing.page(world.admin, after=first.next, limit=2)
    digests = [each.package for each in (*first.packages, *second.packages)]
    assert digests == sorted(digests)
    assert len(set(digests)) == 3


def test_a_partner_sees_what_it_is_licensed_for(world: World) -> None:
    clinic, other = world.clinic(), world.clinic("other")
    risk, fraud = world.statement(), world.statement("fraud")
    for each in (risk, fraud):
        world.publishing.publish(world.admin, world.package(each))
    assert world.publishing.page(clinic.manager).packages == ()
    license = world.license(clinic)
    (seen,) = world.publishing.page(clinic.manager).packages
    assert seen.package == risk.package_digest
    assert world.publishing.page(other.manager).packages == ()
    only = Packages(packages=(PackageChoice(name="risk", at_least="2.0.0"),))
    world.license(other, [only])
    assert world.publishing.page(other.manager).packages == ()
    world.licensing.suspend(world.admin, license, ReasonAsk(reason="the bill is open"))
    assert len(world.publishing.page(clinic.manager).packages) == 1


def test_a_version_is_taken_back(world: World) -> None:
    statement = world.statement()
    world.publishing.publish(world.admin, world.package(statement))
    ask = WithdrawalAsk(withdrawal=world.withdrawal(statement))
    done = world.publishing.withdraw(world.admin, ask)
    (package,) = world.publishing.page(world.admin).packages
    assert package.withdrawn
    record = world.records()[done.entry]
    assert (record.kind, record.details["version"]) == (Kind.WITHDRAWAL, "1.0.0")
    world.add_admin()
    assert world.publishing.withdraw(world.admin, ask) == done


def test_after_a_restore_the_new_log_hears_of_what_is_sent_again(world: World) -> None:
    statement, clinic = world.statement(), world.clinic()
    withdrawal = WithdrawalAsk(withdrawal=world.withdrawal(statement))
    revocation = RevocationAsk(revocation=world.revocation(world.license(clinic)))
    world.publishing.withdraw(world.admin, withdrawal)
    world.licensing.revoke(world.admin, revocation)
    world.ledger.restart(lambda act: None)
    again = world.publishing.withdraw(world.admin, withdrawal)
    assert world.records()[again.entry].kind is Kind.WITHDRAWAL
    assert world.publishing.withdraw(world.admin, withdrawal) == again
    again = world.licensing.revoke(world.admin, revocation)
    assert world.records()[again.entry].kind is Kind.REVOCATION
    assert world.licensing.revoke(world.admin, revocation) == again
    assert len(world.licensing.revocations(clinic.manager).revocations) == 1


def test_a_withdrawal_is_the_owners_and_names_the_package(world: World) -> None:
    statement, clinic = world.statement(), world.clinic()
    world.publishing.publish(world.admin, world.package(statement))
    good = WithdrawalAsk(withdrawal=world.withdrawal(statement))
    assert refused(lambda: world.publishing.withdraw(clinic.manager, good)) == "not-permitted"
    other = WithdrawalAsk(withdrawal=world.withdrawal(world.statement()))
    assert refused(lambda: world.publishing.withdraw(world.admin, other)) == "wrong-package"
    # Of a version that was never published here: the owner knows what it sent by other ways.
    world.publishing.withdraw(
        world.admin, WithdrawalAsk(withdrawal=world.withdrawal(world.statement(version="3.0.0")))
    )
