from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from strongroom.crypto.dsse import Envelope
from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, IntegrityError, NoMatchingKey, UnsupportedError, VerificationError
from strongroom.package import tail
from strongroom.package.layout import SegmentKind
from strongroom.package.reader import PackageReader
from strongroom.package.statement import Statement, StatementSigner, signer
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import (
    CONTENT_KEY,
    KEYS,
    LARGE,
    NOW,
    OTHER_OWNER,
    OTHER_SECRET,
    OWNER,
    OWNER_SECRET,
    make,
)

MADE = make()


def _open(data: bytes) -> PackageReader:
    return PackageReader.open(MemorySource(data), KEYS, owner=OWNER)


def test_open_returns_what_was_signed() -> None:
    assert _open(MADE.data).statement == MADE.statement


def test_keys_may_be_chosen_by_what_the_statement_claims() -> None:
    asked: list[Statement] = []

    def choose(unverified: Statement) -> Sequence[SigningPublic]:
        asked.append(unverified)
        return KEYS if unverified.created_at == NOW else []

    assert PackageReader.open(MemorySource(MADE.data), choose, owner=OWNER).statement == MADE.statement
    assert asked == [MADE.statement]


def test_a_choice_of_no_keys_opens_nothing() -> None:
    with pytest.raises(VerificationError):
        PackageReader.open(MemorySource(MADE.data), lambda _: [], owner=OWNER)


def test_another_key_or_owner_is_refused() -> None:
    with pytest.raises(VerificationError):
        PackageReader.open(MemorySource(MADE.data), [OTHER_SECRET.public], owner=OWNER)
    with pytest.raises(VerificationError):
        PackageReader.open(MemorySource(MADE.data), KEYS, owner=OTHER_OWNER)


def test_a_pinned_package_needs_no_keys() -> None:
    digest = MADE.statement.package_digest
    package = PackageReader.open_pinned(MemorySource(MADE.data), package_digest=digest)
    assert package.unlock(CONTENT_KEY).read("model.onnx") == b"weights of the model"


@pytest.mark.parametrize("digest", ["00" * 32, "", "\u00e9"])
def test_another_package_than_the_pinned_one_is_refused(digest: str) -> None:
    with pytest.raises(VerificationError) as refused:
        PackageReader.open_pinned(MemorySource(MADE.data), package_digest=digest)
    assert refused.value.code == "wrong-package"


def test_a_pinned_package_is_checked_to_the_last_byte() -> None:
    with pytest.raises(FormatError):
        PackageReader.open_pinned(
            MemorySource(MADE.data[:32] + MADE.data[33:]), package_digest=MADE.statement.package_digest
        )


def test_verify_segments_reports_every_byte_of_them() -> None:
    made = make(LARGE)
    done: list[int] = []
    made.reader().verify_segments(progress=done.append)
    assert sum(done) == made.statement.layout.index_offset - 32
    made.reader().verify_segments(threads=1)


@pytest.mark.parametrize("kind", list(SegmentKind))
def test_verify_segments_notices_one_bit(kind: SegmentKind) -> None:
    data = bytearray(MADE.data)
    data[MADE.statement.layout.segment_range(kind, 0)[0]] ^= 1
    with pytest.raises(IntegrityError) as refused:
        _open(bytes(data)).verify_segments()
    assert refused.value.code == "segment-digest"


def test_a_wrong_content_key_is_told_apart_from_damage() -> None:
    with pytest.raises(NoMatchingKey) as refused:
        _open(MADE.data).unlock(bytes(32))
    assert refused.value.code == "content-key"


def test_damaged_contents_are_told_apart_from_a_wrong_key() -> None:
    data = bytearray(MADE.data)
    data[MADE.statement.layout.contents_offset + 60] ^= 1
    with pytest.raises(IntegrityError) as refused:
        _open(bytes(data)).unlock(CONTENT_KEY)
    assert refused.value.code == "segment-digest"


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_a_key_of_another_size_is_refused(key: bytes) -> None:
    with pytest.raises(FormatError) as refused:
        _open(MADE.data).unlock(key)
    assert refused.value.code == "content-key-size"


def _sign_changed(**change: Any) -> StatementSigner:
    """Sign another statement than the writer asked for, as a broken or hostile owner could."""

    def sign(payload: bytes) -> Envelope:
        statement = dataclasses.replace(Statement.from_bytes(payload), **change)
        return signer(OWNER_SECRET)(statement.to_bytes())

    return sign


def test_a_signed_package_with_marked_segments_needs_a_later_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "strongroom.package.writer.sign_statement",
        lambda statement, sign: _sign_changed(marked=(0,))(statement.to_bytes()).to_bytes(),
    )
    with pytest.raises(UnsupportedError) as refused:
        make().reader()
    assert refused.value.code == "marked-segments"


def test_nothing_large_is_read_before_the_signature_is_checked() -> None:
    """A stranger's file can claim 16 TiB: until the signature holds, reads have a fixed limit."""
    reads: list[int] = []

    class Watching(MemorySource):
        def _read_into(self, offset: int, buffer: memoryview) -> int:
            reads.append(len(buffer))
            return super()._read_into(offset, buffer)

    signed = tail.read_signed_statement(MemorySource(MADE.data))
    with pytest.raises(VerificationError):
        PackageReader.open(Watching(MADE.data), [OTHER_SECRET.public], owner=OWNER)
    assert reads == [32, 32, len(signed)]
