from functools import partial
from pathlib import Path

import pytest

from strongroom._limits import LIMITS, Limits
from strongroom.errors import FormatError, ObjectNotFound, UsageError, VerificationError
from strongroom.home import Home, partners
from strongroom.home.partners import PartnerStatus
from strongroom.keys.enrollment import VerifiedEnrollment, verify_enrollment
from tests.unit.home.world import refused
from tests.unit.keys.parties import NOW, Clinic, Hospital

HOSPITAL = Hospital()
OWNER = HOSPITAL.owner()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create("hospital", tmp_path / "home")


def enrollment(clinic: Clinic, partner: str = "clinic") -> VerifiedEnrollment:
    invite = HOSPITAL.invite(OWNER, partner=partner)
    return verify_enrollment(clinic.enroll(invite), OWNER, NOW)


def runtime_of(organization: Clinic) -> Clinic:
    """Return a further runtime of the same organization."""
    return Clinic(organization=organization.organization)


def test_a_partner_is_pending_then_approved_then_suspended_and_back(home: Home) -> None:
    known = home.vault.partners
    added = enrollment(Clinic())
    assert known.add(added).status is PartnerStatus.PENDING
    assert refused(lambda: known.verify_approved("clinic")).code == "partner-pending"
    assert known.approve("clinic", added).status is PartnerStatus.APPROVED
    assert known.verify_approved("clinic").name == "clinic"
    assert known.suspend("clinic").status is PartnerStatus.SUSPENDED
    error = refused(lambda: known.verify_approved("clinic"))
    assert isinstance(error, VerificationError)
    assert error.code == "partner-suspended"
    assert known.resume("clinic").status is PartnerStatus.APPROVED
    assert [partner.name for partner in Home.open(home.path).vault.partners.all()] == ["clinic"]


def test_a_partner_that_was_never_approved_is_neither_suspended_nor_resumed(home: Home) -> None:
    home.vault.partners.add(enrollment(Clinic()))
    for act in (home.vault.partners.suspend, home.vault.partners.resume):
        error = refused(partial(act, "clinic"))
        assert isinstance(error, UsageError)
        assert error.code == "partner-pending"


def test_a_partner_has_several_runtimes_and_each_enrollment_verifies_again(home: Home) -> None:
    clinic = Clinic()
    added = [enrollment(clinic), enrollment(runtime_of(clinic))]
    for each in added:
        home.vault.partners.add(each)
    home.vault.partners.approve("clinic", added[0])
    found = home.vault.partners.enrollments("clinic", OWNER)
    assert [each.token for each in found] == [each.token for each in added]
    assert found[0].sealing == clinic.sealing.public


def test_the_same_enrollment_twice_is_one_and_a_new_one_of_a_runtime_replaces_the_old(home: Home) -> None:
    clinic = Clinic()
    first, second = enrollment(clinic), enrollment(clinic)
    home.vault.partners.add(first)
    home.vault.partners.add(first)
    home.vault.partners.add(second)
    assert [each.token for each in home.vault.partners.enrollments("clinic", OWNER)] == [second.token]


def test_whoever_intercepts_an_invite_gains_nothing_by_answering_first(home: Home) -> None:
    thief, clinic = enrollment(Clinic()), enrollment(Clinic())
    home.vault.partners.add(thief)
    home.vault.partners.add(clinic)
    assert len(home.vault.partners.get("clinic").runtimes) == 2
    approved = home.vault.partners.approve("clinic", clinic)
    assert [each.token for each in approved.runtimes] == [clinic.token]
    for act in (
        partial(home.vault.partners.add, thief),
        partial(home.vault.partners.approve, "clinic", thief),
    ):
        error = refused(act)
        assert isinstance(error, VerificationError)
        assert error.code == "partner-key-changed"
    assert [each.token for each in home.vault.partners.get("clinic").runtimes] == [clinic.token]


def test_a_thief_who_names_the_runtime_of_another_does_not_push_it_out(home: Home) -> None:
    clinic = Clinic()
    thief = Clinic(device=clinic.device)
    home.vault.partners.add(enrollment(clinic))
    home.vault.partners.add(enrollment(thief))
    assert len(home.vault.partners.get("clinic").runtimes) == 2


def test_only_an_enrollment_that_was_added_is_approved(home: Home) -> None:
    clinic = Clinic()
    home.vault.partners.add(enrollment(clinic))
    error = refused(lambda: home.vault.partners.approve("clinic", enrollment(runtime_of(clinic))))
    assert error.code == "partner-key-changed"


def test_a_partner_that_is_not_there_is_not_found(home: Home) -> None:
    for act in (
        partial(home.vault.partners.get, "clinic"),
        partial(home.vault.partners.verify_approved, "clinic"),
        partial(home.vault.partners.approve, "clinic", enrollment(Clinic())),
        partial(home.vault.partners.suspend, "clinic"),
    ):
        error = refused(act)
        assert isinstance(error, ObjectNotFound)
        assert error.code == "unknown-partner"


def test_a_partner_s_name_cannot_lead_out_of_the_folder(home: Home) -> None:
    for name in ("..", "../owner", "a/b", ""):
        assert isinstance(refused(partial(home.vault.partners.get, name)), FormatError)


def test_a_record_with_as_many_runtimes_as_allowed_can_be_read_back(home: Home) -> None:
    home.vault.partners.add(enrollment(Clinic(), partner="p" * LIMITS.max_name_chars))
    (path,) = (home.path / "vault" / "partners").iterdir()
    assert path.stat().st_size * LIMITS.max_partner_runtimes < LIMITS.max_json_bytes


def test_one_runtime_too_many_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partners, "LIMITS", Limits(max_partner_runtimes=2))
    clinic = Clinic()
    home.vault.partners.add(enrollment(clinic))
    home.vault.partners.add(enrollment(runtime_of(clinic)))
    error = refused(lambda: home.vault.partners.add(enrollment(runtime_of(clinic))))
    assert isinstance(error, UsageError)
    assert error.code == "too-many-runtimes"


def test_answers_that_nobody_approved_are_forgotten(home: Home) -> None:
    clinic, thief = Clinic(), Clinic()
    kept, forgotten = enrollment(clinic), enrollment(thief)
    for each in (kept, forgotten):
        home.vault.partners.add(each)
    home.vault.partners.refuse("clinic", {forgotten.document.organization})
    assert [each.token for each in home.vault.partners.get("clinic").runtimes] == [kept.token]
    home.vault.partners.refuse("clinic", {kept.document.organization})
    assert refused(lambda: home.vault.partners.get("clinic")).code == "unknown-partner"
    home.vault.partners.add(kept)
    home.vault.partners.approve("clinic", kept)
    error = refused(lambda: home.vault.partners.refuse("clinic", {kept.document.organization}))
    assert error.code == "partner-approved"
