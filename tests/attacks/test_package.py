"""Attacks on a package: one test for each claim of spec/package.md and DESIGN about it.

Each test plays somebody: a stranger, a storage, a co-recipient who knows the content
key, another owner, a careless tool. The claim is in the name; the test fails if it is
false.
"""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from strongroom.crypto import dsse, segment
from strongroom.crypto.digest import blake3_256, sha256
from strongroom.crypto.signature import SigningSecret
from strongroom.errors import (
    Error,
    FormatError,
    IntegrityError,
    NoMatchingKey,
    UnsupportedError,
    VerificationError,
)
from strongroom.package import layout, tail
from strongroom.package.inspect import verify_package
from strongroom.package.layout import SEGMENT_BYTES, SegmentKind, segment_context
from strongroom.package.manifest import verify_manifest
from strongroom.package.open_package import OpenPackage
from strongroom.package.reader import PackageReader
from strongroom.package.statement import PAYLOAD_TYPE, Statement, sign_statement, signer
from strongroom.storage.interface import Source
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import (
    CONTENT_KEY,
    KEYS,
    LARGE,
    OTHER_OWNER,
    OTHER_SECRET,
    OWNER,
    OWNER_SECRET,
    Made,
    make,
    noise,
)
from tests.vectors.package_vectors import read_vector

REFUSED = (FormatError, IntegrityError, VerificationError)
SMALL = make()
BIG = make(LARGE)
EQUAL_SEGMENTS = {"weights": noise(4 * SEGMENT_BYTES)}


def _open(data: bytes | bytearray) -> OpenPackage:
    return PackageReader.open(MemorySource(data), KEYS, owner=OWNER).unlock(CONTENT_KEY)


def _read_all(data: bytes | bytearray) -> None:
    """Do what a partner does: open, unlock, read every file."""
    package = _open(data)
    for file in package.contents.files:
        package.read(file.name)


def _refuse(data: bytes | bytearray) -> Error:
    with pytest.raises(REFUSED) as partner:
        _read_all(data)
    with pytest.raises(REFUSED):
        verify_package(MemorySource(data), KEYS, owner=OWNER)
    return partner.value


def _regions(made: Made) -> Iterator[tuple[str, int, int]]:
    """Yield every region of a package: name, offset, length."""
    places = made.statement.layout
    yield "header", 0, 32
    for kind in SegmentKind:
        for number in range(places.segment_count(kind)):
            yield (f"{kind} {number}", *places.segment_range(kind, number))
    yield "index", places.index_offset, places.index_bytes
    statement_bytes = len(made.data) - places.statement_offset - layout.TRAILER_BYTES
    yield "statement", places.statement_offset, statement_bytes
    yield "trailer", len(made.data) - layout.TRAILER_BYTES, layout.TRAILER_BYTES


def _cut(made: Made, kind: SegmentKind, number: int) -> bytes:
    offset, length = made.statement.layout.segment_range(kind, number)
    return made.data[offset : offset + length]


def _paste(made: Made, kind: SegmentKind, number: int, encrypted: bytes) -> bytes:
    offset, length = made.statement.layout.segment_range(kind, number)
    assert len(encrypted) == length
    return made.data[:offset] + encrypted + made.data[offset + length :]


# A stranger or the storage alters the file.


def test_the_honest_packages_open() -> None:
    for made in (SMALL, BIG):
        _read_all(made.data)
        verify_package(MemorySource(made.data), KEYS, owner=OWNER)


def test_no_byte_of_a_small_package_can_be_altered() -> None:
    for place in range(len(SMALL.data)):
        data = bytearray(SMALL.data)
        data[place] ^= 1 << (place % 8)
        _refuse(data)


