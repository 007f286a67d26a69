"""Properties of packages: what is written is read, and any bytes are a value or the promised error."""

from __future__ import annotations

import io
import posixpath
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from strongroom._encoding import canonical_json
from strongroom.crypto import dsse
from strongroom.crypto.segment import encrypted_size
from strongroom.errors import Error, FormatError, IntegrityError, VerificationError
from strongroom.package import layout
from strongroom.package.contents import Contents, Field, FileEntry, Loader, Schema
from strongroom.package.inspect import verify_package
from strongroom.package.layout import FILE_ALIGNMENT, SEGMENT_BYTES, Layout, SegmentKind
from strongroom.package.manifest import verify_manifest
from strongroom.package.names import Version, verify_file_name, verify_file_names, verify_model_name
from strongroom.package.open_package import OpenPackage
from strongroom.package.reader import PackageReader
from strongroom.package.statement import (
    PAYLOAD_TYPE,
    Statement,
    read_unverified,
    sign_statement,
    signer,
    verify_statement,
)
from strongroom.package.writer import PackageWriter
from strongroom.storage.memory import MemorySource
from tests.fuzz import run
from tests.unit.package.making import CONTENT_KEY, KEYS, NOW, OWNER, OWNER_SECRET, make, noise, write
from tests.vectors import package_vectors

FUZZ = run.load("package").fuzz
REFUSED = (FormatError, IntegrityError, VerificationError)
SMALL = make({"a.bin": noise(70), "b.bin": noise(3)})
GOOD_VECTORS = [vector.package for vector in package_vectors.vectors() if vector.expect == "success"]

HEX_32 = st.binary(min_size=32, max_size=32).map(bytes.hex)
COUNTS = st.integers(0, 999_999)
VERSIONS = st.builds(Version, COUNTS, COUNTS, COUNTS)
MODEL_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", fullmatch=True)
NUMBERS = st.integers(-(1 << 53) + 1, (1 << 53) - 1)
TEXT = st.text(max_size=20)
SHOWN = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20)
"""Names and classes: what is shown has no control character."""
PARTS = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"], exclude_characters="/\\"),
    min_size=1,
    max_size=12,
).map(lambda part: unicodedata.normalize("NFC", part))
FILE_NAMES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


def _is_accepted(names: list[str]) -> bool:
    try:
        verify_file_names(names)
    except FormatError:
        return False
    return True


NAME_LISTS = st.sets(FILE_NAMES, min_size=1, max_size=5).map(sorted).filter(_is_accepted)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abcXYZ-_", max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.lists(
    st.builds(
        Field,
        name=SHOWN,
        datatype=st.sampled_from(["FP32", "INT64", "BYTES", "BOOL"]),
        shape=st.lists(st.integers(-1, 1 << 20), max_size=4),
    ),
    max_size=3,
    unique_by=lambda field: field.name,
)
SCHEMAS = st.builds(
    Schema,
    inputs=FIELDS,
    outputs=FIELDS,
    columns=st.lists(SHOWN, max_size=3, unique=True),
    classes=st.lists(SHOWN | NUMBERS, max_size=3),
    methods=st.lists(SHOWN, max_size=3, unique=True),
)
OPTIONS = st.dictionaries(
    st.text("abcXYZ-_", max_size=5), TEXT | st.booleans() | NUMBERS | st.lists(TEXT, max_size=3), max_size=3
)


@st.composite
def contents_values(draw: st.DrawFn) -> Contents:
    """Draw contents that follow every rule."""
    names = draw(NAME_LISTS)
    files = [FileEntry(name=name, size=draw(st.integers(0, 1 << 40)), sha256=draw(HEX_32)) for name in names]
    loader = Loader(
        name=draw(st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True)),
        entry=draw(st.sampled_from(names)),
        options=draw(OPTIONS),
    )
    bom = draw(st.dictionaries(st.text("abcXYZ-_", max_size=5), JSON_VALUES, max_size=3))
    return Contents(format="v1-draft", files=files, loader=loader, schema=draw(SCHEMAS), bom=bom)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    """Draw a statement that follows every rule."""
    payload = draw(st.integers(0, 1 << 44))
    segments = -(-payload // SEGMENT_BYTES)
    return Statement(
        package_id=draw(st.binary(min_size=16, max_size=16)).hex(),
        name=draw(MODEL_NAMES),
        version=draw(VERSIONS),
        owner="own-" + draw(st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=24, max_size=24)),
        payload_bytes=payload,
        contents_bytes=draw(st.integers(1, 64 << 20)),
        index_sha256=draw(HEX_32),
        created_at=draw(st.datetimes(timezones=st.just(UTC))).replace(microsecond=0),
        previous=draw(st.none() | HEX_32),
        agreement=draw(st.none() | HEX_32),
        marked=tuple(sorted(draw(st.sets(st.integers(0, segments - 1), max_size=3)) if segments else [])),
    )


