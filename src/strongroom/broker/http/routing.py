"""Routes that say who may take them: the one way in which a route of the broker is made.

    def add(area: Area, partners: Partners) -> None:
        @area.get("/partners/{organization}", Permission.PARTNER_READ)
        def show_partner(caller: Caller, organization: str) -> PartnerAnswer:
            '''Show one partner.'''
            return partners.get(caller, organization)

Before a route's function runs, the route has: found out who asks, checked the permission, refused ids
that cannot be any, read the body within its limits and strictly, and asked whether this very write was
answered before. In this order: a stranger's body is not even read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, fields
from enum import Enum
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from strongroom.broker.http import openapi
from strongroom.broker.http.auth import Gate, Head
from strongroom.broker.http.idempotency import AnsweredError, Asked, Memory, answer_of, digest_of, verify_key
from strongroom.broker.http.request import StrictRequest
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.permission import Permission, verify_permitted
from strongroom.broker.principal import Principal
from strongroom.errors import ObjectNotFound, UsageError
from strongroom.protocol.broker import API_PREFIX, PROOF_TYPE

PRINCIPAL: Final = "strongroom.principal"
"""The key of the request's scope under which it stands who asks."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_PATH: Final = re.compile(r"[a-z0-9./]{1,120}")
_JSON: Final = "application/json"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Public(Enum):
    """In the place of a permission: anybody may."""

    PUBLIC = "public"


PUBLIC: Final = Public.PUBLIC
Access = Permission | Public


class Repeat(Enum):
    """What happens when a request comes twice."""

    READ = "read"
    """It changes nothing."""
    REMEMBERED = "remembered"
    """It is answered as the first time, out of the memory; its act returns the message that is the answer."""
    REPEATABLE = "repeatable"
    """It is named by what was signed: what is there already is not done twice, and no answer is kept.

    A kept answer could be as large as what came, and give out what is given to nobody any more.
    """
    OWN_RULES = "own-rules"
    """It takes no idempotency key, by another specification."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all routes share."""

    gate: Gate
    memory: Memory
    settings: HttpSettings


