from __future__ import annotations

import pytest

from strongroom.errors import FormatError, IntegrityError
from strongroom.log.merkle import MAX_SIZE
from strongroom.log.tile import (
    Bundle,
    Tile,
    bundle_from_bytes,
    bundle_to_bytes,
    from_path,
    split_hashes,
    tile_width,
    tiles_between,
)

PATHS = [
    (Tile(0, 0, 256), "tile/0/000"),
    (Tile(0, 0, 1), "tile/0/000.p/1"),
    (Tile(1, 999, 255), "tile/1/999.p/255"),
    (Tile(2, 1000, 256), "tile/2/x001/000"),
    (Tile(0, 1234067, 256), "tile/0/x001/x234/067"),
    (Tile(0, MAX_SIZE >> 8, 256), "tile/0/x036/x028/x797/x018/x963/967"),
    (Tile(7, 0, 127), "tile/7/000.p/127"),
    (Bundle(0, 256), "tile/entries/000"),
    (Bundle(39062, 128), "tile/entries/x039/062.p/128"),
]


@pytest.mark.parametrize(("place", "path"), PATHS)
def test_paths_and_back(place: Tile | Bundle, path: str) -> None:
    assert place.path == path
    assert from_path(path) == place


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/00/000",
        "tile/8/000",
        "tile/63/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/data/000",
        "tile/entries/00",
        "tile/7/001",
        "tile/0/x037/x028/x797/x018/x963/967",
        "tile/0/" + "x001/" * 7 + "000",
        "tile/0/" + "x001/" * 100_000 + "000",
        "tile/0/../000",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    with pytest.raises(FormatError) as caught:
        from_path(path)
    assert caught.value.code == "log-tile-path"


@pytest.mark.parametrize(
    ("level", "number", "width"), [(-1, 0, 1), (8, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)]
)
def test_impossible_places_are_refused(level: int, number: int, width: int) -> None:
    with pytest.raises(FormatError):
        Tile(level, number, width)


def test_the_full_tile_of_a_partial_one() -> None:
    assert Tile(1, 7, 3).full == Tile(1, 7, 256)


def test_the_tiles_of_a_log_of_70000_entries() -> None:
    """The example of C2SP tlog-tiles."""
    places = list(tiles_between(0, 70_000))
    tiles = [place for place in places if isinstance(place, Tile)]
    assert [place for place in tiles if place.level == 0][-1] == Tile(0, 273, 112)
    assert [place for place in tiles if place.level == 1] == [Tile(1, 0, 256), Tile(1, 1, 17)]
    assert [place for place in tiles if place.level == 2] == [Tile(2, 0, 1)]
    assert len(tiles) == 274 + 2 + 1
    assert [place.width for place in places if isinstance(place, Bundle)] == [256] * 273 + [112]
    assert places.index(Bundle(273, 112)) < places.index(Tile(0, 0, 256))


def test_what_to_publish_when_a_log_grows() -> None:
    assert list(tiles_between(7, 7)) == []
    assert list(tiles_between(0, 256)) == [Bundle(0, 256), Tile(0, 0, 256), Tile(1, 0, 1)]
    assert list(tiles_between(255, 257)) == [
        Bundle(0, 256),
        Bundle(1, 1),
        Tile(0, 0, 256),
        Tile(0, 1, 1),
        Tile(1, 0, 1),
    ]
    assert list(tiles_between(256, 258)) == [Bundle(1, 2), Tile(0, 1, 2)]


def test_widths() -> None:
    assert tile_width(0, 0, 0) == 0
    assert tile_width(0, 1, 256) == 0
    assert tile_width(0, 1, 300) == 44
    assert tile_width(1, 0, 70_000) == 256


def test_a_tile_of_another_size_is_refused() -> None:
    assert split_hashes(bytes(32) + b"\x01" * 32, Tile(0, 0, 2)) == [bytes(32), b"\x01" * 32]
    for size in (0, 63, 65, 96):
        with pytest.raises(IntegrityError) as caught:
            split_hashes(bytes(size), Tile(0, 0, 2))
        assert caught.value.code == "log-tile"


def test_bundles_and_back() -> None:
    entries = [b"first", b"", b"x" * 0xFFFF]
    data = bundle_to_bytes(entries)
    assert data.startswith(b"\x00\x05first\x00\x00\xff\xffxxx")
    assert bundle_from_bytes(data) == entries
    assert bundle_from_bytes(bundle_to_bytes([b""] * 256)) == [b""] * 256


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"x" * 0x10000]])
def test_impossible_bundles_are_refused(entries: list[bytes]) -> None:
    with pytest.raises(FormatError):
        bundle_to_bytes(entries)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\x01", b"\x00\x01a\x00", b"\x00\x00" * 257, b"\xff\xff"]
)
def test_damaged_bundles_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        bundle_from_bytes(data)
    assert caught.value.code == "log-bundle"