# Any bytes.


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_the_promised_way(data: bytes) -> None:
    FUZZ(data)
    FUZZ(layout.HEADER + data + layout.trailer_to_bytes(max(1, len(data))))


@given(st.sampled_from(GOOD_VECTORS), st.data())
def test_any_change_to_a_package_is_refused_in_the_promised_way(package: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(package)))
    end = data.draw(st.integers(start, min(len(package), start + 64)))
    FUZZ(package[:start] + data.draw(st.binary(max_size=64)) + package[end:])


@given(st.data())
def test_no_change_to_a_package_goes_unnoticed(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(SMALL.data)))
    end = data.draw(st.integers(start, len(SMALL.data)))
    changed = SMALL.data[:start] + data.draw(st.binary(max_size=32)) + SMALL.data[end:]
    assume(changed != SMALL.data)
    with pytest.raises(REFUSED):
        verify_package(MemorySource(changed), KEYS, owner=OWNER)


@given(JSON_VALUES)
def test_any_json_signed_by_the_owner_is_refused_in_the_promised_way(value: Any) -> None:
    signed = dsse.sign(canonical_json(value), PAYLOAD_TYPE, [OWNER_SECRET]).to_bytes()
    with pytest.raises(FormatError):
        verify_statement(signed, KEYS, owner=OWNER)


@given(st.binary(max_size=300))
def test_any_contents_sealed_by_the_owner_are_refused_in_the_promised_way(contents: bytes) -> None:
    assume(contents)
    package = _seal_contents(contents)
    reader = PackageReader.open(MemorySource(package), KEYS, owner=OWNER)
    reader.verify_segments()
    with pytest.raises(FormatError):
        reader.unlock(CONTENT_KEY)


def _seal_contents(contents: bytes) -> bytes:
    """Seal these bytes as contents, as a broken or hostile owner could."""

    class Raw:
        carries_code = False

        def to_bytes(self) -> bytes:
            return contents

    sink = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("strongroom.package.writer.Contents", lambda **_: Raw())
        write(sink)
    return sink.getvalue()


# Values.


@given(statements())
def test_statement_round_trip(statement: Statement) -> None:
    data = statement.to_bytes()
    assert Statement.from_bytes(data) == statement
    assert Statement.from_bytes(data).to_bytes() == data


@given(statements())
def test_signed_statement_round_trip(statement: Statement) -> None:
    signed = sign_statement(statement, signer(OWNER_SECRET))
    assert read_unverified(signed) == statement
    assert verify_statement(signed, KEYS, owner=statement.owner) == statement


@given(contents_values())
def test_contents_round_trip(contents: Contents) -> None:
    assume(contents.payload_bytes() <= 1 << 44)
    data = contents.to_bytes()
    assert Contents.from_bytes(data) == contents
    assert Contents.from_bytes(data).to_bytes() == data


@given(VERSIONS, VERSIONS)
def test_versions_are_ordered_as_their_numbers(one: Version, two: Version) -> None:
    assert Version.from_text(one.to_text()) == one
    assert (one < two) == ((one.major, one.minor, one.patch) < (two.major, two.minor, two.patch))
    assert (one.to_text() == two.to_text()) == (one == two)


@given(st.text(max_size=20) | st.from_regex(r"[0-9.]{0,9}", fullmatch=True))
def test_any_text_is_a_version_in_one_spelling_or_refused(text: str) -> None:
    try:
        version = Version.from_text(text)
    except FormatError:
        return
    assert version.to_text() == text


@given(st.text(max_size=40) | FILE_NAMES | st.lists(st.sampled_from(["..", ".", "", "a"])).map("/".join))
@example("..")
@example("a/../../b")
def test_an_accepted_file_name_stays_in_its_folder_and_prints(name: str) -> None:
    try:
        verify_file_name(name)
    except FormatError:
        return
    assert posixpath.normpath(posixpath.join("/folder", name)) == f"/folder/{name}"
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in name)
    name.encode("utf-8")


TINY_NAMES = st.lists(st.sampled_from(["a", "A", "b", "a.b", "a-", "\u00df", "ss"]), min_size=1, max_size=3)


@given(st.sets(TINY_NAMES.map("/".join), max_size=6).map(sorted))
def test_names_that_a_disk_could_mix_up_are_found_however_they_are_sorted(names: list[str]) -> None:
    folded = [unicodedata.normalize("NFC", name.casefold()) for name in names]
    clash = len(set(folded)) < len(folded) or any(
        other.startswith(f"{name}/") for name in folded for other in folded
    )
    assert _is_accepted(names) is not clash


