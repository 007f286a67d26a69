"""The routes of the Open Inference Protocol v2 as a plain ASGI application.

    app = InferenceApp([model], settings, gate=Token.of(text))

    GET  /v2                                              server metadata
    GET  /v2/health/live, /v2/health/ready                open to everybody; they say yes or no
    GET  /v2/models/NAME[/versions/V], .../ready          model metadata, readiness
    POST /v2/models/NAME[/versions/V]/infer               an answer

No framework: the inference route is the hot one, and the protocol has six routes. Every error is the
protocol's object ``{"error": "..."}``, here with ``code`` and ``hint`` as further members.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import msgspec

from strongroom import __version__
from strongroom.errors import (
    BrokerUnavailable,
    Error,
    FormatError,
    LicenseDenied,
    ObjectNotFound,
    StorageUnavailable,
    UnsupportedError,
    UsageError,
    WorkerLost,
)
from strongroom.license.codes import Code
from strongroom.listening import Receive, Scope, Send
from strongroom.serving.admission import WITHOUT_NAME, Gate, Unauthorized
from strongroom.serving.inference import EXTENSIONS, PLATFORM, metadata, read_request, write_answer
from strongroom.serving.served_model import ServedModel
from strongroom.serving.settings import ServingSettings

T = TypeVar("T")
_JSON_LENGTH: Final = b"inference-header-content-length"
_COMMON_HEADERS: Final = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_ENCODER: Final = msgspec.json.Encoder()
_USED_UP: Final = frozenset(
    code.value
    for code in (
        Code.RATE_EXCEEDED, Code.PREDICTIONS_USED_UP, Code.TOKENS_USED_UP, Code.EXPLANATIONS_USED_UP,
        Code.GRACE_USED_UP, Code.BREAK_GLASS_USED_UP,
    )
)  # fmt: skip
_RETRY_SECONDS: Final = 1
_OF_MODEL: Final[tuple[list[str], ...]] = ([], ["ready"], ["infer"])
_STATUSES: Final[tuple[tuple[type[Error], int], ...]] = (
    (UsageError, 400),
    (FormatError, 400),
    (UnsupportedError, 400),
    (LicenseDenied, 403),
    (ObjectNotFound, 404),
    (WorkerLost, 503),
    (BrokerUnavailable, 503),
    (StorageUnavailable, 503),
)
"""The first class that fits decides; what is in none is 500."""


HOLDER: Final = "strongroom.client"
ROUTE: Final = "strongroom.route"
CODE: Final = "strongroom.code"
"""The keys of the request's scope: who asks, for which of our routes, and the code of a refusal."""
_MOST_SHARES: Final = 2
"""Where clients are told apart, one has at most half of what is under way."""


def holder_of(scope: Scope) -> str | None:
    """Tell who asked, of whoever may ask: its connection is kept before those of others."""
    return cast("str | None", scope.get(HOLDER))


