from __future__ import annotations

import pytest

from strongroom import errors
from strongroom.errors import Error, FormatError, LicenseDenied
from strongroom.worker.messages import Failure


@pytest.mark.parametrize(
    "kind",
    [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Error)],
)
def test_every_error_of_the_tree_crosses(kind: type[Error]) -> None:
    error = Failure.of(kind("why", code="some-code", hint="do this"), id=3).to_error()
    assert type(error) is kind
    assert (str(error), error.code, error.hint) == ("why", "some-code", "do this")


def test_an_error_without_a_hint_crosses() -> None:
    assert Failure.of(LicenseDenied("why")).to_error().hint is None


def test_an_unknown_kind_of_error_is_refused() -> None:
    with pytest.raises(FormatError) as caught:
        Failure(error="SystemExit", code="x", message="y").to_error()
    assert caught.value.code == "unexpected-message"


def test_a_long_message_is_cut() -> None:
    failure = Failure.of(Error("x" * 10_000, hint="y" * 10_000))
    assert len(failure.message) == len(failure.hint or "") == 2000
