from __future__ import annotations

import pytest

from strongroom.crypto import ed25519
from strongroom.crypto.ed25519 import Ed25519Public, Ed25519Secret
from strongroom.errors import FormatError, VerificationError

FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
# RFC 8032 section 7.1, test 3.
SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
MESSAGE = bytes.fromhex("af82")
SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def test_the_vector_of_the_rfc() -> None:
    secret = Ed25519Secret.from_bytes(SEED)
    assert secret.public.to_bytes() == PUBLIC
    assert secret.sign(MESSAGE) == SIGNATURE
    Ed25519Public.from_bytes(PUBLIC).verify(SIGNATURE, MESSAGE)


def test_keys_are_read_and_written() -> None:
    secret = Ed25519Secret.generate()
    again = Ed25519Secret.from_bytes(secret.to_bytes())
    assert again.public == secret.public
    assert hash(again.public) == hash(secret.public)
    assert again.public != Ed25519Secret.generate().public
    assert secret.public != secret.public.to_bytes()


def test_a_key_id_is_of_the_key() -> None:
    key_id = Ed25519Public(PUBLIC).key_id
    assert len(key_id) == 32
    assert key_id != Ed25519Secret.generate().public.key_id


def test_reprs_show_no_secret() -> None:
    secret = Ed25519Secret.from_bytes(SEED)
    assert repr(secret) == "Ed25519Secret(...)"
    assert repr(secret.public) == f"Ed25519Public(key_id={secret.public.key_id!r})"


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (SIGNATURE, b"another text"),
        (SIGNATURE[:-1], MESSAGE),
        (SIGNATURE + b"\x00", MESSAGE),
        (b"", MESSAGE),
        (bytes([SIGNATURE[0] ^ 1]) + SIGNATURE[1:], MESSAGE),
        (SIGNATURE[:32] + (int.from_bytes(SIGNATURE[32:], "little") + ORDER).to_bytes(32, "little"), MESSAGE),
    ],
    ids=["text", "short", "long", "empty", "flipped", "not reduced"],
)
def test_other_signatures_are_refused(signature: bytes, message: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        Ed25519Public(PUBLIC).verify(signature, message)
    assert caught.value.code == "signature"


def test_another_key_is_refused() -> None:
    with pytest.raises(VerificationError):
        Ed25519Secret.generate().public.verify(SIGNATURE, MESSAGE)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_other_sizes_are_refused(size: int) -> None:
    with pytest.raises(FormatError, match="has 32 bytes"):
        Ed25519Public.from_bytes(bytes(size))
    with pytest.raises(FormatError, match="has 32 bytes"):
        Ed25519Secret.from_bytes(bytes(size))


def _small_order_points() -> list[bytes]:
    """Every encoding of a point of order 1, 2, 4 or 8, canonical or not, found by multiplication."""
    points = {(0, 1), (0, FIELD - 1)}
    for y in (0, ed25519._ORDER_8, FIELD - ed25519._ORDER_8):
        square = (y * y - 1) * pow(ed25519._D * y * y + 1, -1, FIELD) % FIELD
        x = pow(square, (FIELD + 3) // 8, FIELD)
        if x * x % FIELD != square:
            x = x * pow(2, (FIELD - 1) // 4, FIELD) % FIELD
        assert x * x % FIELD == square, "on the curve"
        points |= {(x, y), (FIELD - x, y)}
    assert len(points) == 8
    for point in points:
        total = (0, 1)
        for _ in range(8):
            total = _add(total, point)
        assert total == (0, 1), "of small order"
    encodings = {y | (x & 1) << 255 for x, y in points}
    encodings |= {y + sign for y in (0, 1, FIELD - 1) for sign in (0, 1 << 255)}
    encodings |= {y + FIELD + sign for y in (0, 1) for sign in (0, 1 << 255)}
    return [number.to_bytes(32, "little") for number in sorted(encodings)]


def _add(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = first, second
    product = ed25519._D * x1 * x2 * y1 * y2 % FIELD
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, FIELD) % FIELD
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, FIELD) % FIELD
    return x, y


@pytest.mark.parametrize("raw", _small_order_points(), ids=bytes.hex)
def test_keys_under_which_anything_verifies_are_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        Ed25519Public(raw)


def test_a_second_encoding_of_a_point_is_refused() -> None:
    for y in range(2, 19):
        with pytest.raises(FormatError, match="canonical"):
            Ed25519Public((FIELD + y).to_bytes(32, "little"))


def test_what_is_no_point_is_refused() -> None:
    refused = 0
    for y in range(2, 66):
        try:
            Ed25519Public(y.to_bytes(32, "little"))
        except FormatError as error:
            assert "not a point" in str(error)  # noqa: PT017 - about half of the values are points
            refused += 1
    assert 16 < refused < 48
