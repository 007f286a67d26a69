"""Errors as answers (RFC 9457): one map from classes to statuses, and a few codes that say it better.

    status_of(ObjectNotFound("..."))                        # 404
    answer(LicenseDenied("...", code="expired"))            # 403, application/problem+json

    {"code": "expired", "detail": "...", "hint": "...", "status": 403, "title": "Forbidden",
     "type": "/problems/license-denied/expired"}

What the client did wrong is told in full. What went wrong on the broker's side is told by its code
only: those messages name paths and hosts of the owner, and are in the broker's own log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from strongroom.errors import (
    BrokerRefused,
    BrokerUnavailable,
    Error,
    FormatError,
    IntegrityError,
    LicenseDenied,
    NoMatchingKey,
    ObjectNotFound,
    StorageUnavailable,
    UnsupportedError,
    UsageError,
    VerificationError,
)
from strongroom.protocol.broker import PROBLEM_TYPE, Problem

_STATUSES: Final[tuple[tuple[type[Error], HTTPStatus], ...]] = (
    (ObjectNotFound, HTTPStatus.NOT_FOUND),
    (StorageUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (BrokerUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (LicenseDenied, HTTPStatus.FORBIDDEN),
    (BrokerRefused, HTTPStatus.FORBIDDEN),
    (FormatError, HTTPStatus.BAD_REQUEST),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (VerificationError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (IntegrityError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (UnsupportedError, HTTPStatus.UNPROCESSABLE_ENTITY),
    # A key of the broker's own does not open: nothing that the client could do.
    (NoMatchingKey, HTTPStatus.SERVICE_UNAVAILABLE),
    (Error, HTTPStatus.INTERNAL_SERVER_ERROR),
)
_CODES: Final[Mapping[str, HTTPStatus]] = {
    "exists-already": HTTPStatus.CONFLICT,
    "version-exists": HTTPStatus.CONFLICT,
    "last-admin": HTTPStatus.CONFLICT,
    "clone-suspected": HTTPStatus.CONFLICT,
    "idempotency-key-reused": HTTPStatus.CONFLICT,
    "idempotency-key-missing": HTTPStatus.BAD_REQUEST,
    "request-invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "method-not-allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "media-type": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "body-too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "target-too-long": HTTPStatus.REQUEST_URI_TOO_LONG,
    "body-timeout": HTTPStatus.REQUEST_TIMEOUT,
}
_UNREAD: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE})
"""The rest of such a request is not read, so that nothing can follow it."""
_RETRY_AFTER_SECONDS: Final = "2"


def status_of(error: Error) -> HTTPStatus:
    """Return the status by which an error is answered."""
    by_code = _CODES.get(error.code)
    if by_code is not None:
        return by_code
    return next(status for kind, status in _STATUSES if isinstance(error, kind))


def problem_of(error: Error, status: HTTPStatus) -> Problem:
    """Say of an error what a client may know."""
    inside = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    code = "unexpected" if status == HTTPStatus.INTERNAL_SERVER_ERROR else error.code
    return Problem(
        type=f"/problems/{error.default_code}/{code}",
        title=status.phrase,
        status=status.value,
        code=code,
        detail="the broker cannot answer this now" if inside else str(error),
        hint="try again later" if inside else error.hint,
    )


def answer(
    error: Error,
    *,
    status: HTTPStatus | None = None,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return the answer for an error.

    Args:
        error: What happened.
        status: The status, where the class and the code of the error do not say it.
        headers: Headers that belong to the answer.
        members: Members that stand beside those of every problem.
    """
    status = status_of(error) if status is None else status
    all_headers = dict(headers or {})
    if status in _UNREAD:
        all_headers["Connection"] = "close"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        all_headers.setdefault("Retry-After", _RETRY_AFTER_SECONDS)
    return JSONResponse(
        {**asdict(problem_of(error, status)), **(members or {})},
        status_code=status.value,
        headers=all_headers,
        media_type=PROBLEM_TYPE,
    )
