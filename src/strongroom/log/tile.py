"""Tiles: the tree and its entries as files that never change (C2SP tlog-tiles).

    >>> Tile(level=0, number=1234067, width=256).path
    'tile/0/x001/x234/067'
    >>> Bundle(number=0, width=3).path
    'tile/entries/000.p/3'

The n-th tile of level l holds up to 256 hashes, each over a subtree of 256**l leaves.
A *bundle* holds the entries under a tile of level 0. Only the last tile of a level is
partial; its path carries its width, so that one path always means the same bytes.
This module knows coordinates and bytes; who stores them is not its matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from strongroom.errors import FormatError, IntegrityError
from strongroom.log.merkle import HASH_BYTES, MAX_SIZE

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_LEVEL: Final = 7
"""The highest level of a tree of 2**63 - 1 leaves."""
MAX_ENTRY_BYTES: Final = 0xFFFF
"""An entry's length stands in a bundle as two bytes."""

_LENGTH_BYTES: Final = 2
_PATH: Final = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?|entries)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class Tile:
    """The place of one tile of hashes."""

    level: int
    number: int
    width: int
    """How many hashes it has: 256, or fewer in a partial tile."""

    def __post_init__(self) -> None:
        if not 0 <= self.level <= MAX_LEVEL:
            raise FormatError(f"a tile has a level from 0 to {MAX_LEVEL}", code="log-tile-path")
        _check_place(self.number, self.width, TILE_HEIGHT * (self.level + 1))

    @property
    def path(self) -> str:
        """Where it is served, below the prefix of the log."""
        return f"tile/{self.level}/{_number_to_path(self.number, self.width)}"

    @property
    def full(self) -> Tile:
        """The full tile at this place, which replaces the partial one once it exists."""
        return Tile(self.level, self.number, TILE_WIDTH)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The place of one bundle of entries."""

    number: int
    width: int
    """How many entries it has."""

    def __post_init__(self) -> None:
        _check_place(self.number, self.width, TILE_HEIGHT)

    @property
    def path(self) -> str:
        """Where it is served, below the prefix of the log."""
        return f"tile/entries/{_number_to_path(self.number, self.width)}"


class TileReader(Protocol):
    """Where tiles come from: a disk, a database, a network, or memory."""

    def read_tile(self, tile: Tile) -> bytes:
        """Return the hashes of a tile, ``32 * tile.width`` bytes.

        A reader that no longer has a partial tile returns that many bytes of the full one.
        """
        ...


def from_path(path: str) -> Tile | Bundle:
    """Read a path in exactly the form that ``path`` gives.

    Raises:
        FormatError: any other form, or a place that no log has.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise FormatError("not the path of a tile", code="log-tile-path")
    # Checked as text: a path could hold a million digits.
    if len(match["number"]) > len("x000/") * 7:
        raise FormatError("the number of a tile is too large", code="log-tile-path")
    number = int(re.sub(r"\D", "", match["number"]))
    width = TILE_WIDTH if match["width"] is None else int(match["width"])
    place = Bundle(number, width) if match["level"] == "entries" else Tile(int(match["level"]), number, width)
    if place.path != path:
        raise FormatError("the path of a tile is not in canonical form", code="log-tile-path")
    return place


def tile_width(level: int, number: int, size: int) -> int:
    """Return how many hashes the tile at this place has in a log of ``size`` entries; 0 if there is none."""
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - number * TILE_WIDTH))


def tiles_between(old_size: int, new_size: int) -> Iterator[Tile | Bundle]:
    """Yield what has to be published, in an order in which nothing is missed, when a log grows.

    Bundles come before the tiles over them, lower levels before higher ones; the last of
    each level may be partial.
    """
    for number, width in _grown(0, old_size, new_size):
        yield Bundle(number, width)
    for level in range(MAX_LEVEL + 1):
        for number, width in _grown(level, old_size, new_size):
            yield Tile(level, number, width)


def _grown(level: int, old_size: int, new_size: int) -> Iterator[tuple[int, int]]:
    old, new = (size >> TILE_HEIGHT * level for size in (old_size, new_size))
    if old == new:
        return
    for number in range(old // TILE_WIDTH, -(-new // TILE_WIDTH)):
        yield number, tile_width(level, number, new_size)


def split_hashes(data: bytes, tile: Tile) -> list[bytes]:
    """Return the hashes of a tile that was read.

    Raises:
        IntegrityError: code ``log-tile``: it has another size.
    """
    if len(data) != tile.width * HASH_BYTES:
        raise IntegrityError(f"a tile does not have {tile.width} hashes", code="log-tile")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def bundle_to_bytes(entries: Sequence[bytes]) -> bytes:
    """Write a bundle: each entry after its length, two bytes, big-endian.

    Raises:
        FormatError: no entry, more than 256, or one that is too long.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise FormatError(f"a bundle has 1 to {TILE_WIDTH} entries", code="log-bundle")
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise FormatError(f"an entry is larger than {MAX_ENTRY_BYTES} bytes", code="log-bundle")
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def bundle_from_bytes(data: bytes) -> list[bytes]:
    """Read a bundle.

    Raises:
        FormatError: an entry is cut off, there is none, or there are more than 256.
    """
    entries: list[bytes] = []
    place = 0
    while place < len(data):
        start = place + _LENGTH_BYTES
        place = start + int.from_bytes(data[place:start], "big")
        if start > len(data) or place > len(data) or len(entries) == TILE_WIDTH:
            raise FormatError("a bundle is cut off, or holds too much", code="log-bundle")
        entries.append(data[start:place])
    if not entries:
        raise FormatError("a bundle is empty", code="log-bundle")
    return entries


def _check_place(number: int, width: int, height: int) -> None:
    if not 1 <= width <= TILE_WIDTH:
        raise FormatError(f"a tile has 1 to {TILE_WIDTH} hashes", code="log-tile-path")
    if not 0 <= number <= MAX_SIZE >> height:
        raise FormatError("the number of a tile is beyond the end of any log", code="log-tile-path")


def _number_to_path(number: int, width: int) -> str:
    pieces = [f"{number % 1000:03}"]
    while number := number // 1000:
        pieces.append(f"x{number % 1000:03}")
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(reversed(pieces)) + partial
