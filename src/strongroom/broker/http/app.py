"""The application: every route, every middleware and the one map from errors to answers, wired by hand.

app = make_app(services, gate, memory, settings, check=check, log=RequestLog())

Construction fails if a route does not say who may take it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from strongroom import __version__
from strongroom.broker.http import openapi, problem
from strongroom.broker.http.auth import Gate, NotAuthenticated
from strongroom.broker.http.idempotency import Memory
from strongroom.broker.http.metrics import Metrics, MetricsMiddleware
from strongroom.broker.http.middleware.body import BodyLimit
from strongroom.broker.http.middleware.concurrency import ConcurrencyLimit
from strongroom.broker.http.middleware.edge import Edge
from strongroom.broker.http.middleware.headers import SecurityHeaders
from strongroom.broker.http.request_log import CODE, RequestLog, RequestLogMiddleware
from strongroom.broker.http.routes import (
    derivations,
    leases,
    licenses,
    log,
    meeting,
    operation,
    packages,
    parties,
    requests,
)
from strongroom.broker.http.routing import PRINCIPAL, PUBLIC, Area, GuardedRoute, Surroundings
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.services.all_services import Services
from strongroom.errors import Error, FormatError, ObjectNotFound, UsageError

Application = FastAPI
"""What ``make_app`` makes; the framework's name stays in this layer."""
_DESCRIPTION = "Who may use which model, for how long, how often and where: spec/broker-api.md."


def make_app(
    services: Services,
    gate: Gate,
    memory: Memory,
    settings: HttpSettings,
    *,
    check: Callable[[], None],
    log_to: RequestLog | None = None,
) -> FastAPI:
    """Wire the application.

    Args:
        services: What people and runtimes do.
        gate: Who asks.
        memory: Answers to writes that may be asked again.
        settings: Limits and times.
        check: Raises while the broker cannot do its work.
        log_to: Where a line for each request goes; None: nowhere.

    Raises:
        UsageError: a route does not say who may take it (code ``route-without-permission``).
    """
    metrics = Metrics()
    around = Surroundings(gate, memory, settings)
    app = _empty()
    app.router.routes.extend(_routes(services, around, check, metrics))
    if settings.openapi:
        _serve_document(app, around)
    verify_every_route_has_an_access(app.routes)
    app.openapi = lambda: openapi.make_document(app)  # type: ignore[method-assign]  # - the seam that FastAPI documents for this
    _add_handlers(app, gate)
    _add_middleware(app, settings, metrics, log_to)
    return app


