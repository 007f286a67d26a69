from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from strongroom._encoding import to_base64url
from strongroom.crypto import passphrase as passphrases
from strongroom.errors import FormatError, NoMatchingKey, UsageError
from strongroom.keys import key_file, key_pair
from strongroom.keys.key_file import KeyFile
from strongroom.keys.key_pair import SealingKey, SigningKey
from strongroom.keys.text import KeyKind
from tests.unit.keys.parties import NOW

PASSPHRASE = "correct horse battery staple"
DEVICE = SigningKey.generate(KeyKind.DEVICE)
PLAIN = key_file.to_bytes(DEVICE, passphrase=None, created_at=NOW)


def never() -> str:
    raise AssertionError("nobody should be asked")


def change(old: str, new: str) -> bytes:
    changed = PLAIN.replace(old.encode(), new.encode())
    assert changed != PLAIN
    return changed


def test_the_form_is_pinned() -> None:
    assert PLAIN.decode() == (
        "# strongroom device key, created 2026-11-24T03:00:00Z\n"
        f"# public: {DEVICE.public_text}\n"
        f"{DEVICE.to_text()}\n"
    )


@pytest.mark.parametrize("kind", list(KeyKind))
def test_a_plain_file_round_trips(kind: KeyKind) -> None:
    key = key_pair.generate(kind)
    data = key_file.to_bytes(key, passphrase=None, created_at=NOW)
    again = key_file.from_bytes(data, kind, passphrase=never)
    assert again.to_text() == key.to_text()
    assert key_file.to_bytes(again, passphrase=None, created_at=NOW) == data


def test_a_file_under_a_pass_phrase_round_trips() -> None:
    key = SealingKey.generate()
    data = key_file.to_bytes(key, passphrase=PASSPHRASE, created_at=NOW)
    assert key.to_text().partition(".")[2].encode() not in data
    parsed = KeyFile.from_bytes(data)
    assert parsed.encrypted
    assert parsed.created_at == NOW
    assert parsed.unverified_public_text == key.public_text
    assert parsed.to_bytes() == data
    assert (
        key_file.from_bytes(data, KeyKind.SEALING, passphrase=lambda: PASSPHRASE).to_text() == key.to_text()
    )


def test_a_wrong_or_missing_pass_phrase() -> None:
    data = key_file.to_bytes(DEVICE, passphrase=PASSPHRASE, created_at=NOW)
    with pytest.raises(NoMatchingKey) as wrong:
        key_file.from_bytes(data, KeyKind.DEVICE, passphrase=lambda: "wrong")
    assert wrong.value.code == "passphrase-wrong"
    with pytest.raises(NoMatchingKey) as missing:
        key_file.from_bytes(data, KeyKind.DEVICE, passphrase=None)
    assert missing.value.code == "passphrase-required"
    assert missing.value.hint


def test_an_empty_pass_phrase_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        key_file.to_bytes(DEVICE, passphrase="", created_at=NOW)
    assert caught.value.code == "passphrase-empty"


def test_a_file_of_another_kind_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(FormatError, match="the member key, got one with a device key") as caught:
        key_file.from_bytes(PLAIN, KeyKind.MEMBER, passphrase=never)
    assert caught.value.code == "wrong-kind"


def test_an_encrypted_line_of_another_kind_is_refused_before_anybody_is_asked() -> None:
    data = change(DEVICE.to_text(), "strongroom-encrypted-key.member.AAAA")
    with pytest.raises(FormatError) as caught:
        key_file.from_bytes(data, KeyKind.DEVICE, passphrase=never)
    assert caught.value.code == "wrong-kind"


def test_a_public_line_of_another_key_is_refused() -> None:
    data = change(DEVICE.public_text, SigningKey.generate(KeyKind.DEVICE).public_text)
    assert not KeyFile.from_bytes(data).encrypted
    with pytest.raises(FormatError) as caught:
        key_file.from_bytes(data, KeyKind.DEVICE, passphrase=None)
    assert caught.value.code == "key-mismatch"


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("é".encode(), "no key text"),
        (b"strongroom-member-secret.AAAA", "got a member secret key"),
        (b"", "no key text"),
    ],
)
def test_something_else_under_the_pass_phrase_is_refused(secret: bytes, message: str) -> None:
    blob = passphrases.wrap(secret, "p", label=b"key-file/device")
    data = change(DEVICE.to_text(), f"strongroom-encrypted-key.device.{to_base64url(blob)}")
    with pytest.raises(FormatError, match=message):
        key_file.from_bytes(data, KeyKind.DEVICE, passphrase=lambda: "p")


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: PLAIN[:-1],
        lambda: PLAIN + b"\n",
        lambda: b"\n" + PLAIN,
        lambda: b"\xef\xbb\xbf" + PLAIN,
        lambda: PLAIN.replace(b"\n", b"\r\n"),
        lambda: PLAIN.replace(b"\n", b" \n", 1),
        lambda: PLAIN + b"# comment\n",
        lambda: b"\n".join(PLAIN.split(b"\n")[1:]),
        lambda: b"\n".join(PLAIN.split(b"\n")[::-1]),
        lambda: change("created 2026", "created 26"),
        lambda: change("03:00:00Z", "03:00:00+00:00"),
        lambda: change("11-24", "11-31"),
        lambda: change("strongroom device", "strongroom vault"),
        lambda: change("# public", "#public"),
        lambda: change(DEVICE.public_text, SigningKey.generate(KeyKind.MEMBER).public_text),
        lambda: change(DEVICE.to_text(), SigningKey.generate(KeyKind.MEMBER).to_text()),
        lambda: change(DEVICE.to_text(), DEVICE.public_text),
        lambda: change(DEVICE.to_text(), "strongroom-encrypted-key.device.AAAA"),
        lambda: change(DEVICE.to_text(), "strongroom-encrypted-key.device."),
        lambda: change(DEVICE.to_text(), "strongroom-encrypted-key"),
        lambda: b"\x00" * 100,
        lambda: PLAIN + b"x" * (64 << 10),
    ],
)
def test_another_spelling_is_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(FormatError):
        key_file.from_bytes(make(), KeyKind.DEVICE, passphrase=lambda: "p")


def test_the_pass_phrase_is_the_same_in_both_unicode_forms() -> None:
    data = key_file.to_bytes(DEVICE, passphrase="Gr\u00fc\u00dfe", created_at=NOW)
    key = key_file.from_bytes(data, KeyKind.DEVICE, passphrase=lambda: "Gru\u0308\u00dfe")
    assert key.public_text == DEVICE.public_text


def test_the_repr_of_a_parsed_file_shows_no_secret() -> None:
    parsed = KeyFile.from_bytes(PLAIN)
    assert re.search("strongroom-device-secret", repr(parsed)) is None
