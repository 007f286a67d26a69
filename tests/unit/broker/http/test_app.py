"""The application around its routes: permissions, problems, limits, and what it says of itself."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

from strongroom.broker.http.app import verify_every_route_has_an_access
from strongroom.broker.http.routing import GuardedRoute, Public
from strongroom.broker.permission import Permission, allowed, verify_permitted
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.errors import BrokerRefused, StorageUnavailable, UsageError
from tests.unit.broker.http.wire import Asker, Wire, code_of
from tests.unit.broker.services.hospital import Clinic, World
from tests.unit.broker.services.machine import Machine


def routes_of(wire: Wire) -> list[GuardedRoute]:
    return [route for route in wire.broker.app.routes if isinstance(route, GuardedRoute)]


def person(role: Role, organization: str) -> Principal:
    kind = PrincipalKind.RUNTIME if role is Role.RUNTIME else PrincipalKind.MEMBER
    return Principal(organization=organization, id="mem-x", kind=kind, role=role)


class TestPermissions:
    def test_every_route_names_one(self, wire: Wire) -> None:
        assert len(routes_of(wire)) == len(wire.broker.app.routes)
        assert {type(route.access) for route in routes_of(wire)} == {Permission, Public}

    def test_a_route_without_one_stops_construction(self) -> None:
        bare = Route("/v1/back-door", lambda request: JSONResponse({}))
        with pytest.raises(UsageError) as caught:
            verify_every_route_has_an_access([bare])
        assert caught.value.code == "route-without-permission"

    def test_what_is_public_is_listed_here(self, wire: Wire) -> None:
        public = {route.path for route in routes_of(wire) if isinstance(route.access, Public)}
        assert public == {
            "/health",
            "/ready",
            "/metrics",
            "/v1/owner",
            "/v1/enrollments",
            "/v1/token",
            "/v1/log/checkpoint",
            "/v1/log/tile/{path:path}",
        }

    def test_every_permission_is_needed_by_a_route_and_had_by_somebody(self, wire: Wire) -> None:
        needed = {route.access for route in routes_of(wire)} - set(Public)
        had = {
            permission
            for role in Role
            for organization in ("own-x", "org-x")
            for permission in allowed(person(role, organization))
        }
        assert needed == had == set(Permission)

    def test_only_members_of_the_owner_grant_publish_and_approve(self) -> None:
        owners = {
            Permission.PARTNER_READ,
            Permission.PARTNER_APPROVE,
            Permission.PARTNER_SUSPEND,
            Permission.PACKAGE_PUBLISH,
            Permission.PACKAGE_WITHDRAW,
            Permission.LICENSE_GRANT,
            Permission.LICENSE_APPROVE,
            Permission.LICENSE_SUSPEND,
            Permission.LEASE_RELEASE,
            Permission.LOG_ERASE,
        }
        for role in Role:
            assert not allowed(person(role, "org-x")) & owners

    def test_auditors_only_read(self) -> None:
        for organization in ("own-x", "org-x"):
            assert all(one.value.endswith(":read") for one in allowed(person(Role.AUDITOR, organization)))

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.PUBLISHER])
    def test_a_role_of_the_owner_is_none_at_a_partner(self, role: Role) -> None:
        assert not allowed(person(role, "org-x"))

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.OPERATOR, Role.RUNTIME])
    def test_a_role_of_a_partner_is_none_at_the_owner(self, role: Role) -> None:
        assert not allowed(person(role, "own-x"))

    def test_only_runtimes_take_leases(self) -> None:
        takers = [
            (organization, role)
            for role in Role
            for organization in ("own-x", "org-x")
            if Permission.LEASE_TAKE in allowed(person(role, organization))
        ]
        assert takers == [("org-x", Role.RUNTIME)]

    def test_a_refusal_names_the_permission(self) -> None:
        with pytest.raises(BrokerRefused, match="operator does not permit license:accept"):
            verify_permitted(person(Role.OPERATOR, "org-x"), Permission.LICENSE_ACCEPT)

    def test_every_route_refuses_who_may_not(self, wire: Wire, admin: Asker, manager: Asker) -> None:
        """By a member whose role has not the permission of the route, and before the body is read."""
        for route in routes_of(wire):
            if isinstance(route.access, Public):
                continue
            path = re.sub(r"{[^}]*}", "x", route.path).removeprefix("/v1")
            method = next(iter(route.methods or ()))
            for asker, organization in ((admin, "own-x"), (manager, "org-x")):
                role = Role.ADMIN if asker is admin else Role.MANAGER
                if route.access in allowed(person(role, organization)):
                    continue
                answer = asker.send(method, path, content=b"{not json")
                assert (answer.status_code, code_of(answer)) == (403, "not-permitted"), path

    def test_every_guarded_route_refuses_strangers(self, wire: Wire) -> None:
        for route in routes_of(wire):
            if isinstance(route.access, Permission):
                path = re.sub(r"{[^}]*}", "x", route.path).removeprefix("/v1")
                for method in route.methods or ():
                    answer = wire.stranger(method, path, content=b"{not json")
                    assert (answer.status_code, code_of(answer)) == (401, "token-missing"), path


class TestRefusals:
    def test_nothing_at_an_address(self, wire: Wire) -> None:
        answer = wire.stranger("GET", "/nowhere")
        assert answer.status_code == 404
        assert code_of(answer) == "not-found"

    @pytest.mark.parametrize("path", ["/members/", "//members", "/members/../owner/"])
    def test_no_redirects(self, wire: Wire, path: str) -> None:
        """Their address would be made of the Host header."""
        answer = wire.stranger("GET", path, headers={"Host": "evil.example"}, follow_redirects=False)
        assert answer.status_code in (404, 401)
        assert "location" not in answer.headers

    def test_another_method(self, wire: Wire) -> None:
        answer = wire.stranger("PATCH", "/members")
        assert answer.status_code == 405
        assert code_of(answer) == "method-not-allowed"
        assert answer.headers["allow"] == "GET, POST"

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            (b"{", 400, "malformed"),
            (b"", 400, "malformed"),
            (b'{"reason": "a", "reason": "b"}', 400, "malformed"),
            (b'{"reason": 1.5}', 400, "malformed"),
            (b'{"reason": NaN}', 400, "malformed"),
            (b'{"reason": "\\ud800"}', 400, "malformed"),
            (b'{"reason": "a\\u0000b"}', 400, "malformed"),
            (b'{"reason": ["a\\u0000b"]}', 400, "malformed"),
            (b"[" * 100_000, 400, "malformed"),
            (b"\xff", 400, "malformed"),
            (b"[]", 422, "request-invalid"),
            (b"null", 422, "request-invalid"),
            (b"{}", 422, "request-invalid"),
            (b'{"reason": 7}', 422, "request-invalid"),
            (b'{"reason": "a", "more": 1}', 422, "request-invalid"),
        ],
    )
    def test_bodies(self, admin: Asker, body: bytes, status: int, code: str) -> None:
        answer = admin.send(
            "POST", "/partners/org-x/suspend", content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, code_of(answer)) == (status, code)

    @pytest.mark.parametrize("size", ["12", 1.0, True])
    def test_numbers_are_numbers(self, runtime: Asker, size: object) -> None:
        body = json.dumps({"request": "a", "worker_key": "b", "log_size": size}).replace("1.0", '"1"')
        answer = runtime.send("POST", "/leases", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, code_of(answer)) == (422, "request-invalid")

    @pytest.mark.parametrize(("size", "status"), [(-1, 422), ((1 << 53) - 1, 200), (1 << 53, 400)])
    def test_a_size_that_none_has_is_refused_before_anything_is_given(
        self, wire: Wire, clinic: Clinic, runtime: Asker, size: int, status: int
    ) -> None:
        world = wire.world
        ask = Machine.enrolled(world, clinic).asking()
        body = {"request": ask.request, "worker_key": ask.worker_key, "log_size": size}
        assert runtime.send("POST", "/leases", json=body).status_code == status
        with world.ledger.view() as kept:
            assert len(kept.leases(world.watch.time, limit=10)) == (status == 200)

    def test_the_document_says_so_too(self, wire: Wire) -> None:
        asked = wire.broker.app.openapi()["components"]["schemas"]["LeaseAsk"]["properties"]["log_size"]
        assert (asked["minimum"], asked["maximum"]) == (0, (1 << 53) - 1)

    def test_what_was_sent_is_not_repeated(self, admin: Asker) -> None:
        secret = "strongroom-member-secret.abcdefgh"
        answer = admin.send("POST", "/members", json={"role": "admin", secret: 1, "key": [secret]})
        assert answer.status_code == 422
        assert secret not in answer.text
        assert secret not in admin.wire.log.getvalue()

    def test_another_kind_of_body(self, admin: Asker) -> None:
        answer = admin.send("POST", "/partners/org-x/suspend", data={"reason": "a"})
        assert (answer.status_code, code_of(answer)) == (415, "media-type")

    @pytest.mark.parametrize("name", ["a%00b", "a%2Fb", "%F0%9F%92%A9", "a'b", "x" * 81, "a%0Ab"])
    def test_what_cannot_be_an_id_is_answered_like_one_that_nobody_has(self, admin: Asker, name: str) -> None:
        answer = admin.send("GET", f"/partners/{name}")
        assert (answer.status_code, code_of(answer)) == (404, "not-found")

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=x", "limit=1001", "limit=-1", "after=%00", "after=" + "x" * 300]
    )
    def test_queries(self, admin: Asker, query: str) -> None:
        answer = admin.send("GET", f"/partners?{query}")
        assert (answer.status_code, code_of(answer)) == (422, "request-invalid")

    def test_a_note_has_its_own_kind_of_body(self, runtime: Asker) -> None:
        answer = runtime.send("POST", "/log/cosignatures", json={})
        assert (answer.status_code, code_of(answer)) == (415, "media-type")

    @pytest.mark.parametrize("index", ["x", "-1", "1" * 16, "999999"])
    def test_an_entry_that_is_not_there(self, admin: Asker, index: str) -> None:
        assert code_of(admin.send("DELETE", f"/log/records/{index}")) == "not-found"

    def test_a_client_that_hangs_up(self, wire: Wire) -> None:
        sent: list[Any] = []

        async def hang_up() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"idempotency-key", b"k")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/enrollments",
            "raw_path": b"/v1/enrollments",
            "query_string": b"",
            "headers": headers,
        }
        asyncio.run(wire.broker.app(scope, hang_up, send))
        assert sent[0]["status"] == 400
        assert json.loads(wire.log.getvalue().splitlines()[-1])["code"] == "body-cut-off"

    def test_what_the_framework_itself_refuses(
        self, wire: Wire, admin: Asker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise HTTPException(400, "the body is hunter2")

        monkeypatch.setattr(type(wire.broker.services.members), "page", refuse)
        answer = admin.send("GET", "/members")
        assert (answer.status_code, code_of(answer)) == (400, "malformed")
        assert "hunter2" not in answer.text

    def test_a_defect_is_told_by_nothing_but_its_code(
        self, wire: Wire, admin: Asker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("the key is hunter2")

        monkeypatch.setattr(type(wire.broker.services.members), "page", broken)
        answer = admin.send("GET", "/members")
        assert (answer.status_code, code_of(answer)) == (500, "unexpected")
        assert "hunter2" not in answer.text + wire.log.getvalue()
        line = json.loads(wire.log.getvalue().splitlines()[-1])
        assert line["defect"].startswith("RuntimeError at test_app.py:")
        assert line["status"] == 500

    def test_what_goes_wrong_inside_is_told_by_its_code_only(
        self, wire: Wire, admin: Asker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise StorageUnavailable("cannot write /srv/hospital/broker.db", code="disk-full", hint="df -h")

        monkeypatch.setattr(type(wire.broker.services.members), "page", full)
        answer = admin.send("GET", "/members")
        assert (answer.status_code, code_of(answer)) == (503, "disk-full")
        assert "/srv" not in answer.text
        assert "df" not in answer.text
        assert answer.headers["Retry-After"] == "2"


class TestLimits:
    def test_a_stranger_has_a_smaller_one(self, world: World) -> None:
        wire = Wire(world, max_stranger_body_bytes=100)
        answer = wire.stranger("POST", "/enrollments", json={"enrollment": "x" * 100})
        assert (answer.status_code, code_of(answer)) == (413, "body-too-large")

    def test_a_body_that_says_its_length(self, world: World) -> None:
        wire = Wire(world, max_body_bytes=100)
        admin = wire.member(world.home)
        answer = admin.send("POST", "/members", json={"name": "x" * 100})
        assert (answer.status_code, code_of(answer)) == (413, "body-too-large")
        assert answer.headers["Connection"] == "close"

    def test_a_body_that_says_nothing(self, world: World) -> None:
        wire = Wire(world, max_body_bytes=1000)
        admin = wire.member(world.home)

        def endless() -> Any:
            for _ in range(1000):
                yield b"x" * 100

        answer = admin.send(
            "POST", "/members", content=endless(), headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, code_of(answer)) == (413, "body-too-large")

    @pytest.mark.parametrize("length", ["-1", "x", "9" * 30])
    def test_a_length_that_is_none(self, wire: Wire, length: str) -> None:
        answer = wire.stranger("GET", "/owner", headers={"Content-Length": length})
        assert answer.status_code == 413

    def test_a_long_address(self, wire: Wire) -> None:
        answer = wire.stranger("GET", "/owner?x=" + "x" * 5000)
        assert (answer.status_code, code_of(answer)) == (414, "target-too-long")

    def test_too_many_at_once(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        wire = Wire(world, max_stranger_requests=1)
        inside, go_on = threading.Event(), threading.Event()
        real = type(wire.broker.services.meeting).owner

        def slow(meeting: Any) -> Any:
            inside.set()
            go_on.wait(10)
            return real(meeting)

        monkeypatch.setattr(type(wire.broker.services.meeting), "owner", slow)
        with wire.client:
            first: list[int] = []
            thread = threading.Thread(target=lambda: first.append(wire.stranger("GET", "/owner").status_code))
            thread.start()
            inside.wait(10)
            answer = wire.stranger("GET", "/owner")
            assert (answer.status_code, code_of(answer)) == (503, "busy")
            assert answer.headers["Retry-After"] == "2"
            # Partners have places of their own, and whoever watches the broker needs none.
            assert wire.stranger("GET", "/members", headers={"Authorization": "DPoP x"}).status_code == 401
            assert wire.client.get("/health").status_code == 200
            go_on.set()
            thread.join()
            assert first == [200]
            assert wire.stranger("GET", "/owner").status_code == 200


class TestHeaders:
    def test_every_answer_has_them(self, admin: Asker) -> None:
        for answer in (
            admin.send("GET", "/members"),
            admin.wire.stranger("GET", "/nowhere"),
            admin.wire.stranger("GET", "/owner?" + "x" * 5000),
        ):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "server" not in answer.headers


class TestOperation:
    def test_health(self, wire: Wire) -> None:
        assert wire.client.get("/health").json() == {"status": "ok"}

    def test_ready(self, wire: Wire) -> None:
        assert wire.client.get("/ready").json() == {"status": "ready"}

    def test_not_ready_without_a_database(self, wire: Wire) -> None:
        (wire.world.folder / "broker.db").unlink()
        answer = wire.client.get("/ready")
        assert answer.status_code == 503
        assert wire.client.get("/health").status_code == 200

    def test_metrics_name_routes_and_nobody(self, wire: Wire, admin: Asker) -> None:
        admin.send("GET", "/members")
        admin.send("GET", "/partners/org-" + "a" * 24)
        wire.client.request("INVENTED", "/v1/owner")
        wire.client._transport.client = ("127.0.0.1", 5)  # type: ignore[attr-defined]  # - the address that the server sees
        text = wire.client.get("/metrics").text
        assert 'route="/v1/partners/{organization}",status="404"' in text
        assert 'method="other"' in text
        assert "org-" not in text
        assert "mem-" not in text

    @pytest.mark.parametrize("host", ["10.0.0.7", "testclient", "::ffff:10.0.0.7"])
    def test_metrics_are_for_this_machine_only(self, wire: Wire, host: str) -> None:
        wire.client._transport.client = (host, 5)  # type: ignore[attr-defined]  # - the address that the server sees
        answer = wire.client.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})
        assert answer.status_code == 404

    def test_behind_a_proxy_everybody_looks_like_this_machine(self, world: World) -> None:
        wire = Wire(world, behind_proxy=True)
        wire.client._transport.client = ("127.0.0.1", 5)  # type: ignore[attr-defined]  # - the address that the server sees
        assert wire.client.get("/metrics").status_code == 404


class TestRequestLog:
    def test_a_line_says_what_and_who_and_nothing_else(self, admin: Asker) -> None:
        admin.send("GET", "/members?after=secret-place", headers={"User-Agent": "secret-agent"})
        line = json.loads(admin.wire.log.getvalue().splitlines()[-1])
        assert set(line) == {"at", "event", "method", "ms", "principal", "route", "status"}
        assert line["principal"] == admin.subject
        assert line["route"] == "/v1/members"
        assert "secret" not in admin.wire.log.getvalue()

    def test_a_refusal_has_its_code(self, wire: Wire) -> None:
        wire.stranger("GET", "/members")
        line = json.loads(wire.log.getvalue().splitlines()[-1])
        assert line["code"] == "token-missing"
        assert "principal" not in line

    def test_watching_leaves_no_lines(self, wire: Wire) -> None:
        wire.client.get("/health")
        assert not wire.log.getvalue()


class TestDocument:
    def test_every_route_is_in_it_with_its_permission(self, wire: Wire) -> None:
        document = wire.broker.app.openapi()
        for route in routes_of(wire):
            if not route.path.startswith("/v1"):
                continue
            path = route.path.replace(":path", "")
            for method in route.methods or ():
                operation = document["paths"][path][method.lower()]
                permission = None if isinstance(route.access, Public) else route.access.value
                assert operation.get("x-permission") == permission
                assert bool(operation.get("security")) is (permission is not None)
                assert operation["summary"]

    def test_every_refusal_is_a_problem(self, wire: Wire) -> None:
        document = wire.broker.app.openapi()
        for operations in document["paths"].values():
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400:
                        assert list(response["content"]) == ["application/problem+json"]

    def test_nothing_of_the_framework_is_left_in_it(self, wire: Wire) -> None:
        assert "HTTPValidationError" not in json.dumps(wire.broker.app.openapi())

    def test_it_is_served_on_request_only(self, world: World, wire: Wire) -> None:
        for path in ("/openapi.json", "/docs", "/redoc"):
            assert wire.client.get(path).status_code == 404
        open_wire = Wire(world, openapi=True)
        assert open_wire.client.get("/openapi.json").json() == open_wire.broker.app.openapi()
        assert open_wire.client.get("/docs").status_code == 404