def make_openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the API, which is the same for every broker of this version."""
    # Routes say what they take and give before there is anybody to serve them.
    nobody: Any = None
    services = Services(**dict.fromkeys((each.name for each in fields(Services)), nobody))
    around = Surroundings(nobody, nobody, HttpSettings(url="https://broker.example"))
    app = _empty()
    app.router.routes.extend(_routes(services, around, nobody, nobody))
    return openapi.make_document(app)


def _empty() -> FastAPI:
    return FastAPI(
        title="Strongroom broker",
        version=__version__,
        description=_DESCRIPTION,
        # No pages for people, and no redirect: its address would come from the Host header.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )


def _routes(
    services: Services, around: Surroundings, check: Callable[[], None], metrics: Metrics
) -> list[GuardedRoute]:
    area = Area(around)
    meeting.add(area, services.meeting)
    parties.add(area, services.partners, services.members)
    packages.add(area, services.publishing)
    licenses.add(area, services.licensing)
    requests.add(area, services.requesting)
    derivations.add(area, services.deriving)
    leases.add(area, services.leasing, services.reporting, services.checking_out)
    log.add(area, services.logbook)
    outside = Area(around, prefix="")
    operation.add(outside, check=check, metrics=metrics)
    return [*area.routes, *outside.routes]


def _serve_document(app: FastAPI, around: Surroundings) -> None:
    area = Area(around, prefix="")

    @area.get("/openapi.json", PUBLIC, include_in_schema=False)
    def show_openapi() -> Response:
        """Return the OpenAPI document."""
        return JSONResponse(app.openapi())

    app.router.routes.extend(area.routes)


def verify_every_route_has_an_access(routes: list[BaseRoute]) -> None:
    """Check that each route is made in the one way that names a permission.

    Raises:
        UsageError: one is not (code ``route-without-permission``).
    """
    for route in routes:
        if not isinstance(route, GuardedRoute):
            raise UsageError(
                f"a route does not say who may take it: {getattr(route, 'path', route)}",
                code="route-without-permission",
            )


def strangers(routes: list[BaseRoute]) -> Callable[[Scope], bool]:
    """Return what tells whether a request is a stranger's, before anybody looked at its token.

    It is, without a token, and with one at a route where nobody will look at it.
    """
    public = [route.path_regex for route in routes if isinstance(route, GuardedRoute) and route.is_public]

    def is_stranger(scope: Scope) -> bool:
        if all(name != b"authorization" for name, _ in scope["headers"]):
            return True
        return any(each.match(scope["path"]) for each in public)

    return is_stranger


def _add_handlers(app: FastAPI, gate: Gate) -> None:
    async def on_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, Error):
            raise AssertionError(error)
        return _answer(request, error, gate)

    async def on_invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise AssertionError(error)
        return _answer(request, _invalid(error), gate)

    async def on_http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise AssertionError(error)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            refused = UsageError("this address does not take this method", code="method-not-allowed")
            return _answer(request, refused, gate, Allow=_allowed_methods(app, request.scope))
        if error.status_code == HTTPStatus.NOT_FOUND:
            return _answer(request, ObjectNotFound("there is nothing at this address"), gate)
        return _answer(request, FormatError("the request cannot be read"), gate)

    async def on_disconnect(request: Request, error: Exception) -> Response:
        return _answer(request, FormatError("the request ended before its body", code="body-cut-off"), gate)

    app.add_exception_handler(Error, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(ClientDisconnect, on_disconnect)


def _answer(request: Request, error: Error, gate: Gate, **headers: str) -> Response:
    request.scope[CODE] = error.code
    if isinstance(error, NotAuthenticated):
        return problem.answer(
            error,
            status=error.status,
            headers={"WWW-Authenticate": error.challenge, "DPoP-Nonce": gate.fresh_nonce(), **headers},
            members={"error": error.oauth_error},
        )
    return problem.answer(error, headers={"DPoP-Nonce": gate.fresh_nonce(), **headers})


def _invalid(error: RequestValidationError) -> UsageError:
    # Where and which rule, never what was sent: it may be a secret in the wrong place.
    first: dict[str, Any] = dict(error.errors()[0])
    where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    where = where if where.isascii() and where.isprintable() and len(where) <= 100 else "body"
    return UsageError(
        f"the request does not follow the specification: {where} ({first['type']})",
        code="request-invalid",
        hint="see spec/broker-api.md",
    )


def _allowed_methods(app: FastAPI, scope: Scope) -> str:
    methods: set[str] = set()
    for route in app.routes:
        if isinstance(route, GuardedRoute) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods - {"HEAD"}))


def _add_middleware(
    app: FastAPI, settings: HttpSettings, metrics: Metrics, log_to: RequestLog | None
) -> None:
    is_stranger = strangers(app.routes)
    # Added from the inside to the outside.
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        max_stranger_bytes=settings.max_stranger_body_bytes,
        max_target_bytes=settings.max_target_bytes,
        seconds=settings.body_seconds,
        is_stranger=is_stranger,
    )
    app.add_middleware(
        ConcurrencyLimit,
        max_requests=settings.max_requests,
        max_stranger_requests=settings.max_stranger_requests,
        is_stranger=is_stranger,
    )
    app.add_middleware(Edge)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    if log_to is not None:
        app.add_middleware(RequestLogMiddleware, log=log_to, principal_key=PRINCIPAL)
