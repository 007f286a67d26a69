"""Looking for secrets where none may be: whoever plants them names the places, and every spelling is tried.

found = look_for({"content key": key}, {"the log": log, "the tables": rows_of(url)})
assert not found
"""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from strongroom._encoding import from_base64url
from strongroom.broker.sql.tables import METADATA
from strongroom.errors import FormatError
from strongroom.home.home import Home


def spellings(secret: bytes) -> list[bytes]:
    """Return the ways in which bytes are written down, alone or in the middle of something longer."""
    lists = [str(list(secret))[1:-1].encode(), str(list(secret))[1:-1].replace(" ", "").encode()]
    texts = [secret.hex().encode(), secret.hex().upper().encode(), repr(secret)[2:-1].encode()]
    return [secret, secret[::-1], *texts, *lists, *_base64(secret)]


def _base64(secret: bytes) -> Iterator[bytes]:
    # Where the secret begins in what is encoded decides which of three texts it becomes; the letters
    # at both ends, which neighbours have a share in, are left out.
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(bytes(offset) + secret).rstrip(b"=")
            last = len(text) if (offset + len(secret)) % 3 == 0 else len(text) - 1
            yield text[(0, 2, 3)[offset] : last]


def look_for(planted: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """Say which of these are where they may not be."""
    return [
        f"{name} in {where}"
        for where, data in places.items()
        for name, secret in planted.items()
        if any(spelling in data for spelling in spellings(secret))
    ]


def keys_of(home: Home) -> dict[str, bytes]:
    """Return every secret key that lies open in a home, as its file has it and as bytes."""
    planted = {}
    for path in sorted(home.path.rglob("*.key")):
        line = path.read_bytes().rstrip().rpartition(b"\n")[2]
        planted[f"line of {path.name}"] = line
        try:
            planted[f"bytes of {path.name}"] = from_base64url(line.decode("ascii").rpartition(".")[2])
        except FormatError:
            # A private key of TLS is in PEM.
            body = b"".join(path.read_bytes().splitlines()[1:-1])
            planted[f"line of {path.name}"] = body[:64]
            planted[f"bytes of {path.name}"] = base64.b64decode(body)
    assert planted
    return planted


def rows_of(url: str) -> bytes:
    """Return everything that stands in the tables of a database, bytes as they are."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            return b"".join(_cells(connection.execute(_all(name))) for name in METADATA.tables)
    with psycopg.connect(url) as server:
        return b"".join(_cells(server.execute(_all(name).encode())) for name in METADATA.tables)


def files_of(url: str) -> dict[str, bytes]:
    """Return the files of an SQLite database, also what was deleted from it; none of a server's."""
    if not url.startswith("sqlite"):
        return {}
    path = Path(str(make_url(url).database))
    return {each.name: each.read_bytes() for each in path.parent.glob(f"{path.name}*")}


def _all(table: str) -> str:
    return f'SELECT * FROM "{table}"'  # noqa: S608 - a name of our own tables


def _cells(rows: Iterator[tuple[object, ...]] | sqlite3.Cursor | psycopg.Cursor[tuple[object, ...]]) -> bytes:
    cells = (cell for row in rows for cell in row)
    return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
