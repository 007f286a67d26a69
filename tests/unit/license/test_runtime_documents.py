from __future__ import annotations

import hashlib

import msgspec
import pytest

from strongroom.errors import FormatError
from strongroom.license.documents import LeaseRequest
from strongroom.license.payload import from_payload, to_payload
from strongroom.license.protection import SEALED
from strongroom.license.runtime_documents import worker_key_digest
from tests.unit.license.samples import DOCUMENTS
from tests.unit.license.world import OTHER_SEALING, SEALING


def test_a_request_names_the_raw_bytes_of_the_workers_key() -> None:
    raw = SEALING.public.to_bytes()
    assert worker_key_digest(SEALING.public) == hashlib.sha256(raw).hexdigest()
    assert worker_key_digest(OTHER_SEALING.public) != worker_key_digest(SEALING.public)


MANY = tuple(f"f{number:02}" for number in range(65))


def request() -> LeaseRequest:
    sample = DOCUMENTS["lease-request"]
    assert isinstance(sample, LeaseRequest)
    return sample


def test_facts_are_signed_and_left_out_by_whoever_has_none() -> None:
    plain = request()
    assert b"facts" not in to_payload(plain)
    assert plain.shown == ()
    shown = msgspec.structs.replace(plain, facts=tuple(sorted(SEALED)))
    assert from_payload(to_payload(shown), LeaseRequest) == shown
    assert shown.shown == tuple(sorted(SEALED))
    assert shown.id != plain.id


@pytest.mark.parametrize(
    "facts",
    [
        ("b", "a"),
        ("a", "a"),
        ("",),
        ("A",),
        ("a b",),
        ("a\n",),
        ("x" * 41,),
        tuple(f"f{n:02}" for n in range(65)),
    ],
)
def test_facts_have_one_spelling(facts: tuple[str, ...]) -> None:
    with pytest.raises(FormatError, match="fact"):
        msgspec.structs.replace(request(), facts=facts)
