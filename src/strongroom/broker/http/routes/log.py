"""Routes of the log (spec/log.md): the public files, and what concerns the caller."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from strongroom.broker.http.routing import PUBLIC, Area, Caller, Limit, Repeat
from strongroom.broker.permission import Permission
from strongroom.broker.services.logbook import Logbook
from strongroom.errors import ObjectNotFound, UsageError
from strongroom.protocol.broker import Done, RecordPage

_MAX_DIGITS: Final = 15
_NOTE: Final = "text/plain"
_TEXT: Final = "text/plain; charset=utf-8"
_TILE: Final = "application/octet-stream"
_NOTE_BODY: Final = {"required": True, "content": {_NOTE: {"schema": {"type": "string"}}}}
# Nothing at such an address changes, unless the log ends with a restore and the next one begins.
_FOR_A_WHILE: Final = {"Cache-Control": "public, max-age=60"}

Size = Annotated[int, Query(ge=0, le=(1 << 53) - 1, description="The size of the log that is known already.")]


Index = Annotated[
    int | None, Query(ge=0, le=(1 << 53) - 1, description="Only records after this one, by its index.")
]
Number = Annotated[
    int | None, Query(ge=0, le=(1 << 53) - 1, description="Of which log; the newest if left out.")
]


class NoteResponse(Response):
    """A signed note, or another text of the log."""

    media_type = "text/plain"


class TileResponse(Response):
    """A tile of the log."""

    media_type = _TILE


def add(area: Area, logbook: Logbook) -> None:
    """Add the routes."""
    _add_files(area, logbook)
    _add_records(area, logbook)


def _add_files(area: Area, logbook: Logbook) -> None:
    @area.get("/log/checkpoint", PUBLIC, response_class=NoteResponse)
    def show_checkpoint() -> Response:
        """Return the newest checkpoint."""
        return NoteResponse(logbook.checkpoint(), media_type=_TEXT)

    @area.get("/log/tile/{path:path}", PUBLIC, response_class=TileResponse)
    def show_tile(path: str) -> Response:
        """Return a tile (C2SP tlog-tiles)."""
        return TileResponse(logbook.tile(path), headers=_FOR_A_WHILE)


def _add_records(area: Area, logbook: Logbook) -> None:
    @area.get("/log/offer", Permission.LOG_READ, response_class=NoteResponse, absent=True)
    def show_offer(caller: Caller, size: Size = 0, log: Number = None) -> Response:
        """Return the newest checkpoint with the proof that it continues the log of a size."""
        return NoteResponse(logbook.offer(size, log), media_type=_TEXT)

    # Witnesses are partners, and their names stand in it.
    @area.get("/log/cosignatures", Permission.PARTNER_READ, response_class=NoteResponse, absent=True)
    def show_cosigned(caller: Caller) -> Response:
        """Return the newest checkpoint that witnesses cosigned, at the owner."""
        return NoteResponse(logbook.cosigned(caller), media_type=_TEXT)

    @area.get("/log/records", Permission.LOG_READ)
    def list_records(caller: Caller, after: Index = None, limit: Limit = 100) -> RecordPage:
        """List records that concern the caller, each with its proof."""
        return logbook.records(caller, after=after, limit=limit)

    # What is gone is gone: there is nothing to remember.
    @area.delete("/log/records/{index}", Permission.LOG_ERASE, repeat=Repeat.REPEATABLE)
    def erase_record(caller: Caller, index: str) -> Done:
        """Forget what an entry of the log stood for; the entry stays."""
        if not index.isascii() or not index.isdigit() or len(index) > _MAX_DIGITS:
            raise ObjectNotFound("the log has no entry of that index", code="not-found")
        return logbook.erase(caller, int(index))

    @area.post(
        "/log/cosignatures",
        Permission.LOG_COSIGN,
        repeat=Repeat.REPEATABLE,
        request_body=_NOTE_BODY,
        response_class=NoteResponse,
    )
    async def cosign(request: Request, caller: Caller) -> Response:
        """Take in the cosignature of a witness; returns the checkpoint with all of them."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _NOTE:
            raise UsageError(f"the body must be {_NOTE}", code="media-type")
        note = await request.body()
        return NoteResponse(await run_in_threadpool(logbook.cosign, caller, note), media_type=_TEXT)