@given(st.text(max_size=70))
def test_an_accepted_model_name_is_safe_anywhere(name: str) -> None:
    try:
        verify_model_name(name)
    except FormatError:
        return
    assert name.isascii()
    assert name == name.lower()
    assert not set(name) & set("/\\@:;$ '\"\n*?")
    assert name[0] not in ".-"


# Arithmetic.


@given(st.integers(0, 1 << 44), st.integers(1, 64 << 20), st.integers(1, 1 << 16))
@example(SEGMENT_BYTES, SEGMENT_BYTES, 1)
@example(0, 1, 1)
def test_the_regions_of_a_package_touch_and_fill_it(payload: int, contents: int, statement: int) -> None:
    places = Layout(payload, contents)
    position = len(layout.HEADER)
    for kind in SegmentKind:
        count = places.segment_count(kind)
        if not count:
            continue
        # The first, the last and the one before it; those between are all full.
        assert places.segment_range(kind, 0)[0] == position
        last, length = places.segment_range(kind, count - 1)
        assert last == position + (count - 1) * encrypted_size(SEGMENT_BYTES)
        assert 0 < places.segment_plain_bytes(kind, count - 1) <= SEGMENT_BYTES
        position = last + length
    assert places.index_offset == position
    assert places.statement_offset == position + places.index_bytes
    assert places.file_bytes(statement) == places.statement_offset + statement + layout.TRAILER_BYTES


# Whole packages.

SIZES = st.sampled_from([0, 1, 63, 64, 65, 1000]) | st.integers(0, 5000)
LARGE_SIZES = st.sampled_from(
    [SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES + 100, 3 * SEGMENT_BYTES]
)


def _round_trip(files: dict[str, bytes], chunk_bytes: int) -> OpenPackage:
    made = make(files, chunk_bytes=chunk_bytes)
    assert len(made.data) == made.written.size
    package = made.reader().unlock(CONTENT_KEY)
    for name, data in files.items():
        assert package.read(name) == data
    verify_manifest(package)
    assert all(offset % FILE_ALIGNMENT == 0 for offset in package.contents.offsets())
    return package


@given(NAME_LISTS, st.data(), st.integers(1, 200))
def test_small_files_come_out_as_they_went_in(
    names: list[str], data: st.DataObject, chunk_bytes: int
) -> None:
    _round_trip({name: noise(data.draw(SIZES), name) for name in names}, chunk_bytes)


@settings(max_examples=15)
@given(st.lists(SIZES | LARGE_SIZES, min_size=1, max_size=3), st.data())
def test_a_range_read_is_the_slice_of_a_full_read(sizes: list[int], data: st.DataObject) -> None:
    files = {f"{number}.bin": noise(size, str(number)) for number, size in enumerate(sizes)}
    package = _round_trip(files, 1 << 18)
    for name, whole in files.items():
        for _ in range(5):
            offset = data.draw(st.integers(0, len(whole)))
            length = data.draw(st.integers(0, len(whole) - offset))
            assert package.read_range(name, offset, length) == whole[offset : offset + length]
            buffer = bytearray(length)
            start = package.contents.offsets()[sorted(files).index(name)]
            package.payload_into(start + offset, buffer)
            assert buffer == whole[offset : offset + length]


@given(st.lists(st.binary(max_size=100), max_size=6), st.datetimes(timezones=st.just(UTC)))
def test_the_way_a_file_is_cut_for_the_writer_does_not_matter(chunks: list[bytes], now: datetime) -> None:
    sink = io.BytesIO()
    whole = b"".join(chunks)
    with PackageWriter(
        sink, name="x", version=Version(0, 0, 1), owner=OWNER, created_at=now, content_key=CONTENT_KEY
    ) as writer:
        with writer.file("f", len(whole)) as file:
            for chunk in chunks:
                file.write(chunk)
        writer.finish(
            loader=Loader(name="onnx", entry="f"),
            schema=Schema(inputs=[], outputs=[]),
            bom={},
            sign=signer(OWNER_SECRET),
        )
    package = PackageReader.open(MemorySource(sink.getvalue()), KEYS, owner=OWNER).unlock(CONTENT_KEY)
    assert package.read("f") == whole
    assert package.statement.created_at == now.replace(microsecond=0)


@given(st.integers(0, 40), st.binary(min_size=0, max_size=40))
def test_a_writer_that_is_misused_fails_and_leaves_no_package(size: int, data: bytes) -> None:
    sink = io.BytesIO()
    try:
        with (
            PackageWriter(
                sink, name="x", version=Version(0, 0, 1), owner=OWNER, created_at=NOW, content_key=CONTENT_KEY
            ) as writer,
            writer.file("f", size) as file,
        ):
            file.write(data)
    except Error:
        assert size != len(data)
    assert not sink.getvalue().endswith(layout.TRAILER_MAGIC)