class GuardedRoute(APIRoute):
    """A route with its permission."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        around: Surroundings,
        access: Access,
        repeat: Repeat,
        **options: Any,
    ) -> None:
        self.access = access
        self.repeat = repeat
        self._around = around
        super().__init__(path, endpoint, **options)

    @property
    def is_public(self) -> bool:
        """Whether anybody may take it, so that nobody looks at a token."""
        return isinstance(self.access, Public)

    def get_route_handler(self) -> Handler:
        """Return what handles a request of this route."""
        inner = super().get_route_handler()
        if self.repeat is Repeat.REMEMBERED:
            self._render = TypeAdapter(self.response_model).dump_json
        has_message = self.body_field is not None
        numbers = _numbers_of(self.body_field.field_info.annotation) if self.body_field else frozenset()

        async def handle(request: Request) -> Response:
            asked = StrictRequest(request.scope, request.receive)
            principal = await self._identify(asked)
            _verify_ids(request.path_params)
            key = None
            if self.repeat in (Repeat.REMEMBERED, Repeat.REPEATABLE):
                key = verify_key(asked.headers.get("idempotency-key"))
            if has_message:
                body = await asked.read_json(max_bytes=self._around.settings.max_body_bytes)
                _verify_numbers(body, numbers)
            if self.repeat is Repeat.REMEMBERED and principal is not None and key is not None:
                response = await self._once(asked, principal, key, inner)
            else:
                response = await inner(asked)
            if principal is not None:
                response.headers["DPoP-Nonce"] = self._around.gate.fresh_nonce()
            return response

        return handle

    async def _identify(self, request: Request) -> Principal | None:
        if isinstance(self.access, Public):
            return None
        principal = await run_in_threadpool(self._around.gate.admit, head_of(request))
        request.scope[PRINCIPAL] = principal
        verify_permitted(principal, self.access)
        return principal

    async def _once(self, request: Request, principal: Principal, key: str, inner: Handler) -> Response:
        memory = self._around.memory
        digest = digest_of(request.method, request.scope["raw_path"], await request.body())
        asked = Asked(principal=principal.id, key=key, digest=digest)
        known = await run_in_threadpool(memory.recall, asked)
        if known is not None:
            return Response(known, media_type=_JSON)
        try:
            with memory.keeping(asked, self.response_model, self._render) as kept:
                response = await inner(request)
        except AnsweredError as done:
            # It came twice at once, or to two brokers.
            return Response(answer_of(done.row, asked), media_type=_JSON)
        return response if kept.body is None else Response(kept.body, media_type=_JSON)


def head_of(request: Request) -> Head:
    """Return what tells who sent a request."""
    return Head(
        method=request.method,
        path=(request.scope.get("raw_path") or b"").decode("latin-1"),
        authorization=request.headers.getlist("authorization"),
        proofs=request.headers.getlist(PROOF_TYPE),
    )


def _verify_ids(given: dict[str, Any]) -> None:
    # What cannot be an id is answered like an id that nobody has.
    for name, value in given.items():
        if not (_PATH if name == "path" else _ID).fullmatch(str(value)):
            raise ObjectNotFound("there is nothing of this id that you may see", code="not-found")


def _numbers_of(message: Any) -> frozenset[str]:
    return frozenset(each.name for each in fields(message) if str(each.type).startswith("int"))


def _verify_numbers(body: Any, numbers: frozenset[str]) -> None:
    # The framework's validator takes "12" and true for numbers; our specification does not.
    for name in numbers if isinstance(body, dict) else ():
        if isinstance(body.get(name), str | bool):
            raise UsageError(f"body.{name} must be a number", code="request-invalid")


def _principal(request: Request) -> Principal:
    principal = request.scope[PRINCIPAL]
    if not isinstance(principal, Principal):
        raise AssertionError(principal)
    return principal


Caller = Annotated[Principal, Depends(_principal)]
"""Who asks, in the signature of a route that is not public."""
After = Annotated[
    str, Query(max_length=256, pattern=r"^[!-~]*$", description="The `next` of the page before.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most; the broker may give fewer.")]
Identifier = Annotated[str | None, Query(max_length=80, pattern=r"^[A-Za-z0-9_-]+$")]


class Area:
    """Collects the routes of the API."""

    def __init__(self, around: Surroundings, *, prefix: str = API_PREFIX) -> None:
        self.routes: list[GuardedRoute] = []
        self.around = around
        self._prefix = prefix

    def get(self, path: str, access: Access, **options: Any) -> Callable[[Endpoint], Endpoint]:
        """Add a route that changes nothing."""
        return self._add("GET", path, access, Repeat.READ, **options)

    def post(
        self, path: str, access: Access, *, repeat: Repeat = Repeat.REMEMBERED, **options: Any
    ) -> Callable[[Endpoint], Endpoint]:
        """Add a route that does something."""
        return self._add("POST", path, access, repeat, **options)

    def delete(
        self, path: str, access: Access, *, repeat: Repeat = Repeat.REMEMBERED, **options: Any
    ) -> Callable[[Endpoint], Endpoint]:
        """Add a route that takes something away."""
        return self._add("DELETE", path, access, repeat, **options)

    def _add(
        self, method: str, path: str, access: Access, repeat: Repeat, **options: Any
    ) -> Callable[[Endpoint], Endpoint]:
        def keep(endpoint: Endpoint) -> Endpoint:
            described = openapi.describe(
                method=method,
                path=path,
                permission=access.value if isinstance(access, Permission) else None,
                idempotent=repeat in (Repeat.REMEMBERED, Repeat.REPEATABLE),
                **options,
            )
            route = GuardedRoute(
                self._prefix + path,
                endpoint,
                around=self.around,
                access=access,
                repeat=repeat,
                methods=[method],
                operation_id=endpoint.__name__,
                **described,
            )
            self.routes.append(route)
            return endpoint

        return keep
