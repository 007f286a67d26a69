"""The OpenAPI document: what FastAPI reads from the routes, and what only we know about them.

document = make_document(app)

Every refusal is a problem document, every route names its permission, and writes name their
idempotency key. A test runs strange requests against all of it and fails on any answer that
the document does not promise.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from strongroom.protocol.broker import PROBLEM_TYPE, PROOF_TYPE, Problem

_ALWAYS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_KNOWN_CALLER: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_WRITES: Final = (
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
_SCHEME: Final = "dpop"
_KEY_PARAMETER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "A random text; the same one when the request is repeated.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
}
_PROOF_PARAMETER: Final = {
    "name": PROOF_TYPE,
    "in": "header",
    "required": True,
    "description": "A proof of possession (RFC 9449).",
    "schema": {"type": "string"},
}
_REF: Final = "#/components/schemas/Problem"


def describe(
    *,
    method: str,
    path: str,
    permission: str | None,
    idempotent: bool,
    proof: bool = False,
    absent: bool = False,
    request_body: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return what a route says about itself.

    Args:
        method: Its method.
        path: Its path below the prefix.
        permission: What it needs; None for a public route.
        idempotent: Whether it takes an idempotency key.
        proof: Whether a public route needs a proof all the same.
        absent: Whether there may be nothing to return.
        request_body: The body, where it is no message of ours.
        options: What FastAPI is told besides.
    """
    statuses = set(_ALWAYS)
    if permission is not None or proof:
        statuses |= {*_KNOWN_CALLER}
    if method != "GET":
        statuses |= {*_WRITES}
    if "{" in path or absent:
        statuses.add(HTTPStatus.NOT_FOUND)
    extra: dict[str, Any] = {}
    parameters = [_KEY_PARAMETER] if idempotent else []
    if permission is not None or proof:
        parameters.append(_PROOF_PARAMETER)
    if parameters:
        extra["parameters"] = parameters
    if permission is not None:
        extra["security"] = [{_SCHEME: []}]
        extra["x-permission"] = permission
    if request_body is not None:
        extra["requestBody"] = dict(request_body)
    return {
        "responses": {status.value: _problem(status) for status in sorted(statuses)},
        "openapi_extra": extra,
        **options,
    }


def _problem(status: HTTPStatus) -> dict[str, Any]:
    return {"description": status.phrase, "content": {PROBLEM_TYPE: {"schema": {"$ref": _REF}}}}


def make_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = TypeAdapter(Problem).json_schema()
    components["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": PROOF_TYPE,
            "description": "An access token of POST /v1/token, with a proof in the DPoP header (RFC 9449).",
        }
    }
    return document
