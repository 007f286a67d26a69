"""Log keys: Ed25519, of one kind, in texts, files and owner documents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.keys.key_pair import SigningKey, role_public_from_text
from strongroom.keys.log_key import LogKey, log_public_from_text, log_public_to_text
from strongroom.keys.owner import CutOff, Owner, Role, make_owner, rotate_owner, verify_owner_chain
from strongroom.keys.text import KeyKind, public_to_text
from tests.unit.keys.parties import NOW

ROOT = SigningKey.generate(KeyKind.OWNER_ROOT)
FIRST, SECOND = LogKey.generate(), LogKey.generate()
SOON = NOW + timedelta(hours=1)


def owner_with(*keys: LogKey) -> Owner:
    texts = [key.public_text for key in keys]
    return verify_owner_chain(make_owner(name="hospital", roots=[ROOT], roles={Role.LOG: texts}, now=NOW))


def test_a_log_key_round_trips() -> None:
    again = LogKey.from_text(FIRST.to_text())
    assert again.public == FIRST.public
    assert again.kind is KeyKind.OWNER_LOG
    assert log_public_from_text(again.public_text) == FIRST.public
    assert role_public_from_text(again.public_text, KeyKind.OWNER_LOG) == FIRST.public
    assert log_public_to_text(FIRST.public) == FIRST.public_text


def test_its_repr_shows_no_secret() -> None:
    assert repr(FIRST) == f"LogKey(key_id='{FIRST.key_id}')"


def test_a_key_of_another_kind_or_of_small_order_is_none() -> None:
    with pytest.raises(FormatError) as caught:
        LogKey.from_text(SigningKey.generate(KeyKind.DEVICE).to_text())
    assert caught.value.code == "wrong-kind"
    with pytest.raises(FormatError) as caught:
        log_public_from_text(public_to_text(KeyKind.OWNER_LOG, bytes(32)))
    assert caught.value.code == "small-order"


def test_it_is_no_p256_key() -> None:
    makers: tuple[Callable[[], SigningKey], ...] = (
        lambda: SigningKey.generate(KeyKind.OWNER_LOG),
        lambda: SigningKey.from_text(FIRST.to_text(), KeyKind.OWNER_LOG),
    )
    for make in makers:
        with pytest.raises(UsageError) as caught:
            make()
        assert caught.value.code == "wrong-kind"


def test_an_owner_without_log_keys_has_none() -> None:
    assert owner_with().log_keys() == []
    assert owner_with().log_keys(NOW) == []


def test_a_log_key_retires() -> None:
    before = owner_with(FIRST)
    assert before.log_keys(NOW) == [FIRST.public]
    after = verify_owner_chain(
        rotate_owner(
            before,
            signers=[ROOT],
            now=NOW,
            add={Role.LOG: [SECOND.public_text]},
            retire={FIRST.key_id: SOON},
        )
    )
    both = {FIRST.public, SECOND.public}
    assert set(after.log_keys(SOON - timedelta(seconds=1))) == both
    assert after.log_keys(SOON) == [SECOND.public]
    assert set(after.log_keys()) == both
    assert after.key_ids_for(Role.LOG, SOON) == {SECOND.key_id}


def test_a_log_key_that_is_cut_off_signs_for_nobody() -> None:
    stolen = CutOff(key_id=FIRST.key_id, log_position=7, reason="server stolen")
    after = verify_owner_chain(
        rotate_owner(
            owner_with(FIRST),
            signers=[ROOT],
            now=NOW,
            add={Role.LOG: [SECOND.public_text]},
            cut_off=[stolen],
        )
    )
    assert after.log_keys() == [SECOND.public] == after.log_keys(NOW)


def test_log_keys_sign_no_documents() -> None:
    with pytest.raises(UsageError) as caught:
        owner_with(FIRST).keys_for(Role.LOG, NOW)
    assert caught.value.code == "wrong-kind"
