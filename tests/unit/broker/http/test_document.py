"""Strange requests, made from the OpenAPI document by somebody else's tool: no defect, nothing undocumented.

``STRONGROOM_REQUESTS`` says how many for each operation; the soak sends thousands.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Err
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from strongroom.broker.http.app import make_openapi
from strongroom.broker.permission import Permission, allowed
from strongroom.broker.principal import Principal, PrincipalKind, Role
from tests.unit.broker.http.wire import URL, Asker, Wire
from tests.unit.broker.services.hospital import World
from tests.unit.broker.services.machine import Machine

REQUESTS = int(os.environ.get("STRONGROOM_REQUESTS", "20"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@dataclass
class Scene:
    """A broker with something in it, and somebody for every permission."""

    wire: Wire
    askers: list[tuple[frozenset[Permission], Asker]]
    known: dict[str, str]
    """Ids that are really there, by the name of the parameter."""

    def asker(self, permission: str) -> Asker:
        return next(asker for permissions, asker in self.askers if Permission(permission) in permissions)


def _permissions(role: Role, organization: str) -> frozenset[Permission]:
    return allowed(Principal(organization=organization, id="x", kind=PrincipalKind.MEMBER, role=role))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    world = World(tmp_path_factory.mktemp("scene"))
    clinic = world.clinic()
    machine = Machine.enrolled(world, clinic)
    machine.take()
    wire = Wire(world)
    askers = [
        (_permissions(Role.RUNTIME, "org-x"), wire.runtime(clinic.home)),
        (_permissions(Role.MANAGER, "org-x"), wire.member(clinic.home)),
        (_permissions(Role.ADMIN, "own-x"), wire.member(world.home)),
    ]
    known = {
        "organization": clinic.organization,
        "license": machine.license,
        "path": "0/000.p/1",
    }
    yield Scene(wire, askers, known)
    world.close()


def test_it_is_the_same_without_a_broker(scene: Scene) -> None:
    """What users get is what the strange requests are made from."""
    assert make_openapi() == scene.wire.broker.app.openapi()


@pytest.mark.slow
def test_every_answer_is_documented(scene: Scene) -> None:
    schema = schemathesis.openapi.from_dict(scene.wire.broker.app.openapi())
    asked = 0
    for found in schema.get_all_operations():
        assert not isinstance(found, Err)
        _ask_strangely(scene, found.ok())
        asked += 1
    assert asked >= 35


def _ask_strangely(scene: Scene, operation: Any) -> None:
    @hypothesis.given(case=operation.as_strategy())
    @hypothesis.settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        if case.method == "GET" and len(str(case.query)) % 2:
            names = [name for name in case.path_parameters if name in scene.known]
            case.path_parameters.update({name: scene.known[name] for name in names})
        case.validate_response(_send(scene, case), checks=CHECKS)

    ask()


def _send(scene: Scene, case: Any) -> httpx2.Response:
    client = scene.wire.client
    given = case.as_transport_kwargs(base_url=URL)
    given.pop("cookies", None)
    request = client.build_request(
        given["method"],
        given["url"],
        headers={name: str(value) for name, value in given.get("headers", {}).items() if _is_header(value)},
        params=given.get("params"),
        json=given.get("json"),
        content=given.get("data") if isinstance(given.get("data"), bytes) else None,
        data=given.get("data") if isinstance(given.get("data"), dict) else None,
    )
    permission = case.operation.definition.raw.get("x-permission")
    if permission is not None:
        asker = scene.asker(permission)
        path = urlsplit(str(request.url)).path
        request.headers["Authorization"] = f"DPoP {asker.token}"
        # For the address itself: the prefix of the API is part of it already.
        request.headers["DPoP"] = asker.proof(request.method, path, access_token=asker.token)
    return client.send(request)


def _is_header(value: object) -> bool:
    return str(value).isascii() and str(value).isprintable()
