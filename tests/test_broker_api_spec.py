"""spec/broker-api.md says what the code does: the same routes, permissions, messages and members."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom._limits import LIMITS
from strongroom.broker.http.app import make_app
from strongroom.broker.http.routing import GuardedRoute
from strongroom.broker.http.settings import HttpSettings
from strongroom.broker.permission import Permission
from strongroom.broker.services.all_services import Services
from strongroom.keys import assertion
from strongroom.protocol import broker, derivation

SPEC = (Path(__file__).parent.parent / "spec" / "broker-api.md").read_text(encoding="utf-8")
PROSE = " ".join(SPEC.split())


def _messages() -> dict[str, set[str]]:
    return {
        name: {field.name for field in dataclasses.fields(kind)}
        for messages in (broker, derivation)
        for name, kind in vars(messages).items()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind.__module__ == messages.__name__
    }


def _tables() -> dict[str, set[str]]:
    """Return the members in the table under each heading that names a message."""
    found = {}
    for section in re.split(r"^#{2,3} ", SPEC, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        head = re.match(r"\s*\| member \|[^\n]*\n\|[-| ]+\|\n((?:\|[^\n]*\n)+)", body)
        if head is not None:
            found[title] = set(re.findall(r"^\| `([a-z_]+)` \|", head[1], re.MULTILINE))
    return found


def _routes() -> Iterator[tuple[str, str, str, str]]:
    """Yield route, permission, request and answer of each row of the table of routes."""
    (table,) = re.findall(r"^## Routes\n\n((?:\|[^\n]*\n)+)", SPEC, re.MULTILINE)
    for row in table.splitlines()[2:]:
        route, permission, request, answer = (cell.strip() for cell in row.strip("|").split("|"))
        yield route.strip("`"), permission, request, answer


def test_the_spec_has_every_message_and_no_other() -> None:
    assert set(_tables()) == set(_messages())


@pytest.mark.parametrize("name", sorted(_messages()))
def test_the_spec_has_every_member_of_a_message_and_no_other(name: str) -> None:
    assert _tables()[name] == _messages()[name]


@pytest.mark.parametrize("name", sorted(name for name in _messages() if name.endswith("Ask")))
def test_every_member_of_a_request_has_a_reject_rule(name: str) -> None:
    (body,) = re.findall(rf"^### {name}\n\n((?:\|[^\n]*\n)+)", SPEC, re.MULTILINE)
    head, _, *rows = body.splitlines()
    assert "the broker MUST reject" in head
    assert all(row.strip("|").split("|")[2].strip() for row in rows)


def test_every_permission_is_asked_for_by_a_route_and_every_route_asks_for_one() -> None:
    asked = {
        permission.strip("`") for _, permission, _, _ in _routes() if not permission.startswith("public")
    }
    assert asked == {permission.value for permission in Permission}


def _app_routes() -> dict[str, GuardedRoute]:
    nobody = cast("Any", SimpleNamespace())
    services = cast("Any", SimpleNamespace(**dict.fromkeys(Services.__dataclass_fields__)))
    app = make_app(services, nobody, nobody, HttpSettings(url="https://broker.example"), check=lambda: None)
    found = {}
    for route in app.routes:
        assert isinstance(route, GuardedRoute)
        for method in (route.methods or set()) - {"HEAD"}:
            found[f"{method} {route.path.replace(':path', '')}"] = route
    return found


def test_the_spec_has_every_route_of_the_app_and_no_other() -> None:
    assert {route for route, *_ in _routes()} == set(_app_routes())


def test_every_route_asks_for_the_permission_that_the_spec_says_and_takes_and_gives_its_messages() -> None:
    routes = _app_routes()
    for name, permission, request, answer in _routes():
        route = routes[name]
        assert permission.strip("`").partition(",")[0] == route.access.value, name
        takes = (
            getattr(route.body_field.field_info.annotation, "__name__", "")
            if route.body_field is not None
            else ""
        )
        assert re.findall(r"`([A-Z][A-Za-z]+)`", request) == ([takes] if takes else []), name
        gives = re.findall(r"`([A-Z][A-Za-z]+)`", answer)
        if gives:
            assert [getattr(route.response_model, "__name__", None)] == gives, name


def test_what_routes_take_and_give_are_messages() -> None:
    known = set(_messages())
    for route, _, request, answer in _routes():
        for cell in (request, answer):
            for name in re.findall(r"`([A-Z][A-Za-z]+)`", cell):
                assert name in known, route


def test_limits_of_the_spec_are_those_of_the_code() -> None:
    settings = HttpSettings(url="https://broker.example")
    for row in (
        f"with an access token | {settings.max_body_bytes >> 20} MiB",
        f"any at a public route | {settings.max_stranger_body_bytes >> 10} KiB",
        f"path and query | {settings.max_target_bytes >> 10} KiB",
        f"a proof | {LIMITS.max_proof_bytes >> 10} KiB",
        f"an answer, at a partner | {LIMITS.max_broker_answer_bytes >> 20} MiB",
        f"for the body | {settings.handshake_seconds:g} s, {settings.header_seconds:g} s, "
        f"{settings.body_seconds:g} s",
        f"to read an answer | {settings.answer_seconds:g} s",
        f"objects in a page | {settings.max_page} |",
        f"with a token | {settings.max_requests} |",
        f"without one, or at a public route | {settings.max_stranger_requests} |",
        f"open connections | {settings.max_connections} |",
        f"a kept answer | {settings.remember_seconds // 3600} h",
    ):
        assert row in SPEC
    assert f"`iat` + 1 to `iat` + {assertion.LIFE_SECONDS}" in PROSE
    assert f"more than {LIMITS.max_clock_skew_seconds} seconds from now" in PROSE
