from __future__ import annotations

import pytest

from strongroom.broker.principal import Principal, PrincipalKind, Role
from strongroom.broker.services.ownership import own_or_not_found, verify_owner
from strongroom.errors import ObjectNotFound
from tests.unit.broker.services.hospital import refused

OWN, OTHER, OWNER = "org-" + "a" * 24, "org-" + "b" * 24, "own-" + "c" * 24


def principal(organization: str) -> Principal:
    return Principal(
        organization=organization, id="mem-" + "d" * 24, kind=PrincipalKind.MEMBER, role=Role.AUDITOR
    )


def test_what_is_missing_and_what_is_anothers_get_one_answer() -> None:
    said = []
    for found in (None, OTHER):
        with pytest.raises(ObjectNotFound) as caught:
            own_or_not_found(principal(OWN), found, lambda holder: [holder])
        said.append((str(caught.value), caught.value.code, caught.value.hint, type(caught.value)))
    assert said[0] == said[1]


def test_what_is_ones_own_is_found() -> None:
    assert own_or_not_found(principal(OWN), OWN, lambda holder: [holder]) == OWN
    assert own_or_not_found(principal(OWNER), OWN, lambda holder: [holder]) == OWN
    strict = lambda: own_or_not_found(principal(OWNER), OWN, lambda holder: [holder], owner_too=False)  # noqa: E731 - short
    assert refused(strict) == "not-found"


def test_acts_of_the_owner_are_not_for_partners() -> None:
    verify_owner(principal(OWNER))
    assert refused(lambda: verify_owner(principal(OWN))) == "not-permitted"
