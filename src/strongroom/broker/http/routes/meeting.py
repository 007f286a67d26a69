"""Routes for those who are not known yet: the owner, enrollment, and the token (RFC 6749)."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from strongroom.broker.http.routing import PUBLIC, Area, Repeat, head_of
from strongroom.broker.services.meeting import Meeting
from strongroom.errors import FormatError, UsageError
from strongroom.protocol.broker import EnrollmentAnswer, EnrollmentAsk, OwnerAnswer, TokenAnswer

_FORM: Final = "application/x-www-form-urlencoded"
_MAX_FIELDS: Final = 16
_TOKEN_BODY: Final = {
    "required": True,
    "content": {
        _FORM: {
            "schema": {
                "type": "object",
                "required": ["grant_type", "client_assertion_type", "client_assertion"],
                "properties": {
                    "grant_type": {"type": "string", "const": "client_credentials"},
                    "client_assertion_type": {"type": "string"},
                    "client_assertion": {"type": "string"},
                },
            }
        }
    },
}


def add(area: Area, meeting: Meeting) -> None:
    """Add the routes."""

    @area.get("/owner", PUBLIC)
    def show_owner() -> OwnerAnswer:
        """Say whom this broker works for."""
        return meeting.owner()

    # Named by its digest: the same enrollment twice is one. A stranger's answers are not kept.
    @area.post("/enrollments", PUBLIC, repeat=Repeat.REPEATABLE)
    def enroll(ask: EnrollmentAsk) -> EnrollmentAnswer:
        """Take in the enrollment of a runtime; the invite in it is its ticket."""
        return meeting.enroll(ask)

    @area.post("/token", PUBLIC, repeat=Repeat.OWN_RULES, proof=True, request_body=_TOKEN_BODY)
    async def get_token(request: Request) -> TokenAnswer:
        """Give an access token to a runtime or member that signs for it (RFC 7523, RFC 9449)."""
        form = await _read_form(request)
        return await run_in_threadpool(area.around.gate.issue, form, head_of(request))


async def _read_form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise UsageError(f"the body must be {_FORM}", code="media-type")
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError:
        pairs = []
    form = dict(pairs)
    if not pairs or len(form) != len(pairs):
        raise FormatError("the body is no form with distinct fields", code="token-request")
    return form
