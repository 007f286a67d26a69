"""Founding and rotating an owner."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.errors import Error, NoMatchingKey, UsageError, VerificationError
from strongroom.founding import found, log_key, own_owner, role_key, rotate
from strongroom.home.home import Home
from strongroom.home.trust import TrustStatus
from strongroom.keys.owner import Role
from strongroom.keys.owner_document import ROLE_KINDS
from strongroom.keys.rotation import make_owner
from strongroom.keys.text import KeyKind
from tests.parties import found_owner, found_partner, right_now


def test_an_owner_trusts_itself_and_has_a_key_for_each_role(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    owner = own_owner(home)
    assert home.trust.get(owner.id).status is TrustStatus.CONFIRMED
    for role in (Role.PACKAGE, Role.LICENSE, Role.BROKER):
        assert role_key(home, role, right_now()).public in owner.keys_for(role, right_now())
    assert log_key(home, right_now()).public in owner.log_keys(right_now())


def test_an_owner_of_before_there_were_log_keys_gets_one(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    old = log_key(home, right_now())
    rotated = rotate(home, now=right_now(), renew=[Role.LOG])
    new = log_key(home, right_now())
    assert new.public != old.public
    later = right_now() + timedelta(minutes=1)
    assert rotated.owner.log_keys(later) == [new.public]
    assert set(rotated.owner.log_keys()) == {old.public, new.public}


def test_a_partner_owns_nothing(tmp_path: Path) -> None:
    home = found_partner(tmp_path, "clinic")
    assert home.vault.owner_id is None
    with pytest.raises(UsageError) as caught:
        own_owner(home)
    assert caught.value.code == "not-an-owner"


@pytest.mark.parametrize("owner", [True, False])
def test_a_complete_home_is_not_founded_twice(tmp_path: Path, owner: bool) -> None:
    found("hospital", tmp_path / "h", now=right_now(), owner=owner)
    with pytest.raises(UsageError) as caught:
        found("hospital", tmp_path / "h", now=right_now(), owner=owner)
    assert caught.value.code == "home-exists"


def test_a_partner_can_become_an_owner_later(tmp_path: Path) -> None:
    partner = found_partner(tmp_path, "clinic")
    organization = partner.keys.organization().public
    home = found("clinic", partner.path, now=right_now())
    assert home.vault.owner_id is not None
    assert home.keys.organization().public == organization


def test_founding_is_taken_up_where_it_stopped(tmp_path: Path) -> None:
    # What is left of a process that was killed after its first key.
    half = Home.create("hospital", tmp_path / "h")
    organization = half.keys.create_organization(right_now()).public
    home = found("hospital", half.path, now=right_now())
    assert home.keys.organization().public == organization
    assert own_owner(home).name == "hospital"


def test_a_half_made_home_of_another_name_is_left_alone(tmp_path: Path) -> None:
    half = Home.create("hospital", tmp_path / "h")
    with pytest.raises(UsageError) as caught:
        found("clinic", half.path, now=right_now())
    assert caught.value.code == "home-exists"


def test_other_faults_of_a_name_pass_through(tmp_path: Path) -> None:
    with pytest.raises(Error) as caught:
        found("Not A Name", tmp_path / "h", now=right_now())
    assert caught.value.code == "name"


def test_renewing_a_role_retires_its_key_and_keeps_the_owner(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    before = own_owner(home)
    old = role_key(home, Role.LICENSE, right_now()).public
    later = right_now() + timedelta(seconds=5)
    rotate(home, now=later, renew=[Role.LICENSE])
    after = own_owner(home)
    assert (after.id, after.version) == (before.id, 2)
    assert role_key(home, Role.LICENSE, later).public != old
    # A broker that has not seen the new document yet may sign for a moment.
    assert old in after.keys_for(Role.LICENSE, later + timedelta(seconds=59))
    assert old not in after.keys_for(Role.LICENSE, later + timedelta(minutes=1))


def test_a_key_that_is_about_to_retire_is_renewed_no_second_time(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    now = right_now()
    for seconds in (0, 1, 30):
        rotate(home, now=now + timedelta(seconds=seconds), renew=tuple(Role))
    assert len(own_owner(home).keys_for(Role.LICENSE, now + timedelta(seconds=31))) == 4
    assert len(own_owner(home).keys_for(Role.LICENSE, now + timedelta(seconds=90))) == 1


def test_a_key_can_retire_without_a_successor(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    key = role_key(home, Role.BROKER, right_now()).public
    now = right_now()
    rotate(home, now=now, retire=[key.key_id])
    with pytest.raises(NoMatchingKey) as caught:
        role_key(home, Role.BROKER, now + timedelta(seconds=1))
    assert caught.value.code == "no-key"


def test_a_new_root_is_signed_by_the_old_one_and_signs_the_next_version(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    old_root = own_owner(home).document.roots.keys
    rotate(home, now=right_now(), new_root=True)
    assert own_owner(home).document.roots.keys != old_root
    rotate(home, now=right_now(), renew=[Role.PACKAGE])
    assert own_owner(home).version == 3


def test_rotating_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        rotate(found_owner(tmp_path, "hospital"), now=right_now())
    assert caught.value.code == "nothing-to-rotate"


def test_a_root_key_may_lie_outside_the_home(tmp_path: Path) -> None:
    home = found_owner(tmp_path, "hospital")
    (root,) = (home.path / "keys").glob(f"{KeyKind.OWNER_ROOT.value}-*")
    stick = root.rename(tmp_path / "root.key")
    with pytest.raises(NoMatchingKey) as caught:
        rotate(home, now=right_now(), renew=[Role.LICENSE])
    assert caught.value.code == "no-key"
    rotate(home, now=right_now(), renew=[Role.LICENSE], root_files=[stick])
    assert own_owner(home).version == 2


def test_too_few_roots_at_hand_change_nothing(tmp_path: Path) -> None:
    home = found("hospital", tmp_path / "h", now=right_now(), owner=False)
    roots = [home.keys.create_owner_key(KeyKind.OWNER_ROOT, right_now()) for _ in range(2)]
    keys: dict[Role, list[str]] = {
        role: [home.keys.create_owner_key(ROLE_KINDS[role], right_now()).public_text]
        for role in (Role.PACKAGE, Role.LICENSE, Role.BROKER)
    }
    chain = make_owner(name="hospital", roots=roots, threshold=2, roles=keys, now=right_now())
    home.vault.set_owner_id(home.trust.pin(chain, status=TrustStatus.CONFIRMED).id)
    (home.path / "keys" / f"{KeyKind.OWNER_ROOT.value}-{roots[0].public.key_id}.key").unlink()
    with pytest.raises(VerificationError) as caught:
        rotate(home, now=right_now(), renew=[Role.LICENSE])
    assert caught.value.code == "owner-signature"
    assert caught.value.hint is not None
    assert "--root" in caught.value.hint
    assert own_owner(home).version == 1


def test_somebody_elses_root_does_not_sign(tmp_path: Path) -> None:
    home, other = found_owner(tmp_path, "hospital"), found_owner(tmp_path, "other")
    (foreign,) = (other.path / "keys").glob(f"{KeyKind.OWNER_ROOT.value}-*")
    with pytest.raises((UsageError, VerificationError)) as caught:
        rotate(home, now=right_now(), renew=[Role.LICENSE], root_files=[foreign])
    assert caught.value.code == "wrong-signer"
    assert own_owner(home).version == 1
