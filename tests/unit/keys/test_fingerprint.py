from __future__ import annotations

import hashlib

import pytest

from strongroom.crypto import labels
from strongroom.errors import FormatError, VerificationError
from strongroom.keys.fingerprint import fingerprint, verify_fingerprint

TOKEN = "a.b.c"
PINNED = "JHMY-FPBE-VAHP-GC10-5ZY6"


def test_the_form_is_pinned() -> None:
    assert fingerprint(TOKEN) == PINNED


def test_it_is_the_first_hundred_bits_in_crockfords_alphabet() -> None:
    digest = hashlib.sha256(labels.bind(labels.FINGERPRINT, TOKEN.encode())).digest()
    bits = "".join(f"{byte:08b}" for byte in digest)[:100]
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    chars = "".join(alphabet[int(bits[start : start + 5], 2)] for start in range(0, 100, 5))
    assert fingerprint(TOKEN).replace("-", "") == chars


@pytest.mark.parametrize(
    "given",
    [PINNED, PINNED.lower(), PINNED.replace("-", " "), PINNED.replace("-", ""), f"  {PINNED} "],
)
def test_what_people_type_is_understood(given: str) -> None:
    verify_fingerprint(given, TOKEN)


def test_letters_that_look_like_digits_are_read_as_digits() -> None:
    # A token whose fingerprint has a 0 and a 1; found by search, constant since.
    token = next(text for text in map(str, range(1000)) if {"0", "1"} <= set(fingerprint(text)))
    shown = fingerprint(token)
    for zero, one in (("O", "I"), ("o", "l"), ("0", "L")):
        verify_fingerprint(shown.replace("0", zero).replace("1", one), token)


def test_another_fingerprint_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        verify_fingerprint(fingerprint("a.b.d"), TOKEN)
    assert caught.value.code == "fingerprint-mismatch"
    assert caught.value.hint


@pytest.mark.parametrize(
    "given", ["", PINNED[:-1], PINNED + "A", "U" * 20, "É" * 20, "ß" * 10, PINNED * 1000]
)
def test_what_is_no_fingerprint_is_a_typing_error(given: str) -> None:
    with pytest.raises(FormatError) as caught:
        verify_fingerprint(given, TOKEN)
    assert caught.value.code == "fingerprint-form"
