"""Witness keys: ML-DSA-44, of one kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.keys.key_pair import SigningKey
from strongroom.keys.log_key import LogKey
from strongroom.keys.text import KeyKind
from strongroom.keys.witness_key import WitnessKey, witness_public_from_text, witness_public_to_text

KEY = WitnessKey.generate()


def test_a_witness_key_round_trips() -> None:
    again = WitnessKey.from_text(KEY.to_text())
    assert again.public == KEY.public
    assert again.kind is KeyKind.WITNESS
    assert witness_public_from_text(again.public_text) == KEY.public
    assert witness_public_to_text(KEY.public) == KEY.public_text


def test_its_repr_shows_no_secret() -> None:
    assert repr(KEY) == f"WitnessKey(key_id='{KEY.key_id}')"


def test_a_log_key_is_no_witness_key() -> None:
    with pytest.raises(FormatError) as caught:
        WitnessKey.from_text(LogKey.generate().to_text())
    assert caught.value.code == "wrong-kind"


def test_it_is_no_p256_key() -> None:
    makers: tuple[Callable[[], SigningKey], ...] = (
        lambda: SigningKey.generate(KeyKind.WITNESS),
        lambda: SigningKey.from_text(KEY.to_text(), KeyKind.WITNESS),
    )
    for make in makers:
        with pytest.raises(UsageError) as caught:
            make()
        assert caught.value.code == "wrong-kind"
