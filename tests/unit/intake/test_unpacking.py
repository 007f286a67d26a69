"""Archives are looked into within bounds; the hostile ones are in the attacks."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.intake import unpacking
from strongroom.intake.unpacking import Unreadable, members


def _inside(data: bytes, name: str = "x") -> dict[str, bytes]:
    return {member: content.read() for member, content in members(name, io.BytesIO(data))}


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.mkdir("folder")
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _tar(files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


FILES = {"a": b"first", "sub/b": b"second"}


def test_archives_give_their_files_and_nothing_else() -> None:
    assert _inside(_zip(FILES)) == FILES
    assert _inside(_tar(FILES)) == FILES
    old = bytearray(_tar(FILES, tarfile.USTAR_FORMAT))
    assert _inside(bytes(old), "x.TAR") == FILES


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_compressed_files_give_what_is_in_them(compress: object) -> None:
    assert callable(compress)
    assert _inside(compress(b"inside")) == {"": b"inside"}
    alone = lzma.compress(b"inside", format=lzma.FORMAT_ALONE)
    assert _inside(alone) == {"": b"inside"}


@pytest.mark.parametrize(
    "data", [b"", b"plain", b"x\x9cplain", b"BZhplain", b"\x5d\0\0plain", b"\x1f\x8bplain"]
)
def test_other_files_are_no_archives(data: bytes) -> None:
    assert _inside(data) == {}


@pytest.mark.parametrize(
    "data",
    [gzip.compress(b"a" * 99)[:-9], lzma.compress(b"a" * 99)[:-9], b"\x1f\x8b\x08" + b"\xff" * 30],
    ids=["gzip", "lzma", "noise"],
)
def test_damaged_ones_are_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        _inside(data)


def test_a_member_without_a_name_is_unreadable() -> None:
    """Found by fuzzing: Python's reader looks at the last character of a name that has none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("_hidden", b"x")
    with pytest.raises(Unreadable):
        _inside(buffer.getvalue().replace(b"_hidden", b"\0hidden"))


def test_an_encrypted_archive_is_unreadable() -> None:
    data = bytearray(_zip(FILES))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        for place in [place for place in range(len(data)) if data.startswith(mark, place)]:
            data[place + offset] |= 1
    with pytest.raises(Unreadable):
        _inside(bytes(data))


def test_what_is_beyond_the_bounds_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_MAX_EXPANDED_BYTES", 100)
    for data in (
        _zip({"a": bytes(60), "b": bytes(60)}),
        gzip.compress(bytes(101)),
        zlib.compress(bytes(1 << 20)),
    ):
        with pytest.raises(Unreadable, match="more than we look at"):
            _inside(data)
    monkeypatch.setattr(unpacking, "_MAX_EXPANDED_BYTES", 1 << 20)
    monkeypatch.setattr(unpacking, "_MAX_MEMBERS", 1)
    with pytest.raises(Unreadable, match="more than we look at"):
        _inside(_tar(FILES))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PK\5\6", b"\x1f\x8b\x08", b"BZh9", b"x\x9c", b"\xfd7zXZ\0"]),
)
def test_any_bytes_give_members_or_are_unreadable(data: bytes, start: bytes) -> None:
    try:
        _inside(start + data, "x.tar" if len(data) % 2 else "x")
    except Unreadable:
        return
