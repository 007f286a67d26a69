"""How the log grows: from new entries to the tiles and the signed head that go with them.

    edge = RightEdge()
    tiles, head = edge.grow(kept, head, journal.rows, ...)

The hashes of a tile that is not full yet are needed to write it again with more. The last ones of
each level are kept here, as long as nobody else wrote in between: five tiles at ten million entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from strongroom.broker.records import LogHead
from strongroom.keys.log_key import LogKey
from strongroom.log.checkpoint import Checkpoint
from strongroom.log.frontier import Frontier, TileHash
from strongroom.log.merkle import HASH_BYTES, leaf_hash
from strongroom.log.note import Ed25519Signer, Note, sign_note
from strongroom.log.tile import TILE_WIDTH, Tile, TileReader

Tiles = Mapping[tuple[int, int], bytes]
"""Level and number to hashes."""


class RightEdge:
    """The last tile of each level, as this process wrote it."""

    __slots__ = ("_after", "_tiles")

    def __init__(self) -> None:
        self._after = b""
        self._tiles: dict[int, tuple[int, bytes]] = {}

    def extend(
        self, kept: TileReader, frontier: Frontier, entries: Iterable[bytes]
    ) -> tuple[Frontier, Tiles]:
        """Add entries to a tree; returns the new frontier, and the tiles to write.

        Raises:
            StorageUnavailable: the database does not answer.
            UsageError: the log is full.
        """
        if frontier.to_bytes() != self._after:
            # Another process wrote, or what was prepared here was taken back.
            self._tiles.clear()
        grown, hashes = frontier.extend(map(leaf_hash, entries))
        tiles: dict[tuple[int, int], bytearray] = {}
        for each in hashes:
            place = each.level, each.position // TILE_WIDTH
            if place not in tiles:
                tiles[place] = bytearray(self._begun(kept, each))
            tiles[place] += each.hash
        written = {place: bytes(hashes) for place, hashes in tiles.items()}
        for level, number in written:
            self._tiles[level] = number, written[level, number]
        self._after = grown.to_bytes()
        return grown, written

    @property
    def tiles(self) -> Tiles:
        """The last tiles, as they stand."""
        return {(level, number): hashes for level, (number, hashes) in self._tiles.items()}

    def _begun(self, kept: TileReader, first: TileHash) -> bytes:
        number, width = divmod(first.position, TILE_WIDTH)
        if not width:
            return b""
        known_number, known = self._tiles.get(first.level, (-1, b""))
        if (known_number, len(known)) == (number, width * HASH_BYTES):
            return known
        return kept.read_tile(Tile(first.level, number, width))


def sign_checkpoint(origin: str, frontier: Frontier, extensions: Sequence[str], key: LogKey) -> str:
    """Sign the state of a log; returns the note."""
    checkpoint = Checkpoint(origin, frontier.size, frontier.root, tuple(extensions))
    return sign_note(checkpoint.to_bytes(), [Ed25519Signer(origin, key.secret)]).to_bytes().decode()


def note_of(head: LogHead) -> Note:
    """Return the newest checkpoint of a head with its signatures.

    Raises:
        FormatError: the database is damaged.
    """
    return _read(head.checkpoint)[0]


def checkpoint_of(head: LogHead) -> Checkpoint:
    """Return the checkpoint of a head, which its own database is believed.

    Raises:
        FormatError: the database is damaged.
    """
    return _read(head.checkpoint)[1]


# One is read for every proof, and once more when the log goes on from it.
@lru_cache(maxsize=8)
def _read(text: str) -> tuple[Note, Checkpoint]:
    note = Note.from_bytes(text.encode())
    return note, Checkpoint.from_bytes(note.unverified_text)


def is_signed_by(head: LogHead, key: LogKey) -> bool:
    """Tell whether the newest checkpoint is by this key.

    Raises:
        FormatError: the database is damaged.
    """
    signer = Ed25519Signer(head.origin, key.secret)
    note = note_of(head)
    return any((each.name, each.key_id) == (head.origin, signer.key.key_id) for each in note.signatures)
