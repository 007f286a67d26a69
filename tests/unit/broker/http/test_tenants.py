"""A partner can never learn that another exists: every route of the table, asked by one about another.

What another holds is answered byte for byte as what nobody holds. The routes come from the application
itself: one that is added is asked too, and fails here if this page does not know how.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx2
import pytest

from strongroom._encoding import to_base32
from strongroom.broker.http.routing import GuardedRoute
from strongroom.broker.permission import Permission, allowed
from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.crypto.hpke import SealingSecret
from strongroom.keys.identity import member_id
from strongroom.keys.key_pair import SigningKey, sealing_public_to_text
from strongroom.keys.member import MemberRole
from strongroom.keys.text import KeyKind
from strongroom.license.signing import sign_document
from strongroom.protocol.broker import LicenseRequestAsk, MemberAsk, SublicenseAsk
from tests.unit.broker.http.wire import Asker, Wire
from tests.unit.broker.services.hospital import Clinic, World
from tests.unit.broker.services.machine import Machine
from tests.unit.broker.services.maker import Maker

BODIES: dict[str, dict[str, Any]] = {
    "ReasonAsk": {"reason": "because"},
    "ApprovalAsk": {"fingerprint": "ABCD-EFGH-JKMN-PQRS-TVWX"},
    "ReturnAsk": {"usage": None},
    "RequestGrantAsk": {"license": "lic-aaaaaaaaaaaaaaaaaaaaaaaa"},
    "CountersignatureAsk": {"statement": "e30="},
}
PREFIXES = {
    "organization": "org-",
    "runtime": "run-",
    "member": "mem-",
    "license": "lic-",
    "sublicense": "sub-",
    "lease": "lea-",
    "request": "ask-",
    "derivation": "drv-",
}


@dataclass
class Side:
    """One partner with everything that a partner can have."""

    world: World
    clinic: Clinic
    machine: Machine
    request: str
    derivation: str
    site: Clinic
    sublicense: str
    operator: SigningKey = field(default_factory=lambda: SigningKey.generate(KeyKind.MEMBER))

    @classmethod
    def make(cls, world: World, name: str, version: str) -> Side:
        """Enroll a partner, grant, accept, pass on, take a lease, and add a second member."""
        clinic = world.clinic(name)
        statement = world.statement(version=version)
        world.publishing.publish(world.admin, world.package(statement))
        asked = world.requesting.make(
            clinic.manager, LicenseRequestAsk(model=f"{name}-wish", purpose="triage")
        )
        made = Maker.of(world, clinic, statement).hand_in()
        machine = Machine.enrolled(world, clinic, statement=statement)
        site = world.clinic(f"{name}-ward")
        passed_on = SublicenseAsk(sublicense=clinic.narrow(machine.license, site.party))
        sublicense = world.licensing.narrow(clinic.manager, passed_on).license
        side = cls(world, clinic, machine, asked.request, made.derivation, site, sublicense)
        side.machine.take()
        certificate = clinic.certify(side.operator, MemberRole.OPERATOR, name="o.perator")
        world.members.add(clinic.manager, MemberAsk(member=certificate))
        return side

    @property
    def ids(self) -> dict[str, str]:
        """What is its own, by the names that path parameters have."""
        return {
            "organization": self.clinic.organization,
            "runtime": self.clinic.runtime,
            "member": self.clinic.manager.id,
            "license": self.machine.license,
            "sublicense": self.sublicense,
            "lease": self.machine.lease_id,
            "request": self.request,
            "derivation": self.derivation,
        }

    @property
    def traces(self) -> set[str]:
        """What must be in no answer to another partner."""
        # Both hold the same model: what is published is no secret of theirs.
        names = {self.clinic.name, self.site.organization}
        return set(self.ids.values()) | names | {member_id(self.operator.public)}


@dataclass
class Scene:
    """Two partners, and the application."""

    wire: Wire
    one: Side
    other: Side

    @cached_property
    def askers(self) -> dict[Role, Asker]:
        """The other partner, in each role that it has."""
        operator = self.other.operator
        return {
            Role.MANAGER: self.wire.member(self.other.clinic.home),
            Role.OPERATOR: Asker(self.wire, operator, member_id(operator.public)),
            Role.RUNTIME: self.wire.runtime(self.other.clinic.home),
        }

    @property
    def routes(self) -> list[GuardedRoute]:
        """Every route that asks who somebody is."""
        routes = [route for route in self.wire.broker.app.routes if isinstance(route, GuardedRoute)]
        return [route for route in routes if isinstance(route.access, Permission)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    world = World(tmp_path_factory.mktemp("scene"))
    one, other = Side.make(world, "clinic-one", "1.0.0"), Side.make(world, "practice-two", "2.0.0")
    yield Scene(Wire(world), one, other)
    world.close()


def ghost(prefix: str) -> str:
    """Return an id that nobody has."""
    return prefix + to_base32(secrets.token_bytes(15))


def told(answer: httpx2.Response) -> tuple[int, bytes]:
    """Return what somebody learns from an answer."""
    return answer.status_code, answer.content


def permitted(role: Role, route: GuardedRoute) -> bool:
    principal = Principal(organization="org-x", id="x", kind=PrincipalKind.MEMBER, role=role)
    return route.access in allowed(principal)


def method_of(route: GuardedRoute) -> str:
    return next(iter(route.methods or ()))


def path_of(route: GuardedRoute, ids: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda found: ids.get(found[1], "7"), route.path.removeprefix("/v1"))


def body_of(route: GuardedRoute) -> dict[str, Any]:
    if route.body_field is None:
        return {}
    return {"json": BODIES[str(route.body_field.field_info.annotation.__name__)]}  # type: ignore[union-attr]  # - a message of ours


class TestPaths:
    @pytest.mark.parametrize("role", [Role.MANAGER, Role.OPERATOR, Role.RUNTIME])
    def test_what_is_anothers_is_answered_as_what_is_not_there(self, scene: Scene, role: Role) -> None:
        asker = scene.askers[role]
        nobodys = {name: ghost(prefix) for name, prefix in PREFIXES.items()}
        asked = 0
        for route in scene.routes:
            if "{" not in route.path:
                continue
            answers = [
                told(asker.send(method_of(route), path_of(route, ids), **body_of(route)))
                for ids in (scene.one.ids, nobodys)
            ]
            assert answers[0] == answers[1], route.path
            assert answers[0][0] == (404 if permitted(role, route) else 403), route.path
            asked += permitted(role, route)
        assert asked

    def test_what_is_ones_own_is_there(self, scene: Scene) -> None:
        """Or the test above would pass with a broker that knows nothing."""
        reads = [
            (Role.MANAGER, "/licenses/{license}"),
            (Role.OPERATOR, "/licenses/{license}"),
            (Role.RUNTIME, "/licenses/{license}"),
            (Role.OPERATOR, "/license-requests/{request}"),
            (Role.OPERATOR, "/derivations/{derivation}"),
        ]
        for role, path in reads:
            route = next(route for route in scene.routes if route.path.endswith(path))
            answer = scene.askers[role].send("GET", path_of(route, scene.other.ids))
            assert answer.status_code == 200

    def test_every_parameter_is_known_here(self, scene: Scene) -> None:
        names = {name for route in scene.routes for name in re.findall(r"{(\w+)", route.path)}
        assert names - set(PREFIXES) == {"index"}

    def test_only_the_owner_names_entries_of_the_log(self, scene: Scene) -> None:
        for route in scene.routes:
            if "{index}" in route.path:
                assert not any(permitted(role, route) for role in Role)


class TestQueries:
    @pytest.mark.parametrize("role", [Role.MANAGER, Role.OPERATOR, Role.RUNTIME])
    def test_what_is_anothers_is_answered_as_what_is_not_there(self, scene: Scene, role: Role) -> None:
        asked = 0
        for route in scene.routes:
            names = {each.name for each in route.dependant.query_params}
            assert names <= {"after", "limit", "license", "expires_within_days", "size", "log"}, route.path
            if "license" not in names:
                continue
            path = route.path.removeprefix("/v1")
            answers = [
                told(scene.askers[role].send("GET", f"{path}?license={license}"))
                for license in (scene.one.machine.license, ghost("lic-"))
            ]
            assert answers[0] == answers[1]
            asked += 1
        assert asked == 2

    @pytest.mark.parametrize("role", [Role.MANAGER, Role.OPERATOR, Role.RUNTIME])
    def test_no_list_holds_a_trace_of_another(self, scene: Scene, role: Role) -> None:
        asked = set()
        for route in scene.routes:
            if method_of(route) != "GET" or "{" in route.path or not permitted(role, route):
                continue
            text = all_pages(scene.askers[role], route.path.removeprefix("/v1"))
            assert not [trace for trace in scene.one.traces if trace in text], route.path
            asked.add(route.path.removeprefix("/v1"))
        assert asked >= {"/licenses", "/leases", "/usage", "/packages", "/log/records", "/revocations"}
        assert "/sublicenses" in asked
        assert ("/license-requests" in asked) is (role is not Role.RUNTIME)
        assert ("/derivations" in asked) is (role is not Role.RUNTIME)

    def test_its_own_list_holds_it(self, scene: Scene) -> None:
        """Or the test above would pass with lists that are empty."""
        text = all_pages(scene.askers[Role.RUNTIME], "/log/records")
        assert scene.other.machine.license in text
        assert scene.other.machine.lease_id in all_pages(scene.askers[Role.RUNTIME], "/leases")
        assert scene.other.sublicense in all_pages(scene.askers[Role.RUNTIME], "/sublicenses")
        assert scene.other.request in all_pages(scene.askers[Role.MANAGER], "/license-requests")
        assert scene.other.derivation in all_pages(scene.askers[Role.MANAGER], "/derivations")


def all_pages(asker: Asker, path: str) -> str:
    """Return every page of a list, with what is base64 in it decoded."""
    found = ""
    after = ""
    for _ in range(20):
        answer = asker.send("GET", f"{path}?limit=2{after}" if path != "/log/offer" else path)
        if answer.status_code == 422:
            answer = asker.send("GET", path)
        assert answer.status_code == 200, answer.text
        found += answer.text
        is_json = answer.headers["content-type"] == "application/json"
        following = answer.json().get("next") if is_json else None
        if following is None or f"after={following}" in after:
            break
        after = f"&after={following}"
    for word in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", found.replace("\\n", "\n")):
        # Pieces of signatures, in the other alphabet, are found too, and end anywhere.
        whole = word.rstrip("=")
        whole = whole[: len(whole) - (len(whole) % 4 == 1)]
        found += base64.b64decode(whole + "=" * (-len(whole) % 4)).decode("utf-8", "replace")
    return found


def _acceptance(scene: Scene, license: str) -> dict[str, Any]:
    return {"acceptance": scene.other.clinic.accept(license)}


def _sublicense(scene: Scene, license: str) -> dict[str, Any]:
    return {"sublicense": scene.other.clinic.narrow(license, scene.other.clinic.party)}


def _derivation(scene: Scene, license: str) -> dict[str, Any]:
    maker = Maker(scene.one.world, scene.other.clinic, scene.one.machine.statement, license)
    ask = maker.ask(maker.said(version="7.0.0"))
    return {"derivation": ask.derivation, "statement": ask.statement}


def _lease(scene: Scene, license: str) -> dict[str, Any]:
    machine, worker = scene.other.machine, SealingSecret.generate()
    package = scene.one.machine.statement.package_digest
    request = machine.request(worker, license=license, package=package, previous=None)
    return {
        "request": sign_document(request, machine.device).token,
        "worker_key": sealing_public_to_text(worker.public),
    }


def _usage(scene: Scene, license: str) -> dict[str, Any]:
    known = license == scene.one.machine.license
    authority = scene.one.machine.lease_id if known else ghost("lea-")
    return {"usage": scene.other.machine.report(authority, license=license).token}


def _checkout(scene: Scene, license: str) -> dict[str, Any]:
    return {"license": license, "package": scene.one.machine.statement.package_digest}


NAMING: dict[str, Callable[[Scene, str], dict[str, Any]]] = {
    "/v1/acceptances": _acceptance,
    "/v1/sublicenses": _sublicense,
    "/v1/derivations": _derivation,
    "/v1/leases": _lease,
    "/v1/usage": _usage,
    "/v1/checkouts": _checkout,
}
"""Routes whose body names what may be another's."""
NAMING_NOTHING = {"/v1/members", "/v1/log/cosignatures", "/v1/license-requests"}
"""Routes whose body can name only what is one's own."""


class TestBodies:
    def test_every_write_of_a_partner_is_known_here(self, scene: Scene) -> None:
        writes = {
            route.path
            for route in scene.routes
            if method_of(route) == "POST"
            and "{" not in route.path
            and any(permitted(role, route) for role in scene.askers)
        }
        assert writes == set(NAMING) | NAMING_NOTHING

    @pytest.mark.parametrize("path", sorted(NAMING))
    def test_what_is_anothers_is_answered_as_what_is_not_there(self, scene: Scene, path: str) -> None:
        route = next(each for each in scene.routes if each.path == path and method_of(each) == "POST")
        asked = 0
        for role, asker in scene.askers.items():
            if not permitted(role, route):
                continue
            answers = [
                asker.send("POST", path.removeprefix("/v1"), json=NAMING[path](scene, license))
                for license in (scene.one.machine.license, ghost("lic-"))
            ]
            assert told(answers[0]) == told(answers[1])
            assert 400 <= answers[0].status_code < 500
            asked += 1
        assert asked
