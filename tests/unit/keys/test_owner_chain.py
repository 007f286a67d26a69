from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from strongroom._encoding import canonical_json, from_base64, to_base64
from strongroom._limits import LIMITS
from strongroom.crypto import digest, dsse, jws
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.owner import (
    CutOff,
    Owner,
    OwnerChain,
    Role,
    RoleKey,
    rotate_owner,
    verify_consistent,
    verify_newer,
    verify_owner_chain,
)
from strongroom.keys.owner_document import Roots
from strongroom.keys.text import KeyKind, public_to_text
from tests.unit.keys.parties import DAY, NOW, Hospital, forge, keys, sign_version


@pytest.fixture
def hospital() -> Hospital:
    return Hospital()


@pytest.fixture
def owner(hospital: Hospital) -> Owner:
    return hospital.owner()


def rotated(hospital: Hospital, owner: Owner, **changes: Any) -> Owner:
    return verify_newer(owner, rotate_owner(owner, signers=hospital.roots, now=NOW + DAY, **changes))


def refused(chain: OwnerChain) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_owner_chain(chain)
    return caught.value.code


class TestOwnerChain:
    def test_bytes_round_trip(self, hospital: Hospital) -> None:
        chain = hospital.chain()
        data = chain.to_bytes()
        assert OwnerChain.from_bytes(data) == chain
        assert OwnerChain.from_bytes(data).to_bytes() == data

    def test_json_round_trips_in_lists_and_tuples(self, hospital: Hospital) -> None:
        chain = hospital.chain()
        assert OwnerChain.from_json(chain.to_json()) == chain
        assert OwnerChain.from_json(tuple(chain.to_json())) == chain

    @pytest.mark.parametrize(
        "data", [b"", b"[]", b"{}", b'""', b"[1]", b'["AA=="]', b'["!"]', b"[[]]", b"null"]
    )
    def test_other_bytes_are_refused(self, data: bytes) -> None:
        with pytest.raises(FormatError):
            OwnerChain.from_bytes(data)

    def test_an_envelope_of_another_type_is_refused(self, hospital: Hospital, owner: Owner) -> None:
        other = dsse.sign(owner.chain.payloads[0], "application/vnd.in-toto+json", [hospital.roots[0].secret])
        with pytest.raises(FormatError) as caught:
            OwnerChain.from_envelopes([other])
        assert caught.value.code == "wrong-kind"

    def test_a_chain_that_is_too_long_is_refused(self, owner: Owner) -> None:
        with pytest.raises(FormatError, match="versions"):
            OwnerChain.from_envelopes(owner.chain.envelopes * (LIMITS.max_owner_versions + 1))

    def test_a_chain_that_is_too_large_is_refused(self) -> None:
        with pytest.raises(FormatError, match="larger"):
            OwnerChain.from_bytes(canonical_json(["A" * LIMITS.max_owner_chain_bytes, "AAAA"]))


