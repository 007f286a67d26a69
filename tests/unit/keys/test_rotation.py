from __future__ import annotations

from datetime import datetime

import pytest

from strongroom.errors import FormatError, UsageError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import (
    CutOff,
    OwnerChain,
    Role,
    countersign,
    make_owner,
    rotate_owner,
    verify_newer,
    verify_owner_chain,
)
from strongroom.keys.text import KeyKind
from tests.unit.keys.parties import DAY, NOW, Hospital, forge, keys


def test_an_owner_is_made_and_verifies() -> None:
    hospital = Hospital()
    owner = verify_owner_chain(hospital.chain())
    assert owner.document.roots.keys == (hospital.roots[0].public_text,)
    assert owner.document.issued_at == "2026-11-24T03:00:00Z"


def test_keys_are_written_in_order() -> None:
    roots = sorted(keys(KeyKind.OWNER_ROOT, 3), key=lambda key: key.public_text, reverse=True)
    packages = sorted((key.public_text for key in keys(KeyKind.OWNER_PACKAGE, 3)), reverse=True)
    chain = make_owner(name="a", roots=roots, threshold=3, roles={Role.PACKAGE: packages}, now=NOW)
    document = verify_owner_chain(chain).document
    assert list(document.roots.keys) == sorted(root.public_text for root in roots)
    assert [entry.key for entry in document.roles.package] == sorted(packages)


def test_everything_can_change_but_the_name() -> None:
    hospital = Hospital()
    owner = hospital.owner()
    heir, package = SigningKey.generate(KeyKind.OWNER_ROOT), SigningKey.generate(KeyKind.OWNER_PACKAGE)
    chain = rotate_owner(
        owner,
        roots=[heir.public_text, hospital.roots[0].public_text],
        threshold=2,
        add={Role.PACKAGE: [package.public_text]},
        retire={hospital.package.key_id: NOW + DAY},
        cut_off=[CutOff(key_id=hospital.broker.key_id, log_position=None, reason="stolen")],
        signers=[hospital.roots[0], heir],
        now=NOW + DAY,
    )
    newer = verify_newer(owner, chain)
    assert newer.document.roots.threshold == 2
    assert set(newer.keys_for(Role.PACKAGE, NOW)) == {hospital.package.public, package.public}
    assert newer.keys_for(Role.PACKAGE, NOW + DAY) == [package.public]
    assert newer.keys_for(Role.BROKER, NOW) == []
    assert newer.keys_for(Role.LICENSE, NOW) == [hospital.license.public]


def test_roots_in_different_places_sign_one_after_the_other() -> None:
    here, there = keys(KeyKind.OWNER_ROOT, 1), keys(KeyKind.OWNER_ROOT, 1)
    half = make_owner(
        name="hospital",
        roots=here,
        other_roots=[there[0].public_text],
        threshold=2,
        roles={Role.LICENSE: [SigningKey.generate(KeyKind.OWNER_LICENSE).public_text]},
        now=NOW,
    )
    with pytest.raises(VerificationError):
        verify_owner_chain(half)
    whole = countersign(OwnerChain.from_bytes(half.to_bytes()), *there)
    owner = verify_owner_chain(whole)
    assert countersign(whole, *there) == whole

    half = rotate_owner(owner, signers=here, now=NOW)
    with pytest.raises(VerificationError):
        verify_newer(owner, half)
    assert verify_newer(owner, countersign(half, *there)).version == 2


def test_only_roots_countersign() -> None:
    hospital = Hospital()
    for stranger in (SigningKey.generate(KeyKind.OWNER_ROOT), hospital.license):
        with pytest.raises(UsageError) as caught:
            countersign(hospital.chain(), stranger)
        assert caught.value.code == "wrong-signer"
    with pytest.raises(UsageError) as caught:
        countersign(hospital.chain())
    assert caught.value.code == "no-signer"


def test_nobody_signs_on_top_of_a_broken_history() -> None:
    hospital = Hospital()
    broken = forge(forge(hospital.chain(), keys(KeyKind.OWNER_ROOT, 1)), hospital.roots)
    with pytest.raises(VerificationError) as caught:
        countersign(broken, *hospital.roots)
    assert caught.value.code == "owner-signature"
    skipped = forge(hospital.chain(), hospital.roots, version=3)
    with pytest.raises(VerificationError) as caught:
        countersign(skipped, *hospital.roots)
    assert caught.value.code == "owner-version"


def test_a_stranger_does_not_rotate() -> None:
    owner = Hospital().owner()
    with pytest.raises(UsageError) as caught:
        rotate_owner(owner, signers=keys(KeyKind.OWNER_ROOT, 1), now=NOW)
    assert caught.value.code == "wrong-signer"
    with pytest.raises(UsageError) as caught:
        rotate_owner(owner, signers=[], now=NOW)
    assert caught.value.code == "no-signer"


def test_what_nobody_would_accept_is_not_made() -> None:
    hospital = Hospital()
    owner = hospital.owner()
    with pytest.raises(UsageError) as unknown:
        rotate_owner(owner, signers=hospital.roots, now=NOW, retire={"0" * 32: NOW})
    assert unknown.value.code == "unknown-key"
    with pytest.raises(VerificationError) as backdated:
        rotate_owner(owner, signers=hospital.roots, now=NOW - DAY)
    assert backdated.value.code == "owner-backdated"
    with pytest.raises(FormatError) as threshold:
        rotate_owner(owner, signers=hospital.roots, now=NOW, threshold=2)
    assert threshold.value.code == "threshold"
    with pytest.raises(FormatError) as twice:
        rotate_owner(
            owner, signers=hospital.roots, now=NOW, add={Role.LICENSE: [hospital.license.public_text]}
        )
    assert twice.value.code == "owner-key-twice"
    with pytest.raises(FormatError) as kind:
        rotate_owner(
            owner,
            signers=hospital.roots,
            now=NOW,
            add={Role.LICENSE: [SigningKey.generate(KeyKind.OWNER_PACKAGE).public_text]},
        )
    assert kind.value.code == "wrong-kind"


def test_a_name_and_the_signers_are_checked() -> None:
    roots = keys(KeyKind.OWNER_ROOT, 1)
    with pytest.raises(UsageError) as name:
        make_owner(name="St. Georg", roots=roots, roles={}, now=NOW)
    assert name.value.code == "name"
    with pytest.raises(FormatError):
        make_owner(name="a", roots=keys(KeyKind.OWNER_LICENSE, 1), roles={}, now=NOW)
    with pytest.raises(FormatError):
        make_owner(name="a", roots=roots, roles={}, now=datetime(2026, 1, 1))


def test_a_chain_ends_at_its_limit() -> None:
    hospital = Hospital()
    chain = hospital.chain()
    full = OwnerChain(chain.envelopes * 256, chain.documents * 256)
    with pytest.raises(FormatError, match="versions"):
        forge(full, hospital.roots)
