from __future__ import annotations

import pytest

from strongroom.errors import ObjectNotFound, StorageError, StorageUnavailable
from strongroom.storage.interface import Source


class Answering(Source):
    """A storage that answers as it is told to."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    def _next(self) -> int:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _size(self) -> int:
        return self._next()

    def _read_into(self, offset: int, buffer: memoryview) -> int:
        self.asked.append((offset, len(buffer)))
        return self._next()


def test_short_reads_are_repeated() -> None:
    source = Answering(3, 1, 6)
    source.read_into(100, bytearray(10))
    assert source.asked == [(100, 10), (103, 7), (104, 6)]


@pytest.mark.parametrize("end", [0, -1, 8])
def test_an_end_in_the_middle_is_an_error_and_no_endless_loop(end: int) -> None:
    with pytest.raises(StorageError) as refused:
        Answering(3, end).read_into(0, bytearray(10))
    assert refused.value.code == "storage-short-read"


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("closed"), RuntimeError()])
def test_whatever_a_technology_raises_becomes_one_error(error: Exception) -> None:
    with pytest.raises(StorageUnavailable):
        Answering(error).size()
    with pytest.raises(StorageUnavailable) as refused:
        Answering(error).read_into(0, bytearray(1))
    assert refused.value.__cause__ is error


def test_the_message_names_the_reason_and_not_the_details() -> None:
    with pytest.raises(StorageUnavailable, match=r"does not answer: Input/output error(\n|$)"):
        Answering(OSError(5, "Input/output error", "/secret/path")).size()
    with pytest.raises(StorageUnavailable, match=r"does not answer: RuntimeError(\n|$)"):
        Answering(RuntimeError("token abc")).size()


def test_errors_of_the_tree_pass_through() -> None:
    with pytest.raises(ObjectNotFound, match="gone"):
        Answering(ObjectNotFound("gone")).size()