def test_no_region_of_a_large_package_can_be_altered() -> None:
    for _, offset, length in _regions(BIG):
        for place in (offset, offset + length // 2, offset + length - 1):
            data = bytearray(BIG.data)
            data[place] ^= 0x80
            _refuse(data)


def test_a_package_cannot_be_truncated() -> None:
    boundaries = {offset for _, offset, _ in _regions(BIG)} | {len(BIG.data) - 1, len(BIG.data) - 33}
    for end in sorted(boundaries | {1, 31}):
        _refuse(BIG.data[:end])


def test_a_small_package_cannot_be_truncated_anywhere() -> None:
    for end in range(len(SMALL.data)):
        _refuse(SMALL.data[:end])


def test_nothing_can_be_added_to_a_package() -> None:
    for _, offset, _ in _regions(BIG):
        _refuse(BIG.data[:offset] + b"\0" + BIG.data[offset:])
    for more in (b"\0", b"\n", SMALL.data, layout.HEADER, SMALL.data[-32:]):
        _refuse(SMALL.data + more)
    _refuse(b"\0" + SMALL.data)


def test_a_region_cannot_be_left_out_or_doubled() -> None:
    for _, offset, length in _regions(BIG):
        _refuse(BIG.data[:offset] + BIG.data[offset + length :])
        _refuse(BIG.data[: offset + length] + BIG.data[offset:])


def test_segments_cannot_be_reordered_or_repeated() -> None:
    made = make(EQUAL_SEGMENTS)
    first, second = _cut(made, SegmentKind.PAYLOAD, 0), _cut(made, SegmentKind.PAYLOAD, 1)
    swapped = dataclasses.replace(made, data=_paste(made, SegmentKind.PAYLOAD, 0, second))
    assert _refuse(swapped.data).code == "segment-digest"
    assert _refuse(_paste(swapped, SegmentKind.PAYLOAD, 1, first)).code == "segment-digest"


def test_segments_cannot_be_taken_from_another_version() -> None:
    """The owner sealed the next version under the same key and id, which it should not have."""
    made, newer = make(EQUAL_SEGMENTS), make(EQUAL_SEGMENTS, version="1.0.1")
    for kind in SegmentKind:
        assert _refuse(_paste(made, kind, 0, _cut(newer, kind, 0))).code == "segment-digest"


def test_segments_cannot_be_taken_from_another_package() -> None:
    made, other = make(EQUAL_SEGMENTS), make(EQUAL_SEGMENTS, package_id="00" * 16)
    assert _refuse(_paste(made, SegmentKind.PAYLOAD, 2, _cut(other, SegmentKind.PAYLOAD, 2))).code == (
        "segment-digest"
    )


def test_an_index_cannot_be_swapped() -> None:
    made, other = make(EQUAL_SEGMENTS), make(EQUAL_SEGMENTS, package_id="00" * 16)
    start, size = made.statement.layout.index_offset, made.statement.layout.index_bytes
    data = made.data[:start] + other.data[start : start + size] + made.data[start + size :]
    assert _refuse(data).code == "index-digest"


def test_a_statement_cannot_be_swapped() -> None:
    """Two packages of one size by one owner: neither's statement fits the other's bytes."""
    made, other = make(EQUAL_SEGMENTS), make(EQUAL_SEGMENTS, package_id="00" * 16)
    start = made.statement.layout.statement_offset
    assert _refuse(made.data[:start] + other.data[start:]).code == "index-digest"


def test_the_context_alone_keeps_segments_in_place() -> None:
    """Even without the index, a segment opens nowhere but where it was sealed."""
    encrypted = _cut(SMALL, SegmentKind.PAYLOAD, 0)
    out = bytearray(SMALL.statement.payload_bytes)
    here = bytes.fromhex(SMALL.statement.package_id)
    segment.decrypt_into(CONTENT_KEY, segment_context(here, SegmentKind.PAYLOAD, 0), encrypted, out)
    for context in (
        segment_context(here, SegmentKind.PAYLOAD, 1),
        segment_context(here, SegmentKind.CONTENTS, 0),
        segment_context(bytes(16), SegmentKind.PAYLOAD, 0),
    ):
        with pytest.raises(IntegrityError):
            segment.decrypt_into(CONTENT_KEY, context, encrypted, out)
        assert not any(out)


# A co-recipient knows the content key.


def _forge(made: Made, plain: bytes) -> bytes:
    """Encrypt other weights for the first payload segment, as anyone with the key can."""
    size = made.statement.layout.segment_plain_bytes(SegmentKind.PAYLOAD, 0)
    context = segment_context(bytes.fromhex(made.statement.package_id), SegmentKind.PAYLOAD, 0)
    encrypted = bytearray(segment.encrypted_size(size))
    segment.encrypt_into(CONTENT_KEY, context, plain, encrypted)
    return bytes(encrypted)


def test_a_co_recipient_cannot_forge_a_segment() -> None:
    forged = _forge(SMALL, bytes(SMALL.statement.payload_bytes))
    assert _refuse(_paste(SMALL, SegmentKind.PAYLOAD, 0, forged)).code == "segment-digest"


def test_a_co_recipient_cannot_forge_a_segment_and_its_digest() -> None:
    forged = _forge(SMALL, bytes(SMALL.statement.payload_bytes))
    data = bytearray(_paste(SMALL, SegmentKind.PAYLOAD, 0, forged))
    start = SMALL.statement.layout.index_offset
    data[start : start + 32] = blake3_256(forged)
    assert _refuse(data).code == "index-digest"


def test_a_co_recipient_cannot_forge_the_statement_too() -> None:
    """The best it can do: segment, index and statement fit, signed with a key of its own."""
    forged = _forge(SMALL, bytes(SMALL.statement.payload_bytes))
    data = _paste(SMALL, SegmentKind.PAYLOAD, 0, forged)
    start = SMALL.statement.layout.index_offset
    index = blake3_256(forged) + data[start + 32 : start + 64]
    statement = dataclasses.replace(SMALL.statement, index_sha256=sha256(index).hex())

    def finish(signed: bytes) -> bytes:
        return data[:start] + index + signed + layout.trailer_to_bytes(len(signed))

    by_itself = sign_statement(statement, signer(OTHER_SECRET))
    assert _refuse(finish(by_itself)).code == "wrong-signer"
    original = dsse.Envelope.from_bytes(tail.read_signed_statement(MemorySource(SMALL.data)))
    reused = dataclasses.replace(original, unverified_payload=statement.to_bytes())
    assert _refuse(finish(reused.to_bytes())).code == "signature"
    renamed = dsse.sign(statement.to_bytes(), PAYLOAD_TYPE, [OTHER_SECRET])
    renamed = dataclasses.replace(
        renamed, signatures=((OWNER_SECRET.public.key_id, renamed.signatures[0][1]),)
    )
    assert _refuse(finish(renamed.to_bytes())).code == "signature"
    # The forgery is right in every other respect: with the owner's key it would open.
    _read_all(finish(sign_statement(statement, signer(OWNER_SECRET))))


# Somebody signs what they should not.


def _resign(made: Made, sign: Callable[[bytes], bytes], **change: object) -> bytes:
    statement = dataclasses.replace(made.statement, **change)  # type: ignore[arg-type] # fields by name
    signed = sign(statement.to_bytes())
    return made.data[: made.statement.layout.statement_offset] + signed + layout.trailer_to_bytes(len(signed))


def _sign_with(*secrets: SigningSecret) -> Callable[[bytes], bytes]:
    return lambda payload: dsse.sign(payload, PAYLOAD_TYPE, secrets).to_bytes()


def test_an_unsigned_package_does_not_open() -> None:
    def unsigned(payload: bytes) -> bytes:
        return dsse.Envelope(PAYLOAD_TYPE, payload, ()).to_bytes()

    _refuse(_resign(SMALL, unsigned))
    _refuse(_resign(SMALL, lambda payload: payload))
    _refuse(_resign(SMALL, lambda payload: b""))


def test_another_owner_cannot_sign_a_right_name() -> None:
    assert _refuse(_resign(SMALL, _sign_with(OTHER_SECRET))).code == "wrong-signer"


def test_an_owner_cannot_publish_under_another_owners_id() -> None:
    """A pinned but hostile owner signs with its own key and names the victim as the owner."""
    hostile = _resign(SMALL, _sign_with(OTHER_SECRET))
    with pytest.raises(VerificationError) as refused:
        PackageReader.open(MemorySource(hostile), [OTHER_SECRET.public], owner=OTHER_OWNER)
    assert refused.value.code == "wrong-owner"


def test_a_second_signature_cannot_be_slipped_in() -> None:
    _refuse(_resign(SMALL, _sign_with(OWNER_SECRET, OTHER_SECRET)))


def test_a_signature_for_another_purpose_is_no_package_signature() -> None:
    """The package key also signs the bundle for strangers; neither passes for the other."""

    def as_bundle(payload: bytes) -> bytes:
        other = payload.replace(b"urn:strongroom:package:v1-draft", b"https://model_signing/signature/v1.0")
        return dsse.sign(other, PAYLOAD_TYPE, [OWNER_SECRET]).to_bytes()

    assert _refuse(_resign(SMALL, as_bundle)).code == "unknown-format"


@pytest.mark.parametrize("name", ["verification-high-s", "verification-other-der"])
def test_a_signature_has_one_spelling(name: str) -> None:
    with pytest.raises(VerificationError):
        read_vector(name).open()


def test_a_reserved_feature_is_refused_and_not_ignored() -> None:
    """A reader that skipped marked segments would run another partner's copy."""
    with pytest.raises(UnsupportedError):
        _open(_resign(SMALL, _sign_with(OWNER_SECRET), marked=(0,)))


def test_a_wrong_content_key_opens_nothing() -> None:
    package = PackageReader.open(MemorySource(BIG.data), KEYS, owner=OWNER)
    for key in (bytes(32), CONTENT_KEY[:-1] + b"\0"):
        with pytest.raises(NoMatchingKey):
            package.unlock(key)


# The storage answers differently each time.


class Changing(Source):
    """Gives the honest bytes of a range once, and other bytes ever after."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._seen: set[int] = set()
        self.changed = 0

    def _size(self) -> int:
        return len(self._data)

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        buffer[:] = self._data[offset : offset + len(buffer)]
        if offset in self._seen:
            self.changed += 1
            buffer[0] ^= 1
        self._seen.add(offset)
        return len(buffer)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_segment_cannot_change_between_hash_and_decryption(threads: int) -> None:
    source = Changing(BIG.data)
    package = PackageReader.open(source, KEYS, owner=OWNER).unlock(CONTENT_KEY, threads=threads)
    buffer = bytearray(BIG.statement.payload_bytes)
    package.payload_into(0, buffer)
    assert source.changed == 0
    assert bytes(buffer[-SEGMENT_BYTES:]) == LARGE["weights/two.bin"]
    with pytest.raises(IntegrityError):
        package.payload_into(0, buffer)
    assert source.changed > 0
    assert not any(buffer)


def test_a_file_cannot_be_exchanged_after_it_was_opened() -> None:
    """What was verified at opening binds every later read of the same reader."""
    data = bytearray(BIG.data)
    package = _open(data)
    data[:] = make({**LARGE, "a.bin": b"y" * 100}).data.ljust(len(data), b"\0")[: len(data)]
    with pytest.raises(IntegrityError):
        package.read("a.bin")


def test_no_plaintext_of_a_failed_read_is_given_out() -> None:
    data = bytearray(BIG.data)
    offset, length = BIG.statement.layout.segment_range(SegmentKind.PAYLOAD, 3)
    data[offset + length - 1] ^= 1
    package = _open(data)
    buffer = bytearray(b"\xff" * BIG.statement.payload_bytes)
    with pytest.raises(IntegrityError):
        package.payload_into(0, buffer)
    assert not any(buffer)


# A hostile file wants memory, time or a way out.


def _peak(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(REFUSED):
            action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_strangers_claims_cost_no_memory() -> None:
    """Huge sizes in trailer and statement: nothing is allocated for them."""
    claims = [
        SMALL.data[:-32] + layout.trailer_to_bytes(size)
        for size in (1, 60_000, 1 << 20, 1 << 40, (1 << 64) - 1)
    ]
    claims += [
        _resign(SMALL, _sign_with(OTHER_SECRET), payload_bytes=1 << 44, contents_bytes=64 << 20),
        _resign(SMALL, _sign_with(OWNER_SECRET), payload_bytes=1 << 44, contents_bytes=64 << 20),
    ]
    for claim in claims:
        assert _peak(lambda claim=claim: _read_all(claim)) < 1 << 20  # type: ignore[misc] # bound in the loop


def test_deep_json_is_refused_without_recursion() -> None:
    deep = b"[" * 40_000
    _refuse(_resign(SMALL, lambda payload: dsse.sign(deep, PAYLOAD_TYPE, [OWNER_SECRET]).to_bytes()))
    _refuse(_resign(SMALL, lambda payload: deep))


@pytest.mark.parametrize(
    "name",
    ["absolute", "parent", "parent-inside", "dot", "backslash", "nul", "empty-part", "trailing-slash"],
)
def test_a_file_name_cannot_leave_its_folder(name: str) -> None:
    with pytest.raises(FormatError):
        read_vector(f"format-name-{name}").unlock()


@pytest.mark.parametrize("name", ["escape", "newline", "bidi", "zero-width"])
def test_a_file_name_cannot_repaint_a_terminal(name: str) -> None:
    with pytest.raises(FormatError):
        read_vector(f"format-name-{name}").unlock()


@pytest.mark.parametrize("name", ["twice", "case", "folder", "folder-case", "nfd"])
def test_two_file_names_cannot_meet_on_a_disk(name: str) -> None:
    with pytest.raises(FormatError):
        read_vector(f"format-name-{name}").unlock()


@pytest.mark.parametrize(
    "name", ["Risk", "../risk", "risk/../../x", "risk\x1b[2J", "r\u0456sk", "risk\n", "-risk"]
)
def test_a_model_name_is_safe_to_print_and_to_store(name: str) -> None:
    with pytest.raises(FormatError):
        dataclasses.replace(SMALL.statement, name=name)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"\x08\x07\x12\x07pytorch",
        b"\x80\x04\x95",
        b"PK\x03\x04" + bytes(64),
        b"age-encryption.org/v1\n",
        noise(100),
    ],
    ids=["empty", "onnx", "pickle", "zip", "age", "noise"],
)
def test_a_plain_model_does_not_load_in_place_of_a_sealed_one(plain: bytes) -> None:
    assert _refuse(plain).code == "not-a-package"
    assert _refuse(plain + b"\n" + SMALL.data).code == "not-a-package"


def test_an_owner_cannot_describe_other_files_than_it_sealed() -> None:
    """Who hands plaintext out checks it against the contents: a false digest does not pass."""
    with pytest.raises(IntegrityError):
        verify_manifest(read_vector("integrity-file-digest").unlock())


def test_a_stranger_learns_only_the_statement_and_the_sizes() -> None:
    files = {"very-secret-name.onnx": b"very secret weights" * 10}
    public = make(files).data
    for secret in (b"very-secret", b"very secret", b"predict", b"bmi", b"CycloneDX", CONTENT_KEY):
        assert secret not in public


def test_an_older_package_stays_what_it_was() -> None:
    """Rollback is not the package's matter; its version cannot be raised without the owner's key."""
    older = make(version="1.0.0")
    assert Statement.from_bytes(older.statement.to_bytes()).version.to_text() == "1.0.0"
    raised = _resign(older, _sign_with(OTHER_SECRET), name="risk")
    assert _refuse(raised).code == "wrong-signer"
