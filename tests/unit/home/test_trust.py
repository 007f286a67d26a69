from functools import partial
from pathlib import Path

import pytest

from strongroom.errors import FormatError, ObjectNotFound, StorageError, UsageError, VerificationError
from strongroom.home import Home
from strongroom.home.trust import TrustStatus
from strongroom.keys.owner import OwnerChain, make_owner, rotate_owner, verify_owner_chain
from tests.unit.home.world import NOW, OWNER, other_chain, refused
from tests.unit.license.world import DAY, ROOT, owner_chain


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create("clinic", tmp_path / "home")


def longer(days: int = 1) -> OwnerChain:
    return rotate_owner(OWNER, signers=[ROOT], now=NOW + days * DAY)


def test_a_pinned_owner_is_pending_until_it_is_confirmed(home: Home) -> None:
    pinned = home.trust.pin(owner_chain())
    assert (pinned.id, pinned.status, pinned.label) == (OWNER.id, TrustStatus.PENDING, "hospital")
    error = refused(lambda: home.trust.confirmed("hospital"))
    assert isinstance(error, VerificationError)
    assert error.code == "owner-pending"
    assert home.trust.confirm(OWNER.id).status is TrustStatus.CONFIRMED
    assert Home.open(home.path).trust.confirmed("hospital").id == OWNER.id


def test_pinning_again_keeps_status_and_alias_and_takes_the_newer_chain(home: Home) -> None:
    home.trust.pin(owner_chain(), alias="north")
    home.trust.confirm(OWNER.id)
    pinned = home.trust.pin(longer())
    assert (pinned.status, pinned.alias, pinned.owner.version) == (TrustStatus.CONFIRMED, "north", 2)
    assert home.trust.pin(longer(), alias="south").alias == "south"


def test_updating_takes_the_newer_chain_and_refuses_rollback_and_fork(home: Home) -> None:
    home.trust.pin(owner_chain())
    assert home.trust.update(longer()).owner.version == 2
    assert home.trust.update(longer()).owner.version == 2
    for act in (home.trust.update, home.trust.pin):
        assert refused(partial(act, owner_chain())).code == "owner-rollback"
        assert refused(partial(act, longer(days=2))).code == "owner-fork"
    assert home.trust.get(OWNER.id).owner.version == 2


def test_the_mark_changes_with_the_record(home: Home) -> None:
    assert refused(lambda: home.trust.mark(OWNER.id)).code == "unknown-owner"
    home.trust.pin(owner_chain())
    before = home.trust.mark(OWNER.id)
    assert Home.open(home.path).trust.mark(OWNER.id) == before
    home.trust.update(longer())
    assert home.trust.mark(OWNER.id) != before
    (home.path / "trust" / f"{OWNER.id}.json").unlink()
    (home.path / "trust").rmdir()
    (home.path / "trust").write_bytes(b"")
    assert isinstance(refused(lambda: home.trust.mark(OWNER.id)), StorageError)


def test_a_stranger_is_not_updated_confirmed_or_renamed(home: Home) -> None:
    for act in (
        lambda: home.trust.update(owner_chain()),
        lambda: home.trust.confirm(OWNER.id),
        lambda: home.trust.set_alias(OWNER.id, "north"),
        lambda: home.trust.get(OWNER.id),
        lambda: home.trust.find("hospital"),
    ):
        error = refused(act)
        assert isinstance(error, ObjectNotFound)
        assert error.code == "unknown-owner"


def test_a_chain_that_does_not_verify_is_not_pinned(home: Home) -> None:
    unsigned = make_owner(name="hospital", roots=[ROOT], threshold=1, roles={}, now=NOW, other_roots=())
    forged = OwnerChain.from_envelopes([*longer().envelopes[:1], *unsigned.envelopes])
    assert isinstance(refused(lambda: home.trust.pin(forged)), VerificationError)
    assert home.trust.all() == []


