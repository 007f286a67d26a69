from __future__ import annotations

import itertools

import pytest

from strongroom.crypto import labels
from strongroom.crypto.labels import bind


def test_no_label_is_used_twice() -> None:
    assert len(labels.ALL) >= 8
    assert len(set(labels.ALL)) == len(labels.ALL)


def test_no_label_begins_another() -> None:
    for one, other in itertools.permutations(labels.ALL, 2):
        assert not one.startswith(other)


def test_every_label_names_the_project_its_use_and_a_version() -> None:
    for label in labels.ALL:
        project, *use, version = label.decode("ascii").split("/")
        assert project == "strongroom"
        assert use or version in label.decode()
    assert labels.KEY_ID == b"strongroom/key-id/v1"


def test_the_encoding_is_pinned() -> None:
    assert bind(b"L", b"", b"ab") == b"\0\0\0\x01L\0\0\0\0\0\0\0\x02ab"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"a", b"b"), (b"ab",)),
        ((b"a", b"b"), (b"a", b"b", b"")),
        ((b"a", b""), (b"a",)),
        ((b"a", b"bc"), (b"ab", b"c")),
        ((b"a", b"\0\0\0\x01b"), (b"a", b"", b"b")),
        ((b"a", b"b", b"c"), (b"a", b"c", b"b")),
    ],
)
def test_two_lists_never_give_the_same_bytes(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> None:
    assert bind(*one) != bind(*other)