class _ClientGone(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    content_type: bytes = b"application/json"


@dataclass(slots=True)
class _Share:
    """What of one client is under way."""

    requests: int = 0
    size: int = 0


class InferenceApp:
    """Answers for the models that it is given."""

    def __init__(
        self, models: Iterable[ServedModel], settings: ServingSettings, *, gate: Gate | None
    ) -> None:
        """Wire it.

        Args:
            models: Open models, each under its name.
            settings: The limits.
            gate: Decides who may ask; None where the socket's file permissions keep others out.
        """
        self._models = {model.name: model for model in models}
        self._settings = settings
        self._gate = gate
        self._pending_bytes = 0
        self._held: dict[str, _Share] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return
        try:
            reply = await self._reply(scope, receive)
        except _ClientGone:
            return
        except Error as error:
            scope[CODE] = error.code
            reply = _refusal(error)
        except Exception:  # noqa: BLE001 - the edge: whatever it is, its text may quote an input
            scope[CODE] = "unexpected"
            reply = _refusal(Error("something went wrong here", code="unexpected"))
        await _send(send, reply)

    async def _reply(self, scope: Scope, receive: Receive) -> _Reply:
        path: str = scope["path"]
        if len(scope.get("raw_path") or path.encode()) > self._settings.max_target_bytes:
            raise FormatError("the address of a request is too long", code="target-too-long")
        parts = [part for part in path.split("/") if part]
        if parts[:2] == ["v2", "health"] and len(parts) == 3:
            return self._health(scope, parts[2])
        headers = dict(scope["headers"])
        scope[HOLDER] = (
            WITHOUT_NAME if self._gate is None else self._gate.admit(headers.get(b"authorization", b""))
        )
        if parts == ["v2"]:
            scope[ROUTE] = "/v2"
            return _get(scope, {"name": PLATFORM, "version": __version__, "extensions": list(EXTENSIONS)})
        if parts[:2] == ["v2", "models"] and len(parts) >= 3:
            model = self._model(parts[2])
            rest = parts[3:]
            if rest[:1] == ["versions"] and len(rest) >= 2:
                _verify_version(model, rest[1])
                rest = rest[2:]
            return await self._of_model(model, rest, scope, receive, headers)
        raise _no_route()

    def _health(self, scope: Scope, what: str) -> _Reply:
        if what == "live":
            return _get(scope, {"live": True})
        if what == "ready":
            ready = all(model.ready for model in self._models.values())
            return _get(scope, {"ready": ready}, status=200 if ready else 503)
        raise _no_route()

    def _model(self, name: str) -> ServedModel:
        model = self._models.get(name)
        if model is None:
            raise ObjectNotFound(
                f"no model {name[:64]!r} is served here",
                code="unknown-model",
                hint=f"there is: {', '.join(sorted(self._models))}",
            )
        return model

    async def _of_model(
        self, model: ServedModel, rest: list[str], scope: Scope, receive: Receive, headers: dict[bytes, bytes]
    ) -> _Reply:
        if rest in _OF_MODEL:
            scope[ROUTE] = "/".join(("/v2/models", model.name, *rest))
        if not rest:
            return _get(scope, metadata(name=model.name, version=model.version, schema=model.schema))
        if rest == ["ready"]:
            document = {"name": model.name, "ready": model.ready}
            return _get(scope, document, status=200 if model.ready else 503)
        if rest == ["infer"]:
            if scope["method"] != "POST":
                return _not_allowed(b"POST")
            return await self._infer(model, scope, receive, headers)
        raise _no_route()

    async def _infer(
        self, model: ServedModel, scope: Scope, receive: Receive, headers: dict[bytes, bytes]
    ) -> _Reply:
        announced, json_bytes = self._lengths(headers)
        with self._under_way(scope[HOLDER], announced):
            body = await self._body(receive, announced)
            request = await _beside(
                len(body), lambda: read_request(body, json_bytes=json_bytes, schema=model.schema)
            )
            asked = model.ask(request.method, request.tensors, receipt=request.receipt)
            outputs, said = await _unless_gone(asked, receive)
            answer = await _beside(
                sum(len(tensor.data) for tensor in outputs),
                lambda: write_answer(
                    request, name=model.name, version=model.version, outputs=outputs, parameters=said
                ),
            )
        if answer.json_bytes is None:
            return _Reply(200, answer.body)
        length = str(answer.json_bytes).encode("ascii")
        return _Reply(200, answer.body, ((_JSON_LENGTH, length),), b"application/octet-stream")

    @contextmanager
    def _under_way(self, holder: str, announced: int) -> Iterator[None]:
        """Count a request and its body; what is too much in all, or for one client, is refused."""
        share = self._held.setdefault(holder, _Share())
        shares = _MOST_SHARES if self._gate is not None and self._gate.tells_apart else None
        if self._pending_bytes + announced > self._settings.max_pending_bytes or (
            shares is not None
            and (
                share.size + announced > self._settings.max_pending_bytes // shares
                or share.requests >= self._settings.max_waiting // shares
            )
        ):
            self._forget(holder, share)
            raise StorageUnavailable("too much is under way", code="model-busy", hint="try again shortly")
        self._pending_bytes += announced
        share.size += announced
        share.requests += 1
        try:
            yield
        finally:
            self._pending_bytes -= announced
            share.size -= announced
            share.requests -= 1
            self._forget(holder, share)

    def _forget(self, holder: str, share: _Share) -> None:
        if share.requests == 0:
            self._held.pop(holder, None)

    def _lengths(self, headers: dict[bytes, bytes]) -> tuple[int, int | None]:
        """Return the length of the body, and that of its JSON where it holds more."""
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedError(
                "compressed requests are not read", code="content-encoding", hint="send the body as it is"
            )
        if b"content-length" not in headers:
            raise FormatError("the request does not say its length", code="length-required")
        body_bytes = _number(headers[b"content-length"])
        header = headers.get(_JSON_LENGTH)
        json_bytes = None if header is None else _number(header)
        if body_bytes > self._settings.max_body_bytes:
            raise _too_large(self._settings.max_body_bytes, "send fewer rows in one request")
        if (body_bytes if json_bytes is None else json_bytes) > self._settings.max_json_bytes:
            raise _too_large(self._settings.max_json_bytes, "send fewer rows, or binary tensors")
        return body_bytes, json_bytes

    async def _body(self, receive: Receive, announced: int) -> bytearray:
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _ClientGone
                    body += message.get("body", b"")
                    if len(body) > announced:
                        raise FormatError("the body is longer than it says", code="inference-body")
                    if not message.get("more_body", False):
                        return body
        except TimeoutError as error:
            raise UsageError("the body of a request did not arrive in time", code="body-timeout") from error


_LARGE_BYTES: Final = 64 << 10


async def _beside(size: int, work: Callable[[], T]) -> T:
    """Do work on so many bytes; where they are many, on another thread, so that nobody else waits for it."""
    return await asyncio.to_thread(work) if size > _LARGE_BYTES else work()


async def _unless_gone(answer: Awaitable[T], receive: Receive) -> T:
    """Wait for an answer; drop it as soon as its client is gone."""
    asked = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise _ClientGone
        return asked.result()
    finally:
        asked.cancel()
        gone.cancel()


def _verify_version(model: ServedModel, version: str) -> None:
    if version != model.version:
        raise ObjectNotFound(
            f"{model.name} is served in version {model.version} only",
            code="unknown-version",
            hint="leave the version out, or start another server with it",
        )


def _number(header: bytes) -> int:
    if not header.isdigit() or len(header) > 15:
        raise FormatError("a length in the head of the request is no number", code="inference-body")
    return int(header)


def _too_large(limit: int, hint: str) -> FormatError:
    return FormatError(
        f"the body of a request is larger than {limit} bytes", code="body-too-large", hint=hint
    )


def _no_route() -> ObjectNotFound:
    return ObjectNotFound(
        "there is nothing at this address", code="unknown-address", hint="models are at /v2/models/NAME"
    )


def _get(scope: Scope, document: Any, *, status: int = 200) -> _Reply:
    if scope["method"] not in ("GET", "HEAD"):
        return _not_allowed(b"GET, HEAD")
    return _Reply(status, _ENCODER.encode(document))


def _not_allowed(allowed: bytes) -> _Reply:
    body = _ENCODER.encode({"error": "another method is expected here", "code": "method-not-allowed"})
    return _Reply(405, body, ((b"allow", allowed),))


def _refusal(error: Error) -> _Reply:
    document = {"error": str(error), "code": error.code}
    if error.hint is not None:
        document["hint"] = error.hint
    if isinstance(error, Unauthorized):
        return _Reply(401, _ENCODER.encode(document), ((b"www-authenticate", b"Bearer"),))
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if error.code in _USED_UP:
        status = 429
    if error.code == "body-too-large":
        status = 413
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if status == 503 or error.code == Code.RATE_EXCEEDED.value:
        headers = ((b"retry-after", str(_RETRY_SECONDS).encode("ascii")),)
    return _Reply(status, _ENCODER.encode(document), headers)


async def _send(send: Send, reply: _Reply) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode("ascii")),
        *_COMMON_HEADERS,
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
