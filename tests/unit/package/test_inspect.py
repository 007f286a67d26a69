from __future__ import annotations

import pytest

from strongroom.crypto.signature import SigningPublic
from strongroom.errors import FormatError, IntegrityError, VerificationError
from strongroom.package.inspect import inspect, verify_package
from strongroom.package.statement import signer
from strongroom.storage.memory import MemorySource
from tests.unit.package.making import KEYS, LARGE, OTHER_SECRET, OWNER, OWNER_SECRET, make

MADE = make(LARGE)


def test_inspect_needs_no_key() -> None:
    seen = inspect(MemorySource(MADE.data))
    assert seen.unverified == MADE.statement
    assert seen.unverified_signer == OWNER_SECRET.public.key_id
    assert seen.file_bytes == len(MADE.data)


def test_inspect_shows_what_strangers_signed_and_calls_it_unverified() -> None:
    forged = make(sign=signer(OTHER_SECRET))
    seen = inspect(MemorySource(forged.data))
    assert seen.unverified.owner == OWNER
    assert seen.unverified_signer == OTHER_SECRET.public.key_id


def test_inspect_refuses_other_files() -> None:
    with pytest.raises(FormatError):
        inspect(MemorySource(b"\x80\x04K\x01."))


def test_verify_package() -> None:
    done: list[int] = []
    assert verify_package(MemorySource(MADE.data), KEYS, owner=OWNER, progress=done.append) == MADE.statement
    assert len(done) == 5


@pytest.mark.parametrize("keys", [[], [OTHER_SECRET.public]])
def test_verify_package_wants_the_owners_key(keys: list[SigningPublic]) -> None:
    with pytest.raises(VerificationError):
        verify_package(MemorySource(MADE.data), keys, owner=OWNER)


def test_verify_package_looks_at_every_segment() -> None:
    data = bytearray(MADE.data)
    data[3_000_000] ^= 1
    with pytest.raises(IntegrityError):
        verify_package(MemorySource(data), KEYS, owner=OWNER, threads=1)
