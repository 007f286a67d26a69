from __future__ import annotations

import base64
import hashlib

import pytest

from strongroom.errors import FormatError
from strongroom.keys.identity import (
    member_id,
    organization_id,
    owner_id,
    runtime_id,
    verify_organization_id,
    verify_owner_id,
)
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.text import KeyKind


def expected(prefix: str, kind: bytes, data: bytes) -> str:
    pieces = (b"strongroom/document-id/v1", kind, data)
    bound = b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces)
    return prefix + base64.b32encode(hashlib.sha256(bound).digest()[:15]).decode().lower()


def test_ids_follow_the_spec() -> None:
    device = SigningKey.generate(KeyKind.DEVICE).public
    assert owner_id(b"{}") == expected("own-", b"owner", b"{}") == "own-" + owner_id(b"{}")[4:]
    assert runtime_id(device) == expected("run-", b"runtime", device.to_bytes())
    assert organization_id(device) == expected("org-", b"organization", device.to_bytes())
    assert member_id(device) == expected("mem-", b"member", device.to_bytes())


def test_one_key_has_another_id_in_each_role() -> None:
    public = SigningKey.generate(KeyKind.DEVICE).public
    ids = [owner_id(public.to_bytes()), runtime_id(public), organization_id(public), member_id(public)]
    assert len({each[4:] for each in ids}) == 4


def test_ids_have_their_form() -> None:
    verify_owner_id(owner_id(b""))
    verify_organization_id(organization_id(SigningKey.generate(KeyKind.ORGANIZATION).public))


@pytest.mark.parametrize(
    "text", ["", "own-", "own-" + "a" * 23, "own-" + "A" * 24, "own-" + "1" * 24, "run-" + "a" * 24]
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        verify_owner_id(text)
    with pytest.raises(FormatError):
        verify_organization_id(text.replace("own", "org"))
