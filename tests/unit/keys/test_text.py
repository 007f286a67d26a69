from __future__ import annotations

import itertools
import secrets

import pytest

from strongroom._encoding import to_base64url
from strongroom.crypto import digest, labels
from strongroom.errors import FormatError
from strongroom.keys.text import (
    Half,
    KeyKind,
    public_from_text,
    public_to_text,
    raw_size,
    secret_from_text,
    secret_to_text,
)

RAW = bytes(range(33))
HALVES: tuple[Half, ...] = ("public", "secret")


def write(kind: KeyKind, half: Half) -> str:
    raw = secrets.token_bytes(raw_size(kind, half))
    return public_to_text(kind, raw) if half == "public" else secret_to_text(kind, raw)


def read(text: str, kind: KeyKind, half: Half) -> bytes:
    return public_from_text(text, kind) if half == "public" else secret_from_text(text, kind)


def test_the_wire_form_is_pinned() -> None:
    assert public_to_text(KeyKind.DEVICE, RAW) == (
        "strongroom-device-public.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gGyuhWA"
    )
    assert secret_to_text(KeyKind.OWNER_ROOT, RAW[:32]) == (
        "strongroom-owner-root-secret.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-05x-X"
    )


def test_the_form_follows_the_spec() -> None:
    checksum = digest.sha256(labels.bind(labels.KEY_TEXT, b"strongroom-device-public", RAW))[:4]
    expected = "strongroom-device-public." + to_base64url(RAW + checksum)
    assert public_to_text(KeyKind.DEVICE, RAW) == expected


@pytest.mark.parametrize("kind", KeyKind)
def test_public_text_round_trips(kind: KeyKind) -> None:
    raw = secrets.token_bytes(raw_size(kind, "public"))
    assert public_from_text(public_to_text(kind, raw), kind) == raw


@pytest.mark.parametrize("kind", KeyKind)
def test_secret_text_round_trips(kind: KeyKind) -> None:
    raw = secrets.token_bytes(raw_size(kind, "secret"))
    assert secret_from_text(secret_to_text(kind, raw), kind) == raw


def test_a_text_of_one_kind_or_half_is_no_other() -> None:
    for (kind, half), (other, other_half) in itertools.permutations(itertools.product(KeyKind, HALVES), 2):
        with pytest.raises(FormatError) as caught:
            read(write(kind, half), other, other_half)
        assert caught.value.code == "wrong-kind"
        assert f"{kind.value} {half}" in str(caught.value)
        assert f"{other.value} {other_half}" in str(caught.value)


def test_a_changed_front_does_not_change_the_kind() -> None:
    text = public_to_text(KeyKind.DEVICE, RAW).replace("device", "member")
    with pytest.raises(FormatError) as caught:
        public_from_text(text, KeyKind.MEMBER)
    assert caught.value.code == "key-checksum"


@pytest.mark.parametrize("position", [25, 40, -1])
def test_a_typing_error_is_found(position: int) -> None:
    text = public_to_text(KeyKind.DEVICE, RAW)
    wrong = list(text)
    wrong[position] = "A" if wrong[position] != "A" else "B"
    with pytest.raises(FormatError, match=r"checksum|base64url"):
        public_from_text("".join(wrong), KeyKind.DEVICE)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text + "=",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: text.replace(".", ":"),
        lambda text: text.partition(".")[2],
        lambda text: text.replace("A", "Α"),  # noqa: RUF001 - a Greek letter that looks the same
        lambda _: "",
        lambda _: "strongroom-device-public.",
        lambda _: "strongroom-device-public." + "!" * 50,
    ],
)
def test_another_spelling_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(FormatError):
        public_from_text(change(public_to_text(KeyKind.DEVICE, RAW)), KeyKind.DEVICE)


@pytest.mark.parametrize("size", [0, 31, 34, 1216])
def test_a_key_of_another_size_is_not_written(size: int) -> None:
    with pytest.raises(FormatError, match=f"33 bytes, not {size}"):
        public_to_text(KeyKind.DEVICE, bytes(size))
    with pytest.raises(FormatError, match=f"32 bytes, not {size}"):
        secret_to_text(KeyKind.DEVICE, bytes(size))