class TestVerify:
    def test_version_1_is_signed_by_its_own_roots(self, hospital: Hospital, owner: Owner) -> None:
        assert (owner.name, owner.version) == ("hospital", 1)
        assert owner.id.startswith("own-")
        assert owner.digest == digest.sha256(owner.chain.payloads[0]).hex()
        stranger = sign_version(owner.document, keys(KeyKind.OWNER_ROOT, 1))
        assert refused(OwnerChain.from_envelopes([stranger])) == "owner-signature"

    def test_a_rotation_keeps_the_id(self, hospital: Hospital, owner: Owner) -> None:
        newer = rotated(hospital, owner, add={Role.LICENSE: []})
        assert (newer.id, newer.version, len(newer.digests)) == (owner.id, 2, 2)
        assert newer.digests[0] == owner.digest != newer.digest

    def test_a_new_root_alone_cannot_take_over(self, owner: Owner) -> None:
        thief = SigningKey.generate(KeyKind.OWNER_ROOT)
        roots = Roots(keys=(thief.public_text,), threshold=1)
        assert refused(forge(owner.chain, [thief], roots=roots)) == "owner-signature"

    def test_an_old_root_alone_cannot_appoint(self, hospital: Hospital, owner: Owner) -> None:
        """Who signs for the new roots proves that somebody holds them."""
        heir = SigningKey.generate(KeyKind.OWNER_ROOT)
        roots = Roots(keys=(heir.public_text,), threshold=1)
        assert refused(forge(owner.chain, hospital.roots, roots=roots)) == "owner-signature"
        verify_owner_chain(forge(owner.chain, [*hospital.roots, heir], roots=roots))

    def test_a_threshold_counts_different_keys_of_the_old_and_the_new_roots(self) -> None:
        hospital = Hospital(roots=keys(KeyKind.OWNER_ROOT, 3), threshold=2)
        owner = hospital.owner()
        heirs = keys(KeyKind.OWNER_ROOT, 2)
        roots = Roots(keys=tuple(sorted(heir.public_text for heir in heirs)), threshold=2)
        for signers, good in (
            (hospital.roots[:1] + heirs, False),
            (hospital.roots[:2] + heirs[:1], False),
            (hospital.roots[:2], False),
            (heirs, False),
            (hospital.roots[:2] + heirs, True),
            (hospital.roots + heirs, True),
        ):
            chain = forge(owner.chain, signers, roots=roots)
            if good:
                assert verify_owner_chain(chain).version == 2
            else:
                assert refused(chain) == "owner-signature"

    def test_a_lower_threshold_needs_the_old_one_once_more(self) -> None:
        hospital = Hospital(roots=keys(KeyKind.OWNER_ROOT, 2), threshold=2)
        owner = hospital.owner()
        roots = Roots(keys=owner.document.roots.keys, threshold=1)
        assert refused(forge(owner.chain, hospital.roots[:1], roots=roots)) == "owner-signature"
        assert verify_owner_chain(forge(owner.chain, hospital.roots, roots=roots)).version == 2

    def test_a_signature_by_a_stranger_is_refused(self, hospital: Hospital, owner: Owner) -> None:
        signed = sign_version(owner.document, [*hospital.roots, *keys(KeyKind.OWNER_ROOT, 1)])
        assert refused(OwnerChain.from_envelopes([signed])) == "owner-signature"

    def test_a_wrong_signature_is_refused(self, hospital: Hospital, owner: Owner) -> None:
        envelope = owner.chain.envelopes[0]
        other = sign_version(msgspec.structs.replace(owner.document, name="clinic"), hospital.roots)
        spliced = replace(envelope, signatures=other.signatures)
        assert refused(OwnerChain.from_envelopes([spliced])) == "owner-signature"

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"version": 3}, "owner-version"),
            ({"version": 1, "owner": None}, "owner-version"),
            ({"name": "clinic"}, "owner-changed"),
            ({"owner": "own-" + "a" * 24}, "owner-changed"),
            ({"issued_at": "2026-11-24T02:59:59Z"}, "owner-backdated"),
        ],
    )
    def test_what_a_root_may_not_change(
        self, hospital: Hospital, owner: Owner, changes: dict[str, Any], code: str
    ) -> None:
        assert refused(forge(owner.chain, hospital.roots, **changes)) == code

    def test_a_chain_that_starts_later_is_refused(self, hospital: Hospital, owner: Owner) -> None:
        newer = rotated(hospital, owner)
        assert refused(OwnerChain.from_envelopes(newer.chain.envelopes[1:])) == "owner-version"

    def test_a_key_does_not_move_between_versions(self, hospital: Hospital, owner: Owner) -> None:
        promoted = public_to_text(KeyKind.OWNER_ROOT, hospital.license.public.to_bytes())
        roles = msgspec.structs.replace(owner.document.roles, license=())
        roots = Roots(keys=(promoted,), threshold=1)
        assert refused(forge(owner.chain, hospital.roots, roles=roles, roots=roots)) == "owner-key-moved"

    def test_a_root_that_left_takes_no_role(self, hospital: Hospital, owner: Owner) -> None:
        heir = SigningKey.generate(KeyKind.OWNER_ROOT)
        chain = rotate_owner(owner, roots=[heir.public_text], signers=[*hospital.roots, heir], now=NOW)
        old = public_to_text(KeyKind.OWNER_LICENSE, hospital.roots[0].public.to_bytes())
        entries = sorted([old, hospital.license.public_text])
        roles = msgspec.structs.replace(
            owner.document.roles, license=tuple(RoleKey(key=text, retired_at=None) for text in entries)
        )
        assert refused(forge(chain, [heir], roles=roles)) == "owner-key-moved"

    def test_a_role_key_is_not_dropped(self, hospital: Hospital, owner: Owner) -> None:
        roles = msgspec.structs.replace(owner.document.roles, license=())
        assert refused(forge(owner.chain, hospital.roots, roles=roles)) == "owner-key-dropped"

    def test_a_retirement_is_final(self, hospital: Hospital, owner: Owner) -> None:
        retired = rotated(hospital, owner, retire={hospital.license.key_id: NOW})
        for retired_at, good in (
            (None, False),
            ("2026-11-24T03:00:01Z", False),
            ("2026-11-24T03:00:00Z", True),
            ("2026-11-24T02:00:00Z", True),
        ):
            entry = RoleKey(key=hospital.license.public_text, retired_at=retired_at)
            roles = msgspec.structs.replace(owner.document.roles, license=(entry,))
            chain = forge(retired.chain, hospital.roots, roles=roles)
            if good:
                assert verify_owner_chain(chain).version == 3
            else:
                assert refused(chain) == "owner-key-revived"

    def test_a_cut_off_is_final(self, hospital: Hospital, owner: Owner) -> None:
        entry = CutOff(key_id=hospital.license.key_id, log_position=7, reason="laptop stolen")
        cut = rotated(hospital, owner, cut_off=[entry])
        for new, good in (
            ((), False),
            ((msgspec.structs.replace(entry, log_position=8),), False),
            ((msgspec.structs.replace(entry, log_position=6, reason="it was earlier"),), True),
            ((msgspec.structs.replace(entry, log_position=None),), True),
        ):
            chain = forge(cut.chain, hospital.roots, cut_off=new)
            if good:
                assert verify_owner_chain(chain).version == 3
            else:
                assert refused(chain) == "owner-key-revived"