def test_owners_are_found_by_id_alias_and_name(home: Home) -> None:
    other = home.trust.pin(other_chain(), alias="south")
    home.trust.pin(owner_chain(), alias="north")
    assert home.trust.find(OWNER.id).id == home.trust.find("north").id == OWNER.id
    assert home.trust.find("south").id == other.id
    assert [pinned.label for pinned in home.trust.all()] == ["north", "south"]


def test_two_owners_of_one_name_are_listed_and_not_guessed(home: Home) -> None:
    other = home.trust.pin(other_chain())
    home.trust.pin(owner_chain())
    error = refused(lambda: home.trust.find("hospital"))
    assert isinstance(error, ObjectNotFound)
    assert error.code == "ambiguous-owner"
    assert other.id in str(error)
    assert OWNER.id in str(error)
    home.trust.set_alias(other.id, "other")
    assert refused(lambda: home.trust.find("hospital")).code == "ambiguous-owner"
    assert home.trust.find("other").id == other.id


def test_a_name_that_an_owner_gave_itself_never_goes_before_an_alias(home: Home) -> None:
    impostor = home.trust.pin(other_chain("north"))
    home.trust.pin(owner_chain(), alias="north")
    assert home.trust.find("north").id == OWNER.id
    assert home.trust.find(impostor.id).id == impostor.id


def test_an_alias_belongs_to_one_owner_and_can_be_taken_away(home: Home) -> None:
    home.trust.pin(owner_chain(), alias="north")
    error = refused(lambda: home.trust.pin(other_chain(), alias="north"))
    assert isinstance(error, UsageError)
    assert error.code == "alias-taken"
    assert [pinned.id for pinned in home.trust.all()] == [OWNER.id]
    assert home.trust.set_alias(OWNER.id, "north").alias == "north"
    assert home.trust.set_alias(OWNER.id, None).label == "hospital"
    assert isinstance(refused(lambda: home.trust.set_alias(OWNER.id, "Not OK")), UsageError)


def test_a_record_with_the_chain_of_another_owner_is_refused(home: Home) -> None:
    other = home.trust.pin(other_chain())
    home.trust.pin(owner_chain())
    folder = home.path / "trust"
    (folder / f"{OWNER.id}.json").write_bytes((folder / f"{other.id}.json").read_bytes())
    error = refused(lambda: home.trust.get(OWNER.id))
    assert isinstance(error, VerificationError)
    assert error.code == "owner-other"


def test_an_edited_chain_is_refused_at_the_next_reading(home: Home) -> None:
    chain = longer()
    home.trust.pin(chain)
    path = home.path / "trust" / f"{OWNER.id}.json"
    first, second = chain.to_json()
    path.write_bytes(path.read_bytes().replace(second.encode(), first.encode()))
    assert isinstance(refused(lambda: home.trust.get(OWNER.id)), VerificationError)


def test_a_damaged_record_is_named(home: Home) -> None:
    home.trust.pin(owner_chain())
    (home.path / "trust" / f"{OWNER.id}.json").write_bytes(b"{}")
    error = refused(home.trust.all)
    assert isinstance(error, FormatError)
    assert OWNER.id in str(error)


def test_the_enrollment_that_was_sent_is_kept(home: Home) -> None:
    error = refused(lambda: home.trust.enrollment(OWNER.id))
    assert isinstance(error, ObjectNotFound)
    assert error.code == "not-joined"
    home.trust.save_enrollment(OWNER.id, b"first")
    home.trust.save_enrollment(OWNER.id, b"second")
    assert home.trust.enrollment(OWNER.id) == b"second"
    assert home.trust.all() == []


def test_an_owner_id_cannot_lead_out_of_the_folder(home: Home) -> None:
    for act in (home.trust.get, home.trust.enrollment, home.trust.confirm):
        assert refused(partial(act, "../keys/organization")).code == "unsafe-name"


def test_a_pinned_owner_is_the_verified_one(home: Home) -> None:
    assert home.trust.pin(owner_chain()).owner == verify_owner_chain(owner_chain())
