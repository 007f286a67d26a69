"""Receipts that say something else than what happened: every one is refused.

The attacker holds valid receipts, of this owner and others, can edit and combine them, and has keys and
licenses of its own. The stranger who verifies knows the id of the owner, and nothing else.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from strongroom._encoding import canonical_json, from_base64url, to_base64, to_base64url
from strongroom.crypto.labels import RECEIPT_INPUT, RECEIPT_OUTPUT
from strongroom.errors import Error, FormatError, IntegrityError, VerificationError
from strongroom.keys.owner import Role, make_owner, verify_owner_chain
from strongroom.keys.text import KeyKind
from strongroom.license.documents import ReceiptBatch, RuntimeCertificate
from strongroom.license.period import Period
from strongroom.license.signing import read_unverified, sign_document
from strongroom.license.terms import Expires, NotBefore, Predictions
from strongroom.package.statement import sign_statement, signer
from strongroom.receipts.batch import Entry
from strongroom.receipts.commitment import commit, expand
from strongroom.receipts.receipt_file import ReceiptFile
from strongroom.receipts.salt_file import SaltFile
from strongroom.receipts.verifying import VerifiedReceipts, verify_receipts
from strongroom.worker.messages import Answer, Predict
from strongroom.worker.receipts import receipts_of as received_of
from strongroom.worker.tensor import from_array
from tests.unit.license.world import (
    BROKER_KEY,
    CLINIC,
    DEVICE,
    HOUR,
    LICENSE_KEY,
    NOW,
    OTHER_DEVICE,
    OTHER_RUNTIME,
    OWNER,
    PACKAGE_KEY,
    RUNTIME,
    SIGNED,
    WARD,
    license_of,
    signed_chain,
)
from tests.unit.license.world import key as fixed_key
from tests.unit.receipts.making import SEED, STATEMENT, receipts_of, rows_of, warrant
from tests.unit.runtime.processes import Runtime

COUNT = 5
INPUTS, OUTPUTS = rows_of(COUNT)


@cache
def genuine() -> ReceiptFile:
    return receipts_of(INPUTS, OUTPUTS, COUNT)


def verify(file: ReceiptFile) -> VerifiedReceipts:
    """Do what a stranger does with a file."""
    return verify_receipts(ReceiptFile.from_bytes(file.to_bytes()), OWNER.id)


def refused(file: ReceiptFile) -> Error:
    with pytest.raises(Error) as caught:
        verify(file)
    assert isinstance(caught.value, VerificationError | IntegrityError | FormatError)
    return caught.value


def changed(file: ReceiptFile, **changes: Any) -> ReceiptFile:
    return msgspec.structs.replace(file, **changes)


def with_warrant(**changes: Any) -> ReceiptFile:
    return changed(genuine(), warrant=warrant(**changes))


def edited(token: str, **changes: Any) -> str:
    """Edit what a token says and keep its signature."""
    head, payload, signature = token.split(".")
    document = json.loads(from_base64url(payload)) | changes
    return f"{head}.{to_base64url(canonical_json(document))}.{signature}"


class TestEveryPartOfAReceiptIsBound:
    def test_the_genuine_one_verifies(self) -> None:
        assert len(verify(genuine()).entries) == COUNT
        assert all(verify(genuine().one(index)).index == index for index in range(COUNT))

    @pytest.mark.parametrize(
        ("member", "value"),
        [
            ("license", "lic-" + "a" * 24),
            ("authority", "lea-" + "a" * 24),
            ("runtime", OTHER_RUNTIME),
            ("package", "ab" * 32),
            ("part", "ab" * 32),
            ("level", "attested"),
            ("right", "evaluate"),
            ("method", "predict_proba"),
            ("session", "00" * 16),
            ("first", 5),
            ("predictions", COUNT + 1),
            ("size", 1),
            ("root", "00" * 32),
            ("issued_at", "2026-11-24T04:00:00Z"),
        ],
    )
    def test_an_edited_member_is_noticed(self, member: str, value: Any) -> None:
        refused(changed(genuine(), batch=edited(genuine().batch, **{member: value})))

    def test_a_changed_input_or_output_is_noticed(self) -> None:
        for index, side in itertools.product(range(COUNT), ("input", "output")):
            entries = list(genuine().entries)
            entries[index] = entries[index]._replace(**{side: bytes(32)})
            assert refused(changed(genuine(), entries=tuple(entries))).code == "receipt-path"

    def test_inputs_do_not_change_their_outputs(self) -> None:
        one, two, *rest = genuine().entries
        crossed = (Entry(one.input, two.output), Entry(two.input, one.output), *rest)
        assert refused(changed(genuine(), entries=crossed)).code == "receipt-path"
        turned = tuple(Entry(each.output, each.input) for each in genuine().entries)
        assert refused(changed(genuine(), entries=turned)).code == "receipt-path"

    def test_every_flipped_bit_is_noticed(self) -> None:
        data = genuine().one(2).to_bytes()
        for place in range(0, len(data), 7):
            altered = bytearray(data)
            altered[place] ^= 1 << (place % 8)
            with pytest.raises(Error):
                verify_receipts(ReceiptFile.from_bytes(bytes(altered)), OWNER.id)


class TestAPathLeadsToOnePlace:
    def test_another_place_path_or_sibling_is_noticed(self) -> None:
        files = [genuine().one(index) for index in range(COUNT)]
        for one, other in itertools.permutations(files, 2):
            for forged in (
                changed(one, index=other.index),
                changed(one, path=other.path),
                changed(one, entries=other.entries),
                changed(one, path=(*one.path, bytes(32))),
                changed(one, path=one.path[:-1]),
                changed(one, path=()),
            ):
                assert refused(forged).code == "receipt-path"

    def test_a_node_of_the_tree_is_no_receipt(self) -> None:
        one = genuine().one(0)
        assert refused(changed(one, entries=(Entry(one.path[0], one.path[1]),), path=one.path[1:])).code
        assert refused(changed(one, index=1 << 52)).code == "receipt-path"

    def test_a_receipt_is_under_no_other_signature(self) -> None:
        other = receipts_of(INPUTS, OUTPUTS, COUNT, first=COUNT)
        assert verify(other).batch.first == COUNT
        inputs, outputs = rows_of(3)
        assert (
            refused(changed(receipts_of(inputs, outputs, 3), entries=genuine().entries)).code
            == "receipt-path"
        )


class TestAReceiptIsOfOnePrediction:
    def salts(self) -> list[tuple[bytes, bytes]]:
        return expand(SEED, COUNT)

    def test_it_shows_its_own_values_and_no_others(self) -> None:
        receipts = verify(genuine())
        for (mine, (before, after)), theirs in itertools.product(enumerate(self.salts()), range(COUNT)):
            for side, salt, tensors in (
                (receipts.verify_input, before, INPUTS),
                (receipts.verify_output, after, OUTPUTS),
            ):
                values = receipts.row_of(tensors, theirs)
                if mine == theirs:
                    side(mine, salt, values)
                    continue
                with pytest.raises(IntegrityError):
                    side(mine, salt, values)

    def test_a_replayed_receipt_is_not_that_of_another_prediction(self) -> None:
        inputs, outputs = rows_of(COUNT + 1)
        receipts = verify(genuine())
        with pytest.raises(IntegrityError):
            receipts.verify_input(0, self.salts()[0][0], receipts.row_of(inputs, 5))
        with pytest.raises(IntegrityError):
            receipts.verify_output(0, self.salts()[0][1], outputs)

    def test_swapped_salts_show_nothing(self) -> None:
        receipts, salts = verify(genuine()), self.salts()
        for mine, theirs in itertools.permutations(range(COUNT), 2):
            with pytest.raises(IntegrityError):
                receipts.verify_input(mine, salts[theirs][0], receipts.row_of(INPUTS, mine))
        with pytest.raises(IntegrityError):
            receipts.verify_input(0, salts[0][1], receipts.row_of(INPUTS, 0))

    def test_an_input_is_not_shown_as_an_output(self) -> None:
        receipts, (before, _) = verify(genuine()), self.salts()[0]
        with pytest.raises(IntegrityError):
            receipts.verify_output(0, before, receipts.row_of(INPUTS, 0))


class TestAStrangerWithoutSaltLearnsNothing:
    def test_the_right_guess_looks_like_any_wrong_one(self) -> None:
        """Two answers are possible, and the stranger cannot tell which: nothing matches without the salt."""
        (entry,) = receipts_of(*rows_of(1), 1).entries
        yes, no = (from_array("label", np.array([value])) for value in (0, 1))
        guesses = [bytes(32), SEED, *(pair[0] for pair in expand(bytes(32), 8))]
        for salt, label in itertools.product(guesses, (RECEIPT_INPUT, RECEIPT_OUTPUT)):
            assert entry.output not in {commit(label, salt, [yes]), commit(label, salt, [no])}
        ((_, after),) = expand(SEED, 1)
        assert entry.output == commit(RECEIPT_OUTPUT, after, [yes])

    def test_equal_values_have_different_commitments(self) -> None:
        same = from_array("X", np.zeros((100, 3)))
        entries = receipts_of([same], [same], 100).entries
        assert len({value for each in entries for value in (each.input, each.output)}) == 200

    def test_one_receipt_tells_nothing_of_the_others(self) -> None:
        data = genuine().one(1).to_bytes()
        for index, entry in enumerate(genuine().entries):
            if index != 1:
                assert entry.input.hex().encode() not in data
                assert entry.output.hex().encode() not in data

    def test_the_salt_of_one_row_is_that_of_no_other(self) -> None:
        batch = verify(genuine()).signed.id
        data = SaltFile.of(batch, SEED, COUNT).one(1, output=False).to_bytes()
        for index, (before, after) in enumerate(expand(SEED, COUNT)):
            assert (before.hex().encode() in data) == (index == 1)
            assert after.hex().encode() not in data

    def test_a_receipt_file_holds_no_value_salt_key_or_invite(self) -> None:
        for data in (genuine().to_bytes(), genuine().one(0).to_bytes()):
            tokens = [part for token in data.split(b'"') for part in token.split(b".")]
            opened = data + b"".join(_decoded(each) for each in tokens)
            for word in (b"wrapped_key", b"invite", b"nonce", b"restart_key", SEED.hex().encode()):
                assert word not in opened


def _decoded(text: bytes) -> bytes:
    try:
        return from_base64url(text.decode())
    except (Error, ValueError):
        return b""


class TestOnlyACertifiedRuntimeOfTheLicensedPartnerSigns:
    def sign(self, device: Any, **changes: Any) -> str:
        batch = read_unverified(genuine().batch, ReceiptBatch)
        return sign_document(msgspec.structs.replace(batch, **changes), device).token

    def test_a_device_that_was_not_enrolled_is_refused(self) -> None:
        for changes in ({}, {"runtime": OTHER_RUNTIME}):
            forged = changed(genuine(), batch=self.sign(OTHER_DEVICE, **changes))
            assert refused(forged).code == "wrong-signer"

    def test_a_runtime_that_another_organization_certified_is_refused(self) -> None:
        document = RuntimeCertificate(
            owner=OWNER.id, device=OTHER_DEVICE.public_text, runtime=OTHER_RUNTIME, issued_at=SIGNED
        )
        own = sign_document(document, WARD).token
        forged = changed(
            genuine(), batch=self.sign(OTHER_DEVICE, runtime=OTHER_RUNTIME), warrant=warrant(runtime=own)
        )
        assert refused(forged).code == "wrong-signer"

    def test_a_runtime_of_the_same_partner_at_another_owner_is_refused(self) -> None:
        document = RuntimeCertificate(
            owner="own-" + "a" * 24, device=DEVICE.public_text, runtime=RUNTIME, issued_at=SIGNED
        )
        assert refused(with_warrant(runtime=sign_document(document, CLINIC).token)).code == "receipt-runtime"

    def test_a_license_of_ones_own_making_is_refused(self) -> None:
        for forger in (CLINIC, BROKER_KEY):
            token = sign_document(license_of(), LICENSE_KEY).token
            head, payload, _ = token.split(".")
            signature = to_base64url(forger.secret.sign(f"{head}.{payload}".encode()))
            forged = with_warrant(license=f"{head}.{payload}.{signature}")
            assert refused(forged).code == "signature"

    def test_another_license_of_the_same_partner_is_refused(self) -> None:
        other = signed_chain(Predictions(limit=9, per=Period.DAY))
        assert refused(with_warrant(license=other.license.token)).code == "receipt-license"

    def test_another_package_is_refused(self) -> None:
        for statement in (
            dataclasses.replace(STATEMENT, index_sha256="00" * 32),
            dataclasses.replace(STATEMENT, name="other"),
        ):
            signed = to_base64(sign_statement(statement, signer(PACKAGE_KEY.secret)))
            assert refused(with_warrant(statement=signed)).code == "receipt-package"

    def test_a_package_that_the_license_does_not_name_is_refused(self) -> None:
        statement = dataclasses.replace(STATEMENT, name="other")
        forged = changed(
            with_warrant(statement=to_base64(sign_statement(statement, signer(PACKAGE_KEY.secret)))),
            batch=self.sign(DEVICE, package=statement.package_digest),
        )
        assert refused(forged).code == "receipt-not-licensed"

    def test_receipts_of_another_owner_are_refused(self) -> None:
        other = verify_owner_chain(
            make_owner(
                name="hospital",
                roots=[fixed_key(KeyKind.OWNER_ROOT, 90)],
                roles={
                    Role.PACKAGE: [PACKAGE_KEY.public_text],
                    Role.LICENSE: [LICENSE_KEY.public_text],
                },
                now=SIGNED,
            )
        )
        assert refused(with_warrant(owner=tuple(other.chain.to_json()))).code == "receipt-owner"
        with pytest.raises(VerificationError) as caught:
            verify_receipts(genuine(), other.id)
        assert caught.value.code == "receipt-owner"
        with pytest.raises(VerificationError) as caught:
            verify_receipts(genuine(), other)
        assert caught.value.code == "owner-other"

    def test_a_time_outside_the_license_is_refused(self) -> None:
        for term in (Expires(at=NOW), NotBefore(at=NOW + HOUR)):
            chain = signed_chain(term)
            forged = changed(genuine(), batch=self.sign(DEVICE, license=chain.id), warrant=warrant(chain))
            assert refused(forged).code == "receipt-not-licensed"


class TestHostileFiles:
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: data[:-1],
            lambda data: data + b"\n",
            lambda data: data.replace(b'"index":null', b'"index":null,"index":null'),
            lambda data: data.replace(b'"batch":', b'"batch":"","batch":'),
            lambda data: data.replace(b'"index":null', b'"index":1e400'),
            lambda data: data.replace(b'"index":null', b'"index":' + b"9" * 100_000),
            lambda data: data.replace(b'"index":null', b'"index":' + b"[" * 100_000),
            lambda data: data.replace(b'"path":null', b'"path":[' + b'"00",' * 100_000 + b'"00"]'),
            lambda data: data.replace(b'"index":null', b'"index":null,"note":""'),
            lambda data: data.replace(b"receipt-file/v1", b"receipt-file/v2"),
            lambda data: data.replace(b"receipt-file", "receipt\u202efile".encode()),
            lambda data: b"\xef\xbb\xbf" + data,
        ],
    )
    def test_anything_but_the_one_spelling_is_refused(self, spoil: Callable[[bytes], bytes]) -> None:
        data = genuine().to_bytes()
        spoiled = spoil(data)
        assert spoiled != data
        for kind in (ReceiptFile, SaltFile):
            with pytest.raises(FormatError):
                kind.from_bytes(spoiled)

    def test_every_truncation_is_refused(self) -> None:
        for data, kind in (
            (genuine().one(0).to_bytes(), ReceiptFile),
            (SaltFile.of("rcb-" + "a" * 24, SEED, 2).to_bytes(), SaltFile),
        ):
            for end in range(0, len(data), 11):
                with pytest.raises(FormatError):
                    kind.from_bytes(data[:end])

    def test_a_file_beyond_the_limit_is_refused_unread(self) -> None:
        data = bytes((64 << 20) + 1)
        tracemalloc.start()
        try:
            for kind in (ReceiptFile, SaltFile):
                with pytest.raises(FormatError):
                    kind.from_bytes(data)
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


class TestARuntimeSignsWhatItCountedAndLetOut:
    @pytest.fixture
    def runtime(self, tmp_path: Path) -> Iterator[Runtime]:
        runtime = Runtime(tmp_path, Predictions(limit=10, per=Period.TOTAL))
        yield runtime
        runtime.end()

    def ask(self, runtime: Runtime, count: int) -> tuple[VerifiedReceipts, SaltFile]:
        given = from_array("input", runtime.model.data[:count])
        frame = runtime.ask(Predict(id=1, method="predict", receipt=True), given)
        assert isinstance(frame.message, Answer)
        world = runtime.counting.world
        file, salts = received_of(world.warrant, frame.message, [given], frame.tensors)
        return verify_receipts(file, world.owner.id), salts

    def test_a_receipt_is_counted_once_and_none_is_given_beyond_the_license(self, runtime: Runtime) -> None:
        seen = [self.ask(runtime, count)[0].batch for count in (3, 1, 6)]
        assert [(batch.first, batch.predictions) for batch in seen] == [(0, 3), (3, 1), (4, 6)]
        assert sum(runtime.counting.used.values()) == 10
        with pytest.raises(Error) as caught:
            self.ask(runtime, 1)
        assert caught.value.code == "predictions-used-up"
        assert sum(runtime.counting.used.values()) == 10

    def test_no_salt_is_used_twice(self, runtime: Runtime) -> None:
        salts = [salt for _ in range(3) for pair in self.ask(runtime, 3)[1].salts for salt in pair]
        assert len(set(salts)) == 18

    def test_two_sessions_are_told_apart(self, runtime: Runtime) -> None:
        assert runtime.signer()._session != runtime.signer()._session