class TestConsistency:
    def test_the_newer_of_two_is_taken(self, hospital: Hospital, owner: Owner) -> None:
        newer = rotated(hospital, owner)
        assert verify_newer(owner, newer.chain) == newer
        assert verify_consistent(owner, newer.chain) == newer

    def test_the_same_chain_changes_nothing(self, owner: Owner) -> None:
        assert verify_newer(owner, owner.chain) is owner

    def test_a_rollback_is_refused_and_an_old_copy_is_not_taken(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        newer = rotated(hospital, owner)
        with pytest.raises(VerificationError) as caught:
            verify_newer(newer, owner.chain)
        assert caught.value.code == "owner-rollback"
        assert verify_consistent(newer, owner.chain) is newer

    def test_a_fork_is_refused_whichever_is_longer(self, hospital: Hospital, owner: Owner) -> None:
        one = rotated(hospital, owner, retire={hospital.license.key_id: NOW})
        other = rotated(hospital, owner)
        longer = rotated(hospital, other)
        for pinned, offered in ((one, other), (one, longer), (longer, one)):
            for verify in (verify_newer, verify_consistent):
                with pytest.raises(VerificationError) as caught:
                    verify(pinned, offered.chain)
                assert caught.value.code == "owner-fork"
                assert caught.value.hint

    def test_another_owner_of_the_same_name_is_refused(self, owner: Owner) -> None:
        with pytest.raises(VerificationError) as caught:
            verify_newer(owner, Hospital().chain())
        assert caught.value.code == "owner-other"

    def test_a_chain_that_does_not_verify_is_refused(self, owner: Owner) -> None:
        thief = keys(KeyKind.OWNER_ROOT, 1)
        with pytest.raises(VerificationError) as caught:
            verify_newer(owner, forge(owner.chain, thief))
        assert caught.value.code == "owner-signature"

    def test_other_signatures_on_the_same_versions_are_the_same_history(
        self, hospital: Hospital, owner: Owner
    ) -> None:
        again = OwnerChain.from_envelopes([sign_version(owner.document, hospital.roots)])
        assert again != owner.chain
        assert verify_newer(owner, again) is owner


class TestKeysFor:
    def test_each_role_has_its_keys(self, hospital: Hospital, owner: Owner) -> None:
        assert owner.keys_for(Role.PACKAGE, NOW) == [hospital.package.public]
        assert owner.keys_for(Role.LICENSE, NOW) == [hospital.license.public]
        assert owner.keys_for(Role.BROKER, NOW) == [hospital.broker.public]
        assert owner.log_keys(NOW) == []

    def test_a_retired_key_verifies_what_came_before(self, hospital: Hospital, owner: Owner) -> None:
        heir = SigningKey.generate(KeyKind.OWNER_LICENSE)
        newer = rotated(
            hospital, owner, retire={hospital.license.key_id: NOW}, add={Role.LICENSE: [heir.public_text]}
        )
        assert set(newer.keys_for(Role.LICENSE, NOW - DAY)) == {hospital.license.public, heir.public}
        assert newer.keys_for(Role.LICENSE, NOW) == [heir.public]
        assert newer.keys_for(Role.LICENSE, NOW + DAY) == [heir.public]

    def test_a_key_that_was_cut_off_verifies_nothing(self, hospital: Hospital, owner: Owner) -> None:
        cut = CutOff(key_id=hospital.license.key_id, log_position=100, reason="stolen")
        newer = rotated(hospital, owner, cut_off=[cut])
        assert newer.keys_for(Role.LICENSE, NOW - 365 * DAY) == []
        assert newer.all_keys_ever(Role.LICENSE) == [hospital.license.public]


class TestVerifyToken:
    TYP = "strongroom-test+jws"

    def refused(self, owner: Owner, token: str) -> str:
        with pytest.raises(VerificationError) as caught:
            owner.verify_token(token, self.TYP, Role.LICENSE, NOW)
        return caught.value.code

    def test_a_key_of_the_role_signs(self, hospital: Hospital, owner: Owner) -> None:
        token = jws.sign(self.TYP, b"{}", hospital.license.secret)
        assert owner.verify_token(token, self.TYP, Role.LICENSE, NOW) == b"{}"

    def test_a_key_of_another_role_does_not(self, hospital: Hospital, owner: Owner) -> None:
        for key in (hospital.package, hospital.broker, *hospital.roots):
            assert self.refused(owner, jws.sign(self.TYP, b"{}", key.secret)) == "wrong-signer"

    def test_the_reason_is_named(self, hospital: Hospital, owner: Owner) -> None:
        token = jws.sign(self.TYP, b"{}", hospital.license.secret)
        retired = rotated(hospital, owner, retire={hospital.license.key_id: NOW})
        assert self.refused(retired, token) == "key-retired"
        cut = CutOff(key_id=hospital.license.key_id, log_position=None, reason="stolen")
        assert self.refused(rotated(hospital, retired, cut_off=[cut]), token) == "key-cut-off"

    def test_an_altered_token_is_refused(self, hospital: Hospital, owner: Owner) -> None:
        head, _, signature = jws.sign(self.TYP, b"{}", hospital.license.secret).split(".")
        assert self.refused(owner, f"{head}.e30A.{signature}") == "signature"

    def test_a_token_of_another_kind_is_refused(self, hospital: Hospital, owner: Owner) -> None:
        token = jws.sign("strongroom-other+jws", b"{}", hospital.license.secret)
        with pytest.raises(FormatError) as caught:
            owner.verify_token(token, self.TYP, Role.LICENSE, NOW)
        assert caught.value.code == "wrong-kind"


def test_a_chain_of_base64_is_what_the_file_holds(owner: Owner) -> None:
    texts = owner.chain.to_json()
    assert [to_base64(from_base64(text)) for text in texts] == texts
