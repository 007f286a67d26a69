from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from strongroom.crypto import labels, segment
from strongroom.crypto.passphrase import unwrap, wrap
from strongroom.errors import FormatError, NoMatchingKey, UsageError

PASSPHRASE = "correct horse battery staple"
BLOB = wrap(b"secret", PASSPHRASE, label=b"test")
# Made once with this code; it must open for ever.
PINNED = bytes.fromhex(
    "01947a6eae447d54ea43ce4721e2460b3996c3352628bd4d4d9e5c4625e78652558bb6b96e373c447abb359909bbc28e"
    "fbebb29f0e1d470949ee0502b2ce9e89d965861052245a658a367c690320d8d31eaade972f83c8eae84ae9b651f4f450"
    "1d5a738fa6ab"
)


def test_argon2id_of_rfc_9106() -> None:
    # Section 5.3; it needs the secret and the associated data, which we do not use.
    kdf = Argon2id(
        salt=b"\x02" * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=b"\x04" * 12,
        secret=b"\x03" * 8,
    )
    expected = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"
    assert kdf.derive(b"\x01" * 32).hex() == expected


def test_a_blob_of_an_earlier_day_opens() -> None:
    assert unwrap(PINNED, "Grüße", label=b"test") == b"pinned secret"


def test_the_form_follows_the_spec() -> None:
    assert BLOB[0] == 1
    kdf = Argon2id(salt=BLOB[1:17], length=32, iterations=3, lanes=4, memory_cost=65_536)
    out = bytearray(6)
    context = labels.bind(labels.PASSPHRASE_FILE, BLOB[:17], b"test")
    segment.decrypt_into(kdf.derive(PASSPHRASE.encode()), context, BLOB[17:], out)
    assert out == b"secret"


def test_it_opens_with_its_pass_phrase_and_label_only() -> None:
    assert unwrap(BLOB, PASSPHRASE, label=b"test") == b"secret"
    flipped = BLOB[:1] + bytes([BLOB[1] ^ 1]) + BLOB[2:]
    cut_tag = BLOB[:-1] + bytes([BLOB[-1] ^ 1])
    for blob, passphrase, label in (
        (BLOB, PASSPHRASE + " ", b"test"),
        (BLOB, PASSPHRASE, b"other"),
        (flipped, PASSPHRASE, b"test"),
        (cut_tag, PASSPHRASE, b"test"),
    ):
        with pytest.raises(NoMatchingKey) as caught:
            unwrap(blob, passphrase, label=label)
        assert caught.value.code == "passphrase-wrong"


@pytest.mark.parametrize("size", [0, 17, 17 + 71, 17 + 72 + 16_384])
def test_an_impossible_size_is_refused_before_any_work(size: int) -> None:
    with pytest.raises(FormatError, match="size"):
        unwrap(b"\x01" + bytes(size - 1) if size else b"", PASSPHRASE, label=b"test")


@pytest.mark.parametrize("profile", [0, 2, 255])
def test_a_file_cannot_choose_its_cost(profile: int) -> None:
    with pytest.raises(FormatError, match="profile"):
        unwrap(bytes([profile]) + BLOB[1:], PASSPHRASE, label=b"test")


def test_what_is_no_unicode_is_refused() -> None:
    calls: tuple[Callable[[], bytes], ...] = (
        lambda: wrap(b"", "\ud800", label=b""),
        lambda: unwrap(BLOB, "\ud800", label=b""),
    )
    for call in calls:
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.code == "passphrase-encoding"
        assert caught.value.__context__ is None
