from __future__ import annotations

import json

import pytest

from strongroom import errors
from strongroom.broker.http import problem
from strongroom.connection.interface import Response
from strongroom.connection.problem import to_error
from strongroom.errors import Error


def every_class() -> list[type[Error]]:
    found: list[type[Error]] = [Error]
    for kind in found:
        found += [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    return found


@pytest.mark.parametrize("kind", every_class(), ids=lambda kind: str(kind.__name__))
def test_every_class_has_a_status(kind: type[Error]) -> None:
    assert 400 <= problem.status_of(kind("x")) <= 503


@pytest.mark.parametrize("code", sorted(problem._CODES))
def test_a_code_goes_before_its_class(code: str) -> None:
    assert problem.status_of(errors.UsageError("x", code=code)) == problem._CODES[code]


def test_what_partners_read_of_it() -> None:
    """The two ends agree: a refusal by a license arrives as one, with its code and its hint."""
    denied = errors.LicenseDenied("it ended", code="expired", hint="ask for a new one")
    said = problem.answer(denied)
    heard = to_error(Response(status=said.status_code, body=bytes(said.body)))
    assert type(heard) is errors.LicenseDenied
    assert (str(heard), heard.code, heard.hint) == ("it ended", "expired", "ask for a new one")
    assert json.loads(bytes(said.body))["type"] == "/problems/license-denied/expired"


def test_what_is_not_there_arrives_as_such() -> None:
    said = problem.answer(errors.ObjectNotFound("nothing"))
    assert type(to_error(Response(status=said.status_code, body=bytes(said.body)))) is errors.ObjectNotFound
