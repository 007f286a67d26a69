from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.crypto.hpke import unwrap_key, wrap_key
from strongroom.errors import FormatError, UsageError
from strongroom.keys import key_pair
from strongroom.keys.key_pair import (
    SealingKey,
    SigningKey,
    sealing_public_from_text,
    sealing_public_to_text,
    signing_public_from_text,
    signing_public_to_text,
)
from strongroom.keys.text import KeyKind, public_to_text, secret_to_text

OTHERS = (KeyKind.SEALING, KeyKind.OWNER_LOG, KeyKind.WITNESS)
SIGNING = [kind for kind in KeyKind if kind not in OTHERS]


@pytest.mark.parametrize("kind", SIGNING)
def test_a_signing_key_round_trips(kind: KeyKind) -> None:
    key = SigningKey.generate(kind)
    again = SigningKey.from_text(key.to_text(), kind)
    assert again.public == key.public
    assert again.key_id == key.public.key_id
    again.public.verify(key.secret.sign(b"message"), b"message")


def test_a_sealing_key_round_trips() -> None:
    key = SealingKey.generate()
    again = SealingKey.from_text(key.to_text())
    assert again.public == key.public
    assert again.kind is KeyKind.SEALING
    wrapped = wrap_key(bytes(32), sealing_public_from_text(key.public_text), info=b"")
    assert unwrap_key(wrapped, again.secret, info=b"") == bytes(32)


def test_public_texts_round_trip() -> None:
    device, sealing = SigningKey.generate(KeyKind.DEVICE), SealingKey.generate()
    assert signing_public_to_text(device.public, KeyKind.DEVICE) == device.public_text
    assert signing_public_from_text(device.public_text, KeyKind.DEVICE) == device.public
    assert sealing_public_to_text(sealing.public) == sealing.public_text
    assert sealing_public_from_text(sealing.public_text) == sealing.public


@pytest.mark.parametrize("kind", list(KeyKind))
def test_any_kind_is_made_and_read_through_one_door(kind: KeyKind) -> None:
    key = key_pair.generate(kind)
    assert key.kind is kind
    assert key_pair.from_secret_text(key.to_text(), kind).public_text == key.public_text


def test_a_repr_shows_no_secret() -> None:
    device, sealing = SigningKey.generate(KeyKind.DEVICE), SealingKey.generate()
    assert repr(device) == f"SigningKey(kind='device', key_id='{device.key_id}')"
    assert repr(sealing) == "SealingKey(...)"


def test_a_sealing_key_does_not_sign() -> None:
    secret = SigningKey.generate(KeyKind.DEVICE).secret
    makers: tuple[Callable[[], SigningKey], ...] = (
        lambda: SigningKey.generate(KeyKind.SEALING),
        lambda: SigningKey(KeyKind.SEALING, secret),
        lambda: SigningKey.from_text("", KeyKind.SEALING),
    )
    for make in makers:
        with pytest.raises(UsageError) as caught:
            make()
        assert caught.value.code == "wrong-kind"


def test_a_well_written_text_of_no_key_is_refused() -> None:
    with pytest.raises(FormatError, match="not a point"):
        signing_public_from_text(public_to_text(KeyKind.DEVICE, b"\x02" + b"\xff" * 32), KeyKind.DEVICE)
    with pytest.raises(FormatError, match="not a P-256 secret"):
        SigningKey.from_text(secret_to_text(KeyKind.DEVICE, bytes(32)), KeyKind.DEVICE)
    with pytest.raises(FormatError, match="not an X-Wing"):
        sealing_public_from_text(public_to_text(KeyKind.SEALING, b"\xff" * 1216))


def test_a_key_of_another_kind_is_refused() -> None:
    device = SigningKey.generate(KeyKind.DEVICE)
    readers: tuple[Callable[[], object], ...] = (
        lambda: SigningKey.from_text(device.to_text(), KeyKind.ORGANIZATION),
        lambda: signing_public_from_text(device.public_text, KeyKind.ORGANIZATION),
        lambda: SealingKey.from_text(device.to_text()),
        lambda: sealing_public_from_text(device.public_text),
    )
    for read in readers:
        with pytest.raises(FormatError) as caught:
            read()
        assert caught.value.code == "wrong-kind"
    with pytest.raises(FormatError):
        signing_public_to_text(device.public, KeyKind.SEALING)
