from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom._encoding import to_base64url
from strongroom.crypto import passphrase
from strongroom.errors import Error, FormatError, NoMatchingKey
from strongroom.home import kek_file

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
KEY = bytes(range(32))
CLEAR = kek_file.to_bytes(KEY, passphrase=None, created_at=NOW)
ENCRYPTED = kek_file.to_bytes(KEY, passphrase="one", created_at=NOW)


def never() -> str:
    raise AssertionError("nobody should be asked")


def test_the_bytes_of_a_key_in_the_clear_are_pinned() -> None:
    assert CLEAR == (
        b"# strongroom key-encryption key, created 2026-11-24T03:00:00Z\n"
        b"strongroom-key-encryption-secret.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8byxNk\n"
    )


def test_a_key_reads_back_and_nobody_is_asked_without_need() -> None:
    assert kek_file.from_bytes(CLEAR, passphrase=never) == KEY


def test_a_key_under_a_passphrase_reads_back_and_stands_nowhere_in_the_file() -> None:
    assert kek_file.from_bytes(ENCRYPTED, passphrase=lambda: "one") == KEY
    assert CLEAR.splitlines()[1].partition(b".")[2][:20] not in ENCRYPTED


def test_another_passphrase_does_not_open_it() -> None:
    with pytest.raises(NoMatchingKey) as caught:
        kek_file.from_bytes(ENCRYPTED, passphrase=lambda: "two")
    assert caught.value.code == "passphrase-wrong"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        CLEAR[:-1],
        CLEAR + b"\n",
        CLEAR.replace(b"\n", b"\r\n"),
        CLEAR.replace(b"2026-11-24", b"2026-13-24"),
        CLEAR.replace(b"AAEC", b"AAED"),
        CLEAR.replace(b"8byxNk", b"8byxN"),
        CLEAR.replace(b"8byxNk", b"8byxNkAAAA"),
        CLEAR.replace(b"key-encryption-secret", b"device-secret"),
        ENCRYPTED.replace(b"encrypted-key", b"something"),
    ],
)
def test_every_other_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        kek_file.from_bytes(data, passphrase=never)


@pytest.mark.parametrize("secret", [b"", b"\xff\xfe", b"strongroom-device-secret.AAAA"])
def test_what_is_under_the_passphrase_must_be_such_a_key(secret: bytes) -> None:
    blob = passphrase.wrap(secret, "one", label=b"key-file/key-encryption")
    line = f"strongroom-encrypted-key.key-encryption.{to_base64url(blob)}\n".encode()
    with pytest.raises(FormatError):
        kek_file.from_bytes(CLEAR.splitlines(keepends=True)[0] + line, passphrase=lambda: "one")


@given(st.binary(max_size=300))
def test_any_bytes_give_a_key_or_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(Error):
        kek_file.from_bytes(data, passphrase=lambda: "one")
