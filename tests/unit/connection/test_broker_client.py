"""Every method of the client leads to the route of its name: method, path and message."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_type_hints

import msgspec
import pytest

from strongroom.connection import BrokerClient
from strongroom.errors import FormatError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind
from strongroom.protocol import broker as messages
from tests.unit.connection.scripted import Scripted, said

KEY = SigningKey.generate(KeyKind.MEMBER)
TOKEN = {"access_token": "abc", "token_type": "DPoP", "expires_in": 300}

ROUTES = [
    ("owner", "GET", "/owner"),
    ("enroll", "POST", "/enrollments"),
    ("partners", "GET", "/partners"),
    ("partner", "GET", "/partners/x"),
    ("approve_partner", "POST", "/partners/x/approve"),
    ("refuse_partner", "POST", "/partners/x/refuse"),
    ("suspend_partner", "POST", "/partners/x/suspend"),
    ("resume_partner", "POST", "/partners/x/resume"),
    ("suspend_runtime", "POST", "/runtimes/x/suspend"),
    ("resume_runtime", "POST", "/runtimes/x/resume"),
    ("members", "GET", "/members"),
    ("add_member", "POST", "/members"),
    ("remove_member", "DELETE", "/members/x"),
    ("packages", "GET", "/packages"),
    ("publish", "POST", "/packages"),
    ("withdraw", "POST", "/withdrawals"),
    ("licenses", "GET", "/licenses"),
    ("license", "GET", "/licenses/x"),
    ("grant", "POST", "/licenses"),
    ("approve_license", "POST", "/licenses/x/approve"),
    ("suspend_license", "POST", "/licenses/x/suspend"),
    ("resume_license", "POST", "/licenses/x/resume"),
    ("revoke", "POST", "/revocations"),
    ("revocations", "GET", "/revocations"),
    ("narrow", "POST", "/sublicenses"),
    ("sublicenses", "GET", "/sublicenses"),
    ("end_sublicense", "POST", "/sublicenses/x/end"),
    ("accept", "POST", "/acceptances"),
    ("license_requests", "GET", "/license-requests"),
    ("license_request", "GET", "/license-requests/x"),
    ("request_license", "POST", "/license-requests"),
    ("grant_license_request", "POST", "/license-requests/x/grant"),
    ("refuse_license_request", "POST", "/license-requests/x/refuse"),
    ("derivations", "GET", "/derivations"),
    ("derivation", "GET", "/derivations/x"),
    ("hand_in_derivation", "POST", "/derivations"),
    ("countersign", "POST", "/derivations/x/countersign"),
    ("refuse_derivation", "POST", "/derivations/x/refuse"),
    ("take_lease", "POST", "/leases"),
    ("leases", "GET", "/leases"),
    ("return_lease", "POST", "/leases/x/return"),
    ("release_lease", "POST", "/leases/x/release"),
    ("usage", "GET", "/usage"),
    ("report", "POST", "/usage"),
    ("check_out", "POST", "/checkouts"),
    ("checkpoint", "GET", "/log/checkpoint"),
    ("tile", "GET", "/log/tile/x"),
    ("offer", "GET", "/log/offer"),
    ("records", "GET", "/log/records"),
    ("cosign", "POST", "/log/cosignatures"),
]


def client_over(wire: Scripted) -> BrokerClient:
    return BrokerClient(
        wire,
        "https://broker.example",
        owner="own-" + "a" * 24,
        subject="mem-" + "a" * 24,
        key=KEY,
        clock=lambda: datetime(2026, 11, 24, 3, tzinfo=UTC),
    )


def sample_of(kind: Any) -> Any:
    """Make the smallest message of a kind."""
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.DataclassType)
    fields = described.fields
    values = {each.encode_name: _value(each.type) for each in fields if each.required}
    return msgspec.convert(values, kind)


def _value(kind: Any) -> Any:
    name = type(kind).__name__
    return {"StrType": "x", "IntType": 1, "BoolType": False, "VarTupleType": (), "DictType": {}}.get(name)


def arguments_of(method: Callable[..., Any]) -> list[Any]:
    hints = get_type_hints(method)
    found = []
    for name, each in inspect.signature(method).parameters.items():
        if each.kind is inspect.Parameter.KEYWORD_ONLY or each.default is not inspect.Parameter.empty:
            continue
        kind = hints[name]
        found.append({str: "x", int: 1, bytes: b"note"}.get(kind) or sample_of(kind))
    return found


@pytest.mark.parametrize(("name", "verb", "path"), ROUTES)
def test_a_method_leads_to_its_route(name: str, verb: str, path: str) -> None:
    kind = get_type_hints(getattr(BrokerClient, name))["return"]
    answer = said(msgspec.to_builtins(sample_of(kind)) if kind is not bytes else "text")
    wire = Scripted([lambda request: said(TOKEN) if request.url.endswith("/token") else answer] * 2)
    method = getattr(client_over(wire), name)
    result = method(*arguments_of(method))
    assert isinstance(result, kind)
    request = wire.asked[-1]
    assert (request.method, request.url.partition("?")[0]) == (verb, f"https://broker.example/v1{path}")


def test_every_method_is_in_the_table() -> None:
    public = {name for name, _ in inspect.getmembers(BrokerClient, inspect.isfunction) if name[0] != "_"}
    assert public - {"close"} == {name for name, _, _ in ROUTES}


def test_an_answer_may_have_more_members_and_not_fewer() -> None:
    more = said({"entry": 3, "later": "x"})
    assert client_over(Scripted([said(TOKEN), more])).remove_member("x") == messages.Done(entry=3)
    with pytest.raises(FormatError):
        client_over(Scripted([said(TOKEN), said({})])).remove_member("x")


def test_the_client_knows_the_time_and_closes() -> None:
    client = client_over(Scripted([]))
    assert client.now.year == 2026
    client.close()
